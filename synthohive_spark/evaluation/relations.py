"""Children per parent, parents without children included, and children without a parent: one query per child table.

Rows come back per number of children, not per parent. Numbers below EXACT stand for themselves, larger ones share a
bucket with those within half a percent, so that what the driver receives is bounded whatever the tables hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.evaluation import bins
from synthohive_spark.evaluation.judging import LEAST_HALF, Place, over_four
from synthohive_spark.evaluation.kinds import column_of, complete
from synthohive_spark.evaluation.ordered import kolmogorov_smirnov
from synthohive_spark.evaluation.profile import Doubles
from synthohive_spark.evaluation.scores import Histogram
from synthohive_spark.randomness import generator
from synthohive_spark.tables import ForeignKey

EXACT = 1000  # numbers of children that are compared one by one
WIDTH = 1.005  # of the buckets of larger ones: half a per cent
DRAWN = 100_000  # parents whose children by chance are drawn
_ORPHANS = -1


@dataclass(frozen=True)
class FamilySizes:
    """One foreign key on one side.

    Attributes:
        buckets: ascending; the number of children, or EXACT and more for a bucket of large ones.
        parents: how many parents have that many.
        children: how many children they have together.
        most: children of the parent that has most.
        orphans: child rows whose key (all columns non-null) no parent has.
    """

    buckets: Doubles
    parents: Doubles
    children: Doubles
    most: int
    orphans: int

    @property
    def mean(self) -> float:
        """Children per parent; 0 without parents."""
        return float(self.children.sum() / self.parents.sum()) if self.parents.sum() else 0.0


def families(
    table: str, keys: Sequence[ForeignKey], real: Mapping[str, DataFrame], synthetic: Mapping[str, DataFrame]
) -> tuple[tuple[FamilySizes, FamilySizes], ...]:
    """Children per parent for every foreign key of a table, as (real, synthetic): one Spark query."""
    halves = family_halves(table, keys, real, synthetic)
    return tuple((both_families(a, b), both_families(c, d)) for a, b, c, d in halves)


def family_halves(
    table: str, keys: Sequence[ForeignKey], real: Mapping[str, DataFrame], synthetic: Mapping[str, DataFrame]
) -> tuple[tuple[FamilySizes, ...], ...]:
    """The same for the two halves of the real parents, and the two of the synthetic ones: one Spark query."""
    if not keys:
        return ()
    branches = [
        _branch(frames[table], frames[fk.references], fk).select(
            F.lit(i).alias("key"), (F.lit(2 * s) + F.col("half")).alias("side"), "bucket", "parents", "children", "most"
        )
        for i, fk in enumerate(keys)
        for s, frames in enumerate((real, synthetic))
    ]
    rows = reduce(DataFrame.union, branches).collect()

    def side_of(key: int, side: int) -> FamilySizes:
        mine = sorted((r for r in rows if r["key"] == key and r["side"] == side), key=lambda r: int(r["bucket"]))
        held = [r for r in mine if r["bucket"] != _ORPHANS]
        return FamilySizes(
            buckets=np.array([r["bucket"] for r in held], dtype=np.float64),
            parents=np.array([r["parents"] for r in held], dtype=np.float64),
            children=np.array([r["children"] for r in held], dtype=np.float64),
            most=max((int(r["most"]) for r in held), default=0),
            orphans=sum(int(r["children"]) for r in mine if r["bucket"] == _ORPHANS),
        )

    return tuple(tuple(side_of(i, side) for side in range(4)) for i in range(len(keys)))


def both_families(left: FamilySizes, right: FamilySizes) -> FamilySizes:
    """Both halves together."""
    buckets = np.union1d(left.buckets, right.buckets)
    children = np.zeros(len(buckets))
    for side in (left, right):
        children[np.searchsorted(buckets, side.buckets)] += side.children
    parents = _spread(left, buckets) + _spread(right, buckets)
    return FamilySizes(buckets, parents, children, max(left.most, right.most), left.orphans + right.orphans)


def by_chance(side: FamilySizes, *names: object) -> FamilySizes:
    """Children per parent where each child has any parent: the floor that shuffled keys are."""
    parents, children = int(side.parents.sum()), int(side.children.sum())
    mean = children / max(parents, 1)
    drawn = generator("children", *names).poisson(mean, min(parents, DRAWN))
    large = EXACT + np.floor(np.log(np.maximum(drawn, 1) / EXACT) / float(np.log(WIDTH)))
    buckets, counts = np.unique(np.where(drawn < EXACT, drawn, large), return_counts=True)
    return FamilySizes(buckets.astype(np.float64), counts.astype(np.float64), buckets * counts, int(drawn.max()), 0)


def cardinality(key: str, halves: Sequence[FamilySizes]) -> Place | None:
    """Score, floor, ceiling and margin of children per parent; None where there are too few parents."""
    a, b, c, d = halves
    if min(a.parents.sum(), b.parents.sum()) < LEAST_HALF:
        return None

    def near(x: FamilySizes, y: FamilySizes) -> float:
        return similarity(x, y) or 0.0

    score, margin = over_four(near, (a, b, c, d), min(a.parents.sum(), b.parents.sum()))
    floor = (near(a, by_chance(b, key, 1)) + near(b, by_chance(a, key, 0))) / 2
    return score, round(floor, 6), near(a, b), margin


def _branch(child: DataFrame, parent: DataFrame, fk: ForeignKey) -> DataFrame:
    """Per bucket of children: parents, children and the most that one parent has; orphans in a bucket of their own."""
    names = [f"k{i}" for i in range(len(fk.columns))]
    found = child.filter(complete(fk.columns)).select(
        *(column_of(c).alias(n) for c, n in zip(fk.columns, names, strict=True))
    )
    found = found.groupBy(*names).agg(F.count(F.lit(1)).alias("children"))
    held = parent.filter(complete(fk.referenced_columns)).select(
        *(column_of(c).alias(n) for c, n in zip(fk.referenced_columns, names, strict=True))
    )
    held = held.distinct().withColumn("held", F.lit(True))
    half = F.pmod(F.xxhash64(F.lit("halves"), *(F.col(n).cast("string") for n in names)), F.lit(2)).cast("int")
    number = F.coalesce(F.col("children"), F.lit(0))
    large = EXACT + F.floor(F.log(number / EXACT) / float(np.log(WIDTH)))
    bucket = (
        F.when(F.col("held").isNull(), F.lit(_ORPHANS)).when(number < EXACT, number).otherwise(large).cast("bigint")
    )
    return (
        held.join(found, on=names, how="full_outer")
        .select(half.alias("half"), bucket.alias("bucket"), number.alias("number"))
        .groupBy("half", "bucket")
        .agg(F.count(F.lit(1)).alias("parents"), F.sum("number").alias("children"), F.max("number").alias("most"))
    )


def similarity(real: FamilySizes, synthetic: FamilySizes) -> float | None:
    """1 - KS of the children per parent; None where neither side has a parent."""
    if not len(real.buckets) and not len(synthetic.buckets):
        return None
    buckets = np.union1d(real.buckets, synthetic.buckets)
    return round(1 - kolmogorov_smirnov(_spread(real, buckets), _spread(synthetic, buckets)), 6)


def most_children(sizes: FamilySizes, parents: int) -> int:
    """The number of children that so many parents reach; 0 where there are not so many parents."""
    reached = np.cumsum(sizes.parents[::-1])
    place = int(np.searchsorted(reached, parents))
    if place >= len(reached):
        return 0
    mean = sizes.children[::-1][place] / sizes.parents[::-1][place]
    return sizes.most if parents <= 1 else round(float(mean))


def counts_picture(real: FamilySizes, synthetic: FamilySizes, least: int = 1) -> Histogram:
    """Shares of the parents by number of children, up to about the 99th percentile of both sides.

    Args:
        real: of the source.
        synthetic: of the copy.
        least: real parents of a bin; one of fewer is joined with those beside it.
    """
    low, high = (
        pick(_percentile(side, q) for side in (real, synthetic) if len(side.parents)) if _any(real, synthetic) else 0.0
        for pick, q in ((min, 0.0), (max, 0.99))
    )
    inner = bins.edges(low, high, "integer")
    inner = inner[inner > 0]
    counts = np.stack([_in_bins(side, inner) for side in (real, synthetic)])
    kept = bins.wide_enough(counts[0], least)
    counts = np.add.reduceat(counts, [0, *(i + 1 for i in kept)], axis=1)
    shares = [tuple(round(float(x), 6) for x in side / max(side.sum(), 1)) for side in counts]
    return Histogram(bins.labels(inner[kept], "integer"), shares[0], shares[1])


def _in_bins(side: FamilySizes, inner: Doubles) -> Doubles:
    numbers = side.children / np.maximum(side.parents, 1)
    found: Doubles = np.bincount(
        np.searchsorted(inner, numbers, side="right"), side.parents, minlength=len(inner) + 1
    ).astype(np.float64)
    return found


def _any(*sides: FamilySizes) -> bool:
    return any(len(side.parents) for side in sides)


def _percentile(side: FamilySizes, q: float) -> float:
    share = np.cumsum(side.parents) / side.parents.sum()
    place = int(np.searchsorted(share, q))
    return float(side.children[place] / side.parents[place])


def _spread(side: FamilySizes, buckets: Doubles) -> Doubles:
    out = np.zeros(len(buckets))
    out[np.searchsorted(buckets, side.buckets)] = side.parents
    return out
