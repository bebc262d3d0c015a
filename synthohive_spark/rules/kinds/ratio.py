"""A number is an ancestor's but for a few factors: what was paid is the list price, or four fifths of it.

The model learns the factor: so it learns what such numbers have in common, the discount and not the price.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Floats
from synthohive_spark.rules.evidence import ROWS, Column, Sample, alike
from synthohive_spark.rules.kind import Decided, Kind, Law, Searched
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.rule import Ancestor, Rule

WIDTH = 0.01  # relative difference of factors that are one: prices are rounded
ALIKE = 0.2  # how often two rows must have one factor
MORE_ALIKE = 5.0  # than they have one value, or one would without the ancestor
DIGITS = 4  # of a factor
USUAL, USUAL_DIGITS = 16, 3  # factors that explain a number although it was rounded, and their digits


class Ratio(Kind):
    """Numbers of the row with numbers of ancestors; the model learns the factors."""

    name = "ratio"
    order = 23
    verified = False

    def search(self, sample: Sample) -> list[Law]:
        """For each number those of ancestors of which it is often the same multiple, the most usual one first."""
        numbers = [c for c in sample.columns if c.number]
        found = []
        for target in (c for c in numbers if c.target and c.distinct > 2):
            scores = {c.id: _score(target, c) for c in numbers if c.id.startswith("c")}
            scale = target.scale if target.scale is not None else -1
            found += [
                Law(self.name, target.id, (base,), "{0}", "part", "", target.distinct, scale)
                for base in sorted(scores, key=lambda i: -scores[i])
                if scores[base] > 0
            ]
        return found

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per number that nothing else decides, of an ancestor's number that the model may see."""
        made = dict[str, Rule]()
        for law in laws:
            column, base = table.names[law.target], table.context(law.inputs[0])
            if column not in {*decided.valued, *decided.nulls, *made} and base is not None and not base.hidden:
                scale = law.step if law.step >= 0 else None
                made[column] = Multiple(column=column, source=base.name, scale=scale)
        return list(made.values())


def _score(target: Column, base: Column) -> float:
    """How often two rows have one factor; 0 where that says little, or where a factor is not known."""
    known = ~np.isnan(target.values)
    mine, theirs = target.values[known], base.values[known]
    if len(mine) < ROWS or not (theirs > 0).all() or not (mine >= 0).all():
        return 0.0
    same = alike(np.round(np.log(np.maximum(mine, 1e-9) / theirs) / WIDTH))
    return same if same >= max(ALIKE, MORE_ALIKE * alike(mine), MORE_ALIKE * alike(theirs)) else 0.0


class Multiple(Rule):
    """A number is a multiple of an ancestor's.

    Attributes:
        source: the name of the ancestor's number in the context.
        scale: decimals that it is rounded to; None for no rounding.
    """

    needs: ClassVar[Role | None] = "model"
    binding: ClassVar[bool] = False

    kind: Literal["ratio"] = "ratio"
    source: str
    scale: int | None = None

    @property
    def seen(self) -> tuple[str, ...]:
        """The ancestor's number."""
        return (self.source,)

    def text(self, ancestor: Ancestor) -> str:
        """The ancestor's number."""
        return f"a factor times {ancestor(self.source)}"

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, original: pd.DataFrame, seed: int) -> pd.DataFrame:
        """The factor instead of the number."""
        return data.assign(**{self.column: self._factor(_floats(original[self.column]), self._base(context))})

    def decode(self, data: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
        """The number, rounded as those of the source are."""
        number = _floats(data[self.column]) * self._base(context)
        rounded = number if self.scale is None else np.round(number, self.scale)
        return data.assign(**{self.column: pd.Series(rounded, index=data.index).astype("Float64")})

    def _factor(self, number: Floats, base: Floats) -> Floats:
        """The factor of each row: the most usual one that gives the number, which may be rounded; shape (rows,)."""
        factor = np.round(number / base, DIGITS)
        if self.scale is None:
            return factor
        values, rows = np.unique(np.round(factor[~np.isnan(factor)], USUAL_DIGITS), return_counts=True)
        for usual in values[np.argsort(rows, kind="stable")][-USUAL:]:  # the most usual last: it stays
            factor[np.abs(np.round(base * usual, self.scale) - number) < 0.1 * 10.0**-self.scale] = usual
        return factor

    def _base(self, context: pd.DataFrame) -> Floats:
        """The ancestor's number of each row; 1 where it is none to divide by."""
        base = _floats(context[self.source])
        base[np.isnan(base) | (base == 0)] = 1.0
        return base


def _floats(values: Values) -> Floats:
    """A copy of a column as floats, NaN where null."""
    return np.array(values.astype("Float64").to_numpy(np.float64, na_value=np.nan))
