"""Random values of a shape: text and personal data that no model may learn."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Floats, Ints
from synthohive_spark.schema.columns import ShapePlan
from synthohive_spark.schema.conversion import TIMES, Values
from synthohive_spark.schema.key_format import counted
from synthohive_spark.tables import INTEGRAL, decimal_form

BITS = 53  # of a random number between two ends


def draw_shape(plan: ShapePlan, spark_type: str, rows: int, rng: np.random.Generator) -> Values:
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


def _number(plan: ShapePlan, spark_type: str, drawn: Floats) -> Values:
    whole: Ints = np.rint(drawn).astype(np.int64)
    if spark_type in INTEGRAL:
        return pd.Series(whole)
    if spark_type in ("date", *TIMES):
        return counted("date" if spark_type == "date" else "timestamp", whole)
    return pd.Series(drawn)


def _decimals(plan: ShapePlan, spark_type: str, rows: int, rng: np.random.Generator) -> Values:
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
