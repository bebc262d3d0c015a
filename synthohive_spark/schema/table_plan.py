"""What is known of a table before a row of it is generated: keys, columns, context, rules.

A plan holds aggregates of the source only, is JSON, and is kept with the model: plan, model and parents are all that
generation needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import TypeAlias

from synthohive_spark.lake.design import Design
from synthohive_spark.privacy.rare_rows import RareRows
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.context import ContextPlan
from synthohive_spark.schema.keys import KeysPlan
from synthohive_spark.schema.rule import RulesPlan
from synthohive_spark.sql import names_in
from synthohive_spark.strict import Strict
from synthohive_spark.tables import TEXT

SHAPED = "rare values, written as their shape"
REPEATED = "repeats a key of its parent, or values that are written as their shape"


class TablePlan(Strict):
    """A table, ready to be sampled, trained and generated.

    Attributes:
        table: its name.
        rows: rows of the source.
        reference: it is copied, not learnt.
        subject: positions of the keys that lead to whom its rows are about; () where that is the row.
        keys: its keys.
        columns: its columns.
        context: what its rows see of their ancestors.
        rules: what holds between columns.
        rare: rows of the source that no row of the copy may repeat.
        design: what the copy declares beside its columns.
        after: tables that are made before it, though no key of it refers to them: its ancestors become what the rows
            of these say, and it sees that.
    """

    table: str
    rows: int
    reference: bool = False
    subject: tuple[int, ...] = ()
    keys: KeysPlan = KeysPlan()
    columns: ColumnsPlan
    context: ContextPlan = ContextPlan()
    rules: RulesPlan = RulesPlan()
    rare: RareRows = RareRows()
    design: Design = Design()
    after: tuple[str, ...] = ()

    @property
    def protected(self) -> dict[str, str]:
        """Columns whose values mean nothing, and why: shapes, copies of what no model sees, and texts made of these."""
        texts = [c.name for c in self.columns.each if c.role == "unique" and c.type.startswith(TEXT)]
        made_up = [*self.columns.named("shape"), *texts]
        void = {c.name for c in self.context.each if not c.meaning}
        copies = [r.column for r in self.rules.each if r.gives == "copied" and void.intersection(r.seen)]
        types = self.columns.types()
        nothing = {*made_up, *copies, *self.columns.named("surrogate", "unique", "foreign")}
        for rule in self.rules.each:
            if rule.sql is not None and rule.gives == "derived" and types[rule.column].startswith(TEXT):
                made_of = names_in(rule.sql, {*nothing, *copies}) or void.intersection(rule.seen)
                copies += [rule.column] if made_of else []
        return {**dict.fromkeys(made_up, SHAPED), **dict.fromkeys(copies, REPEATED)}

    @property
    def people(self) -> tuple[tuple[int, ...], ...]:
        """Ways to whom the row, and each ancestor that its model sees, is about, where that is not the row itself."""
        ways = dict.fromkeys([self.subject, *(c.holder for c in self.context.shown)])
        return tuple(way for way in ways if way)

    @property
    def learns(self) -> bool:
        """Whether the table has something to learn: columns, or which of its parents go together."""
        open_ones = self.columns.named("model") or self.rules.drawn or self.keys.dealt
        return not self.reference and self.rows > 0 and bool(open_ones)

    def cells(self, rows: int) -> int:
        """Values that a model of so many rows sees, those of their ancestors among them."""
        return rows * (len(self.columns.named("model")) + len(self.context.shown))


Plans: TypeAlias = Mapping[str, TablePlan]


def generation_order(plans: Plans) -> list[list[str]]:
    """Tables in the order in which they are made: those of a stage need only tables of earlier ones."""
    needs = {
        name: {*plan.after, *(k.references for k in plan.keys.foreign if k.role not in ("late", "self"))} & {*plans}
        for name, plan in plans.items()
    }
    sorter, order, names = TopologicalSorter(needs), list[list[str]](), list(plans)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=names.index)
        order.append(ready)
        sorter.done(*ready)
    return order
