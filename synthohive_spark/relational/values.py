"""Columns between Spark, pandas and the models: exact, with nulls as nulls."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Values: TypeAlias = "pd.Series[Any]"
TIMES = ("timestamp", "timestamp_ntz")
INTEGER_DTYPES = {"tinyint": "Int8", "smallint": "Int16", "int": "Int32", "bigint": "Int64"}


def as_model(values: Values, spark_type: str) -> Values:
    """A carried column (times as microseconds) in the dtype that models are trained on.

    Integers become int64, or Int64 where there are nulls; times naive UTC datetime64[us]; text object.
    """
    if spark_type in TIMES:
        whole = values.astype("Int64") if values.isna().any() else values.astype("int64")
        return whole.astype("datetime64[us]")
    if spark_type in INTEGER_DTYPES:
        return values.astype("Int64") if values.isna().any() else values.astype("int64")
    if spark_type == "boolean":
        return values.astype("boolean")
    if spark_type in ("float", "double"):
        return values.astype("float64")
    return values.astype(object)


def as_spark(values: Any, spark_type: str) -> Values:
    """A column in a dtype that Arrow turns into exactly this Spark type; missing values as null."""
    column: Values = pd.Series(values).reset_index(drop=True)
    if spark_type in TIMES:
        return _times(column, spark_type)
    if spark_type in INTEGER_DTYPES:
        known = column.astype(object).where(column.notna(), pd.NA)
        dtype: Any = INTEGER_DTYPES[spark_type]
        return pd.Series(pd.array(known.tolist(), dtype=dtype))
    if spark_type in ("float", "double"):
        return column.astype("float64")
    if spark_type == "boolean":
        return column.astype("boolean")
    if spark_type.startswith("decimal"):
        scale = Decimal(1).scaleb(-int(spark_type.rstrip(")").split(",")[1]))
        fitted = [None if v is None or pd.isna(v) else Decimal(str(v)).quantize(scale) for v in column]
        return pd.Series(fitted, dtype=object)
    return column.astype(object).where(column.notna(), None)


def _times(column: Values, spark_type: str) -> Values:
    if column.dtype.kind != "M":
        known = column.dropna()
        micros = not len(known) or isinstance(known.iloc[0], (int, float, np.number))
        column = (column.astype("Int64") if micros else column).astype("datetime64[us]")
    if spark_type == "timestamp":
        return column.dt.tz_localize("UTC") if column.dt.tz is None else column
    return column if column.dt.tz is None else column.dt.tz_localize(None)
