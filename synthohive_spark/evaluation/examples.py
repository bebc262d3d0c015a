"""Some rows of the copy, as texts that a person reads."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from synthohive_spark.evaluation.kinds import column_of
from synthohive_spark.evaluation.scores import Examples

ROWS_SHOWN = 10
VALUE_LENGTH = 60  # characters of a value


def example_rows(frame: DataFrame, key: tuple[str, ...]) -> Examples:
    """The rows that come first by a hash of their key, or of all that they hold: one Spark query.

    Args:
        frame: the synthetic table.
        key: its primary key; empty without one.
    """
    texts = [_text(f).alias(f"v{i}") for i, f in enumerate(frame.schema.fields)]
    place = F.xxhash64(F.lit("examples"), *([column_of(c).cast("string") for c in key] or texts))
    rows = frame.select(*texts, place.alias("place")).orderBy("place").limit(ROWS_SHOWN).collect()
    return Examples(tuple(frame.columns), tuple(tuple(row[:-1]) for row in rows))


def _text(field: T.StructField) -> Column:
    column, kind = column_of(field.name), field.dataType
    if isinstance(kind, T.BinaryType):
        text = F.hex(column)
    elif isinstance(kind, T.ArrayType | T.MapType | T.StructType):
        text = F.to_json(column)
    else:
        text = column.cast("string")
    cut = F.concat(F.substring(text, 1, VALUE_LENGTH), F.lit("…"))
    return F.when(F.length(text) > VALUE_LENGTH, cut).otherwise(text)
