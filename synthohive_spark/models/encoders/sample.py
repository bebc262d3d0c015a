"""A bounded sample that does not depend on how the rows were partitioned: the k rows of lowest hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_ROWS = 65_536  # of lowest hash, by which scales are fitted: 512 knots of 128 rows


@dataclass(frozen=True)
class BottomK:
    """Values of the rows with the lowest hashes.

    Attributes:
        hashes: (m,) row hashes.
        values: (m,) values of those rows, without nulls.
    """

    hashes: NDArray[np.uint64]
    values: NDArray[Any]

    @classmethod
    def of(cls, values: NDArray[Any], hashes: NDArray[np.uint64]) -> BottomK:
        """Returns the sample of one chunk, at most ``SAMPLE_ROWS`` values."""
        if values.size > SAMPLE_ROWS:
            kept = np.argsort(hashes, kind="stable")[:SAMPLE_ROWS]
            values, hashes = values[kept], hashes[kept]
        return cls(hashes, values)


def merge_samples(samples: Sequence[BottomK]) -> NDArray[Any]:
    """Returns the sorted values of the merged sample: the same for every partitioning."""
    filled = [sample for sample in samples if sample.values.size] or list(samples[:1])
    merged = BottomK.of(
        np.concatenate([sample.values for sample in filled]), np.concatenate([sample.hashes for sample in filled])
    )
    return np.sort(merged.values)
