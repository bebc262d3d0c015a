"""The shape of text and of personal data: lengths, character classes, coarse ranges. Never a value.

Shapes serve columns that no model may learn: those declared ``pii`` and text that is nearly unique per row. What is
unique in the source is made from the row's position, and so unique in the copy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.quantiles import quantiles
from synthohive_spark.privacy.coarse import coarse_days, coarse_numbers, coarse_times, few_rows
from synthohive_spark.privacy.masks import Mask
from synthohive_spark.privacy.support import Support
from synthohive_spark.privacy.textmasks import text_masks
from synthohive_spark.schema.columns import ShapePlan
from synthohive_spark.schema.key_format import KeyFormat
from synthohive_spark.sql import names_in, quote
from synthohive_spark.tables import INTEGRAL, TEXT, Table

LIKELY = 0.85  # of the rows: so many distinct values by the estimate may be as many as rows (it is off by 5 %)
TIMES = ("timestamp", "timestamp_ntz")
PLACEHOLDER = 4_096  # bytes that a binary value has at most: a batch holds thousands of them
TEXT_SHARE = 0.5  # a string column is text where more of its rows hold rare values
END, NEXT = 0.05, 0.005  # share of the rows below what is told of numbers, and between those of which it is the mean
ESTIMATE = 1.2  # by which the estimate of distinct values may be too low (four standard errors of 5 %)


@dataclass(frozen=True)
class Shapes:
    """Columns that no model may learn.

    Attributes:
        shapes: how their values look.
        alone: {column that holds no value twice: share of nulls}; these follow from the row's position.
    """

    shapes: dict[str, ShapePlan]
    alone: dict[str, float]

    def without(self, columns: Collection[str]) -> tuple[dict[str, float], dict[str, ShapePlan]]:
        """``alone`` and ``shapes`` without these columns."""
        alone = {c: nulls for c, nulls in self.alone.items() if c not in columns}
        return alone, {c: shape for c, shape in self.shapes.items() if c not in columns}


def shape_plans(
    frame: DataFrame, spec: Table, types: Mapping[str, str], support: Support, faked: Collection[str]
) -> Shapes:
    """Shapes of the columns that no model may learn: declared ``pii``, and strings that are mostly rare values.

    Args:
        frame: the table, as ``support`` counts it.
        spec: its metadata.
        types: Spark type of each column that a model would learn otherwise.
        support: a value that fewer people hold is rare.
        faked: columns of which no shape is needed if no model learns them.
    """
    # What a constraint names must be free to be drawn again, so it cannot follow from the row's position.
    drawn_again = {c for law in spec.constraints for c in names_in(law.sql, list(types))}
    looked = [c for c in types if c in spec.personal or types[c].startswith(TEXT)]
    counts = frame.agg(
        F.count(F.lit(1)).alias("rows"),
        *(F.approx_count_distinct(F.col(quote(c))).alias(f"d{i}") for i, c in enumerate(looked)),
        *(F.count(F.col(quote(c))).alias(f"set_{i}") for i, c in enumerate(looked)),
        *(_holders(c, support).alias(f"held_{i}") for i, c in enumerate(looked)),
    ).first()
    assert counts is not None
    found, look = Shapes({}, {}), _Look(frame, support, spec.primary_key or tuple(frame.columns))
    for i, c in enumerate(looked):
        known, many, personal = counts[f"set_{i}"], counts[f"d{i}"], c in spec.personal
        text = types[c].startswith(TEXT)
        rare = text and many * max(1, support.least - 1) * ESTIMATE > TEXT_SHARE * counts[f"held_{i}"] > 0
        free = c not in {*spec.key_columns, *spec.derived, *drawn_again}
        nulls = 1 - known / max(counts["rows"], 1)
        if personal and c in faked:
            found.shapes[c] = ShapePlan(null_share=nulls)
            continue
        likely = text and free and known > 1 and many > LIKELY * known
        few, most = look.repeats(c) if likely or (rare and not personal) else (0, 0)
        if likely and most == 1 and c not in faked:
            found.alone[c] = nulls
        elif c in faked and ((likely and most == 1) or (rare and few > TEXT_SHARE * known)):
            found.shapes[c] = ShapePlan(null_share=nulls)
        elif personal or (rare and few > TEXT_SHARE * known):
            found.shapes[c] = look.shape(c, types[c], known, nulls, personal)
    return found


@dataclass(frozen=True)
class _Look:
    """Looks at single columns of a table.

    Attributes:
        frame: its rows, as ``support`` counts them.
        support: a value that fewer people hold is rare.
        key: columns that tell rows apart.
    """

    frame: DataFrame
    support: Support
    key: Sequence[str]

    def repeats(self, column: str) -> tuple[int, int]:
        """Rows that hold rare values, and the rows of the commonest value."""
        value = F.col(quote(column))
        counts = (F.count(F.lit(1)).alias("n"), self.support.count().alias("held"))
        groups = self.frame.where(value.isNotNull()).groupBy(value).agg(*counts)
        few = F.sum(F.when(F.col("held") < self.support.least, F.col("n")))
        row = groups.agg(few.alias("few"), F.max("n").alias("most")).first()
        return (row["few"] or 0, row["most"] or 0) if row is not None else (0, 0)

    def shape(self, column: str, spark_type: str, known: int, nulls: float, personal: bool) -> ShapePlan:
        """How values look of which so many are known; with ``personal`` no part of a value is kept."""
        if spark_type.startswith(TEXT):
            nothing = (Mask(tokens=("lower",), share=1.0),)
            masks = text_masks(self.frame, column, known, self.support, personal) if known else nothing
            return ShapePlan(null_share=nulls, format=KeyFormat(kind="string", masks=masks))
        number = _as_number(F.col(quote(column)), spark_type)
        if spark_type == "boolean" or number is None:
            return ShapePlan(null_share=nulls if spark_type == "boolean" else 1.0)
        few = known < few_rows(self.support.least)
        apart = max(NEXT, 1 / max(known, 1))
        ends = [
            [END + apart * i for i in range(self.support.least)],
            [1 - END - apart * i for i in range(self.support.least)],
        ]
        shares = [0.0, 1.0] if few else sorted(s for end in ends for s in end)
        values = quantiles(self.frame, number, shares, self.key) or [0] * len(shares)
        half = len(values) // 2  # an end is the mean of several people's: nobody's own
        low, high = sum(values[:half]) / half, sum(values[half:]) / half
        if few and spark_type != "binary":
            low, high = _coarse(spark_type)(low, high)
        return ShapePlan(null_share=nulls, low=float(low), high=float(high))


def _holders(column: str, support: Support) -> Column:
    """Whoever holds a value, once for each value, by an estimate; rows with a value where each is another person."""
    value = F.col(quote(column))
    if not support.several:
        return F.count(value)
    return F.approx_count_distinct(F.when(value.isNotNull(), F.xxhash64(value, *support.columns)))


def _as_number(column: Column, spark_type: str) -> Column | None:
    """What is drawn of a type: numbers, days, microseconds, or bytes; None for types that have no placeholder."""
    if spark_type == "date":
        return F.unix_date(column)
    if spark_type in TIMES:
        return F.unix_micros(column.cast("timestamp"))
    if spark_type == "binary":
        length = F.octet_length(column)
        return F.when(length > PLACEHOLDER, PLACEHOLDER).otherwise(length)
    if spark_type in (*INTEGRAL, "float", "double") or spark_type.startswith("decimal"):
        number = column.cast("double")
        return F.when(~F.isnan(number), number)
    return None


def _coarse(spark_type: str) -> Any:
    if spark_type == "date":
        return coarse_days
    if spark_type in TIMES:
        return lambda low, high: coarse_times(low, high, 10**6)
    whole = spark_type in INTEGRAL
    return lambda low, high: coarse_numbers(int(low), int(high)) if whole else coarse_numbers(low, high)
