"""Which columns of its ancestors a table is learnt with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.graph import LEVELS
from synthohive_spark.rules.kinds.aggregate import changing
from synthohive_spark.schema.ancestors import SEEN
from synthohive_spark.schema.columns import ColumnPlan
from synthohive_spark.schema.context import DEGREE, ContextColumn, degree_name
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.tables import TEXT, Table

FURTHER = 64  # columns of ancestors beyond the parents that the search looks at
FEW_SUBJECTS, FEW_SHARE = 256, 0.5  # ancestors below both teach who they are, not what their attributes mean
LOOKUP = 5_000  # rows of a reference table up to which its keys are values that a model may learn: airports, say
KEYS = ("foreign", "surrogate")  # roles of an ancestor's columns that a child may repeat, not learn from


def shown_columns(spec: Table, parent: TablePlan, driving: bool) -> list[ColumnPlan]:
    """The columns of a parent that its child may see: all but keys without meaning and what is no value of its own.

    The rows of a short reference table are the same in the copy, so that their keys mean something.
    """
    wanted = spec.parent_context_cols if driving else None
    values = _values(parent)
    if parent.reference and parent.rows <= LOOKUP:
        known = {c.name for c in values}
        values += [c for c in parent.columns.each if c.name in parent.keys.primary_key and c.name not in known]
    return [c for c in values if wanted is None or c.name in wanted]


def _values(parent: TablePlan) -> list[ColumnPlan]:
    """Its columns that are neither keys without meaning nor written as their shape."""
    meaning = parent.columns.named("model", "sequence", "grid", "derived", "copied", "given")
    return [c for c in parent.columns.each if c.name in meaning and c.name not in parent.protected]


def few_explain(path: Sequence[int], keys: KeysPlan, plans: Mapping[str, TablePlan]) -> bool:
    """Whether a path of keys leads through parents of whom few have children, for no reason that was found."""
    for n, position in enumerate(path):
        fk = keys.at(position)
        if keys.leading(fk) is not None and fk.path is not None:  # most of its rows see the parent at the path's end
            return few_explain((*fk.path.whole, *path[n + 1 :]), keys, plans)
        law, parent = LinkageModel.from_dict(fk.distribution), plans[fk.references]
        few = law.leaves is None and law.busy * parent.rows < min(FEW_SUBJECTS, FEW_SHARE * parent.rows)
        if few and not parent.reference:
            return True
        keys = parent.keys
    return False


def context_columns(
    keys: KeysPlan, spec: Table, plans: Mapping[str, TablePlan], tables: Mapping[str, Table]
) -> tuple[ContextColumn, ...]:
    """What the ancestors are known by: the driving parent with its own context, and each assigned parent's row."""
    columns: list[ContextColumn] = []
    for fk in sorted(keys.foreign, key=lambda k: k.role != "driving"):
        if fk.role not in SEEN or (fk.role != "driving" and fk.columns in _before(fk, keys)):
            continue  # of several tables that the same columns point to, rows see one
        parent, name, driving = plans[fk.references], "+".join(fk.columns), fk.role == "driving"
        wanted = spec.parent_context_cols if driving else None
        columns += [
            ContextColumn(
                name=f"{name}:{c.name}", path=(fk.position,), column=c.name, type=c.type, verbatim=parent.reference
            )
            for c in shown_columns(spec, parent, driving)
        ]
        columns += [
            ContextColumn(
                name=f"{name}:{c.name}", path=(fk.position,), column=c.name, type=c.type, hidden=True, meaning=False
            )
            for c in parent.columns.each
            if _to_repeat(c, parent, fk.referenced_columns)
        ]
        if wanted is None and fk.path is None:
            degree = ContextColumn(name=degree_name(fk.columns), path=(fk.position,), column=DEGREE, type="bigint")
            columns.append(degree)
        if driving and wanted is None:
            above = context_columns(parent.keys, tables[fk.references], plans, tables)
            columns += [
                c.model_copy(update={"name": f"{name}:{c.name}", "path": (fk.position, *c.path)})
                for c in above
                if c.path[0] == getattr(parent.keys.driving, "position", None) and c.column != DEGREE and not c.hidden
            ]
    for fk in keys.following:
        columns += _along(fk, keys, plans, columns)
    return tuple(columns)


def further_columns(
    keys: KeysPlan, known: Sequence[ContextColumn], plans: Mapping[str, TablePlan]
) -> tuple[ContextColumn, ...]:
    """Values of further ancestors behind any path of keys, then what rows may repeat of them: only rules see them.

    Args:
        keys: of the table.
        known: what its rows see already.
        plans: of the tables before it.
    """
    held, values, repeated = {(c.path, c.column) for c in known}, list[ContextColumn](), list[ContextColumn]()
    begun = {c.path[0] for c in known if keys.leading(keys.at(c.path[0])) is None}
    level: list[tuple[tuple[int, ...], str, TablePlan]] = [
        ((fk.position,), "+".join(fk.columns), plans[fk.references]) for fk in keys.foreign if fk.position in begun
    ]
    for _ in range(LEVELS - 1):
        level = [
            ((*path, fk.position), f"{name}:{'+'.join(fk.columns)}", plans[fk.references])
            for path, name, parent in level
            for fk in parent.keys.foreign
            if fk.role in SEEN
        ]
        for path, name, parent in level:
            of = {c.name for c in _values(parent)}
            for c in (c for c in parent.columns.each if (path, c.name) not in held):
                column = ContextColumn(name=f"{name}:{c.name}", path=path, column=c.name, type=c.type, hidden=True)
                if c.name in of:
                    values.append(column.model_copy(update={"verbatim": parent.reference}))
                elif _to_repeat(c, parent):
                    repeated.append(column.model_copy(update={"meaning": False}))
    return tuple([*values, *repeated][:FURTHER])


def _along(
    fk: ForeignKeyPlan, keys: KeysPlan, plans: Mapping[str, TablePlan], known: Sequence[ContextColumn]
) -> list[ContextColumn]:
    """What rows see along the path of a key that follows from an ancestor: its columns, and its parent's."""
    assert fk.path is not None
    table = _at_end(fk.path.hops, keys, plans)
    types, name = plans[table].columns.types(), "+".join(fk.columns)
    found = [
        ContextColumn(name=f, path=fk.path.hops, column=c, type=types[c], hidden=True, meaning=False)
        for f, c in zip(fk.follows, fk.path.columns, strict=True)
    ]
    if keys.leading(fk) is not None:  # what rows see behind the key, where it follows from an ancestor
        behind = [c for c in known if c.path[0] == fk.position]
        return found + [
            c.model_copy(update={"name": f"={c.name}", "path": (*fk.path.whole, *c.path[1:]), "hidden": True})
            for c in behind
        ]
    parent, seen = plans[fk.references], {(c.path, c.column) for c in known}
    shown = [c.name for c in shown_columns(Table(), parent, False)]
    for c in parent.columns.each:
        if (fk.path.whole, c.name) not in seen and (c.name in shown or _to_repeat(c, parent, fk.referenced_columns)):
            column = ContextColumn(name=f"{name}:{c.name}", path=fk.path.whole, column=c.name, type=c.type)
            hidden = c.name not in shown
            more = {"hidden": hidden, "meaning": not hidden, "verbatim": parent.reference and not hidden}
            found.append(column.model_copy(update=more))
    return found


def _at_end(hops: Sequence[int], keys: KeysPlan, plans: Mapping[str, TablePlan]) -> str:
    """The table at the end of a path of keys."""
    for hop in hops[:-1]:
        keys = plans[keys.at(hop).references].keys
    return keys.at(hops[-1]).references


def _to_repeat(column: ColumnPlan, parent: TablePlan, but: Sequence[str] = ()) -> bool:
    """Whether a column of a parent can be repeated by rows, though no model may learn it; rows have some already."""
    text = column.name in parent.protected and column.type.startswith(TEXT)
    return (column.role in KEYS or text) and column.name not in but


def passing_columns(
    seen: Sequence[ContextColumn], keys: KeysPlan, plans: Mapping[str, TablePlan], exact: Collection[str] = ()
) -> tuple[ContextColumn, ...]:
    """What rows see of their ancestors, with a mark on what becomes what the ancestor's children say.

    Args:
        seen: the columns.
        keys: of the table.
        plans: of the tables before it.
        exact: those of them that have become that before the rows are made.
    """
    passing = {t: set[str]() if t in exact else changing(plan.rules) for t, plan in plans.items()}
    return tuple(
        c.model_copy(update={"passing": True}) if c.column in passing[_at_end(c.path, keys, plans)] else c for c in seen
    )


def with_holders(
    seen: Sequence[ContextColumn], keys: KeysPlan, plans: Mapping[str, TablePlan]
) -> tuple[ContextColumn, ...]:
    """What rows see of their ancestors, with the way to whom each ancestor is about.

    Args:
        seen: the columns.
        keys: of the table.
        plans: of the tables before it.
    """
    subjects = {path: plans[_at_end(path, keys, plans)].subject for path in {c.path for c in seen}}
    return tuple(c.model_copy(update={"holder": (*c.path, *subjects[c.path])}) for c in seen)


def _before(fk: ForeignKeyPlan, keys: KeysPlan) -> list[tuple[str, ...]]:
    """The columns of keys that rows see before this one."""
    return [
        k.columns for k in keys.foreign if k.role == "driving" or (k.position < fk.position and k.role != "implied")
    ]
