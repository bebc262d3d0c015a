"""What the footer of a Parquet file says of its columns, and how each is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import PySparkException, PySparkTypeError
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from synthohive_spark.lake.folders import file_system

EXACT = {  # types of Arrow that Spark reads as another that holds them
    pa.uint8(): ShortType(),
    pa.uint16(): IntegerType(),
    pa.uint32(): LongType(),
    pa.uint64(): DecimalType(20),
    pa.string_view(): StringType(),
    pa.binary_view(): BinaryType(),
    pa.date64(): DateType(),
}
DIGITS = 38  # of a decimal, in Spark
SECOND = {"milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
CUT = "nanoseconds, read as microseconds: finer digits are cut"
# Floor division: times before 1970 are cut downwards too.
MICROS = "timestamp_micros({0} div 1000 - if({0} % 1000 < 0, 1, 0))"
BITS = "(conv(hex(substring({0}, 2, 1)), 16, 10) * 256 + conv(hex(substring({0}, 1, 1)), 16, 10))"
HALF = (  # IEEE 754: a sign, five bits of exponent, ten of fraction
    f"(1 - 2 * floor({BITS} / 32768)) * case floor({BITS} / 1024) % 32 "
    f"when 0 then ({BITS} % 1024) * pow(2D, -24) "
    f"when 31 then if({BITS} % 1024 = 0, double('infinity'), double('nan')) "
    f"else (1024 + {BITS} % 1024) * pow(2D, floor({BITS} / 1024) % 32 - 25) end"
)
UUID = "regexp_replace(lower(hex({0})), '^(.{{8}})(.{{4}})(.{{4}})(.{{4}})(.{{12}})$', '$1-$2-$3-$4-$5')"
OTHER = "cast the column to one that Spark has (text, number, date, timestamp), or leave it out"


@dataclass(frozen=True)
class Reading:
    """How a column is read.

    Attributes:
        stored: the type that Spark is told the file has; None where the column is not asked for.
        type: the type of the result; None where the file knows only that every value is null.
        sql: what makes the one of the other, with ``{0}`` for the column.
        odd: Spark would stop at the column, or take it for something else, if it were told nothing.
        said: what a person should know of it.
        problem: why it cannot be read, with the way out.
    """

    stored: DataType | None = None
    type: DataType | None = None
    sql: str = "{0}"
    odd: bool = False
    said: str = ""
    problem: str = ""


def layout_of(file: str) -> tuple[tuple[str, Reading], ...] | None:
    """The columns of a Parquet file, in its order; None where it cannot be reached from here, or is none."""
    try:
        system, path = file_system(file)
        with system.open_input_file(path) as opened:
            parquet = pq.ParquetFile(opened)
            leaves, fields = parquet.schema, list(parquet.schema_arrow)
    except (OSError, ValueError, NotImplementedError):
        return None  # Spark may reach it; if not, it says why
    made, at = [], 0
    for field in fields:
        made.append((field.name, _reading(field.type, leaves.column(at))))
        at += _width(field.type)
    return tuple(made)


def _reading(kind: pa.DataType, leaf: Any) -> Reading:
    """How a column is read, from its type in Arrow and from its first leaf in the file."""
    if pa.types.is_nested(kind):
        odd = sorted({str(inner) for inner in _leaves(kind) if _is_odd(inner)})
        return _of(kind) if not odd else Reading(problem=f"has {', '.join(odd)} inside; {OTHER}")
    return _odd(kind, leaf) or _of(kind)


def _odd(kind: pa.DataType, leaf: Any) -> Reading | None:
    """How a column is read whose type in Arrow is not the one in Spark; None for others."""
    meant = json.loads(leaf.logical_type.to_json())
    unit = meant.get("timeUnit", "")
    if meant["Type"] == "Timestamp" and unit == "nanoseconds":
        zoned = TimestampType() if meant["isAdjustedToUTC"] else TimestampNTZType()
        return Reading(LongType(), zoned, MICROS, odd=True, said=CUT)
    if meant["Type"] == "Time":
        stored = IntegerType() if leaf.physical_type == "INT32" else LongType()
        said = "a time of day, for which Delta has no type; read as text HH:MM:SS"
        return Reading(stored, StringType(), _time(SECOND[unit]), odd=True, said=said)
    if meant["Type"] == "Float16":
        return Reading(BinaryType(), FloatType(), HALF, odd=True)
    if meant["Type"] == "UUID":
        return Reading(BinaryType(), StringType(), UUID, odd=True)
    if pa.types.is_null(kind):
        return Reading(
            sql="null", odd=True, said="of no type, as every value is null; read as the declared one, else text"
        )
    if pa.types.is_duration(kind):
        said = f"a duration, for which Delta has no type; read as a whole number of its unit ({kind.unit})"
        return Reading(LongType(), LongType(), odd=True, said=said)
    if leaf.physical_type == "INT96":  # timestamps of old writers, which Arrow takes for nanoseconds
        return Reading(TimestampType(), TimestampType())
    return None


def _of(kind: pa.DataType) -> Reading:
    """A column of a type that Spark has, or that nobody has."""
    try:
        found = _spark(kind)
    except PySparkException:
        return Reading(problem=f"is {kind}, which Spark cannot read; {OTHER}")
    return Reading(found, found)


def _spark(kind: pa.DataType) -> DataType:
    """The type in Spark that holds every value of one in Arrow.

    Raises:
        PySparkException: there is none.
    """
    if pa.types.is_struct(kind):
        return StructType([StructField(kind.field(i).name, _spark(kind.field(i).type)) for i in range(kind.num_fields)])
    if pa.types.is_map(kind):
        return MapType(_spark(kind.key_type), _spark(kind.item_type))
    if pa.types.is_nested(kind):  # one of the kinds of lists
        return ArrayType(_spark(kind.value_type))
    if pa.types.is_dictionary(kind):
        return _spark(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return _spark(kind.storage_type)
    if kind in EXACT:
        return EXACT[kind]
    if pa.types.is_decimal(kind) and kind.precision > DIGITS:
        raise PySparkTypeError(f"{kind} has more digits than {DIGITS}")
    return from_arrow_type(kind, prefer_timestamp_ntz=True)


def _time(second: int) -> str:
    """A time of day as text; a fraction is written where there is one, as Python does."""
    digits = len(str(second)) - 1
    whole = "format_string('%02d:%02d:%02d', {0} div H, {0} div M % 60, {0} div S % 60)"
    whole = whole.replace("H", str(3600 * second)).replace("M", str(60 * second)).replace("S", str(second))
    fraction = f"if({{0}} % {second} = 0, '', format_string('.%0{digits}d', {{0}} % {second}))"
    return f"if({{0}} is null, null, concat({whole}, {fraction}))"


def _is_odd(kind: pa.DataType) -> bool:
    nanos = pa.types.is_timestamp(kind) and kind.unit == "ns"
    odd = (pa.types.is_time, pa.types.is_float16, pa.types.is_null, pa.types.is_duration)
    return nanos or any(test(kind) for test in odd)


def _leaves(kind: pa.DataType) -> Iterator[pa.DataType]:
    """The types inside a type that hold values, in the order of the file's columns."""
    if pa.types.is_nested(kind):
        for i in range(kind.num_fields):
            yield from _leaves(kind.field(i).type)
    else:
        yield kind


def _width(kind: pa.DataType) -> int:
    return sum(1 for _ in _leaves(kind))
