"""Values as small whole numbers, so that what goes with what can be counted. Arithmetic, no Spark.

Code 0 is a missing value: which values are missing together is part of what goes together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthohive_spark.evaluation.profile import Doubles
from synthohive_spark.randomness import Ints

BINS = 8  # of numbers and times, with about as many real values in each
FEW_VALUES = 12  # a column of so few different numbers has a code for each
WIDE_BINS = 10  # of equal width: numpy's default, which SDMetrics takes

Values = npt.NDArray[np.float64] | Ints


@dataclass(frozen=True)
class Coder:
    """How the values of one column become codes.

    Attributes:
        source: position of the column among those that are read.
        edges: ascending; for categories the hashes that have a code of their own.
        synthetic_edges: those of the synthetic side where they differ.
        kind: ``bins`` between edges, ``grid`` with codes for the edges themselves, ``wide`` as numpy's digitize,
            ``category``.
    """

    source: int
    edges: Doubles | Ints
    kind: str
    synthetic_edges: Doubles | None = None

    @property
    def size(self) -> int:
        """How many codes there are."""
        extra = {"bins": 2, "grid": len(self.edges) + 2, "wide": 1, "category": 2}[self.kind]
        return len(self.edges) + extra

    def codes(self, values: Values, present: npt.NDArray[np.bool_], synthetic: npt.NDArray[np.bool_]) -> Ints:
        """The code of each value; 0 where none is present."""
        if self.kind == "category":
            place = np.searchsorted(self.edges, values)
            known = place < len(self.edges)
            known[known] = self.edges[place[known]] == values[known]
            found = np.where(known, place + 1, len(self.edges) + 1)
        elif self.kind == "grid":
            place = np.searchsorted(self.edges, values, side="left")
            found = place + np.searchsorted(self.edges, values, side="right") + 1
        elif self.kind == "wide":
            other = self.edges if self.synthetic_edges is None else self.synthetic_edges
            inside = np.searchsorted(self.edges, values, side="right")
            found = np.where(synthetic, np.searchsorted(other, values, side="right"), inside)
            return np.where(present, found, len(self.edges)).astype(np.int64)  # numpy puts what is missing last
        else:
            found = np.searchsorted(self.edges, values, side="right") + 1
        return np.where(present, found, 0).astype(np.int64)


def bins_coder(source: int, percentiles: Doubles) -> Coder:
    """Bins with about as many real values in each; a bin for each value where there are few."""
    distinct = np.unique(percentiles)
    if len(distinct) <= FEW_VALUES:
        return Coder(source, distinct[1:], "bins")
    last = len(percentiles) - 1
    inner = [percentiles[round(last * i / BINS)] for i in range(1, BINS)]
    return Coder(source, np.unique(inner), "bins")


def wide_coder(source: int, real: tuple[float, float], synthetic: tuple[float, float]) -> Coder:
    """Ten bins of equal width between the least and the largest value of each side, as SDMetrics has them."""
    return Coder(source, _equal(*real), "wide", _equal(*synthetic))


def _equal(low: float, high: float) -> Doubles:
    if not (np.isfinite(low) and np.isfinite(high)):
        low, high = 0.0, 1.0
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, WIDE_BINS + 1)
