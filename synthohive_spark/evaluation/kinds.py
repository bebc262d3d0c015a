"""Which columns of a table are compared, and how their values enter Spark aggregates.

Column names may hold dots, spaces and backticks: they are quoted here once and replaced by positions, so that no
later expression meets them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from synthohive_spark.evaluation.scores import SkippedColumn
from synthohive_spark.tables import Table

ORDERED = ("integer", "number", "date", "timestamp")
FARTHEST = 1e100  # the squares of many such numbers have a finite sum
CATEGORICAL = ("string", "boolean")
KEYS = ("foreign key", "primary key")  # reasons why a column is not compared that nobody has to be told


@dataclass(frozen=True)
class ComparedColumn:
    """A column to compare and its kind."""

    name: str
    kind: str


@dataclass(frozen=True)
class Comparison:
    """The columns of one table, sorted by what happens to them.

    Attributes:
        ordered: compared by KS.
        categories: compared by TVD.
        keys: the foreign keys' columns, whose nulls are counted.
        skipped: not compared, with the reason.
    """

    ordered: tuple[ComparedColumn, ...]
    categories: tuple[ComparedColumn, ...]
    keys: tuple[tuple[str, ...], ...]
    skipped: tuple[SkippedColumn, ...]


def column_of(name: str) -> Column:
    """The column of exactly this name, dots, spaces and backticks included."""
    return F.col("`" + name.replace("`", "``") + "`")


def compared_kind(kind: T.DataType) -> str | None:
    """The family of a Spark type within which values are compared; None for nested, binary and interval types."""
    if isinstance(kind, T.DecimalType):
        return "integer" if kind.scale == 0 else "number"
    families: list[tuple[str, tuple[type[T.DataType], ...]]] = [
        ("integer", (T.ByteType, T.ShortType, T.IntegerType, T.LongType)),
        ("number", (T.FloatType, T.DoubleType)),
        ("date", (T.DateType,)),
        ("timestamp", (T.TimestampType, T.TimestampNTZType)),
        ("string", (T.StringType, T.CharType, T.VarcharType)),
        ("boolean", (T.BooleanType,)),
    ]
    return next((name for name, types in families if isinstance(kind, types)), None)


def plan(table: Table, frame: DataFrame, protected: Mapping[str, str] = MappingProxyType({})) -> Comparison:
    """Sort the columns of a real table by what happens to them.

    Args:
        table: its metadata.
        frame: its rows.
        protected: {column: why its values mean nothing}.
    """
    reasons = {c: KEYS[0] for fk in table.foreign_keys for c in fk.columns}
    if len(table.primary_key) == 1:
        reasons[table.primary_key[0]] = KEYS[1]
    reasons.update(protected)
    reasons.update(dict.fromkeys(table.personal, "personal data, replaced"))
    fields: list[ComparedColumn] = []
    skipped: list[SkippedColumn] = []
    for field in frame.schema.fields:
        kind = compared_kind(field.dataType)
        reason = reasons.get(field.name) or ("reference table, copied" if table.reference else None)
        if kind is None or reason is not None:
            why = reason or f"type {field.dataType.simpleString()} is not compared"
            skipped.append(SkippedColumn(field.name, why))
        else:
            fields.append(ComparedColumn(field.name, kind))
    return Comparison(
        ordered=tuple(f for f in fields if f.kind in ORDERED),
        categories=tuple(f for f in fields if f.kind in CATEGORICAL),
        keys=tuple(fk.columns for fk in table.foreign_keys),
        skipped=tuple(skipped),
    )


def compared_number(field: ComparedColumn) -> Column:
    """A column as double: a date in days, a timestamp in seconds since 1970, NaN as null, infinity as far away."""
    column = column_of(field.name)
    if field.kind == "date":
        return F.unix_date(column).cast("double")
    if field.kind == "timestamp":
        return F.unix_micros(column.cast("timestamp")).cast("double") / 1e6
    value = column.cast("double")
    near = F.greatest(F.least(value, F.lit(FARTHEST)), F.lit(-FARTHEST))  # which skip null
    return F.when(value.isNotNull() & ~F.isnan(value), near)


def as_text(field: ComparedColumn) -> Column:
    """A categorical column as string."""
    return column_of(field.name).cast("string")


def complete(columns: Sequence[str]) -> Column:
    """True where every one of the columns is non-null."""
    present = F.lit(True)
    for name in columns:
        present = present & column_of(name).isNotNull()
    return present
