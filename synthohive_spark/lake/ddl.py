"""Tables in the words of SQL: columns at any depth with nullability, comments and defaults; names are quoted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from synthohive_spark.lake.design import DEFAULT, Design
from synthohive_spark.location import TableRef
from synthohive_spark.nested import path_sql
from synthohive_spark.sql import quote, text_literal

NEEDS_COLUMN_MAPPING = " ,;{}()\n\t="


def properties_sql(properties: Mapping[str, str]) -> str:
    """Table properties as SQL has them between brackets."""
    return ", ".join(f"{text_literal(k)} = {text_literal(v)}" for k, v in properties.items())


def table_ddl(verb: str, ref: TableRef, schema: StructType, properties: Mapping[str, str], design: Design) -> str:
    """The statement that makes a table.

    Args:
        verb: ``CREATE TABLE`` or ``REPLACE TABLE``, with what may follow these words.
        ref: the table.
        schema: its columns, with nullability, comments and defaults.
        properties: of the table.
        design: partitions, clustering, properties and comment.
    """
    columns = [_column(f, " ") for f in schema.fields]
    settings = {"delta.enableDeletionVectors": "false", **design.properties, **properties}
    if any(ch in name for name in _names(schema) for ch in NEEDS_COLUMN_MAPPING):
        settings["delta.columnMapping.mode"] = "name"
    if any(DEFAULT in f.metadata for f in schema.fields):
        settings["delta.feature.allowColumnDefaults"] = "supported"
    parted = f" PARTITIONED BY ({', '.join(map(quote, design.partitions))})" if design.partitions else ""
    clustered = (
        f" CLUSTER BY ({', '.join(path_sql(schema, c) for c in design.clustering)})" if design.clustering else ""
    )
    comment = f" COMMENT {text_literal(design.comment)}" if design.comment else ""
    table = f"{verb} {ref.sql} ({', '.join(columns)}) USING DELTA{parted}{clustered}{comment}"
    return f"{table} TBLPROPERTIES ({properties_sql(settings)})"


def _column(field: StructField, between: str, loose: bool = False) -> str:
    """A column, or a field of a struct, as DDL; ``loose`` inside arrays and maps, where Delta has no NOT NULL."""
    written = field.metadata.get("__CHAR_VARCHAR_TYPE_STRING", "struct")  # Spark has a text there, and keeps its length
    kind = _type(field.dataType, loose) if "struct" in written else written
    comment, default = field.metadata.get("comment"), field.metadata.get(DEFAULT)
    return (
        f"{quote(field.name)}{between}{kind}{'' if field.nullable or loose else ' NOT NULL'}"
        + (f" DEFAULT {default}" if default else "")
        + (f" COMMENT {text_literal(comment)}" if comment else "")
    )


def _type(kind: DataType, loose: bool) -> str:
    """A type as DDL, with the names inside it quoted."""
    if isinstance(kind, StructType):
        return f"struct<{', '.join(_column(f, ': ', loose) for f in kind.fields)}>"
    if isinstance(kind, ArrayType):
        return f"array<{_type(kind.elementType, True)}>"
    if isinstance(kind, MapType):
        return f"map<{_type(kind.keyType, True)}, {_type(kind.valueType, True)}>"
    return kind.simpleString()


def _names(kind: DataType) -> Iterator[str]:
    """Every name in a type, at any depth."""
    if isinstance(kind, StructType):
        for f in kind.fields:
            yield f.name
            yield from _names(f.dataType)
    elif isinstance(kind, ArrayType):
        yield from _names(kind.elementType)
    elif isinstance(kind, MapType):
        yield from _names(kind.keyType)
        yield from _names(kind.valueType)
