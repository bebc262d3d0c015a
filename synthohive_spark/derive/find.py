"""The laws of one table: where candidates come from, which columns may follow, what becomes of the plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.derive.choose import choose, names_in
from synthohive_spark.derive.law import Law
from synthohive_spark.derive.order import nearest
from synthohive_spark.derive.sample import ROWS, family_of
from synthohive_spark.derive.search import Searcher
from synthohive_spark.derive.verify import candidates, sampled, verified
from synthohive_spark.lake.location import quote
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import TEXT, Table
from synthohive_spark.relational.context import Reader, add_context
from synthohive_spark.relational.plan import DEGREE, After, Relative, TablePlan

log = get_logger(__name__)
LEARNT = ("near", "relative")  # nothing to verify: the model learns how often, and by how much


@dataclass(frozen=True)
class Found:
    """What is derived in a table.

    Attributes:
        derived: {column: Spark SQL}, in the order in which they are to be applied; what was declared is among them.
        whole: columns that follow on every row, so that no model need know them.
        copied: {column: name of the context column that it equals}.
        absent: {column: those of which any makes it null}.
        after: {time: those of the row and of its context that it is never before}, bases first.
        near: {text: name of the context column that it equals on most rows}.
        relative: {number: what it is a multiple of}.
    """

    derived: dict[str, str]
    whole: frozenset[str]
    copied: dict[str, str]
    absent: dict[str, tuple[str, ...]]
    after: dict[str, After]
    near: dict[str, str]
    relative: dict[str, Relative]


def find(plan: TablePlan, spec: Table, frame: DataFrame, read: Reader, plans: Mapping[str, TablePlan]) -> Found:
    """Laws between the columns of a row, and with the rows of its parents.

    Args:
        plan: the table's plan so far: roles, keys, context.
        spec: its metadata.
        frame: its rows.
        read: source tables by name.
        plans: plans of its ancestors.
    """
    search = _Search(plan, spec)
    laws = search.laws(frame, read, plans) if plan.rows >= ROWS and search.targets and not plan.reference else []
    return search.found(laws)


class _Search:
    """Names and ids of one table's columns, and which of them may follow from others."""

    def __init__(self, plan: TablePlan, spec: Table) -> None:
        self.plan = plan.model_copy(update={"context": tuple(c for c in plan.context if c.column != DEGREE)})
        self.declared = spec.declared
        own = [c for c in plan.columns if family_of(c.type) and (c.name not in spec.pii or c.type.startswith(TEXT))]
        position = {c.name: i for i, c in enumerate(plan.columns)}
        self.ids = {c.name: f"v{position[c.name]}" for c in own}
        self.names = {i: n for n, i in self.ids.items()}
        self.types = {f"v{position[c.name]}": c.type for c in own}
        bounded = {law.column for law in spec.constraints if law.column}
        closed = {*spec.key_columns, *spec.derived, *bounded}
        self.targets = {self.ids[c.name] for c in own if c.role == "model" and c.name not in closed}
        times = {c.name for c in own if family_of(c.type) in ("date", "time", "plain time")}
        numbered = {c.name for c in own if c.role in ("surrogate", "foreign")}
        self.personal = {self.ids[c.name] for c in own if c.name in spec.pii}
        self.inputs = {self.ids[c.name] for c in own if c.name in times or c.name not in numbered} - self.personal
        wanted = {family_of(self.types[t]) for t in self.targets}
        self.seen = {f"c{i}": c.type for i, c in enumerate(self.plan.context) if family_of(c.type) in wanted - {None}}

    def laws(self, frame: DataFrame, read: Reader, plans: Mapping[str, TablePlan]) -> list[Law]:
        """Verified laws."""
        key = self.plan.primary_key or tuple(frame.columns)
        types = {**self.types, **self.seen}
        searcher = Searcher(types, frozenset(self.targets), frozenset(self.inputs))
        wide = self._with_context(sampled(frame, key, self.plan.rows), read, plans) if self.seen else None
        sample = wide if wide is not None else self._own(sampled(frame, key, self.plan.rows))
        found = candidates(sample, searcher)
        mostly = [law for law in found if law.kind in LEARNT]
        possible = [law for law in found if law not in mostly and self._lawful(law)]
        needs_context = any(i.startswith("c") for law in possible for i in law.inputs)
        whole = self._with_context(frame, read, plans) if needs_context else self._own(frame)
        kept = verified(whole, possible, types)
        log.debug("laws_verified", table=self.plan.table, candidates=len(possible), verified=len(kept))
        return kept + mostly

    def _lawful(self, law: Law) -> bool:
        """Whether a law leaves personal data alone: it may say that such a column repeats an ancestor's."""
        repeats = law.kind == "copy" and law.inputs[0] in self.seen
        return repeats or self.personal.isdisjoint((law.target, *law.inputs))

    def found(self, laws: list[Law]) -> Found:
        """Chosen and declared laws as the plan holds them."""
        taken = {self._id(t): {self._id(n) for n in self._named(t)} for t in self.declared}
        keys = {
            self.ids[c.name] for c in self.plan.columns if c.role not in ("model", "derived") and c.name in self.ids
        }
        choice = choose(laws, keys | set(self.seen), taken)
        sql = {self._id(t): declared for t, declared in self.declared.items()}
        copied: dict[str, str] = {}
        for target, law in choice.values.items():
            if law.inputs[0] in self.seen:
                copied[self.names[target]] = self.plan.context[int(law.inputs[0][1:])].name
            else:
                sql[target] = self._sql(law, choice.nulls.get(target))
        only_null = {t: self._sql(law) for t, law in choice.nulls.items() if t not in choice.values}
        ordered = {**only_null, **{t: sql[t] for t in choice.order if t in sql}}
        derived = {self.names.get(t, t.removeprefix("name:")): text for t, text in ordered.items()}
        for column, text in derived.items():
            if column not in self.declared:
                log.info("law_found", table=self.plan.table, column=column, expression=text)
        after = self._after(laws, set(derived) - set(only_null) | set(copied))
        for column, bases in after.items():
            log.info("law_found", table=self.plan.table, column=column, expression=f"never before {bases.text}")
        near = self._near(laws, set(derived) | set(copied))
        relative = self._relative(laws, set(derived) | set(copied))
        for column, base in relative.items():
            log.info("law_found", table=self.plan.table, column=column, expression=f"times the parent's {base.seen}")
        whole = {self.names[t] for t, law in choice.values.items() if law.reach == "whole" and t in sql}
        absent = {self.names[t]: tuple(self.names[i] for i in law.inputs) for t, law in choice.nulls.items()}
        return Found(derived, frozenset(whole), copied, absent, after, near, relative)

    def _near(self, laws: list[Law], decided: Collection[str]) -> dict[str, str]:
        """Texts that nothing else decides and that mostly equal an ancestor's."""
        found = {self.names[law.target]: law.inputs[0] for law in laws if law.kind == "near"}
        return {c: self.plan.context[int(i[1:])].name for c, i in found.items() if c not in decided}

    def _relative(self, laws: list[Law], decided: Collection[str]) -> dict[str, Relative]:
        """Numbers that nothing else decides and that are multiples of an ancestor's."""
        multiples = [law for law in laws if law.kind == "relative" and self.names[law.target] not in decided]
        bases = {self.names[law.target]: (self.plan.context[int(law.inputs[0][1:])], law.step) for law in multiples}
        return {
            column: Relative(seen=base.name, scale=scale if scale >= 0 else None)
            for column, (base, scale) in bases.items()
            if not base.hidden
        }

    def _after(self, laws: list[Law], decided: Collection[str]) -> dict[str, After]:
        """Order among the times that the model draws, with those of the row's key and of its ancestors."""
        drawn = {t for t in self.targets if self.names[t] not in decided}
        given = {self.ids[c] for c in self.plan.named("sequence", "grid") if c in self.ids}
        shown = {i for i in self.seen if not self.plan.context[int(i[1:])].hidden}
        order = nearest(laws, drawn | given | shown, drawn)
        steps = {law.target: law.step for law in laws if law.kind == "after"}
        return {
            self.names[target]: After(
                own=tuple(self.names[b] for b in bases if b in self.names),
                seen=tuple(self.plan.context[int(b[1:])].name for b in bases if b in self.seen),
                step=steps[target],
            )
            for target, bases in order.items()
        }

    def _sql(self, law: Law, null: Law | None = None) -> str:
        """The law's SQL; where the column is also null with others, that comes first."""
        names = {i: quote(n) for i, n in self.names.items()}
        if null is not None:
            names[law.target] = null.expression(names, self.types)
        return law.expression(names, self.types)

    def _id(self, name: str) -> str:
        return self.ids.get(name, f"name:{name}")

    def _named(self, target: str) -> set[str]:
        return names_in(self.declared[target], [c.name for c in self.plan.columns]) - {target}

    def _own(self, frame: DataFrame) -> DataFrame:
        return frame.select(*(self._seen(F.col(quote(n)), i) for n, i in self.ids.items()))

    def _seen(self, column: Column, i: str) -> Column:
        """A column as the search sees it: of a text its hash, for all that is asked is whether it equals others."""
        text = {**self.types, **self.seen}[i].startswith(TEXT)
        return (F.when(column.isNotNull(), F.xxhash64(column).cast("string")) if text else column).alias(i)

    def _with_context(self, frame: DataFrame, read: Reader, plans: Mapping[str, TablePlan]) -> DataFrame:
        """Rows with what they see of their ancestors, columns named by id."""
        keys = {
            fk.position: [f"f{fk.position}_{i}" for i in range(len(fk.columns))]
            for fk in self.plan.foreign_keys
            if fk.role in ("driving", "drawn", "bound")
        }
        held = [
            F.col(quote(c)).alias(k)
            for fk in self.plan.foreign_keys
            for c, k in zip(fk.columns, keys.get(fk.position, []), strict=False)
        ]
        own = [self._seen(F.col(quote(n)), i) for n, i in self.ids.items()]
        whole = add_context(frame.select(*own, *held), keys, self.plan, read, plans)
        return whole.select(*self.ids.values(), *(self._seen(F.col(i), i) for i in self.seen))
