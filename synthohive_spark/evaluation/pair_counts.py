"""Pairs of columns of one frame, counted and scored: of a table, or of a child with its parent beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.evaluation import judging, ordered
from synthohive_spark.evaluation.coding import Coder, wide_coder
from synthohive_spark.evaluation.halves import SIDES
from synthohive_spark.evaluation.joint_counts import SUMS, MeetCounter
from synthohive_spark.evaluation.judging import Judged, Place
from synthohive_spark.evaluation.kinds import ComparedColumn, as_text, compared_number
from synthohive_spark.evaluation.profile import Doubles
from synthohive_spark.evaluation.scores import PairScore
from synthohive_spark.randomness import generator

Ends = tuple[float, float]


@dataclass(frozen=True)
class CountedColumn:
    """A column whose values can be counted.

    Attributes:
        field: name and kind.
        coder: of its values.
        scale: centre and spread, of what has an order.
        ranges: least and largest value on both sides, of what has an order.
    """

    field: ComparedColumn
    coder: Coder
    scale: tuple[float, float] | None = None
    ranges: tuple[Ends, Ends] | None = None

    @property
    def ordered(self) -> bool:
        """Whether its values have an order."""
        return self.ranges is not None

    @property
    def value(self) -> Column:
        """What the coder reads: a number, or the hash of a category."""
        return compared_number(self.field) if self.ordered else hash_of(as_text(self.field))

    def at(self, source: int) -> CountedColumn:
        """The same column at another position of a frame."""
        return replace(self, coder=replace(self.coder, source=source))


def hash_of(text: Column) -> Column:
    """What a category is counted by; null stays null."""
    return F.when(text.isNotNull(), F.xxhash64(text))


def some_pairs(pairs: Iterable[tuple[int, int]], most: int, *names: object) -> list[tuple[int, int]]:
    """All pairs, or a choice of them that follows from these names."""
    every = list(pairs)
    if len(every) <= most:
        return every
    kept = generator("pairs", *names).permutation(len(every))[:most]
    return [every[i] for i in sorted(kept.tolist())]


class PairCounts:
    """Counts of what meets in pairs of columns.

    Args:
        columns: of a frame.
        pairs: positions among them.
    """

    def __init__(self, columns: Sequence[CountedColumn], pairs: Sequence[tuple[int, int]]) -> None:
        self._columns, self._pairs = columns, pairs
        self._joint: list[Doubles] = []
        self._places: list[tuple[str, str, Place | None]] = []
        self._wide: dict[int, Doubles] = {}
        self._sums: Doubles = np.zeros((SIDES, SUMS, 0, 0))

    def run(
        self, frame: DataFrame, singles: Sequence[Coder], beside: Sequence[tuple[Coder, Coder]] = ()
    ) -> list[Doubles]:
        """Count the rows of a frame, and more: one Spark query.

        Args:
            frame: a column ``side``, then the columns.
            singles: codes that are counted by themselves.
            beside: codes that are counted where they meet.

        Returns:
            Counts by side and code of the singles, then of what meets beside.
        """
        numbers = [i for i, c in enumerate(self._columns) if c.ordered]
        mixed = [k for k, (i, j) in enumerate(self._pairs) if self._columns[i].ordered != self._columns[j].ordered]
        coders = [*singles, *(coder for two in beside for coder in two)]
        meets: list[tuple[int, ...]] = [(i,) for i in range(len(singles))]
        meets += [(i, i + 1) for i in range(len(singles), len(coders), 2)]
        first, bins = len(meets), len(coders)
        coders += [c.coder for c in self._columns]
        meets += [(bins + i, bins + j) for i, j in self._pairs]
        wide = {i: len(coders) + n for n, i in enumerate(numbers)}
        coders += [_wide(self._columns[i]) for i in numbers]
        meets += [tuple(wide.get(i, bins + i) for i in self._pairs[k]) for k in mixed]
        scales = [(self._columns[i].coder.source, *(self._columns[i].scale or (0.0, 1.0))) for i in numbers]
        if not meets:
            return []
        counts, self._sums = MeetCounter(tuple(coders), tuple(meets), tuple(scales)).run(frame)
        self._joint = counts[first : first + len(self._pairs)]
        self._wide = dict(zip(mixed, counts[first + len(self._pairs) :], strict=True))
        return counts[:first]

    def judged(self, *names: object) -> list[tuple[str, str, Place | None]]:
        """The columns of each pair, with score, floor and ceiling."""
        if len(self._places) < len(self._pairs):
            for (i, j), counts in zip(self._pairs, self._joint, strict=True):
                left, right = self._columns[i].field.name, self._columns[j].field.name
                self._places.append((left, right, judging.dependence(counts, *names, left, right)))
        return self._places

    def scores(self, *names: object) -> tuple[PairScore, ...]:
        """The pairs as SDMetrics' ColumnPairTrends scores them, most different first; without those it does not."""
        return tuple(sorted((s for s in self.unsorted(*names) if s is not None), key=lambda s: s.score))

    def unsorted(self, *names: object) -> list[PairScore | None]:
        """The same, one for each pair that was asked for."""
        return [self._score(k, place) for k, (_, _, place) in enumerate(self.judged(*names))]

    def _score(self, k: int, place: Place | None) -> PairScore | None:
        left, right = (self._columns[i] for i in self._pairs[k])
        joint = both_halves(self._joint[k])
        strength = judging.association(joint[0]), judging.association(joint[1])
        share = None if place is None else round(Judged("pairs", "", "pair", "", *place).share, 6)
        names = left.field.name, right.field.name
        if left.ordered and right.ordered:
            a, b = self._correlation(*self._pairs[k])
            if np.isnan(a):
                return None
            return PairScore(*names, a, b, 1 - abs(a - b) / 2, "correlation", *strength, share)
        met = both_halves(self._wide.get(k, self._joint[k]))
        return PairScore(*names, *strength, judging.contingency(met[0], met[1]), "contingency", *strength, share)

    def _correlation(self, i: int, j: int) -> tuple[float, float]:
        numbers = [n for n, c in enumerate(self._columns) if c.ordered]
        at = [numbers.index(i), numbers.index(j)]
        real, synthetic = (ordered.correlations(s[:, at][:, :, at])[0, 1] for s in both_halves(self._sums))
        return round(float(real), 6), round(float(np.nan_to_num(synthetic)), 6)


def _wide(column: CountedColumn) -> Coder:
    nothing = (float("nan"), float("nan"))
    return wide_coder(column.coder.source, *(column.ranges or (nothing, nothing)))


def both_halves(counts: Doubles) -> Doubles:
    """The real and the synthetic side, each of both its halves."""
    both: Doubles = np.stack([counts[0] + counts[1], counts[2] + counts[3]])
    return both
