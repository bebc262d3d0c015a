"""Columns between Spark, pandas and the models: exact, with nulls as nulls."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synthohive_spark.errors import GenerationError
from synthohive_spark.randomness import Ints
from synthohive_spark.schema.key_format import WIDE
from synthohive_spark.tables import INTEGRAL, TEXT, Constraint, decimal_form

Values: TypeAlias = "pd.Series[Any]"
Mask: TypeAlias = "npt.NDArray[np.bool_]"
Whole = (int, np.integer)
TIMES = ("timestamp", "timestamp_ntz")
EXACT = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}
ARROW = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "binary": pa.binary(),
}


def arrow_type(spark_type: str) -> pa.DataType:
    """The Arrow type in which Spark takes values of a type, by its simple name."""
    if spark_type.startswith("decimal"):
        return pa.decimal128(*decimal_form(spark_type))
    return pa.string() if spark_type.startswith(TEXT) else ARROW[spark_type]


def from_arrow(array: pa.Array | pa.ChunkedArray) -> Values:
    """A column from Spark, nothing rounded: times as microseconds, integers nullable where there are nulls."""
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", tz=array.type.tz)).cast(pa.int64())
    column: Values = array.to_pandas(types_mapper=EXACT.get if array.null_count else None)
    return column


def frame_from_arrow(batch: pa.RecordBatch | pa.Table, data: Collection[str]) -> pd.DataFrame:
    """Rows from Spark. Whole numbers that are no ``data`` are 0 where null: counts and places of other rows."""
    columns = {}
    for name in batch.schema.names:
        array = batch.column(name)
        counted = pa.types.is_integer(array.type) and name not in data
        columns[name] = from_arrow(pc.fill_null(array, 0) if counted else array)
    return pd.DataFrame(columns, index=range(batch.num_rows))


def to_arrow(column: Values, kind: pa.DataType, place: str, width: int | None = None) -> pa.Array:
    """A column of ``as_spark`` for Spark.

    Args:
        column: the values.
        kind: their Arrow type.
        place: table and column, for the message.
        width: characters that a text may have; what is longer is cut.

    Raises:
        GenerationError: a value is not of the type.
    """
    try:
        if pa.types.is_floating(kind):
            return pa.Array.from_pandas(column).cast(kind, safe=False)
        array = pa.Array.from_pandas(column, type=kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as e:  # whose texts hold the value
        raise GenerationError(f"{place}: a value does not fit the column's type {kind} ({type(e).__name__})") from None
    return array if width is None else pc.utf8_slice_codeunits(array, 0, width)


def as_model(values: Values, spark_type: str) -> Values:
    """A carried column (times as microseconds) in the dtype that models are trained on.

    Integers become int64, or Int64 where there are nulls; times naive UTC datetime64[us]; text object.
    """
    if spark_type in TIMES:
        whole = values.astype("Int64") if values.isna().any() else values.astype("int64")
        return whole.astype("datetime64[us]")
    if spark_type in INTEGRAL:
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
    if spark_type in INTEGRAL:
        if column.dtype != object:
            return column.astype("Int64")
        known = column.where(column.notna(), pd.NA)
        return pd.Series(pd.array(known.tolist(), dtype="Int64"))
    if spark_type in ("float", "double"):  # a nullable column tells NaN, a value, from null; in others NaN is null
        return column if isinstance(column.dtype, pd.Float64Dtype) else column.astype("float64")
    if spark_type == "boolean":
        return column.astype("boolean")
    if spark_type.startswith("decimal"):
        return _decimals(column, *decimal_form(spark_type))
    null = column.isna()
    return column.astype(object).where(~null, None) if null.any() else column.astype(object)


def as_drawn(values: Any, spark_type: str, place: str) -> Values:
    """A column that a model drew, in its type.

    Args:
        values: the column; a model may have given something else.
        spark_type: its type.
        place: table and column, for the message.

    Raises:
        GenerationError: the values are of another type.
    """
    try:
        return as_spark(values, spark_type)
    except (ArithmeticError, TypeError, ValueError) as e:
        raise GenerationError(f"{place}: what was drawn is no {spark_type} ({type(e).__name__}); mend the model") from e


def _decimals(column: Values, precision: int, scale: int) -> Values:
    """Decimals of a scale, cut at the ends of their type."""
    last, most = Decimal(1).scaleb(-scale), Decimal(10**precision - 1).scaleb(-scale, WIDE)

    def fitted(value: Any) -> Decimal | None:
        if value is None or pd.isna(value):
            return None
        number = Decimal(str(value)).quantize(last, context=WIDE)
        return min(max(number, -most), most)

    return pd.Series([fitted(v) for v in column], dtype=object)


def _times(column: Values, spark_type: str) -> Values:
    if column.dtype.kind != "M":
        known = column.dropna()
        micros = not len(known) or isinstance(known.iloc[0], (int, float, np.number))
        column = (column.astype("Int64") if micros else column).astype("datetime64[us]")
    if spark_type == "timestamp":
        return column.dt.tz_localize("UTC") if column.dt.tz is None else column
    return column if column.dt.tz is None else column.dt.tz_localize(None)


def with_nan(values: Values, nan: Mask) -> Values:
    """Floats with NaN, which is a value, beside nulls."""
    numbers: npt.NDArray[np.float64] = values.to_numpy(np.float64, na_value=np.nan)
    null = np.isnan(numbers) & ~nan
    return pd.Series(pd.arrays.FloatingArray(np.where(nan, np.nan, numbers), null), index=values.index)


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
