"""How often codes meet, for many pairs of columns in one pass over all rows of both sides.

Each task counts its rows and sends back counts only: what the driver receives is bounded by the number of codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.evaluation.coding import Coder
from synthohive_spark.evaluation.halves import SIDES
from synthohive_spark.evaluation.profile import Doubles
from synthohive_spark.worker import forget_archives

ROWS_AT_ONCE = 100_000  # batches are counted together up to so many rows
SUMS = 6  # of a correlation: count, two sums, two sums of squares, the sum of products
_SCHEMA = "what int, cell bigint, v double"
_ARROW = pa.schema([("what", pa.int32()), ("cell", pa.int64()), ("v", pa.float64())])
_OF_SUMS = -1


@dataclass(frozen=True)
class MeetCounter:
    """What a task counts.

    Attributes:
        coders: of the columns; a column may have several.
        meets: positions of coders: one, or two that meet.
        scales: (column, centre, scale) of the columns whose products are summed.
    """

    coders: tuple[Coder, ...]
    meets: tuple[tuple[int, ...], ...]
    scales: tuple[tuple[int, float, float], ...] = ()

    def shape(self, meet: tuple[int, ...]) -> tuple[int, ...]:
        """Sides, then codes."""
        return (SIDES, *(self.coders[i].size for i in meet))

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows in, counts out, once at the end."""
        forget_archives()
        counts = [np.zeros(int(np.prod(self.shape(meet)))) for meet in self.meets]
        sums = np.zeros((SIDES, SUMS, len(self.scales), len(self.scales)))
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(b.num_rows for b in waiting) >= ROWS_AT_ONCE:
                self._add(pa.Table.from_batches(waiting), counts, sums)
                waiting = []
        if waiting:
            self._add(pa.Table.from_batches(waiting), counts, sums)
        yield _sparse([*enumerate(counts), (_OF_SUMS, sums.ravel())])

    def _add(self, rows: pa.Table, counts: Sequence[Doubles], sums: Doubles) -> None:
        side = rows.column(0).to_numpy()
        synthetic = side >= SIDES // 2
        columns = [rows.column(i).combine_chunks() for i in range(1, rows.num_columns)]
        present = [c.is_valid().to_numpy(zero_copy_only=False) for c in columns]
        values = [c.fill_null(0).to_numpy(zero_copy_only=False) for c in columns]
        codes = [c.codes(values[c.source], present[c.source], synthetic) for c in self.coders]
        for meet, total in zip(self.meets, counts, strict=True):
            cell = side.astype(np.int64)
            for i in meet:
                cell = cell * self.coders[i].size + codes[i]
            np.add(total, np.bincount(cell, minlength=len(total)), out=total)
        for s in np.unique(side) if self.scales else ():
            mine = side == s
            scaled = [np.where(present[i][mine], (values[i][mine] - c) / w, np.nan) for i, c, w in self.scales]
            sums[s] += _products(np.stack(scaled, axis=1))

    def run(self, frame: DataFrame) -> tuple[list[Doubles], Doubles]:
        """Count a frame of a column ``side`` and the columns.

        Returns:
            For each of ``meets`` counts by side and codes; sums of shape (sides, SUMS, columns, columns).
        """
        found = frame.mapInArrow(self, _SCHEMA).groupBy("what", "cell").agg(F.sum("v").alias("v")).toArrow()
        what, cell, v = (found.column(n).to_numpy() for n in ("what", "cell", "v"))
        order = np.argsort(what, kind="stable")
        starts = np.searchsorted(what[order], np.arange(len(self.meets) + 1))
        counts = []
        for i, meet in enumerate(self.meets):
            mine = order[starts[i] : starts[i + 1]]
            total = np.zeros(int(np.prod(self.shape(meet))))
            total[cell[mine]] = v[mine]
            counts.append(total.reshape(self.shape(meet)))
        sums = np.zeros(SIDES * SUMS * len(self.scales) ** 2)
        sums[cell[what == _OF_SUMS]] = v[what == _OF_SUMS]
        return counts, sums.reshape(SIDES, SUMS, len(self.scales), len(self.scales))


def _products(x: Doubles) -> Doubles:
    present = np.isfinite(x)
    x = np.where(present, x, 0.0)
    m = present.astype(np.float64)
    squares = x * x
    return np.stack([m.T @ m, x.T @ m, m.T @ x, squares.T @ m, m.T @ squares, x.T @ x])


def _sparse(parts: Sequence[tuple[int, Doubles]]) -> pa.RecordBatch:
    what, cells, values = [], [], []
    for i, total in parts:
        cell = np.flatnonzero(total)
        what.append(np.full(len(cell), i, dtype=np.int32))
        cells.append(cell.astype(np.int64))
        values.append(total[cell])
    arrays = [np.concatenate(a) for a in (what, cells, values)]
    return pa.RecordBatch.from_arrays(
        [pa.array(a, type=f.type) for a, f in zip(arrays, _ARROW, strict=True)], schema=_ARROW
    )
