"""Counts behind the metadata draft, all made by Spark: profiles of columns, uniqueness, inclusions.

What comes back is bounded by the number of columns, tables and candidates, never by rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructField

from synthohive_spark.location import TableRef
from synthohive_spark.parallel import side_by_side
from synthohive_spark.privacy.meaning.found import Meaning
from synthohive_spark.privacy.meaning.search import Look, find_meanings
from synthohive_spark.sql import quote
from synthohive_spark.tables import key_type

NEARLY = 0.85  # of the rows: an estimate of distinct values is off by 5 %, three times that is left for it
MISCOUNTED = 2  # values that the estimate may miss in a small table: of four countries it counts three
"""Share of distinct values by the approximate count (5 % error) from which the exact count is worth its cost."""

_KEY_FAMILIES = ("integer", "string", "date", "timestamp", "timestamp_ntz")


@dataclass(frozen=True)
class Declared:
    """What a table itself says of its keys and rows."""

    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = ()
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnProfile:
    """A column: its nulls and distinct values (approximate), the range of an integer, the make of a string."""

    type: str
    required: bool
    nulls: int
    distinct: int = 0
    low: int | None = None
    high: int | None = None
    digits: bool = False
    length: float = 0.0

    @property
    def family(self) -> str | None:
        """The key family of its type; None where the type makes no key."""
        family = key_type(self.type)
        whole = family.startswith("decimal(") and family.endswith(",0)")
        return family if family in _KEY_FAMILIES or whole else None


@dataclass(frozen=True)
class TableProfile:
    """A table with the profiles of its columns, in their order, and what these mean."""

    name: str
    frame: DataFrame
    rows: int
    columns: Mapping[str, ColumnProfile]
    declared: Declared = field(default_factory=Declared)
    meanings: Mapping[str, Meaning] = field(default_factory=dict)

    @property
    def nearly_all(self) -> float:
        """Distinct values, as Spark estimates them, from which on those of every row may be distinct."""
        return min(NEARLY * self.rows, self.rows - MISCOUNTED)

    def position(self, column: str) -> int:
        """The column's place in the table."""
        return list(self.columns).index(column)


@dataclass(frozen=True)
class Found:
    """Non-null values (and rows) of a child's column, and how many of them the parent has."""

    values: int
    rows: int
    found_values: int
    found_rows: int

    @property
    def orphans(self) -> int:
        """Rows without a parent."""
        return self.rows - self.found_rows


def table_profiles(tables: Mapping[str, tuple[DataFrame, Declared]]) -> dict[str, TableProfile]:
    """Rows, nulls and distinct values of every column of some tables, and what they mean.

    Args:
        tables: {name: rows, and what the lake declares of them}.
    """
    counted = side_by_side(lambda name: _counted(name, *tables[name]), tables)
    meanings = find_meanings(
        Look(name, t.frame, _types(t.frame), t.rows, [f.name for f in t.frame.schema.fields if _atomic(f.dataType)])
        for name, t in counted.items()
    )
    return {name: replace(t, meanings=meanings[name]) for name, t in counted.items()}


def _types(frame: DataFrame) -> dict[str, str]:
    return {f.name: f.dataType.simpleString() for f in frame.schema.fields}


def _counted(name: str, frame: DataFrame, declared: Declared) -> TableProfile:
    """All counts of a table in one aggregation."""
    fields = frame.schema.fields
    wanted: list[Column] = [F.count(F.lit(1)).alias("rows")]
    for i, f in enumerate(fields):
        column, family = F.col(quote(f.name)), key_type(f.dataType.simpleString())
        wanted.append(F.count_if(column.isNull()).alias(f"nulls_{i}"))
        if _atomic(f.dataType):
            wanted.append(F.approx_count_distinct(column).alias(f"distinct_{i}"))
        if family == "integer":
            wanted += [F.min(column).alias(f"low_{i}"), F.max(column).alias(f"high_{i}")]
        elif family == "string":
            wanted += [
                F.count_if(~column.rlike("^[0-9]+$")).alias(f"words_{i}"),
                F.avg(F.length(column)).alias(f"length_{i}"),
            ]
    row = _first(frame.agg(*wanted))
    columns = {f.name: _column(i, f, row) for i, f in enumerate(fields)}
    return TableProfile(name, frame, row["rows"], columns, declared)


def unique(table: TableProfile, candidates: Sequence[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Those candidates (of columns without nulls) whose values are all different: exact, in one aggregation."""
    if not candidates:
        return set()
    counts = [F.count_distinct(*_cols(c)).alias(f"n{i}") for i, c in enumerate(candidates)]
    row = _first(table.frame.agg(*counts))
    return {c for i, c in enumerate(candidates) if row[f"n{i}"] == table.rows}


def nearly_unique(table: TableProfile, candidates: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those candidates that may be unique, by approximate counts in one aggregation."""
    if not candidates:
        return []
    counts = [F.approx_count_distinct(F.xxhash64(*_cols(c))).alias(f"n{i}") for i, c in enumerate(candidates)]
    row = _first(table.frame.agg(*counts))
    return [c for i, c in enumerate(candidates) if row[f"n{i}"] >= table.nearly_all]


def inclusions(
    child: TableProfile, columns: Sequence[str], parents: Sequence[tuple[TableProfile, str]]
) -> dict[tuple[str, str], Found]:
    """How many values of each column each parent's key has, by (column, parent): one job for all of them.

    Args:
        child: the table.
        columns: its columns, of one key family.
        parents: tables with a unique column of the same family.
    """
    if not columns or not parents:
        return {}
    family = child.columns[columns[0]].family
    common = "bigint" if family == "integer" else f"{family}"
    melted = F.explode(F.array(*(F.struct(F.lit(i).alias("c"), _as(c, common)) for i, c in enumerate(columns))))
    values = child.frame.select(melted.alias("m")).select("m.c", "m.v").where("v IS NOT NULL")
    values = values.groupBy("c", "v").agg(F.count(F.lit(1)).alias("n"))
    keys = reduce(
        DataFrame.unionAll, [p.frame.select(F.lit(j).alias("p"), _as(c, common)) for j, (p, c) in enumerate(parents)]
    ).distinct()
    sums = (F.count(F.lit(1)).alias("values"), F.sum("n").alias("rows"))
    total = values.groupBy("c").agg(*sums).withColumn("p", F.lit(-1))
    rows = values.join(keys, "v", "inner").groupBy("c", "p").agg(*sums).unionByName(total).collect()
    counted = {(r["c"], r["p"]): (int(r["values"]), int(r["rows"])) for r in rows}
    return {
        (column, parent.name): Found(*counted.get((i, -1), (0, 0)), *counted.get((i, j), (0, 0)))
        for i, column in enumerate(columns)
        for j, (parent, _) in enumerate(parents)
    }


def inclusion(
    child: TableProfile, columns: Sequence[str], parent: TableProfile, referenced: Sequence[str]
) -> tuple[Found, int]:
    """The same for a key of several columns, and the rows where one of them is null."""
    names = [f"k{i}" for i in range(len(columns))]
    picked = child.frame.select(*(c.alias(n) for c, n in zip(_cols(columns), names, strict=True))).dropna()
    values = picked.groupBy(*names).agg(F.count(F.lit(1)).alias("n"))
    keys = parent.frame.select(*(c.alias(n) for c, n in zip(_cols(referenced), names, strict=True))).distinct()
    joined = values.join(keys.withColumn("hit", F.lit(1)), names, "left")
    row = _first(
        joined.agg(
            F.count(F.lit(1)).alias("values"),
            F.coalesce(F.sum("n"), F.lit(0)).alias("rows"),
            F.count("hit").alias("found_values"),
            F.coalesce(F.sum(F.col("n") * F.col("hit")), F.lit(0)).alias("found_rows"),
        )
    )
    return Found(*(int(v) for v in row)), child.rows - int(row["rows"])


def declared(spark: SparkSession, ref: TableRef, columns: Sequence[str]) -> Declared:
    """CHECK constraints and keys that a table declares: in its properties, and Unity Catalog's informational keys."""
    try:
        rows = spark.sql(f"SHOW TBLPROPERTIES {ref.sql}").collect()
        described = spark.sql(f"DESCRIBE TABLE EXTENDED {ref.sql}").collect() if ref.path is None else []
    except PySparkException:
        return Declared()  # a catalog that shows neither; the data still speaks
    properties = {r["key"]: r["value"] for r in rows}
    checks = tuple(v for k, v in sorted(properties.items()) if k.startswith("delta.constraints."))
    named = [v for k, v in properties.items() if re.sub(r"[._]", "", k.lower()).endswith("primarykey")]
    keys = [tuple(c.strip() for c in v.split(",")) for v in named]
    texts = [r["data_type"] or "" for r in described]
    found = declared_keys(texts)
    keys = [found.primary_key, *keys]
    return Declared(next((k for k in keys if k and set(k) <= set(columns)), ()), found.foreign_keys, checks)


def declared_keys(texts: Sequence[str]) -> Declared:
    """The keys in the constraint lines of DESCRIBE TABLE EXTENDED."""
    primary: tuple[str, ...] = ()
    foreign = []
    for text in texts:
        own = re.match(r"PRIMARY KEY \((?P<own>`[^)]*)\)", text)
        other = re.match(r"FOREIGN KEY \((?P<own>`[^)]*)\) REFERENCES (?P<table>`.*?`) \((?P<there>`[^)]*)\)", text)
        if own:
            primary = _quoted(own["own"])
        elif other:
            foreign.append((_quoted(other["own"]), _quoted(other["table"])[-1], _quoted(other["there"])))
    return Declared(primary, tuple(foreign))


def text_types(frame: DataFrame) -> dict[str, str]:
    """The narrowest type that every value of each text column has; one aggregation. Leading zeros stay text."""
    kinds = ("bigint", "double", "date", "timestamp", "boolean")
    forms = {"date": r"^\d{4}-\d{2}-\d{2}$", "timestamp": r"^\d{4}-\d{2}-\d{2}[T ]\d", "boolean": "(?i)^(true|false)$"}
    wanted = []
    for i, name in enumerate(frame.columns):
        value = F.col(quote(name))
        for kind in kinds:
            fits = value.try_cast(kind).isNotNull() & value.rlike(forms.get(kind, r"^-?(0$|0\.|[1-9.])"))
            wanted.append(F.count_if(value.isNotNull() & ~fits).alias(f"{kind}_{i}"))
        wanted.append(F.count(value).alias(f"some_{i}"))
    row = _first(frame.agg(*wanted))
    return {
        name: next((k for k in kinds if row[f"some_{i}"] and not row[f"{k}_{i}"]), "string")
        for i, name in enumerate(frame.columns)
    }


def _column(i: int, field_: StructField, row: Row) -> ColumnProfile:
    values = row.asDict()
    words_ = values.get(f"words_{i}")
    return ColumnProfile(
        type=field_.dataType.simpleString(),
        required=not field_.nullable,
        nulls=values[f"nulls_{i}"],
        distinct=values.get(f"distinct_{i}") or 0,
        low=values.get(f"low_{i}"),
        high=values.get(f"high_{i}"),
        digits=words_ == 0,
        length=values.get(f"length_{i}") or 0.0,
    )


def _atomic(kind: DataType) -> bool:
    return not any(word in kind.simpleString() for word in ("<", "variant", "void", "interval", "binary", "geo"))


def _quoted(text: str) -> tuple[str, ...]:
    return tuple(part.replace("``", "`") for part in re.findall(r"`((?:[^`]|``)*)`", text))


def _as(column: str, kind: str) -> Column:
    return F.col(quote(column)).cast(kind).alias("v")


def _cols(columns: Sequence[str]) -> list[Column]:
    return [F.col(quote(c)) for c in columns]


def _first(frame: DataFrame) -> Row:
    row = frame.first()
    if row is None:  # an aggregation without groups has one row
        raise AssertionError("an aggregation returned no row")
    return row
