"""Plans from Spark aggregates of the source: roles, laws, formats. Nothing here grows with the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame

from synthohive_spark import graph
from synthohive_spark.derive.choose import names_in
from synthohive_spark.derive.find import find
from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import TEXT, Table
from synthohive_spark.parallel import side_by_side
from synthohive_spark.privacy.shapes import shape_plans
from synthohive_spark.relational.keyplan import KeyPlanner, key_design, with_used_keys
from synthohive_spark.relational.keyprofile import key_format
from synthohive_spark.relational.linkage import LinkageModel, Method
from synthohive_spark.relational.plan import (
    DEGREE,
    ColumnPlan,
    ContextColumn,
    ForeignKeyPlan,
    PositionKeys,
    Role,
    SequencePlan,
    TablePlan,
    degree_name,
)
from synthohive_spark.relational.unique import Unique, unique_numbers

log = get_logger(__name__)
STRANGERS = "few rows of the ancestor's table have children, and others would have them in the copy"
FEW_SUBJECTS, FEW_SHARE = 256, 0.5  # ancestors below both teach who they are, not what their attributes mean
KEYS = ("foreign", "surrogate")  # roles of an ancestor's columns that a child may repeat, not learn from
TEXT_SHARE = 0.5  # a string column is text where more of its rows hold rare values


def plan_tables(source: SourceLake, min_subjects: int, method: Method = "empirical") -> dict[str, TablePlan]:
    """Plan every table, parents first.

    Args:
        source: the checked source.
        min_subjects: rows that must hold a value before it may be learnt.
        method: the law of children per parent.

    Raises:
        SchemaValidationError: with every key shape that cannot be generated.
    """
    source = with_used_keys(source)
    tables = source.metadata.tables
    problems = [p for name in tables for p in key_design(source, name).problems]
    if problems:
        raise SchemaValidationError(problems)
    plans: dict[str, TablePlan] = {}
    for stage in graph.stages(tables):
        made = side_by_side(lambda name: _Profiler(name, source, plans, min_subjects, method).plan(), stage)
        for name, plan in made.items():
            plans[name] = plan
            log.debug("table_planned", table=name, roles={c.name: c.role for c in plan.columns})
    return plans


@dataclass(frozen=True)
class _Profiler:
    name: str
    source: SourceLake
    plans: Mapping[str, TablePlan]
    min_subjects: int
    method: Method

    @property
    def spec(self) -> Table:
        return self.source.metadata.tables[self.name]

    def plan(self) -> TablePlan:
        spec, frame = self.spec, self.source.frame(self.name)
        schema = self.source.schema(self.name)
        types = {f.name: f.dataType.simpleString() for f in schema.fields}
        keys = KeyPlanner(self.name, self.source, self.min_subjects, self.method, self._attributes()).plan()
        roles: dict[str, Role] = dict.fromkeys(types, "model")
        roles.update(dict.fromkeys(spec.declared, "derived"))
        roles.update(keys.roles)
        plan = TablePlan(
            table=self.name,
            rows=self.source.rows[self.name],
            spark_schema=self.source.copied_schema(self.name).jsonValue(),
            primary_key=spec.primary_key,
            columns=_columns(types, roles),
            foreign_keys=keys.foreign_keys,
            context=_context(keys.foreign_keys, spec, self.plans, self.source.metadata.tables),
            positions=keys.positions,
            sequence=keys.sequence,
            forests=keys.forests,
            beside=keys.beside,
            patterns=keys.patterns,
            free_patterns=keys.free_patterns,
            tiebreak=keys.tiebreak,
            together=keys.together,
            bounds=spec.constraints,
            reference=spec.reference,
            design=self.source.design(self.name),
        )
        return self._with_values(plan, frame, types, roles)

    def _with_values(
        self, plan: TablePlan, frame: DataFrame, types: Mapping[str, str], roles: dict[str, Role]
    ) -> TablePlan:
        """The plan with what decides the columns that no key decides: laws, shapes, else the model."""
        laws = find(plan, self.spec, frame, self.source.frame, self.plans)
        roles.update(dict.fromkeys(laws.whole, "derived"))
        made_up = {c.name for c in plan.context if c.column in self._parent(plan, c).protected}
        safe = {c: seen for c, seen in laws.copied.items() if seen not in made_up}
        roles.update(dict.fromkeys(safe, "copied"))
        learnt = [c for c, r in roles.items() if r == "model"]
        opaque = (c for c in learnt if types[c] == "binary")  # of which nothing but the length can be learnt
        spec = self.spec.model_copy(update={"pii": (*self.spec.pii, *opaque)})
        shapes, alone = shape_plans(frame, spec, learnt, types, self.min_subjects, TEXT_SHARE)
        # Protected texts repeat protected texts. Others are kept where they can be, though the parent's are made up.
        copied = {c: seen for c, seen in laws.copied.items() if c in safe or c in shapes or c in alone}
        near = {c: seen for c, seen in laws.near.items() if c in shapes}
        alone = {c: nulls for c, nulls in alone.items() if c not in copied}
        shapes = {c: shape for c, shape in shapes.items() if c not in copied}
        roles.update({**dict.fromkeys([*shapes, *alone], "shape"), **dict.fromkeys(copied, "copied")})
        decided = {*laws.derived, *laws.absent, *laws.after, *laws.relative}
        numbers = self._numbers(plan, frame, types, [c for c, r in roles.items() if r == "model" and c not in decided])
        positions = self._positions(plan, {**alone, **numbers.counted}, numbers.times)
        roles.update({**dict.fromkeys(positions.unique, "unique"), **{p.column: "grid" for p in positions.grid}})
        for column, seen in {**copied, **near}.items():
            often = "mostly " if column in near else ""
            log.info("law_found", table=self.name, column=column, expression=f"{often}the parent's {seen}")
        relative = {c: law for c, law in laws.relative.items() if roles[c] == "model"}
        after = (seen for law in laws.after.values() for seen in law.seen)
        named = {*copied.values(), *near.values(), *after, *(law.seen for law in relative.values())}
        return plan.model_copy(
            update={
                "columns": _columns(types, roles),
                "context": self._learnable(plan, named),
                "shapes": shapes,
                "positions": positions,
                "apart": numbers.apart,
                "derived": laws.derived,
                "copied": copied,
                "absent": laws.absent,
                "after": laws.after,
                "relative": relative,
                "near": near,
            }
        )

    def _numbers(self, plan: TablePlan, frame: DataFrame, types: Mapping[str, str], learnt: Sequence[str]) -> Unique:
        """The unique numbers: no key, and nothing that a person bounds from above or relates to others."""
        closed = {*self.spec.key_columns, *self.spec.derived}
        closed |= {f"{law.column}" for law in plan.bounds if law.max is not None or law.allowed is not None}
        for law in plan.bounds:
            inside = names_in(law.expression or "", list(types))
            closed |= inside if len(inside) > 1 else set()
        free = [c for c in learnt if c not in closed and not plan.reference]
        alone = bool(plan.positions.surrogate) and not plan.foreign_keys and not plan.grid
        return unique_numbers(frame, plan.rows, free, types, alone)

    def _positions(self, plan: TablePlan, alone: Mapping[str, float], times: Sequence[str]) -> PositionKeys:
        """The columns that follow from a row's position: those of keys, and what is unique without being one."""
        known = plan.positions
        wanted = {**alone, **dict.fromkeys(times[:1], 0.0)}
        formats = {c: key_format(self.source, self.name, c, self.min_subjects, nulls) for c, nulls in wanted.items()}
        grid = [SequencePlan(column=c, format=formats[c], size=plan.rows, consecutive=True) for c in times[:1]]
        return known.model_copy(
            update={
                "unique": {**known.unique, **{c: formats[c] for c in alone}},
                "null_shares": {**known.null_shares, **{c: share for c, share in alone.items() if share}},
                "grid": (*known.grid, *grid),
            }
        )

    def _parent(self, plan: TablePlan, column: ContextColumn) -> TablePlan:
        """The plan of the ancestor that a context column comes from."""
        for position in column.path:
            plan = self.plans[next(k for k in plan.foreign_keys if k.position == position).references]
        return plan

    def _learnable(self, plan: TablePlan, needed: set[str]) -> tuple[ContextColumn, ...]:
        """The context without attributes of few ancestors out of many, which would only teach who these are.

        Synthetic ancestors are others, whose attributes the model has never seen. What a law or a person names stays.
        """
        if plan.driving is not None and self.spec.parent_context_cols is not None:
            needed = needed | {c.name for c in plan.shown if c.path[0] == plan.driving.position}
        kept = tuple(
            c
            for c in plan.context
            if c.name in needed
            or (not c.hidden and (c.column == DEGREE or not _of_strangers(c.path, plan, self.plans)))
        )
        left = [c.name for c in plan.shown if c not in kept]
        if left:
            log.info("context_left_out", table=self.name, columns=left, why=STRANGERS)
        return kept

    def _attributes(self) -> dict[int, dict[str, str]]:
        """What children per parent may follow, by the position of the key."""
        driving = key_design(self.source, self.name).driving
        return {
            i: {c.name: c.type for c in _shown(self.spec, self.plans[fk.references], i == driving)}
            for i, fk in enumerate(self.spec.foreign_keys)
            if fk.references in self.plans
        }


def _columns(types: Mapping[str, str], roles: Mapping[str, Role]) -> tuple[ColumnPlan, ...]:
    return tuple(ColumnPlan(name=c, type=t, role=roles[c]) for c, t in types.items())


def _shown(spec: Table, parent: TablePlan, driving: bool) -> list[ColumnPlan]:
    """The columns of a parent that its child may see: all but keys without meaning and what is no value of its own."""
    wanted = spec.parent_context_cols if driving else None
    meaning = parent.named("model", "sequence", "grid", "derived", "copied")
    known = [c for c in parent.columns if c.name in meaning and c.name not in parent.protected]
    return [c for c in known if wanted is None or c.name in wanted]


def _of_strangers(path: tuple[int, ...], plan: TablePlan, plans: Mapping[str, TablePlan]) -> bool:
    """Whether a path of keys leads through parents of whom few have children, for no reason that was found."""
    for position in path:
        fk = next(k for k in plan.foreign_keys if k.position == position)
        law, plan = LinkageModel.from_dict(fk.law), plans[fk.references]
        if law.leaves is None and law.busy * plan.rows < min(FEW_SUBJECTS, FEW_SHARE * plan.rows):
            return True
    return False


def _context(
    fks: tuple[ForeignKeyPlan, ...], spec: Table, plans: Mapping[str, TablePlan], tables: Mapping[str, Table]
) -> tuple[ContextColumn, ...]:
    """What the ancestors are known by: the driving parent with its own context, and each dealt parent's row."""
    columns: list[ContextColumn] = []
    for fk in sorted(fks, key=lambda k: k.role != "driving"):
        known = [k.columns for k in fks if k.role == "driving" or (k.position < fk.position and k.role != "implied")]
        if fk.role not in ("driving", "drawn", "bound") or (fk.role != "driving" and fk.columns in known):
            continue  # of several tables that the same columns point to, rows see one
        parent, name = plans[fk.references], "+".join(fk.columns)
        wanted = spec.parent_context_cols if fk.role == "driving" else None
        columns += [
            ContextColumn(
                name=f"{name}:{c.name}", path=(fk.position,), column=c.name, type=c.type, verbatim=parent.reference
            )
            for c in _shown(spec, parent, fk.role == "driving")
        ]
        columns += [
            ContextColumn(name=f"{name}:{c.name}", path=(fk.position,), column=c.name, type=c.type, hidden=True)
            for c in parent.columns
            if (c.role in KEYS or (c.name in parent.protected and c.type.startswith(TEXT)))
            and c.name not in fk.referenced_columns
        ]
        if wanted is None:
            degree = ContextColumn(name=degree_name(fk.columns), path=(fk.position,), column=DEGREE, type="bigint")
            columns.append(degree)
        if fk.role == "driving" and wanted is None:
            above = _context(parent.foreign_keys, tables[fk.references], plans, tables)
            columns += [
                c.model_copy(update={"name": f"{name}:{c.name}", "path": (fk.position, *c.path)})
                for c in above
                if c.path[0] == getattr(parent.driving, "position", None) and c.column != DEGREE and not c.hidden
            ]
    return tuple(columns)
