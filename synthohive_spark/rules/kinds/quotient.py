"""A number with decimals is the quotient of two others of the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from synthohive_spark.rules.evidence import Column, Sample, Vector
from synthohive_spark.rules.value_kind import Candidate, ValueKind


class Quotient(ValueKind):
    """Quotients of every two numbers, both ways round."""

    name = "quotient"
    order = 8
    rounds = True

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """Two per pair."""
        for pair in sample.pairs:
            for b, c in (pair, pair[::-1]):
                yield Candidate((b, c), "try_divide({0}, {1})", _divided, _with_decimals, rounded=True)


def _with_decimals(column: Column) -> bool:
    return column.number and not column.whole


def _divided(v: Sequence[Vector]) -> Vector:
    with np.errstate(divide="ignore", invalid="ignore"):
        made: Vector = v[0] / v[1]
    return np.where(np.isfinite(made), made, np.nan)
