"""One aggregation per table: rows, values that are present, and the percentiles of what has an order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.evaluation.kinds import Comparison, as_text, compared_number, complete

PERCENTILES = 1000  # buckets of a KS distance: it is exact to one in a thousand
ACCURACY = 5000  # percentile_approx is off by at most 1/ACCURACY of the rows
# One literal, not a thousand: every rule of the optimiser walks through every node of a plan.
_GRID = f"cast(split('{' '.join(str(i / PERCENTILES) for i in range(PERCENTILES + 1))}', ' ') as array<double>)"

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """One side of one table.

    Attributes:
        rows: of the table.
        ordered: non-null values of each ordered column of the plan.
        categories: non-null values of each categorical column.
        keys: rows in which a foreign key is complete.
        percentiles: per ordered column PERCENTILES + 1 values, ascending; empty for a column of nulls and on
            the synthetic side.
        ranges: per ordered column its least and largest value; NaN without values.
    """

    rows: int
    ordered: tuple[int, ...]
    categories: tuple[int, ...]
    keys: tuple[int, ...]
    percentiles: tuple[Doubles, ...]
    ranges: tuple[tuple[float, float], ...] = ()


def profiles(real: DataFrame, synthetic: DataFrame, plan: Comparison) -> tuple[Profile, Profile]:
    """Count both sides of a table, and find the percentiles of the real one: one Spark query."""
    numbers, texts, keys = range(len(plan.ordered)), range(len(plan.categories)), range(len(plan.keys))

    def values(frame: DataFrame, side: int) -> DataFrame:
        return frame.select(
            F.lit(side).alias("side"),
            *(compared_number(f).alias(f"n{i}") for i, f in enumerate(plan.ordered)),
            *(as_text(f).isNotNull().alias(f"c{i}") for i, f in enumerate(plan.categories)),
            *(complete(columns).alias(f"k{i}") for i, columns in enumerate(plan.keys)),
        )

    found = values(real, 0).union(values(synthetic, 1)).groupBy("side")
    rows = found.agg(
        F.count(F.lit(1)).alias("rows"),
        *(F.count(f"n{i}").alias(f"n{i}") for i in numbers),
        *(F.count_if(f"c{i}").alias(f"c{i}") for i in texts),
        *(F.count_if(f"k{i}").alias(f"k{i}") for i in keys),
        *(f(f"n{i}").alias(f"{f.__name__}{i}") for i in numbers for f in (F.min, F.max)),
        *(F.expr(f"percentile_approx(if(side = 0, n{i}, null), {_GRID}, {ACCURACY})").alias(f"p{i}") for i in numbers),
    ).collect()

    def side_of(side: int) -> Profile:
        row = next((r for r in rows if r["side"] == side), None)
        if row is None:  # no rows at all
            nothing = (np.empty(0),) * len(numbers)
            none = ((math.nan, math.nan),) * len(numbers)
            return Profile(0, (0,) * len(numbers), (0,) * len(texts), (0,) * len(keys), nothing, none)
        return Profile(
            rows=row["rows"],
            ordered=tuple(row[f"n{i}"] for i in numbers),
            categories=tuple(row[f"c{i}"] for i in texts),
            keys=tuple(row[f"k{i}"] for i in keys),
            percentiles=tuple(np.array(row[f"p{i}"] or (), dtype=np.float64) for i in numbers),
            ranges=tuple((_number(row[f"min{i}"]), _number(row[f"max{i}"])) for i in numbers),
        )

    return side_of(0), side_of(1)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
