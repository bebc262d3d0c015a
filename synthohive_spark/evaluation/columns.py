"""Columns of one table, and what goes together within it: two Spark queries, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from pyspark.sql import Column, DataFrame

from synthohive_spark.evaluation import categories, judging, ordered
from synthohive_spark.evaluation.coding import Coder, bins_coder
from synthohive_spark.evaluation.judging import Judged
from synthohive_spark.evaluation.kinds import ComparedColumn, Comparison, as_text, compared_number
from synthohive_spark.evaluation.pair_counts import CountedColumn, PairCounts, both_halves, hash_of, some_pairs
from synthohive_spark.evaluation.profile import Profile
from synthohive_spark.evaluation.scores import ColumnScore, Histogram, PairScore, SkippedColumn
from synthohive_spark.privacy.coarse import few_rows
from synthohive_spark.privacy.support import SUBJECT, Support

FREE_TEXT = 0.5  # a string column with more distinct values than this share of its rows is text, not a category
GROUPS, GROUPS_EACH = 128, 16  # of families: at least, and for each one that a bin has to rest on
MOST_PAIRS = 300  # of one table: beyond it, a seeded choice of them is looked at


@dataclass(frozen=True)
class Columns:
    """The columns of one table, and the pairs of them.

    Attributes:
        scored: with their similarity.
        skipped: without, and why.
        pairs: those that were looked at, most different first.
        all_pairs: how many there are.
        counted: the columns that can be counted.
        judged: columns and pairs between floor and ceiling.
    """

    scored: tuple[ColumnScore, ...]
    skipped: tuple[SkippedColumn, ...]
    pairs: tuple[PairScore, ...]
    all_pairs: int
    counted: tuple[CountedColumn, ...]
    judged: tuple[Judged, ...]


class ColumnsOfTable:
    """The comparison of the columns of one table.

    Args:
        name: of the table.
        plan: what is compared.
        profiles: rows and values of the real and of the synthetic table.
        support: strings that fewer people hold count as one.
    """

    def __init__(self, name: str, plan: Comparison, profiles: tuple[Profile, Profile], support: Support) -> None:
        self._name, self._plan, self._support = name, plan, support
        self._real, self._synthetic = profiles
        self._few = few_rows(support.least)  # of which nothing but a range was kept, so no score could tell anything
        self._grids = [ordered.grid(p, f.kind) for p, f in zip(self._real.percentiles, plan.ordered, strict=True)]

    def compare(self, real: DataFrame, synthetic: DataFrame, halves: Sequence[DataFrame]) -> Columns:
        """Score every column of the plan, and pairs of them: at most two Spark queries, whatever their number.

        Args:
            real: the real table, as ``support`` counts it.
            synthetic: the synthetic table.
            halves: the same two with their ``side``, selected by ``read``, and with ``WHO`` of so many ``groups``.
        """
        plan, texts = self._plan, self._texts(real, synthetic)
        coded = self._coded(texts)
        able = [i for i, c in enumerate(coded) if self._present(c)[0] >= max(self._few, 1)]
        wanted = PairCounts(coded, some_pairs(combinations(able, 2), MOST_PAIRS, self._name))
        singles = [
            Coder(c.coder.source, self._grids[i].edges, "grid") if c.ordered else c.coder for i, c in enumerate(coded)
        ]
        who = Coder(len(self.read()), np.arange(1.0, self.groups), "bins")
        pictures = [(Coder(i, grid.picture, "bins"), who) for i, grid in enumerate(self._grids)]
        counts = wanted.run(halves[0].union(halves[1]), singles, pictures)
        outcomes: dict[str, ColumnScore | SkippedColumn] = {s.column: s for s in plan.skipped}
        judged: list[Judged] = []
        for i, field in enumerate(plan.ordered):
            sides = both_halves(counts[i])[:, 1:]
            distance = ordered.kolmogorov_smirnov(sides[0], sides[1])
            rests = counts[len(singles) + i][:2].sum(axis=0)[1:, 1:]
            picture = ordered.spread_picture(sides, self._grids[i], field.kind, rests, self._support.least)
            covered = _range_coverage(self._real.ranges[i], self._synthetic.ranges[i])
            present = (self._real.ordered[i], self._synthetic.ordered[i])
            outcomes[field.name] = self._outcome(field, present, 1 - distance, picture, covered)
        for i, (field, text) in enumerate(zip(plan.categories, texts, strict=True)):
            present = (self._real.categories[i], self._synthetic.categories[i])
            if self._is_text(field, text):
                why = f"free text: {text.distinct / self._real.rows:.0%} of the rows hold a value of their own"
                outcomes[field.name] = SkippedColumn(field.name, why)
            else:
                outcomes[field.name] = self._outcome(field, present, 1 - text.distance, text.histogram, text.covered)
        for i, c in enumerate(coded):
            if isinstance(outcomes[c.field.name], ColumnScore):
                kind: judging.DistanceKind = "ordered" if c.ordered else "category"
                judged += self._judge("column", c.field.name, judging.over_halves(counts[i], kind))
        for left, right, found in wanted.judged(self._name):
            judged += self._judge("pair", f"{left} and {right}", found)
        in_order = [outcomes[c] for c in real.columns if c != SUBJECT]
        return Columns(
            scored=tuple(o for o in in_order if isinstance(o, ColumnScore)),
            skipped=tuple(o for o in in_order if isinstance(o, SkippedColumn)),
            pairs=wanted.scores(self._name) if self._real.rows >= self._few else (),
            all_pairs=len(able) * (len(able) - 1) // 2,
            counted=tuple(coded),
            judged=tuple(judged),
        )

    @property
    def groups(self) -> int:
        """Of families, by which is told how many of them a bin rests on; so many that few of them share one."""
        return max(GROUPS, GROUPS_EACH * self._support.least)

    def read(self) -> list[Column]:
        """The columns that ``halves`` hold, before ``WHO``."""
        numbers = [compared_number(f).alias(f"n{i}") for i, f in enumerate(self._plan.ordered)]
        texts = [hash_of(as_text(f)).alias(f"c{i}") for i, f in enumerate(self._plan.categories)]
        return [*numbers, *texts]

    def _texts(self, real: DataFrame, synthetic: DataFrame) -> tuple[categories.Categories, ...]:
        sides = self._real.categories, self._synthetic.categories
        return categories.compare_categories(real, synthetic, self._plan.categories, *sides, self._support)

    def _is_text(self, field: ComparedColumn, text: categories.Categories) -> bool:
        return field.kind == "string" and text.distinct > FREE_TEXT * self._real.rows

    def _coded(self, texts: Sequence[categories.Categories]) -> list[CountedColumn]:
        """The columns that can be counted: first what has an order, in the order of the plan."""
        found = [
            CountedColumn(f, bins_coder(i, self._real.percentiles[i]), self._scale(i), self._ranges(i))
            for i, f in enumerate(self._plan.ordered)
        ]
        first = len(found)
        return found + [
            CountedColumn(f, Coder(first + i, t.hashes, "category"))
            for i, (f, t) in enumerate(zip(self._plan.categories, texts, strict=True))
            if not self._is_text(f, t)
        ]

    def _scale(self, i: int) -> tuple[float, float]:
        return self._grids[i].centre, self._grids[i].scale

    def _ranges(self, i: int) -> tuple[tuple[float, float], tuple[float, float]]:
        return self._real.ranges[i], self._synthetic.ranges[i]

    def _present(self, column: CountedColumn) -> tuple[int, int]:
        """Values on both sides."""
        i = column.coder.source
        if column.ordered:
            return self._real.ordered[i], self._synthetic.ordered[i]
        i -= len(self._plan.ordered)
        return self._real.categories[i], self._synthetic.categories[i]

    def _judge(self, kind: str, what: str, found: judging.Place | None) -> list[Judged]:
        if found is None or self._real.rows < self._few:
            return []
        return [Judged("columns" if kind == "column" else "pairs", self._name, kind, what, *found)]

    def _outcome(
        self, field: ComparedColumn, present: tuple[int, int], score: float, picture: Histogram, covered: float
    ) -> ColumnScore | SkippedColumn:
        if not any(present):
            return SkippedColumn(field.name, "no values on either side")
        if present[0] < self._few:
            return SkippedColumn(field.name, f"too few rows to judge: {present[0]} of the real table have a value")
        nulls = [null_share(p.rows, n) for p, n in zip((self._real, self._synthetic), present, strict=True)]
        return ColumnScore(field.name, field.kind, round(score, 6), nulls[0], nulls[1], picture, covered)


def _range_coverage(real: tuple[float, float], synthetic: tuple[float, float]) -> float:
    """RangeCoverage of SDMetrics: the share of the real range that the synthetic values span."""
    width = real[1] - real[0]
    if not np.isfinite([*real, *synthetic]).all():
        return 0.0
    if width <= 0:
        return 1.0
    missed = max((synthetic[0] - real[0]) / width, 0) + max((real[1] - synthetic[1]) / width, 0)
    return round(max(0.0, 1 - float(missed)), 6)


def null_share(rows: int, values: int) -> float:
    """Share of the rows without a value."""
    return round((rows - values) / rows, 6) if rows else 0.0
