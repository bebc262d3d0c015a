"""A protected text equals an ancestor's on most rows: an order is shipped to its customer's address, but for gifts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

import numpy as np
from pyspark.sql import Column as SparkColumn

from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, Flags, Sample
from synthohive_spark.rules.kind import Decided, Kind, Law, Searched
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.rule import Ancestor, Rule
from synthohive_spark.tables import TEXT

MOST_ROWS = 0.8  # on which they are equal
FAR_FROM_CHANCE = 0.25  # share of the rows on which chance would part them that may be apart
SAME = "="  # behind the name of a column: whether it equals the ancestor's


class MostlyEqual(Kind):
    """Texts of the row with texts of ancestors; the model learns on which rows they are equal."""

    name = "mostly_equal"
    order = 22
    verified = False

    def search(self, sample: Sample) -> list[Law]:
        """For each text the ancestor's that it equals most often; none where it equals one on every row."""
        texts = [c for c in sample.columns if c.type.startswith(TEXT)]
        found = []
        for target in (c for c in texts if c.target and c.distinct > 1):
            seen = [(_equal(target, c), c) for c in texts if c.id.startswith("c")]
            equal, base = max(seen, key=lambda pair: float(pair[0].mean()), default=(np.ones(0, bool), target))
            if not equal.all() and _by_more_than_chance(target, base, equal):
                found.append(Law(self.name, target.id, (base.id,), "{0}", "part", "", target.distinct))
        return found

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per text that nothing else decides."""
        found = {table.names[law.target]: table.context(law.inputs[0]) for law in laws}
        open_ones = {c: base for c, base in found.items() if c not in decided.valued | decided.exact}
        return [EqualOnMostRows(column=c, source=base.name) for c, base in open_ones.items() if base is not None]


def _equal(a: Column, b: Column) -> Flags:
    """Where two columns have the same value, or both none."""
    same: Flags = (a.values == b.values) | (np.isnan(a.values) & np.isnan(b.values))
    return same


def _by_more_than_chance(target: Column, base: Column, equal: Flags) -> bool:
    known = ~np.isnan(target.values) & ~np.isnan(base.values)
    same, rows = float(equal[known].mean()) if known.any() else 0.0, int(known.sum())
    if rows < ROWS or min(same, float(equal.mean())) < MOST_ROWS:
        return False
    values, counts = np.unique(target.values[known], return_counts=True)
    theirs, often = np.unique(base.values[known], return_counts=True)
    both, mine, other = np.intersect1d(values, theirs, return_indices=True)
    chance = float((counts[mine] / rows * (often[other] / rows)).sum()) if len(both) else 1.0
    return 1 - same <= FAR_FROM_CHANCE * (1 - chance) and -rows * same * math.log(max(chance, 1e-9)) >= EVIDENCE


class EqualOnMostRows(Rule):
    """A protected text equals an ancestor's on most rows; the model draws on which.

    Attributes:
        source: the name of the ancestor's column in the context.
        leader: the column of the same place, on whose rows this one equals the ancestor's; None where it has its own.
    """

    needs: ClassVar[Role | None] = "shape"
    binding: ClassVar[bool] = False

    kind: Literal["mostly_equal"] = "mostly_equal"
    source: str
    leader: str | None = None

    @property
    def seen(self) -> tuple[str, ...]:
        """The ancestor's column."""
        return (self.source,)

    def text(self, ancestor: Ancestor) -> str:
        """The ancestor's column."""
        return f"{ancestor(self.source)} on most rows"

    @property
    def drawn(self) -> str | None:
        """Whether it equals the ancestor's, where no other column says so."""
        return None if self.leader else f"{self.column}:{SAME}"

    def observed(self, own: SparkColumn, context: Mapping[str, SparkColumn]) -> SparkColumn:
        """Whether it does on a row of the source."""
        return own.eqNullSafe(context[self.source])

    def complete(self, columns: Mapping[str, Values], context: Mapping[str, Values], nullable: bool) -> Values:
        """The ancestor's text on the rows that the model chose; a null only where one is allowed."""
        theirs = context[self.source].reset_index(drop=True)
        same = columns[f"{self.leader or self.column}:{SAME}"].fillna(False).to_numpy(bool)
        if not nullable:
            same &= theirs.notna().to_numpy(bool)
        return columns[self.column].reset_index(drop=True).astype(object).where(~same, theirs)
