"""What a generated table is asked before anybody may read it: are its keys valid, and are its rows there?

It knows nothing of how keys were made: it looks at the rows as they lie in the lake, in two jobs on hashes of keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.schema.ancestors import Reader
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey, Table

MOST_LOST = 0.01  # share of the planned rows that may be missing: rows for which no parents are left to pair


def broken(name: str, spec: Table, frame: DataFrame, planned: int) -> list[str]:
    """What is wrong with the keys that a table has by itself, and with the number of its rows.

    Args:
        name: the table.
        spec: its metadata.
        frame: its rows.
        planned: how many there should be.
    """
    keys = [key for key in (spec.primary_key, *spec.unique) if key]
    counts: list[Column] = [F.count(F.lit(1)).alias("rows")]
    for i, key in enumerate(keys):
        there = _set(key)
        counts += [
            F.count(F.when(there, 1)).alias(f"set{i}"),
            F.countDistinct(F.when(there, _hash(key))).alias(f"distinct{i}"),
        ]
    row = frame.agg(*counts).first()
    if row is None:
        return []
    found = []
    for i, key in enumerate(keys):
        what = f"{name}({', '.join(key)})"
        if key == spec.primary_key and row[f"set{i}"] < row["rows"]:
            found.append(f"{what}: the primary key is null in {row['rows'] - row[f'set{i}']:,} rows")
        if row[f"distinct{i}"] < row[f"set{i}"] and (repeats := _repeats(frame, key)):
            found.append(f"{what}: {repeats:,} rows repeat the key of another one")
    if row["rows"] < planned * (1 - MOST_LOST) and row["rows"] < planned - 1:
        found.append(f"{name}: {row['rows']:,} rows instead of {planned:,}")
    return found


def orphans(name: str, keys: Iterable[ForeignKey], frame: DataFrame, read: Reader) -> list[str]:
    """Which foreign keys of a table have rows without a parent.

    Args:
        name: the table.
        keys: the keys whose parents are there already.
        frame: its rows.
        read: tables that are there, by name.
    """
    asked = list(keys)
    if not asked:
        return []
    hashes = [F.when(_set(k.columns), _hash(k.columns)).alias("h") for k in asked]
    own = [F.struct(F.lit(i).alias("key"), h) for i, h in enumerate(hashes)]
    children = (
        frame.select(F.explode(F.array(*own)).alias("k")).select("k.key", "k.h").where("h is not null").distinct()
    )
    parents = reduce(
        DataFrame.unionByName,
        [
            read(k.references).select(F.lit(i).alias("key"), _hash(k.referenced_columns).alias("h"))
            for i, k in enumerate(asked)
        ],
    )
    lost = children.join(parents, ["key", "h"], "leftanti").groupBy("key").agg(F.count(F.lit(1)).alias("n"))
    found = [(asked[row["key"]], row["n"]) for row in lost.orderBy("key").collect()]
    return [f"{name}({', '.join(k.columns)}): {n:,} keys name no row of {k.references}" for k, n in found]


def _set(columns: Sequence[str]) -> Column:
    return reduce(lambda a, b: a & b, [F.col(quote(c)).isNotNull() for c in columns])


def _hash(columns: Sequence[str]) -> Column:
    """A hash of a key that does not hang on the integer type of its columns."""
    return F.xxhash64(*(F.col(quote(c)).cast("string") for c in columns))


def _repeats(frame: DataFrame, key: Sequence[str]) -> int:
    """Rows beyond the first of each value of a key: exact, in case two values have one hash."""
    columns = [F.col(quote(c)) for c in key]
    counts = frame.where(_set(key)).groupBy(*columns).agg(F.count(F.lit(1)).alias("n"))
    row = counts.agg(F.sum(F.col("n") - 1).alias("n")).first()
    return int(row["n"] or 0) if row is not None else 0
