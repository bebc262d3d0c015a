"""A bounded sample that does not depend on how the rows were partitioned: the k rows of lowest hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_ROWS = 65_536  # of lowest hash, by which scales are fitted: 512 knots of 128 rows


@dataclass(frozen=True)
class Origin:
    """Where the n values of a column come from.

    Attributes:
        hashes: (n,) of their rows.
        people: (n,) code of whom each is about, -1 for nobody; None where each is about another person.
    """

    hashes: NDArray[np.uint64]
    people: NDArray[np.int64] | None = None

    def where(self, chosen: NDArray[Any]) -> Origin:
        """Of some of the values: a mask, or their places."""
        return Origin(self.hashes[chosen], None if self.people is None else self.people[chosen])


@dataclass(frozen=True)
class BottomK:
    """Values of the rows with the lowest hashes.

    Attributes:
        values: (m,) values of those rows, without nulls.
        origin: where they come from.
    """

    values: NDArray[Any]
    origin: Origin

    @classmethod
    def of(cls, values: NDArray[Any], origin: Origin) -> BottomK:
        """Returns the sample of one chunk, at most ``SAMPLE_ROWS`` values."""
        if values.size > SAMPLE_ROWS:
            kept = np.argsort(origin.hashes, kind="stable")[:SAMPLE_ROWS]
            values, origin = values[kept], origin.where(kept)
        return cls(values, origin)

    @property
    def people(self) -> NDArray[np.int64]:
        """(m,) code of whom each value is about."""
        known = self.origin.people
        return np.arange(self.values.size, dtype=np.int64) if known is None else known

    def sorted(self, values: NDArray[Any] | None = None) -> BottomK:
        """The sample, of which other values may stand for these, by its values."""
        values = self.values if values is None else values
        order = np.argsort(values, kind="stable")
        return BottomK(values[order], self.origin.where(order))

    def chosen(self, chosen: NDArray[Any]) -> BottomK:
        """Some of its values: a mask, or their places."""
        return BottomK(self.values[chosen], self.origin.where(chosen))


def merge_samples(samples: Sequence[BottomK]) -> BottomK:
    """Returns the merged sample by its values: the same for every partitioning."""
    filled = [sample for sample in samples if sample.values.size] or list(samples[:1])
    told = [sample.origin.people for sample in filled if sample.origin.people is not None]
    origin = Origin(
        np.concatenate([sample.origin.hashes for sample in filled]),
        np.concatenate(told) if len(told) == len(filled) else None,
    )
    return BottomK.of(np.concatenate([sample.values for sample in filled]), origin).sorted()
