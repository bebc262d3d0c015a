"""The shape of text and of personal data: lengths, character classes, coarse ranges. Never a value.

Shapes serve columns that no model may learn: those declared ``pii`` and text that is nearly unique per row. What is
unique in the source is made from the row's position, and so unique in the copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.derive.choose import names_in
from synthohive_spark.lake.location import quote
from synthohive_spark.lake.quantiles import quantiles
from synthohive_spark.metadata import INTEGRAL, TEXT, Table, decimal_form
from synthohive_spark.privacy.coarse import coarse_days, coarse_numbers, coarse_times, few_rows
from synthohive_spark.privacy.masks import Mask
from synthohive_spark.privacy.textmasks import text_masks
from synthohive_spark.randomness import Ints
from synthohive_spark.relational.keyformat import KeyFormat, counted
from synthohive_spark.relational.plan import ShapePlan

LIKELY = 0.85  # of the rows: so many distinct values by the estimate may be as many as rows (it is off by 5 %)
TIMES = ("timestamp", "timestamp_ntz")
PLACEHOLDER = 4_096  # bytes that a binary value has at most: a unit of work holds thousands of them
BITS = 53  # of a random number between two ends


def shape_plans(
    frame: DataFrame,
    spec: Table,
    candidates: Sequence[str],
    types: Mapping[str, str],
    min_subjects: int,
    text_share: float,
) -> tuple[dict[str, ShapePlan], dict[str, float]]:
    """Shapes of the columns that no model may learn: declared ``pii``, and strings that are mostly rare values.

    Those of them that hold no value twice have no shape, but their share of nulls: they follow from the row's position.

    Args:
        frame: the table.
        spec: its metadata.
        candidates: columns that a model would learn otherwise.
        types: Spark type of each column.
        min_subjects: a value of fewer rows is rare.
        text_share: a string column is text where more of its rows than this hold rare values.
    """
    # What a constraint names must be free to be drawn again, so it cannot follow from the row's position.
    drawn_again = {c for law in spec.constraints for c in names_in(law.sql, list(types))}
    looked = [c for c in candidates if c in spec.pii or types[c].startswith(TEXT)]
    counts = frame.agg(
        F.count(F.lit(1)).alias("rows"),
        *(F.approx_count_distinct(F.col(quote(c))).alias(f"d{i}") for i, c in enumerate(looked)),
        *(F.count(F.col(quote(c))).alias(f"set_{i}") for i, c in enumerate(looked)),
    ).first()
    assert counts is not None
    shapes, alone, key = dict[str, ShapePlan](), dict[str, float](), spec.primary_key or tuple(frame.columns)
    for i, c in enumerate(looked):
        known, many, personal = counts[f"set_{i}"], counts[f"d{i}"], c in spec.pii
        text = types[c].startswith(TEXT)
        rare = text and many * max(1, min_subjects - 1) * 1.2 > text_share * known > 0
        free = c not in {
            *spec.key_columns,
            *spec.derived,
            *drawn_again,
        }  # of a law a value must be free to be drawn again
        likely = text and free and known > 1 and many > LIKELY * known
        few, most = _repeats(frame, c, min_subjects) if likely or (rare and not personal) else (0, 0)
        nulls = 1 - known / max(counts["rows"], 1)
        if likely and most == 1:
            alone[c] = nulls
        elif personal or (rare and few > text_share * known):
            shapes[c] = _shape(frame, c, types[c], counts["rows"], nulls, min_subjects, personal, key)
    return shapes, alone


def _repeats(frame: DataFrame, column: str, min_subjects: int) -> tuple[int, int]:
    """Rows that hold rare values, and the rows of the commonest value."""
    value = F.col(quote(column))
    groups = frame.where(value.isNotNull()).groupBy(value).agg(F.count(F.lit(1)).alias("n"))
    few = F.sum(F.when(F.col("n") < min_subjects, F.col("n")))
    row = groups.agg(few.alias("few"), F.max("n").alias("most")).first()
    return (row["few"] or 0, row["most"] or 0) if row is not None else (0, 0)


def _shape(
    frame: DataFrame,
    column: str,
    spark_type: str,
    rows: int,
    nulls: float,
    min_subjects: int,
    personal: bool,
    key: Sequence[str],
) -> ShapePlan:
    known = round(rows * (1 - nulls))
    if spark_type.startswith(TEXT):
        nothing = (Mask(tokens=("lower",), share=1.0),)
        masks = text_masks(frame, column, known, min_subjects, personal) if known else nothing
        return ShapePlan(null_share=nulls, format=KeyFormat(kind="string", masks=masks))
    number = _as_number(F.col(quote(column)), spark_type)
    if spark_type == "boolean" or number is None:
        return ShapePlan(null_share=nulls if spark_type == "boolean" else 1.0)
    few = known < few_rows(min_subjects)
    low, high = quantiles(frame, number, [0.0, 1.0] if few else [0.05, 0.95], key) or (0, 0)
    if few and spark_type != "binary":
        low, high = _coarse(spark_type)(low, high)
    return ShapePlan(null_share=nulls, low=float(low), high=float(high))


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


def draw_shape(plan: ShapePlan, spark_type: str, rows: int, rng: np.random.Generator) -> pd.Series[Any]:
    """Values of a shape, shape (rows,): same type, nulls and lengths as the source column, and nothing else of it."""
    null = rng.random(rows) < plan.null_share
    if plan.format is not None:
        values = plan.format.draw(rows, rng)
    elif spark_type == "boolean":
        values = pd.Series(rng.random(rows) < 0.5, dtype=object)
    elif spark_type == "binary":
        lengths = rng.integers(int(plan.low), int(plan.high) + 1, rows)
        values = pd.Series([rng.bytes(n) for n in lengths.tolist()], dtype=object)
    elif spark_type.startswith("decimal"):
        values = _decimals(plan, spark_type, rows, rng)
    else:
        values = _number(plan, spark_type, plan.low + rng.random(rows) * (plan.high - plan.low))
    return values.astype(object).mask(null, None) if null.any() else values


def _number(plan: ShapePlan, spark_type: str, drawn: np.ndarray[Any, np.dtype[np.float64]]) -> pd.Series[Any]:
    whole: Ints = np.rint(drawn).astype(np.int64)
    if spark_type in INTEGRAL:
        return pd.Series(whole)
    if spark_type in ("date", *TIMES):
        return counted("date" if spark_type == "date" else "timestamp", whole)
    return pd.Series(drawn)


def _decimals(plan: ShapePlan, spark_type: str, rows: int, rng: np.random.Generator) -> pd.Series[Any]:
    """Decimals of a type, exact at any width."""
    precision, scale = decimal_form(spark_type)
    most = 10**precision - 1
    with localcontext() as context:
        context.prec = 2 * precision + BITS
        ends = [int(Decimal(end).scaleb(scale).to_integral_value()) for end in (plan.low, plan.high)]
        low, high = (max(-most, min(most, end)) for end in ends)
        places = rng.integers(0, 2**BITS, rows).tolist()
        made = [Decimal(low + (high - low) * place // 2**BITS).scaleb(-scale) for place in places]
    return pd.Series(made, dtype=object)
