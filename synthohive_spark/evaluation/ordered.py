"""Numbers, dates and timestamps: KS and correlations from one pass over both sides.

Each task counts its rows on a grid of at most about 1,000 edges per column, the percentiles of the real table, and
sends back counts only. The mass *at* an edge is counted apart from the mass between edges, so both distribution
functions are known exactly on either side of every edge. Between two edges lies less than 1/1000 of the real rows
(plus twice the error of percentile_approx): the KS that is found is never above the true one, and below it by less
than 0.0015.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.evaluation import bins
from synthohive_spark.evaluation.kinds import ComparedColumn, compared_number
from synthohive_spark.evaluation.profile import Doubles
from synthohive_spark.evaluation.scores import Histogram, PairScore
from synthohive_spark.worker import forget_archives

if TYPE_CHECKING:
    import numpy.typing as npt

PAIR_COLUMNS = 40  # correlations are looked at between this many columns of a table
_SCHEMA = "side int, measure int, i int, j int, v double"
_ARROW = pa.schema(
    [("side", pa.int32()), ("measure", pa.int32()), ("i", pa.int32()), ("j", pa.int32()), ("v", pa.float64())]
)
_COUNTS = 0  # measure of the grid counts; 1..6 are the six sums of a pair
_SUMS = 6  # of a correlation: count, two sums, two sums of squares, the sum of products


@dataclass(frozen=True)
class Grid:
    """Where one column is cut.

    Attributes:
        edges: ascending; percentiles of the real values and the edges of the picture.
        picture: the edges of the picture alone.
        centre: about the median: what is subtracted before sums of products, so that they lose no digits.
        scale: about the spread.
    """

    edges: Doubles
    picture: Doubles
    centre: float
    scale: float


@dataclass(frozen=True)
class Tally:
    """What the pass over both sides counted; index 0 of every pair is real, 1 synthetic.

    Attributes:
        counts: per column, array (2, 2 * edges + 1): below the first edge, at it, between it and the next, ...
        sums: array (2, 6, columns, columns): n, x, y, xx, yy, xy over the rows where both are finite.
    """

    counts: tuple[Doubles, ...]
    sums: Doubles


def grid(percentiles: Doubles, kind: str) -> Grid:
    """Cut a column by the percentiles of its real values (ascending, evenly spaced, the 0th and 100th included)."""
    if not len(percentiles):
        return Grid(np.empty(0), np.empty(0), 0.0, 1.0)
    last = len(percentiles) - 1
    low, mid, high = (percentiles[round(q * last)] for q in (0.01, 0.5, 0.99))
    finite = bool(np.isfinite([low, mid, high]).all())
    inner = bins.edges(float(low), float(high), kind)
    spread = float(high - low) if finite else 0.0
    return Grid(np.union1d(percentiles, inner), inner, float(mid) if finite else 0.0, spread or 1.0)


def tally(real: DataFrame, synthetic: DataFrame, fields: Sequence[ComparedColumn], grids: Sequence[Grid]) -> Tally:
    """Count both sides on the grids: one Spark job."""

    def values(frame: DataFrame, side: int) -> DataFrame:
        return frame.select(
            F.lit(side).alias("side"), *(compared_number(f).alias(f"n{i}") for i, f in enumerate(fields))
        )

    found = (
        values(real, 0)
        .union(values(synthetic, 1))
        .mapInArrow(partial(_count, tuple(grids)), _SCHEMA)
        .groupBy("side", "measure", "i", "j")
        .agg(F.sum("v").alias("v"))
        .toArrow()  # bounded by the grid: at most about 4,000 counts a column and 12 sums a pair
    )
    side, measure, i, j, v = (found.column(n).to_numpy() for n in ("side", "measure", "i", "j", "v"))
    counts = []
    for column, cut in enumerate(grids):
        of_column = np.zeros((2, 2 * len(cut.edges) + 1))
        mine = (measure == _COUNTS) & (i == column)
        of_column[side[mine], j[mine]] = v[mine]
        counts.append(of_column)
    pairs = min(len(grids), PAIR_COLUMNS)
    sums = np.zeros((2, _SUMS, pairs, pairs))
    mine = measure > _COUNTS
    sums[side[mine], measure[mine] - 1, i[mine], j[mine]] = v[mine]
    return Tally(tuple(counts), sums)


def _count(grids: tuple[Grid, ...], batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One task: counts and sums of its rows, sent once at its end."""
    forget_archives()
    counts = [np.zeros((2, 2 * len(g.edges) + 1)) for g in grids]
    paired = min(len(grids), PAIR_COLUMNS)
    sums = np.zeros((2, _SUMS, paired, paired))
    for batch in batches:
        sides = batch.column(0).to_numpy()
        columns = [batch.column(1 + c).to_numpy(zero_copy_only=False) for c in range(len(grids))]
        for side in np.unique(sides):
            mine = [column[sides == side] for column in columns]
            for column, cut, total in zip(mine, grids, counts, strict=True):
                total[side] += _on_grid(column, cut.edges)
            sums[side] += _products(mine[:paired], grids)
    yield _sparse(counts, sums)


def _on_grid(values: Doubles, edges: Doubles) -> npt.NDArray[np.intp]:
    present = values[~np.isnan(values)]
    place = np.searchsorted(edges, present, side="left")
    at_edge = np.searchsorted(edges, present, side="right") > place
    return np.bincount(2 * place + at_edge, minlength=2 * len(edges) + 1)


def _products(columns: Sequence[Doubles], grids: Sequence[Grid]) -> Doubles:
    if not columns:
        return np.zeros((_SUMS, 0, 0))
    x = np.stack([(c - g.centre) / g.scale for c, g in zip(columns, grids, strict=False)], axis=1)
    present = np.isfinite(x)
    x = np.where(present, x, 0.0)
    m = present.astype(np.float64)
    squares = x * x
    return np.stack([m.T @ m, x.T @ m, m.T @ x, squares.T @ m, m.T @ squares, x.T @ x])


def _sparse(counts: Sequence[Doubles], sums: Doubles) -> pa.RecordBatch:
    parts = []
    for column, total in enumerate(counts):
        side, bucket = np.nonzero(total)
        parts.append((side, np.full_like(side, _COUNTS), np.full_like(side, column), bucket, total[side, bucket]))
    side, measure, i, j = np.nonzero(sums)
    parts.append((side, measure + 1, i, j, sums[side, measure, i, j]))
    arrays = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return pa.RecordBatch.from_arrays(
        [pa.array(a, type=f.type) for a, f in zip(arrays, _ARROW, strict=True)], schema=_ARROW
    )


def kolmogorov_smirnov(real: Doubles, synthetic: Doubles) -> float:
    """Largest distance of the two distribution functions, from counts in ascending buckets.

    A side without values is as far as can be from one with values; two without are alike.
    """
    if not real.sum() or not synthetic.sum():
        return float(bool(real.sum()) != bool(synthetic.sum()))
    distance = np.abs(np.cumsum(real) / real.sum() - np.cumsum(synthetic) / synthetic.sum())
    return float(min(1.0, distance.max()))


def spread_picture(counts: Doubles, cut: Grid, kind: str) -> Histogram:
    """The two distributions in the bins of the picture."""
    ends = 2 * np.searchsorted(cut.edges, cut.picture) + 1  # values below a picture edge lie in the buckets before it
    below = np.concatenate([np.zeros((2, 1)), np.cumsum(counts, axis=1)], axis=1)
    inside = np.diff(below[:, [0, *ends, -1]], axis=1)
    shares = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)
    real, synthetic = (tuple(round(float(s), 6) for s in side) for side in shares)
    return Histogram(bins.labels(cut.picture, kind), real, synthetic)


def pairs(found: Tally, fields: Sequence[ComparedColumn]) -> tuple[PairScore, ...]:
    """Correlations of every two columns on both sides, most different first.

    Pairs without a correlation in the real table (a constant column) are left out; a synthetic pair without one
    counts as uncorrelated.
    """
    real, synthetic = _correlations(found.sums[0]), _correlations(found.sums[1])
    scored = []
    for i in range(len(real)):
        for j in range(i + 1, len(real)):
            if np.isnan(real[i, j]):
                continue
            a, b = round(float(real[i, j]), 6), round(float(np.nan_to_num(synthetic[i, j])), 6)
            scored.append(PairScore(fields[i].name, fields[j].name, a, b, 1 - abs(a - b) / 2))
    return tuple(sorted(scored, key=lambda p: p.score))


def _correlations(sums: Doubles) -> Doubles:
    n, x, y, xx, yy, xy = sums
    n = np.maximum(n, 1)
    var_x, var_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    known = (n > 1) & (var_x > 1e-12) & (var_y > 1e-12)
    spread = np.sqrt(np.where(known, var_x * var_y, 1.0))
    return np.where(known, np.clip((xy / n - x * y / n**2) / spread, -1, 1), np.nan)
