"""Quantiles that are values of the data and hang on no order of partitions, as those of ``percentile_approx`` do."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.sql import quote

SAMPLE = 20_000  # rows that are looked at where values may all differ: an exact quantile holds each of them in memory


def quantiles(frame: DataFrame, number: Column, shares: Sequence[float], key: Sequence[str]) -> list[int | float]:
    """The values that end such shares of a column, among at most ``SAMPLE`` rows; nothing where it is null throughout.

    Args:
        frame: the table.
        number: a column of it, or an expression.
        shares: of the rows, ascending.
        key: columns by whose hash rows are chosen.
    """
    place = F.xxhash64(F.lit("quantiles"), *(F.col(quote(c)) for c in key))
    known = frame.select(number.alias("v"), place.alias("place")).where("v is not null")
    chosen = known.orderBy("place", "v").limit(SAMPLE)
    row = chosen.agg(exact("v", shares).alias("q")).first()
    return [] if row is None or row["q"][0] is None else list(row["q"])


def exact(column: str, shares: Sequence[float]) -> Column:
    """The values that end such shares of a column of few distinct values, as an array."""
    ordered = f"within group (order by {quote(column)})"
    return F.expr(f"array({', '.join(f'percentile_disc({share}) {ordered}' for share in shares)})")
