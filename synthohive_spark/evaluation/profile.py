"""One aggregation per table and side: rows, values that are present, and the percentiles of what has an order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.evaluation.kinds import Plan, as_number, as_text, complete

PERCENTILES = 1000
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
        percentiles: per ordered column PERCENTILES + 1 values, ascending; empty for a column of nulls; () if
            they were not asked for.
    """

    rows: int
    ordered: tuple[int, ...]
    categories: tuple[int, ...]
    keys: tuple[int, ...]
    percentiles: tuple[Doubles, ...]


def profile(frame: DataFrame, plan: Plan, *, percentiles: bool) -> Profile:
    """Count one table, and find its percentiles if asked."""
    values = frame.select(
        *(as_number(f).alias(f"n{i}") for i, f in enumerate(plan.ordered)),
        *(as_text(f).alias(f"c{i}") for i, f in enumerate(plan.categories)),
        *(complete(columns).alias(f"k{i}") for i, columns in enumerate(plan.keys)),
    )
    numbers, texts, keys = range(len(plan.ordered)), range(len(plan.categories)), range(len(plan.keys))
    asked = numbers if percentiles else range(0)
    row = values.agg(
        F.count(F.lit(1)).alias("rows"),
        *(F.count(f"n{i}").alias(f"n{i}") for i in numbers),
        *(F.count(f"c{i}").alias(f"c{i}") for i in texts),
        *(F.count_if(F.col(f"k{i}")).alias(f"k{i}") for i in keys),
        *(F.expr(f"percentile_approx(n{i}, {_GRID}, {ACCURACY})").alias(f"p{i}") for i in asked),
    ).collect()[0]
    return Profile(
        rows=row["rows"],
        ordered=tuple(row[f"n{i}"] for i in numbers),
        categories=tuple(row[f"c{i}"] for i in texts),
        keys=tuple(row[f"k{i}"] for i in keys),
        percentiles=tuple(np.array(row[f"p{i}"] or (), dtype=np.float64) for i in asked),
    )
