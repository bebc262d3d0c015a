"""Plans from Spark aggregates of the source: roles, laws, formats. Nothing here grows with the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark import graph
from synthohive_spark.derive.find import find
from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.location import quote
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import TEXT, Table
from synthohive_spark.parallel import side_by_side
from synthohive_spark.privacy.shapes import shape_plans
from synthohive_spark.relational.conditional import Learner, conditional_law
from synthohive_spark.relational.keyformat import KeyFormat
from synthohive_spark.relational.keyprofile import countable, grid_column, key_format, sequence, widest
from synthohive_spark.relational.laws import children_law, forest, null_patterns
from synthohive_spark.relational.linkage import Leaves, LinkageModel, Method
from synthohive_spark.relational.plan import (
    DEGREE,
    ColumnPlan,
    ContextColumn,
    ForeignKeyPlan,
    KeyRole,
    NullPattern,
    Role,
    SequencePlan,
    TablePlan,
    degree_name,
)
from synthohive_spark.relational.roles import foreseen, key_roles, unsupported
from synthohive_spark.relational.ties import tie_of

log = get_logger(__name__)
FORESEEN = "a cycle of tables needs the rows of this table before its parents are made"
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
    tables = source.metadata.tables
    problems = [p for name in tables for p in unsupported(name, tables, source.rows)]
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
        fks = self._foreign_keys(frame)
        keys = self._keys(frame, fks, types)
        roles: dict[str, Role] = dict.fromkeys(types, "model")
        roles.update(dict.fromkeys(spec.declared, "derived"))
        roles.update({c: "foreign" for fk in fks for c in fk.columns})
        roles.update(keys.roles)
        self_key = next((i for i, r in self._roles().items() if r == "self"), None)
        patterns, free_patterns = self._patterns(frame, fks)
        plan = TablePlan(
            table=self.name,
            rows=self.source.rows[self.name],
            spark_schema=self.source.copied_schema(self.name).jsonValue(),
            primary_key=spec.primary_key,
            columns=_columns(types, roles),
            foreign_keys=fks,
            context=_context(fks, spec, self.plans, self.source.metadata.tables),
            unit_columns=_unit_columns(fks, spec, keys.tiebreak),
            surrogate=keys.surrogate,
            sequence=keys.sequence,
            grid=keys.grid,
            forest=forest(frame, spec.foreign_keys[self_key], self_key, self.name) if self_key is not None else None,
            patterns=patterns,
            free_patterns=free_patterns,
            linked=bool(spec.primary_key) and all(roles[c] == "foreign" for c in spec.primary_key),
            tiebreak=keys.tiebreak,
            bounds=spec.constraints,
            reference=spec.reference,
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
        shapes = shape_plans(frame, spec, learnt, types, self.min_subjects, TEXT_SHARE)
        # Protected texts repeat protected texts. Others are kept where they can be, though the parent's are made up.
        copied = {c: seen for c, seen in laws.copied.items() if c in safe or c in shapes}
        near = {c: seen for c, seen in laws.near.items() if c in shapes}
        shapes = {c: shape for c, shape in shapes.items() if c not in copied}
        roles.update({**dict.fromkeys(shapes, "shape"), **dict.fromkeys(copied, "copied")})
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
                "derived": laws.derived,
                "copied": copied,
                "absent": laws.absent,
                "after": laws.after,
                "relative": relative,
                "near": near,
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

    def _roles(self) -> dict[int, KeyRole]:
        return key_roles(self.name, self.source.metadata.tables, self.source.rows)

    def _foreign_keys(self, frame: DataFrame) -> tuple[ForeignKeyPlan, ...]:
        spec, roles, plans = self.spec, self._roles(), []
        driving = next((spec.foreign_keys[i] for i, r in roles.items() if r == "driving"), None)
        ties: dict[int, tuple[tuple[str, str], ...]] = {}
        for i, fk in enumerate(spec.foreign_keys):
            if driving is not None and roles[i] in ("drawn", "bound"):
                tie = tie_of(self.source, self.name, driving, fk, hard=roles[i] == "bound")
                if tie and self.name in foreseen(self.source.metadata.tables, self.source.rows):
                    log.warning("agreement_not_kept", table=self.name, keys=[driving.columns, fk.columns], why=FORESEEN)
                    continue
                first = next(iter(ties.values()), tie)
                if tie and [p for p, _ in tie] == [p for p, _ in first]:
                    ties[i] = tie
        for i, fk in enumerate(spec.foreign_keys):
            parents = self.source.rows[fk.references]
            if fk is driving and ties:
                parents = self._eligible(fk.references, spec, ties)
            law, children = children_law(frame, fk.columns, parents, self.method)
            drawn = roles[i] == "drawn" and i not in ties
            if self.method == "conditional" and (fk is driving or drawn):
                law.leaves = self._leaves(frame, i, parents, driving=fk is driving)
            target = None
            if roles[i] == "late":
                target = key_format(self.source, fk.references, fk.referenced_columns[0], self.min_subjects)
            plans.append(
                ForeignKeyPlan(
                    position=i,
                    columns=fk.columns,
                    references=fk.references,
                    referenced_columns=fk.referenced_columns,
                    role="bound" if i in ties else roles[i],
                    null_share=1.0 - children / max(self.source.rows[self.name], 1),
                    law=law.to_dict(),
                    tie=ties.get(i, ()),
                    target=target,
                )
            )
        return tuple(plans)

    def _leaves(self, frame: DataFrame, position: int, parents: int, driving: bool) -> Leaves | None:
        """The law of children given the parent's attributes.

        None where keys close a cycle of tables: rows of all tables must be known there before any is made.
        """
        fk = self.spec.foreign_keys[position]
        attributes = {c.name: c.type for c in _shown(self.spec, self.plans[fk.references], driving)}
        if not attributes or graph.late_keys(self.source.metadata.tables):
            return None
        learner = Learner(attributes, self.min_subjects)
        referenced = self.source.frame(fk.references)
        return conditional_law(frame, fk.columns, referenced, fk.referenced_columns, parents, learner)

    def _eligible(self, parent: str, spec: Table, ties: Mapping[int, tuple[tuple[str, str], ...]]) -> int:
        """Parents for whose children every bound key has somebody to refer to."""
        frame = self.source.frame(parent)
        for i, tie in ties.items():
            other = self.source.frame(spec.foreign_keys[i].references)
            there = other.select(*(F.col(quote(q)).alias(f"__t{n}") for n, (_, q) in enumerate(tie))).distinct()
            frame = frame.join(there, [F.col(quote(p)) == F.col(f"__t{n}") for n, (p, _) in enumerate(tie)], "leftsemi")
        return frame.count()

    def _patterns(
        self, frame: DataFrame, fks: tuple[ForeignKeyPlan, ...]
    ) -> tuple[tuple[NullPattern, ...], tuple[NullPattern, ...]]:
        dealt = [fk for fk in fks if fk.role in ("drawn", "bound", "late")]
        dealt.sort(key=lambda fk: (-len(fk.columns), fk.position))
        driving = next((fk.columns for fk in fks if fk.role == "driving"), ())
        return null_patterns(frame, driving, [fk.columns for fk in dealt])

    def _keys(self, frame: DataFrame, fks: tuple[ForeignKeyPlan, ...], types: Mapping[str, str]) -> _Keys:
        """How the columns of the primary key that are no foreign keys are made."""
        spec = self.spec
        foreign = {c for fk in fks for c in fk.columns}
        free = [c for c in spec.primary_key if c not in foreign]
        driving = next((fk.columns for fk in fks if fk.role == "driving"), ())
        if not free:
            return _Keys({})
        if len(spec.primary_key) == 1:
            key = key_format(self.source, self.name, free[0], self.min_subjects)
            return _Keys({free[0]: "surrogate"}, surrogate=key)
        if {*driving, free[0]} == set(spec.primary_key) and countable(types[free[0]]):
            made = sequence(frame, driving, free[0], types[free[0]], self.min_subjects)
            return _Keys({free[0]: "sequence"}, sequence=made)
        if len(free) == len(spec.primary_key):
            columns = tuple(grid_column(frame, c, types[c], self.min_subjects) for c in free)
            return _Keys(dict.fromkeys(free, "grid"), grid=columns)
        return _Keys({}, tiebreak=widest(frame, free, types))


@dataclass(frozen=True)
class _Keys:
    roles: dict[str, Role]
    surrogate: KeyFormat | None = None
    sequence: SequencePlan | None = None
    grid: tuple[SequencePlan, ...] = ()
    tiebreak: str | None = None


def _columns(types: Mapping[str, str], roles: Mapping[str, Role]) -> tuple[ColumnPlan, ...]:
    return tuple(ColumnPlan(name=c, type=t, role=roles[c]) for c, t in types.items())


def _unit_columns(fks: tuple[ForeignKeyPlan, ...], spec: Table, tiebreak: str | None) -> tuple[str, ...]:
    """Columns of the driving parent whose families must share a unit: its key, or only the part in the primary key."""
    driving = next((fk for fk in fks if fk.role == "driving"), None)
    if driving is None:
        return ()
    up = dict(zip(driving.columns, driving.referenced_columns, strict=True))
    shared = tuple(up[c] for c in driving.columns if c in spec.primary_key)
    return shared if tiebreak is not None and shared else driving.referenced_columns


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
    for fk in fks:
        if fk.role not in ("driving", "drawn", "bound"):
            continue
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
