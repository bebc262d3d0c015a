"""Generation batches, put together again from whatever Arrow batches their rows arrived in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa


def gathered(parts: Iterable[pa.RecordBatch], place: Sequence[str]) -> Iterator[pa.Table]:
    """Consecutive rows of one generation batch.

    Args:
        parts: rows, those of a generation batch one behind the other.
        place: the columns that name it.
    """
    held: list[pa.RecordBatch] = []
    current: tuple[int, ...] | None = None
    for part in parts:
        if not part.num_rows:
            continue
        keys = np.column_stack([part.column(name).to_numpy() for name in place])
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
        for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(keys)], strict=True):
            key = tuple(keys[begin].tolist())
            if key != current and held:
                yield pa.Table.from_batches(held)
                held = []
            current = key
            held.append(part.slice(begin, end - begin))
    if held:
        yield pa.Table.from_batches(held)
