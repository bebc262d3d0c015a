"""Can a classifier tell the copy from the source? C2ST and C2ST-Agg, as SyntheRela defines them, on bounded samples.

Each table is judged by its own columns (C2ST: Lopez-Paz and Oquab, 2017), and with what its children add up to beside
them (C2ST-Agg: SyntheRela, https://github.com/martinjurkovic/syntherela): how many there are, how many different
categories, means of numbers. A sample holds whole families; one Python task on an executor has that of one table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.evaluation.classify import Features, tell_apart
from synthohive_spark.evaluation.halves import Halved
from synthohive_spark.evaluation.judging import Judged
from synthohive_spark.evaluation.kinds import column_of, complete
from synthohive_spark.evaluation.pair_counts import CountedColumn
from synthohive_spark.metadata import Metadata
from synthohive_spark.tables import ForeignKey
from synthohive_spark.worker import forget_archives

ROWS = 8_000  # of each side of a table that a classifier looks at
CHILD_ROWS = 100_000  # of each of its child tables and each side
LEAST_ROWS = 50  # of a table: below it, chance decides
BUCKETS = 2**20
_COLUMNS = "target int, role int, side int, key bigint, v array<double>"
_CALENDAR: dict[str, tuple[Callable[[Column], Column], ...]] = {
    "date": (F.month, F.dayofmonth, F.weekday),
    "timestamp": (F.month, F.dayofmonth, F.weekday, F.hour, F.minute),
}


@dataclass(frozen=True)
class Target:
    """A table that a classifier looks at.

    Attributes:
        table: its name.
        children: keys that lead to it: child table and foreign key.
    """

    table: str
    children: tuple[tuple[str, ForeignKey], ...]


def detect(
    metadata: Metadata,
    sides: tuple[Halved, Halved],
    coded: Mapping[str, Sequence[CountedColumn]],
    rows: Mapping[str, tuple[int, int]],
) -> tuple[list[Judged], list[str]]:
    """Train the classifiers: one Spark query for the whole lake.

    Args:
        metadata: tables and keys.
        sides: real and synthetic tables.
        coded: {table: columns that are looked at}.
        rows: {table: real and synthetic rows}.

    Returns:
        What was judged, and the tables that could not be, with the reason.
    """
    targets = [_target(name, metadata, coded) for name in metadata.tables]
    able = [t for t in targets if min(rows[t.table]) >= LEAST_ROWS and (coded[t.table] or t.children)]
    left_out = [
        f"{t.table}: {'too few rows' if coded[t.table] else 'no columns'} for a classifier"
        for t in targets
        if t not in able
    ]
    if not able:
        return [], left_out
    parts = [
        part
        for i, target in enumerate(able)
        for s, side in enumerate(sides)
        for part in _parts(i, target, side, (metadata, coded, {t: n[s] for t, n in rows.items()}))
    ]
    features = {
        i: tuple(_features(coded[t]) for t in (x.table, *(c for c, _ in x.children))) for i, x in enumerate(able)
    }
    frame = reduce(DataFrame.union, parts).repartition(len(able), "target")
    found = frame.mapInArrow(Classifiers(features), "target int, found string").collect()
    judged = []
    for row in sorted(found, key=lambda r: int(r["target"])):
        target = able[row["target"]].table
        for kind, place in json.loads(row["found"]).items():
            what = f"rows of {target}" if kind == "c2st" else f"rows of {target} with their children"
            judged.append(Judged("c2st", target, kind, what, **place))
    return judged, left_out


def _target(name: str, metadata: Metadata, coded: Mapping[str, Sequence[CountedColumn]]) -> Target:
    key = metadata.tables[name].primary_key
    return Target(
        name,
        tuple(
            (child, fk)
            for child, table in metadata.tables.items()
            for fk in table.foreign_keys
            if fk.references == name and key and set(fk.referenced_columns) == set(key)
        ),
    )


def _parts(
    number: int,
    target: Target,
    side: Halved,
    about: tuple[Metadata, Mapping[str, Sequence[CountedColumn]], Mapping[str, int]],
) -> list[DataFrame]:
    """The sample of one table and one side: its rows, and all children of them."""
    metadata, coded, rows = about
    key = metadata.tables[target.table].primary_key
    share = min(1.0, ROWS / max(rows[target.table], 1))
    own = (
        _identity(key) if key else F.xxhash64(*(column_of(c).cast("string") for c in side.frames[target.table].columns))
    )
    parts = [_rows((number, -1), side.sided(target.table, [own.alias("key"), _values(coded[target.table])]), share)]
    for role, (child, fk) in enumerate(target.children):
        same = dict(zip(fk.referenced_columns, fk.columns, strict=True))
        parent = F.when(complete(fk.columns), _identity([same[c] for c in key]))
        row = F.xxhash64(F.lit("thin"), *(column_of(c).cast("string") for c in side.frames[child].columns))
        frame = side.sided(child, [parent.alias("key"), _values(coded[child]), row.alias("row")])
        thin = min(1.0, CHILD_ROWS / max(rows[child] * share, 1))
        frame = frame.filter(F.col("key").isNotNull() & (F.pmod("row", F.lit(BUCKETS)) < int(thin * BUCKETS)))
        parts.append(_rows((number, role), frame, share))
    return parts


def _rows(at: tuple[int, int], frame: DataFrame, share: float) -> DataFrame:
    kept = frame.filter(F.pmod(F.xxhash64(F.lit("c2st"), "key"), F.lit(BUCKETS)) < F.lit(int(share * BUCKETS)))
    return kept.select(F.lit(at[0]).alias("target"), F.lit(at[1]).alias("role"), "side", "key", "v")


def _identity(columns: Sequence[str]) -> Column:
    return F.xxhash64(F.lit("row"), *(column_of(c).cast("string") for c in columns))


def _values(columns: Sequence[CountedColumn]) -> Column:
    """What a classifier sees of a row: numbers, times also by calendar, hashes of categories that others have too."""
    values: list[Column] = []
    for c in columns:
        if c.ordered:
            values.append(c.value)
            values += [f(column_of(c.field.name)).cast("double") for f in _CALENDAR.get(c.field.kind, ())]
        else:
            values.append(_code(c))
    return F.array(*values).cast("array<double>").alias("v")


def _code(column: CountedColumn) -> Column:
    """The place of a category among those that have a code; one more for all others."""
    known = F.array(*(F.lit(int(h)) for h in column.coder.edges)).cast("array<bigint>")
    place = F.array_position(known, column.value)
    other = F.lit(len(column.coder.edges) + 1)
    return F.when(column.value.isNotNull(), F.when(place > 0, place).otherwise(other)).cast("double")


def _features(columns: Sequence[CountedColumn]) -> Features:
    kinds: list[str] = []
    for c in columns:
        kinds.append("number" if c.field.kind in ("integer", "number") else "time" if c.ordered else "category")
        kinds += ["time"] * len(_CALENDAR.get(c.field.kind, ()))
    return tuple(kinds)


@dataclass(frozen=True)
class Classifiers:
    """What a task runs, as the function of ``mapInArrow``: samples of some tables in, one row per table out.

    Attributes:
        features: {target: kinds of the values of the table, then of each child}.
    """

    features: Mapping[int, tuple[Features, ...]]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """All rows of a table are in one partition."""
        forget_archives()
        held = [batch for batch in batches if batch.num_rows]
        if not held:
            return
        rows = pa.Table.from_batches(held)
        targets = rows.column("target").to_numpy()
        for target in np.unique(targets).tolist():
            found = tell_apart(rows.filter(pa.array(targets == target)), self.features[target])
            text = json.dumps({kind: asdict(told) for kind, told in found.items()})
            yield pa.RecordBatch.from_pydict({"target": pa.array([target], pa.int32()), "found": [text]})
