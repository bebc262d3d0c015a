"""Column encoders: one file per kind, four pure functions each (analyze, reduce, encode, decode)."""

from synthohive_spark.models.encoders.categorical import RARE_TOKEN
from synthohive_spark.models.encoders.spec import ColumnSpec, Encoded, Limits
from synthohive_spark.models.encoders.table import TableSpec, analyze_table, decode_table, encode_table, reduce_table

__all__ = [
    "RARE_TOKEN",
    "ColumnSpec",
    "Encoded",
    "Limits",
    "TableSpec",
    "analyze_table",
    "decode_table",
    "encode_table",
    "reduce_table",
]
