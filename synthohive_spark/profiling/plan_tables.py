"""Plans from Spark aggregates of the source: keys, rules, shapes, context. Nothing here grows with the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pyspark.sql import DataFrame

from synthohive_spark import graph
from synthohive_spark.counts.distribution import Method
from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.parallel import side_by_side
from synthohive_spark.personal import Action
from synthohive_spark.privacy.rewriting import check_actions
from synthohive_spark.profiling.context_columns import (
    context_columns,
    few_explain,
    further_columns,
    passing_columns,
    shown_columns,
    with_holders,
)
from synthohive_spark.profiling.counters import COUNTER, with_counters
from synthohive_spark.profiling.implied_keys import with_implied_keys
from synthohive_spark.profiling.key_formats import key_format
from synthohive_spark.profiling.key_planner import KeyPlanner, key_design, with_used_keys
from synthohive_spark.profiling.own_parents import OwnParents
from synthohive_spark.profiling.personal import PersonalData, with_personal
from synthohive_spark.profiling.protection import Protection, agrees_anyway, as_places, is_overruled
from synthohive_spark.profiling.rare_rows import rare_rows
from synthohive_spark.profiling.running_ids import with_running_ids
from synthohive_spark.profiling.unique_columns import Unique, unique_numbers
from synthohive_spark.profiling.unique_pairs import UNIQUE, with_unique_pairs
from synthohive_spark.profiling.written_keys import with_written_keys
from synthohive_spark.rules.children.find import find_aggregates, referring
from synthohive_spark.rules.children.handed import aggregates_left
from synthohive_spark.rules.children.lake import KeyToParent
from synthohive_spark.rules.children.obstacles import without_obstacles
from synthohive_spark.rules.children.order import tables_before, told_by
from synthohive_spark.rules.find import find
from synthohive_spark.rules.kinds.aggregate import Aggregate
from synthohive_spark.rules.kinds.parents import ParentsInOrder
from synthohive_spark.rules.kinds.siblings import AmongSiblings
from synthohive_spark.schema.ancestors import Ancestors
from synthohive_spark.schema.columns import ColumnPlan, ColumnsPlan, Role
from synthohive_spark.schema.context import DEGREE, ContextColumn, ContextPlan
from synthohive_spark.schema.keys import KeysPlan, PositionKeys, SequencePlan
from synthohive_spark.schema.people import People
from synthohive_spark.schema.rule import Rule, RulesPlan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.sql import names_in
from synthohive_spark.tables import Table

log = get_logger(__name__)
NO_ACTIONS: Mapping[str, Action] = MappingProxyType({})
STRANGERS = "few rows of the ancestor's table have children, and others would have them in the copy"


def plan_tables(
    source: SourceLake,
    k: int,
    method: Method = "empirical",
    actions: Mapping[str, Action] = NO_ACTIONS,
    secret: str | None = None,
) -> dict[str, TablePlan]:
    """Plan every table, parents first.

    Args:
        source: the checked source.
        k: people who must hold a value before it may be learnt.
        method: the distribution of children per parent.
        actions: {kind, column or table.column: what is done with personal data}.
        secret: where the key of hashes is.

    Raises:
        ConfigError: the key of hashes, or a function that is to be called, is not there.
        SchemaValidationError: with every key shape that cannot be generated, or every column that cannot be dropped.
    """
    source, personal = with_personal(source, actions)
    check_actions((t.action for each in personal.treated.values() for t in each.values()), secret)
    source = with_implied_keys(with_running_ids(with_used_keys(source)))
    source = with_counters(with_unique_pairs(source))
    tables = source.metadata.tables
    problems = [p for name in tables for p in key_design(source, name).problems]
    if problems:
        raise SchemaValidationError(problems)
    people = People.of(source, k)
    plans: dict[str, TablePlan] = {}
    children = referring(tables)

    def profiler(name: str) -> _Profiler:
        return _Profiler(name, people, plans, method, children[name], personal, secret, after[name])

    for stage in graph.stages(tables):
        after = tables_before(stage, plans, tables)
        made = side_by_side(lambda name: profiler(name).plan(), stage)
        for name, plan in made.items():
            plans[name] = plan
            log.debug("table_planned", table=name, roles={c.name: c.role for c in plan.columns.each})
    for name, rules in without_obstacles(plans).items():
        plans[name] = plans[name].model_copy(update={"rules": rules})
    rare = rare_rows(plans, people)
    return {
        name: plan.model_copy(update={"rare": rare[name]}) if name in rare else plan for name, plan in plans.items()
    }


@dataclass(frozen=True)
class _Profiler:
    """Plans one table: its keys first, then the rules, then what is left to shapes and to the model."""

    name: str
    people: People
    plans: Mapping[str, TablePlan]
    method: Method
    children: Sequence[KeyToParent]
    personal: PersonalData
    secret: str | None
    after: tuple[str, ...]

    @property
    def source(self) -> SourceLake:
        return self.people.source

    @property
    def spec(self) -> Table:
        return self.source.metadata.tables[self.name]

    def plan(self) -> TablePlan:
        spec, frame = self.spec, self.source.frame(self.name)
        types = {f.name: f.dataType.simpleString() for f in self.source.schema(self.name).fields}
        if not self.source.rows[self.name]:
            return self._empty(types)
        keys, key_roles = KeyPlanner(self.name, self.people, self.method, self._attributes()).plan()
        roles: dict[str, Role] = dict.fromkeys(types, "model")
        roles.update(dict.fromkeys(spec.declared, "derived"))
        roles.update(key_roles)
        schema = self.source.copied_schema(self.name).jsonValue()
        seen = context_columns(keys, spec, self.plans, self.source.metadata.tables)
        seen = (*seen, *further_columns(keys, seen, self.plans))
        personal = dict(self.personal.treated[self.name])
        columns = ColumnsPlan(
            each=_columns(types, roles),
            spark_schema=schema,
            bounds=spec.constraints,
            personal=personal,
            secret=self.secret,
        )
        later = self._aggregates(columns)
        plan = TablePlan(
            table=self.name,
            rows=self.source.rows[self.name],
            reference=spec.reference,
            keys=keys,
            columns=columns,
            context=ContextPlan(each=with_holders(self._passing(seen, keys), keys, self.plans)),
            subject=self.people.paths[self.name],
            rules=RulesPlan(each=tuple(later)),
            design=self.source.design(self.name),
            after=self.after,
        )
        return self._with_values(plan, frame, types, roles)

    def _passing(self, seen: Sequence[ContextColumn], keys: KeysPlan) -> tuple[ContextColumn, ...]:
        """What rows see of their ancestors; those that have become what their children say will not change."""
        tables = self.source.metadata.tables
        exact = [t for t in self.plans if told_by(t, self.plans, tables) <= {*self.after}]
        return passing_columns(seen, keys, self.plans, exact)

    def _aggregates(self, columns: ColumnsPlan) -> list[Aggregate]:
        """Columns that become what children say, once these are written."""
        found = find_aggregates(self.people, self.name, columns, self.children)
        tables, driving = self.source.metadata.tables, dict[str, tuple[str, ...]]()
        for child in {value.table for rule in found for value in rule.children}:
            first = key_design(self.source, child).driving
            driving[child] = () if first is None else tables[child].foreign_keys[first].columns
        return aggregates_left(found, columns.types(), tables, driving, len(self.children) > 1)

    def _empty(self, types: Mapping[str, str]) -> TablePlan:
        """The plan of a table without rows: its copy has none either."""
        log.info("table_without_rows", table=self.name)
        schema = self.source.copied_schema(self.name).jsonValue()
        columns = ColumnsPlan(each=_columns(types, dict.fromkeys(types, "model")), spark_schema=schema)
        return TablePlan(table=self.name, rows=0, columns=columns, design=self.source.design(self.name))

    def _with_values(
        self, plan: TablePlan, frame: DataFrame, types: Mapping[str, str], roles: dict[str, Role]
    ) -> TablePlan:
        """The plan with what decides the columns that no key decides: rules, shapes, else the model."""
        keys = {**{t: p.keys for t, p in self.plans.items()}, self.name: plan.keys}
        ancestors = Ancestors(self.name, plan.context, keys, self.source.frame)
        written, rules = with_written_keys(
            self.people, self.name, plan.keys, self._wanted(find(plan, self.spec, self.people, ancestors))
        )
        plan = plan.model_copy(update={"keys": written})
        found = self._lawful(plan, rules)
        roles.update({r.column: r.gives for r in found if r.gives in ("derived", "given")})
        copied = [r for r in found if r.gives == "copied"]
        parents = {c.name: (self._parent(plan, c), c.column) for c in plan.context.each}
        made_up = {name for name, (above, c) in parents.items() if c in above.protected and not above.reference}
        safe = [r for r in copied if made_up.isdisjoint(r.seen)]
        roles.update({r.column: "copied" for r in safe})
        open_ones = {r.column for r in found if r.learnt}
        protection = self._protection(plan, found)
        learnt = {c: types[c] for c, r in roles.items() if r == "model" and c not in open_ones}
        people, support = self.people.frame(self.name), self.people.support(self.name)
        shapes = protection.shapes(people, learnt, support)
        # Protected texts repeat protected texts. Others are kept where they can be, though the parent's are made up.
        copied = [r for r in copied if r in safe or r.column in shapes.shapes or r.column in shapes.alone]
        alone, shapes_left = shapes.without({r.column for r in copied})
        roles.update(dict.fromkeys([*shapes_left, *alone], "shape"))
        roles.update({r.column: "copied" for r in copied})
        rules = [r for r in found if r.gives != "copied" or r in copied]
        decided = {r.column for r in rules if r.needs != "shape"}  # a rule on protected text falls where it is none
        decided |= {number for r in rules for number in r.numbers}
        rising = {r.column for r in rules if isinstance(r, AmongSiblings) and r.form == "rising"}
        decided -= rising.difference(r.column for r in rules if not isinstance(r, AmongSiblings))
        numbers = self._numbers(plan, frame, types, [c for c in types if roles[c] == "model" and c not in decided])
        positions = self._positions(plan, {**alone, **numbers.counted}, numbers.times)
        by_place = {*numbers.counted, *numbers.apart}  # unique numbers, which rise with the row's place anyway
        rules = [r for r in rules if r.column not in rising & by_place]
        roles.update({**dict.fromkeys(positions.unique, "unique"), **{p.column: "grid" for p in positions.grid}})
        rules = [r for r in rules if r.needs is None or roles[r.column] == r.needs]
        self._log(rules)
        whole = {r.column for r in rules if r.nulls}  # the others of their nulls are none
        shapes_left = {c: s.model_copy(update={"null_share": 0.0}) if c in whole else s for c, s in shapes_left.items()}
        left = {c: share for c, share in positions.null_shares.items() if c not in whole}
        positions = positions.model_copy(update={"null_shares": left})
        columns = plan.columns.model_copy(
            update={"each": _columns(types, roles), "shapes": shapes_left, "apart": numbers.apart}
        )
        columns = protection.with_fakes(people, columns, plan.rows, support)
        rules = as_places(rules, columns, plan.context)
        own = OwnParents(frame, plan.rows, self.spec, columns, rules)
        return plan.model_copy(
            update={
                "keys": own.kept(plan.keys.model_copy(update={"positions": positions})),
                "columns": columns,
                "context": ContextPlan(each=self._learnable(plan, rules, columns.fakes.countries)),
                "rules": RulesPlan(each=tuple(rules)),
            }
        )

    def _wanted(self, found: Sequence[Rule]) -> list[Rule]:
        """The rules without those that the metadata switch off."""
        off = self.spec.switched_off
        keys = {name for name in off if name.startswith((COUNTER, UNIQUE))}
        unknown = sorted(off.difference(keys, (r.name for r in found)))
        if unknown:
            log.warning("rules_not_found", table=self.name, rules=unknown, found=sorted(r.name for r in found))
        return [r for r in found if r.name not in off]

    def _log(self, rules: Sequence[Rule]) -> None:
        """A line for each rule that was found; what people declared they know."""
        for rule in rules:
            if rule.column not in self.spec.declared:
                text = rule.text(lambda seen: f"the parent's {seen}")
                log.info("rule_found", table=self.name, rule=rule.name, column=rule.column, expression=text)

    def _protection(self, plan: TablePlan, rules: Sequence[Rule]) -> Protection:
        """What the columns are written as that no model may learn."""

        def parent(column: ContextColumn) -> tuple[str, ColumnsPlan]:
            found = self._parent(plan, column)
            return found.table, found.columns

        protection = Protection(self.spec, self.personal, self.name, plan.context, parent)
        return protection.following(() if plan.reference else rules)

    def _numbers(self, plan: TablePlan, frame: DataFrame, types: Mapping[str, str], learnt: Sequence[str]) -> Unique:
        """The unique numbers: no key, and nothing that a person bounds from above or relates to others."""
        closed = {*self.spec.key_columns, *self.spec.derived}
        closed |= {f"{law.column}" for law in plan.columns.bounds if law.max is not None or law.allowed is not None}
        for law in plan.columns.bounds:
            inside = names_in(law.expression or "", list(types))
            closed |= inside if len(inside) > 1 else set()
        free = [c for c in learnt if c not in closed and not plan.reference]
        keys = plan.keys
        alone = bool(keys.positions.surrogate) and not keys.foreign and not keys.grid
        return unique_numbers(frame, plan.rows, free, types, alone)

    def _positions(self, plan: TablePlan, alone: Mapping[str, float], times: Sequence[str]) -> PositionKeys:
        """The columns that follow from a row's position: those of keys, and what is unique without being one."""
        known = plan.keys.positions
        wanted = {**alone, **dict.fromkeys(times[:1], 0.0)}
        formats = {c: key_format(self.people, self.name, c, nulls) for c, nulls in wanted.items()}
        grid = [SequencePlan(column=c, format=formats[c], size=plan.rows, consecutive=True) for c in times[:1]]
        return PositionKeys(
            surrogate=known.surrogate,
            unique={**known.unique, **{c: formats[c] for c in alone}},
            null_shares={**known.null_shares, **{c: share for c, share in alone.items() if share}},
            grid=(*known.grid, *grid),
        )

    def _parent(self, plan: TablePlan, column: ContextColumn) -> TablePlan:
        """The plan of the ancestor that a context column comes from."""
        for position in column.path:
            plan = self.plans[plan.keys.at(position).references]
        return plan

    def _lawful(self, plan: TablePlan, rules: Sequence[Rule]) -> list[Rule]:
        """The rules but for those that a column's width, or what is written for personal data, leaves no room for."""
        treated, widths = plan.columns.personal, plan.columns.widths()
        parents = {c.name: self._parent(plan, c).columns.personal.get(c.column) for c in plan.context.each}
        above = {name: treatment for name, treatment in parents.items() if treatment is not None}
        found = [r for r in rules if not (r.learnt and r.column in widths)]  # such a text carries two
        key = plan.keys.primary_key
        return [r for r in found if not (agrees_anyway(r, treated, key) or is_overruled(r, treated, above))]

    def _learnable(self, plan: TablePlan, rules: Sequence[Rule], countries: Sequence[str]) -> tuple[ContextColumn, ...]:
        """The context without attributes of few ancestors out of many, which would only teach who these are.

        Synthetic ancestors are others, whose attributes the model has never seen. What a rule or a person names stays;
        what only Spark needs, or a rule to decode what is drawn or to match parents, hidden from the model.
        """
        keys, context = plan.keys, plan.context
        apart = [
            r for r in rules if r.sql is not None or type(r).decode is not Rule.decode or isinstance(r, ParentsInOrder)
        ]
        computed = {name for r in apart for name in r.seen}
        needed = {name for r in rules if r not in apart for name in r.seen} | {*countries}
        needed = needed.union(*(fk.follows for fk in keys.following))
        if keys.driving is not None and self.spec.parent_context_cols is not None:
            needed = needed | {c.name for c in context.shown if c.path[0] == keys.driving.position}
        left = [
            c.name
            for c in context.shown
            if c.name not in needed and c.column != DEGREE and few_explain(c.path, keys, self.plans)
        ]
        if left:
            log.info("context_left_out", table=self.name, columns=left, why=STRANGERS)
        kept = {c.name for c in context.each if c.name in needed | computed or not (c.hidden or c.name in left)}
        return tuple(
            c.model_copy(update={"hidden": c.hidden or c.name in left})
            for c in context.each
            if c.name in kept or (c.name[0] == "=" and c.name[1:] in kept)  # what the column is on other rows
        )

    def _attributes(self) -> dict[int, dict[str, str]]:
        """What children per parent may follow, by the position of the key."""
        driving = key_design(self.source, self.name).driving
        return {
            i: {c.name: c.type for c in shown_columns(self.spec, self.plans[fk.references], i == driving)}
            for i, fk in enumerate(self.spec.foreign_keys)
            if fk.references in self.plans
        }


def _columns(types: Mapping[str, str], roles: Mapping[str, Role]) -> tuple[ColumnPlan, ...]:
    return tuple(ColumnPlan(name=c, type=t, role=roles[c]) for c, t in types.items())
