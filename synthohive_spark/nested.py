"""Structs lie flat while rows are learnt and made: ``place struct<city>`` is the column ``place.city``.

What the structs were is kept in the columns' metadata, so that the copy has them again. A struct that may be null is
null where all of its fields are, or one that may not be.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from synthohive_spark.sql import quote

WITHIN = "synthohive.within"
"""The key of a column's metadata that holds the structs around it, as JSON."""


@dataclass(frozen=True)
class Level:
    """A struct around a column.

    Attributes:
        name: its own, without those around it.
        nullable: whether it may be null.
        comment: what people say of it.
    """

    name: str
    nullable: bool
    comment: str | None = None

    def said(self) -> dict[str, object]:
        """What of it is kept; nothing of a comment that it has not."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class LeafField:
    """A column that lay in structs.

    Attributes:
        levels: these, the outermost first.
        field: the column as it is there: its own name, type, nullability.
    """

    levels: tuple[Level, ...]
    field: StructField

    @property
    def path(self) -> tuple[str, ...]:
        """The names down to it."""
        return *(level.name for level in self.levels), self.field.name

    def flat(self) -> StructField:
        """The column as it lies flat."""
        if not self.levels:
            return self.field
        about = {"levels": [level.said() for level in self.levels], "nullable": self.field.nullable}
        nullable = self.field.nullable or any(level.nullable for level in self.levels)
        metadata = {**self.field.metadata, WITHIN: json.dumps(about)}
        return StructField(".".join(self.path), self.field.dataType, nullable, metadata)


def leaf_of(field: StructField) -> LeafField:
    """The inverse of ``LeafField.flat``.

    Raises:
        KeyError, TypeError, ValueError: its metadata are not those of a column that lay in structs.
    """
    if WITHIN not in field.metadata:
        return LeafField((), field)
    about = json.loads(field.metadata[WITHIN])
    levels = tuple(Level(str(v["name"]), bool(v["nullable"]), v.get("comment")) for v in about["levels"])
    name = field.name.removeprefix("".join(f"{level.name}." for level in levels))
    metadata = {key: value for key, value in field.metadata.items() if key != WITHIN}
    return LeafField(levels, StructField(name, field.dataType, bool(about["nullable"]), metadata))


def uncommented(field: StructField) -> StructField:
    """A column without what people say of it, and of the structs around it."""
    leaf = leaf_of(field)
    metadata = {key: value for key, value in leaf.field.metadata.items() if key != "comment"}
    levels = tuple(Level(level.name, level.nullable) for level in leaf.levels)
    return LeafField(levels, StructField(leaf.field.name, leaf.field.dataType, leaf.field.nullable, metadata)).flat()


def _leaves(schema: StructType, above: tuple[Level, ...], whole: Collection[str]) -> Iterator[LeafField]:
    for field in schema.fields:
        inner = field.dataType
        if isinstance(inner, StructType) and inner.fields and (above or field.name not in whole):
            level = Level(field.name, field.nullable, field.metadata.get("comment"))
            yield from _leaves(inner, (*above, level), whole)
        else:
            yield LeafField(above, field)


def flat_schema(schema: StructType, whole: Collection[str] = ()) -> StructType:
    """A schema whose structs lie flat; one in which two columns would have one name, as it is.

    Args:
        schema: the columns.
        whole: columns that stay as they are.
    """
    fields = [leaf.flat() for leaf in _leaves(schema, (), whole)]
    return StructType(fields) if len({f.name for f in fields}) == len(fields) else schema


def path_sql(schema: StructType, name: str) -> str:
    """How SQL names a column of a table by the name that it has where structs lie flat."""
    paths = {".".join(leaf.path): leaf.path for leaf in _leaves(schema, (), ())}
    return ".".join(map(quote, paths.get(name, (name,))))


def flat(frame: DataFrame, whole: Collection[str] = ()) -> DataFrame:
    """A frame whose structs lie flat, as ``flat_schema`` has them."""
    schema = frame.schema
    wanted = flat_schema(schema, whole)
    if wanted == schema:
        return frame
    columns = []
    for field in wanted.fields:
        column = F.col(".".join(map(quote, leaf_of(field).path)))
        columns.append(column.alias(field.name, metadata=field.metadata) if WITHIN in field.metadata else column)
    return frame.select(*columns)


def nested_schema(schema: StructType) -> StructType:
    """The schema of the table itself, from that of its columns as they lie flat."""
    return StructType(_fields([leaf_of(field) for field in schema.fields], 0))


def _fields(leaves: list[LeafField], depth: int) -> list[StructField]:
    found = []
    for level, inner in _grouped(leaves, depth):
        if level is None:
            found.append(inner[0].field)
            continue
        metadata = {} if level.comment is None else {"comment": level.comment}
        found.append(StructField(level.name, StructType(_fields(inner, depth + 1)), level.nullable, metadata))
    return found


def _grouped(leaves: list[LeafField], depth: int) -> list[tuple[Level | None, list[LeafField]]]:
    """Columns by the struct around them at a depth, in their order; those without one stand alone."""
    groups: dict[tuple[bool, str], tuple[Level | None, list[LeafField]]] = {}
    for leaf in leaves:
        level = leaf.levels[depth] if len(leaf.levels) > depth else None
        key = (True, level.name) if level is not None else (False, leaf.field.name)
        groups.setdefault(key, (level, []))[1].append(leaf)
    return list(groups.values())


def nested(frame: DataFrame, schema: StructType) -> DataFrame:
    """Rows with the structs that ``flat`` took apart; columns of no struct as they are.

    Args:
        frame: the rows.
        schema: their columns, with the metadata that ``flat`` gave them.
    """
    leaves = [leaf_of(field) for field in schema.fields]
    if not any(leaf.levels for leaf in leaves):
        return frame
    made = [_built(level, inner, 0) for level, inner in _grouped(leaves, 0)]
    return frame.select(*(part.value.alias(part.name) for part in made))


@dataclass(frozen=True)
class _Part:
    """A column, or a struct, as it is put together.

    Attributes:
        name: its own.
        value: it.
        empty: whether all of it is null.
        broken: whether something of it is null that may not be, so that what is around it has to be.
    """

    name: str
    value: Column
    empty: Column
    broken: Column


def _built(level: Level | None, leaves: list[LeafField], depth: int) -> _Part:
    if level is None:
        (leaf,) = leaves
        column = F.col(quote(leaf.flat().name))
        null = column.isNull()
        return _Part(leaf.field.name, column, null, F.lit(False) if leaf.field.nullable else null)
    parts = [_built(inner, those, depth + 1) for inner, those in _grouped(leaves, depth + 1)]
    empty = reduce(lambda a, b: a & b, [part.empty for part in parts])
    broken = reduce(lambda a, b: a | b, [part.broken for part in parts])
    struct = F.struct(*(part.value.alias(part.name) for part in parts))
    if not level.nullable:
        return _Part(level.name, struct, empty, broken)
    return _Part(level.name, F.when(~(empty | broken), struct), empty | broken, F.lit(False))
