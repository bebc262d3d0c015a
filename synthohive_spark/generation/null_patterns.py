"""Which of the assigned keys each row has, by its position in the table: in the exact shares of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthohive_spark.randomness import Ints, scatter, scattered_below
from synthohive_spark.schema.keys import NullPattern


@dataclass(frozen=True)
class Patterns:
    """Null patterns of a table's rows by their position, in exact shares.

    Attributes:
        owned: patterns of rows with a driving parent, or of a root table.
        free: those of rows without one, which come last in a table.
        first_free: the position of the first of these.
        total: rows of the table.
    """

    owned: Sequence[NullPattern]
    free: Sequence[NullPattern]
    first_free: int
    total: int

    def which(self, index: Ints, alone: bool) -> Ints:
        """The pattern of each row, by its place in ``owned`` or ``free``, shape (n,).

        Args:
            index: positions of rows, all with a driving parent or all without, shape (n,).
            alone: they are without.
        """
        patterns, first = (self.free, self.first_free) if alone else (self.owned, 0)
        rows = self.total - self.first_free if alone else self.first_free
        if not patterns:
            return np.zeros(len(index), np.int64)
        return np.searchsorted(_ends(patterns, rows), scatter(index - first, rows), side="right")

    def are_set(self, key: int, which: Ints, alone: bool) -> npt.NDArray[np.bool_]:
        """Whether rows of these patterns have the ``key``-th dealt key set, shape (n,)."""
        patterns = self.free if alone else self.owned
        flags: npt.NDArray[np.bool_] = np.array([p.set_keys[key] for p in patterns] or [True])
        return flags[which]

    def nulls(self, which: Ints, alone: bool) -> dict[str, npt.NDArray[np.bool_]]:
        """Columns that are null though a key gives them, and on which rows of these patterns; shape (n,) each."""
        found: dict[str, npt.NDArray[np.bool_]] = {}
        for place, pattern in enumerate(self.free if alone else self.owned):
            for column in pattern.nulls:
                found[column] = found.get(column, np.zeros(len(which), bool)) | (which == place)
        return found

    def set_before(self, key: int, rows: int) -> int:
        """How many of the first ``rows`` rows have the ``key``-th dealt key set."""
        owned = min(rows, self.first_free)
        both = ((self.owned, owned, self.first_free), (self.free, rows - owned, self.total - self.first_free))
        return sum(_set_among(patterns, key, first, of) for patterns, first, of in both)


def _set_among(patterns: Sequence[NullPattern], key: int, first: int, rows: int) -> int:
    if not patterns:
        return first
    ends = [0, *_ends(patterns, rows).tolist()]
    return sum(
        scattered_below(first, rows, high) - scattered_below(first, rows, low)
        for pattern, low, high in zip(patterns, ends, ends[1:], strict=False)
        if pattern.set_keys[key]
    )


def _ends(patterns: Sequence[NullPattern], rows: int) -> Ints:
    """Where the stretch of each pattern ends on the scattered line of ``rows`` rows."""
    ends: Ints = np.rint(np.cumsum([p.share for p in patterns]) * rows).astype(np.int64)
    ends[-1] = rows
    return ends
