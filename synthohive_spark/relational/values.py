"""Columns between Spark, pandas and the models: exact, with nulls as nulls."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.metadata import Constraint
from synthohive_spark.randomness import Ints

Values: TypeAlias = "pd.Series[Any]"
Whole = (int, np.integer)
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
        dtype: Any = INTEGER_DTYPES[spark_type]
        if column.dtype != object:
            return column.astype(dtype)
        known = column.where(column.notna(), pd.NA)
        return pd.Series(pd.array(known.tolist(), dtype=dtype))
    if spark_type in ("float", "double"):
        return column.astype("float64")
    if spark_type == "boolean":
        return column.astype("boolean")
    if spark_type.startswith("decimal"):
        scale = Decimal(1).scaleb(-int(spark_type.rstrip(")").split(",")[1]))
        fitted = [None if v is None or pd.isna(v) else Decimal(str(v)).quantize(scale) for v in column]
        return pd.Series(fitted, dtype=object)
    null = column.isna()
    return column.astype(object).where(~null, None) if null.any() else column.astype(object)


def _times(column: Values, spark_type: str) -> Values:
    if column.dtype.kind != "M":
        known = column.dropna()
        micros = not len(known) or isinstance(known.iloc[0], (int, float, np.number))
        column = (column.astype("Int64") if micros else column).astype("datetime64[us]")
    if spark_type == "timestamp":
        return column.dt.tz_localize("UTC") if column.dt.tz is None else column
    return column if column.dt.tz is None else column.dt.tz_localize(None)


def carried(values: Values) -> Values:
    """A made column in the form in which tasks carry it: times as microseconds."""
    return values.astype("datetime64[us]").astype("int64") if values.dtype.kind == "M" else values


def as_micros(values: Values) -> Values:
    """Times of a model's dtype as microseconds, with nulls."""
    micros: Values = values.astype("datetime64[us]")
    return micros.astype("int64").astype("Int64").mask(micros.isna())


def take(column: Values, owner: Ints, null: npt.NDArray[np.bool_] | None = None) -> Values:
    """A family's value for each of its rows; null where the family has none."""
    if null is not None and null.any():
        column = column.astype(object).mask(null, None)
    return column.iloc[owner].reset_index(drop=True)


def pick(parents: Values, dealt: Ints) -> Values:
    """The parent's value, by its row in ``parents``, for each row that was dealt one; null elsewhere (-1)."""
    if (dealt < 0).any() and parents.dtype.kind in "iu":
        parents = parents.astype("Int64")
    picked = pd.Series(pd.api.extensions.take(parents.array, dealt, allow_fill=True), dtype=parents.dtype)
    return picked.where(dealt >= 0, None) if parents.dtype == object else picked


def filled(column: Values, given: Values) -> Values:
    """A column with another one's values where it has none."""
    null = column.isna() & given.notna()
    return column.astype(object).mask(null, given.astype(object)) if null.any() else column


def bounded(values: Values, law: Constraint, rng: np.random.Generator) -> Values:
    """Values within a declared law: cut at min and max; what is not allowed is drawn again from what is."""
    known = values.notna()
    if not known.any():
        return values
    kind = type(values[known].iloc[0])
    if law.allowed is not None:
        allowed: list[Any] = [_like(kind, v) for v in law.allowed if v is not None]
        wrong = known & ~values.isin(allowed)
        fits = values[known & ~wrong].to_numpy()
        pool = fits if len(fits) else np.array(allowed or [None], dtype=object)
        values = values.astype(object).copy()
        values[wrong] = pool[rng.integers(0, len(pool), int(wrong.sum()))]
    for bound, beyond, inward in ((law.min, values.lt, math.ceil), (law.max, values.gt, math.floor)):
        if bound is not None:
            limit = _like(kind, inward(bound) if isinstance(bound, float) and issubclass(kind, Whole) else bound)
            values = values.mask(known & beyond(limit).fillna(False), limit)
    return values


def _like(kind: Any, value: Any) -> Any:
    """A declared value in the type of a column's values; dates and times are declared in ISO form."""
    if issubclass(kind, dt.date) and not issubclass(kind, dt.datetime):
        return dt.date.fromisoformat(str(value))
    return kind(str(value) if issubclass(kind, Decimal) else value)
