"""Strings and booleans: TVD, distinct values and the most frequent categories, from one query over both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from synthohive_spark.evaluation.kinds import ComparedColumn, as_text
from synthohive_spark.evaluation.scores import Histogram
from synthohive_spark.privacy.support import SUBJECT, Support
from synthohive_spark.randomness import Ints
from synthohive_spark.sql import quote

SHOWN = 20  # bars that a person looks at
CODED = 100  # categories that stand for themselves where pairs are counted; the others are one
LEAST_SHOWN = 3  # a category of fewer real rows, or people, is never shown
LABEL_LENGTH = 80  # characters that the report keeps of a value
OTHER = "other"


@dataclass(frozen=True)
class Categories:
    """One column.

    Attributes:
        distance: total variation distance of the non-null values, in [0, 1].
        distinct: different values in the real table.
        histogram: the most frequent categories of the real table; the rest, and the rare, in one.
        hashes: of the most frequent categories, ascending: what has a code of its own where pairs are counted.
        covered: share of the real table's categories that the copy holds too (CategoryCoverage of SDMetrics).
    """

    distance: float
    distinct: int
    histogram: Histogram
    hashes: Ints
    covered: float


def compare_categories(
    real: DataFrame,
    synthetic: DataFrame,
    fields: Sequence[ComparedColumn],
    real_values: Sequence[int],
    synthetic_values: Sequence[int],
    support: Support,
) -> tuple[Categories, ...]:
    """Compare all categorical columns of a table: one Spark query, at most CODED + 1 rows a column come back.

    Args:
        real: the real table, as ``support`` counts it.
        synthetic: the synthetic table.
        fields: its categorical columns.
        real_values: non-null values of each in the real table.
        synthetic_values: and in the synthetic table.
        support: values that fewer people hold, and values that are not real, count as one: the rare.
    """
    if not fields:
        return ()
    counted = _values(real, fields, 0).union(_values(synthetic, fields, 1)).filter(F.col("value").isNotNull())
    sides = [F.count_if(F.col("side") == side).alias(name) for side, name in enumerate(("real", "synthetic"))]
    held = support.count() if support.several else F.count_if(F.col("side") == 0)
    counted = counted.groupBy("field", "value").agg(*sides, held.alias("held"))
    gap = F.col("real") / _per_field(real_values) - F.col("synthetic") / _per_field(synthetic_values)
    common = F.col("held") >= max(support.least, 1)
    apart, rare = F.sum(F.when(common, F.abs(gap)).otherwise(0.0)), F.abs(F.sum(F.when(common, 0.0).otherwise(gap)))
    whole = counted.groupBy("field").agg(
        ((apart + rare) / 2).alias("distance"),
        F.count_if(F.col("real") > 0).alias("distinct"),
        F.count_if(common).alias("common"),
        F.count_if(common & (F.col("synthetic") > 0)).alias("covered"),
    )
    order = Window.partitionBy("field").orderBy(F.col("real").desc(), F.col("value"))
    top = counted.filter(common).withColumn("place", F.row_number().over(order))
    top = top.filter(F.col("place") <= CODED).withColumn("hash", F.xxhash64("value"))
    top = top.withColumn(
        "value",
        F.when((F.col("place") <= SHOWN) & (F.col("held") >= LEAST_SHOWN), F.substring("value", 1, LABEL_LENGTH)),
    )
    rows = whole.unionByName(top, allowMissingColumns=True).orderBy("field", "place").collect()
    return tuple(
        _categories([row for row in rows if row["field"] == f"c{i}"], real_values[i], synthetic_values[i])
        for i in range(len(fields))
    )


def _categories(rows: Sequence[Row], real_values: int, synthetic_values: int) -> Categories:
    """What was found of one column."""
    whole = next((row for row in rows if row["place"] is None), None)
    ranked = [row for row in rows if row["place"] is not None]
    shown = [(row["value"], row["real"], row["synthetic"]) for row in ranked if row["value"] is not None]
    distance = 0.0 if whole is None else float(whole["distance"])
    if bool(real_values) != bool(synthetic_values):
        distance = 1.0  # one side holds nothing but nulls
    return Categories(
        distance=min(1.0, distance),
        distinct=0 if whole is None else int(whole["distinct"]),
        histogram=_picture(shown, real_values, synthetic_values),
        hashes=np.array(sorted(int(row["hash"]) for row in ranked), dtype=np.int64),
        covered=1.0 if whole is None or not whole["common"] else round(whole["covered"] / whole["common"], 6),
    )


def _values(frame: DataFrame, fields: Sequence[ComparedColumn], side: int) -> DataFrame:
    who = F.col(quote(SUBJECT)) if SUBJECT in frame.columns else F.lit(None).cast("bigint")  # nobody of the copy
    texts = [as_text(f).alias(f"c{i}") for i, f in enumerate(fields)]
    named = frame.select(F.lit(side).alias("side"), who.alias(SUBJECT), *texts)
    return named.unpivot(["side", quote(SUBJECT)], [f"c{i}" for i in range(len(fields))], "field", "value")


def _per_field(numbers: Sequence[int]) -> Column:
    """The number that belongs to a row's field; 1 for 0, since a side without values has no row."""
    entries = [part for i, n in enumerate(numbers) for part in (F.lit(f"c{i}"), F.lit(max(n, 1)))]
    return F.element_at(F.create_map(*entries), F.col("field"))


def _picture(shown: Sequence[tuple[str, int, int]], real_values: int, synthetic_values: int) -> Histogram:
    rest = (OTHER, real_values - sum(r for _, r, _ in shown), synthetic_values - sum(s for _, _, s in shown))
    kept = [*shown, rest] if rest[1] or rest[2] else list(shown)
    return Histogram(
        labels=tuple(label for label, _, _ in kept),
        real=tuple(round(r / max(real_values, 1), 6) for _, r, _ in kept),
        synthetic=tuple(round(s / max(synthetic_values, 1), 6) for _, _, s in kept),
        categorical=True,
    )
