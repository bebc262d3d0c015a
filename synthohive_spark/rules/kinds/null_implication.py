"""A column is null wherever another one is: no arrival without a departure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Floats, Ints
from synthohive_spark.rules.evidence import EVIDENCE, Sample
from synthohive_spark.rules.kind import Decided, Kind, Law, Searched
from synthohive_spark.schema.rule import Ancestor, Rule, worded
from synthohive_spark.sql import quote


class NullImplication(Kind):
    """Pairs of columns; the plan keeps one rule per column, with all that make it null."""

    name = "null_implication"
    order = 20
    tells_nulls = True
    asks_nulls = True
    impersonal = True

    def search(self, sample: Sample) -> list[Law]:
        """Pairs in which chance would have set the target at least once where the other is null."""
        columns = sample.own
        null = np.array([np.isnan(c.values) for c in columns]).reshape(len(columns), sample.rows)
        counts = null.sum(axis=1)
        found = []
        for i in np.flatnonzero((counts > 0) & (counts < sample.rows)):
            target = columns[i]
            if not target.target:
                continue
            implied = (_surprise(sample.rows, counts, counts[i]) >= EVIDENCE) & ~(null & ~null[i]).any(axis=1)
            implied[i] = False
            found += [
                Law(self.name, target.id, (columns[j].id,), "{0} is null", "part", "", target.distinct)
                for j in np.flatnonzero(implied & (counts < sample.rows))
            ]
        return found

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """Null where the others are, else what the column is."""
        return f"if({law.sql.format(*(names[i] for i in law.inputs))}, null, {names[law.target]})"

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per column of which no law gives every value."""
        names = {i: quote(n) for i, n in table.names.items()}
        made = list[Rule]()
        for target, law in combined(laws, {i for i, n in table.names.items() if n in decided.whole}).items():
            causes = tuple(table.names[i] for i in law.inputs)
            sql = self.expression(law, names, table.types)
            made.append(NullWhere(column=table.names[target], causes=causes, expression=sql))
        return made


def _surprise(rows: int, causes: Ints, effects: int) -> Floats:
    """Nats by which it surprises that all of some rows are among others, were these as many rows by chance."""
    free = np.arange(1, rows + 1, dtype=np.float64)
    sums = np.concatenate([[0.0], np.log(free).cumsum()])  # of factorials
    least = np.minimum(causes, effects)  # others hold no such rows anyway
    made: Floats = sums[rows] - sums[rows - least] - sums[effects] + sums[effects - least]
    return made


def combined(laws: Iterable[Law], whole: Collection[str]) -> dict[str, Law]:
    """One law per column that the model draws: null where any of the others is.

    The relation is transitive and complete, so one pass over the drawn values is enough; columns that a law gives
    take no part: those that they follow from stand for them. Of columns that are null together the first one leads.

    Args:
        laws: single ones.
        whole: ids of columns that other laws give on every row.
    """
    implied: dict[str, list[str]] = {}
    for law in laws:
        if law.target not in whole and law.inputs[0] not in whole:
            implied.setdefault(law.target, []).append(law.inputs[0])

    def leader(column: str) -> str:
        equal = [other for other in implied.get(column, []) if column in implied.get(other, [])]
        return min([column, *equal], key=lambda c: int(c[1:]))

    kept = {t: [i for i in inputs if leader(i) == i and leader(t) != i] for t, inputs in implied.items()}
    kept = {t: [*([leader(t)] if leader(t) != t else []), *inputs] for t, inputs in kept.items()}
    return {
        t: Law(NullImplication.name, t, tuple(i), " or ".join(f"{{{n}}} is null" for n in range(len(i))), "part")
        for t, i in kept.items()
        if i
    }


class NullWhere(Rule):
    """A column is null where any of some others is, or where a decision says so.

    Attributes:
        causes: the others.
        expression: Spark SQL of the column.
        alone: no rule gives the column other values; else that rule's SQL holds this one's.
        exactly: it is null nowhere else.
        above: names of columns of ancestors in the context that the expression names.
    """

    kind: Literal["null_implication"] = "null_implication"
    causes: tuple[str, ...]
    expression: str
    alone: bool = True
    exactly: bool = False
    above: tuple[str, ...] = ()

    @property
    def seen(self) -> tuple[str, ...]:
        """Columns of ancestors."""
        return self.above

    @property
    def nulls(self) -> bool:
        """Whether all nulls of its column come from it."""
        return self.exactly

    @property
    def sql(self) -> str | None:
        """What makes it null."""
        return self.expression if self.alone else None

    def text(self, ancestor: Ancestor) -> str:
        """The expression."""
        return worded(self.expression, self.above, ancestor)

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, original: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Values where the rule says null: some of the column's own, so that the model learns the other nulls.

        A null that the rule makes and that the model draws as well would be there twice as often.
        """
        if self.column not in data:
            return data
        null = original[self.column].isna().to_numpy()
        known = np.flatnonzero(~null)
        causes = [c for c in self.causes if c in data]
        caused = original[causes].isna().any(axis=1).to_numpy() | self.exactly
        lawful = np.flatnonzero(null & caused)
        if not len(known) or not len(lawful):
            return data
        order = np.arange(len(data))
        order[lawful] = np.random.default_rng(seed).choice(known, len(lawful))
        return data.assign(**{self.column: data[self.column].iloc[order].reset_index(drop=True)})
