"""Spark's part: a bounded sample of a table streamed into one task on an executor; only findings come back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.parallel import side_by_side
from synthohive_spark.privacy.meaning.found import ColumnSample, Meaning
from synthohive_spark.privacy.meaning.judge import meanings
from synthohive_spark.sql import quote
from synthohive_spark.tables import is_carried
from synthohive_spark.worker import forget_archives

ROWS = 20_000  # that the values are taken from, by the hash of the row's key
VALUES = 2_000  # distinct ones of each column that are looked at, by their hash
LONGEST = 300  # characters of a value that are looked at
BUCKETS = 2**30  # of hashes: a share of rows is exact to one in a billion
TOGETHER = 16  # tables that one task looks at: more are too long a plan
UNSEEN = ("binary", "boolean")  # types whose values say nothing


@dataclass(frozen=True)
class Look:
    """A table whose columns are looked at.

    Attributes:
        table: its name, which may say that rows are people.
        frame: its rows.
        types: Spark type of each column.
        rows: how many there are.
        key: columns by whose hash the sample is taken.
    """

    table: str
    frame: DataFrame
    types: Mapping[str, str]
    rows: int
    key: Sequence[str]

    @property
    def seen(self) -> dict[str, str]:
        """The columns of which values are carried, with their types."""
        return {c: t for c, t in self.types.items() if is_carried(t) and t not in UNSEEN}

    def sample(self, place: int) -> DataFrame:
        """Rows of a bounded sample: the table's place among others, and its columns as texts."""
        frame = self.frame
        if self.rows > ROWS:
            hashed = F.pmod(F.xxhash64(F.lit("meaning"), *(F.col(quote(c)) for c in self.key)), F.lit(BUCKETS))
            frame = frame.where(hashed < F.lit(int(ROWS / self.rows * BUCKETS)))
        shown = [F.left(F.col(quote(c)).cast("string"), F.lit(LONGEST)) for c in self.seen]
        return frame.select(F.lit(place).alias("at"), F.array(*shown).alias("shown"))


@dataclass(frozen=True)
class Finder:
    """What the task runs, as the function of ``mapInArrow``: rows of some tables in, what each means out, as JSON.

    Attributes:
        tables: (name, Spark type of each column in their order) of each table.
    """

    tables: Sequence[tuple[str, Mapping[str, str]]]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The whole samples in, all findings out."""
        forget_archives()
        known = [_Seen(table, types) for table, types in self.tables]
        for batch in batches:
            at, shown = batch.column(0), batch.column(1)
            for place in at.unique().to_pylist():
                known[place].add(shown.filter(pc.equal(at, place)))
        found = {seen.table: seen.found() for seen in known}
        yield pa.RecordBatch.from_pydict({"found": [json.dumps(found)]}, schema=pa.schema([("found", pa.string())]))


class _Seen:
    """What is seen of one table."""

    def __init__(self, table: str, types: Mapping[str, str]) -> None:
        self.table, self.types = table, types
        self.rows = [0] * len(types)
        self.values: list[set[str]] = [set() for _ in types]

    def add(self, shown: pa.ListArray) -> None:
        """Some of its rows, each the list of its values."""
        for i in range(len(self.types)):
            there = pc.list_element(shown, i).drop_null()
            self.rows[i] += len(there)
            self.values[i].update(there.unique().to_pylist())

    def found(self) -> dict[str, dict[str, Any]]:
        """What its columns mean."""
        samples = [
            ColumnSample(name, kind, tuple(_some(self.values[i])), self.rows[i] / max(1, len(self.values[i])))
            for i, (name, kind) in enumerate(self.types.items())
        ]
        return {name: m.model_dump() for name, m in meanings(self.table, samples).items()}


def _some(values: set[str]) -> list[str]:
    return sorted(values, key=lambda v: (zlib.crc32(v.encode()), v))[:VALUES]


def find_meanings(looks: Iterable[Look]) -> dict[str, dict[str, Meaning]]:
    """{table: {column: what it means}}, of the columns of which values are carried.

    Small tables are looked at by one task together: a task costs more than they do.
    """
    asked = list(looks)
    able = [look for look in asked if look.seen and look.rows]
    groups = _groups(able)
    told = side_by_side(lambda group: _together(groups[group]), groups)
    return {**{look.table: {} for look in asked}, **{t: found for each in told.values() for t, found in each.items()}}


def _groups(looks: Sequence[Look]) -> dict[str, list[Look]]:
    """Tables whose samples are together no larger than one may be, by the name of the first."""
    groups, room, last = dict[str, list[Look]](), 0, ""
    for look in looks:
        if look.rows > room or len(groups[last]) == TOGETHER:
            room, last = ROWS, look.table
        room -= min(look.rows, ROWS)
        groups.setdefault(last, []).append(look)
    return groups


def _together(looks: Sequence[Look]) -> dict[str, dict[str, Meaning]]:
    """What the columns of some tables mean, by one task."""
    rows = reduce(DataFrame.unionAll, [look.sample(place) for place, look in enumerate(looks)])
    finder = Finder([(look.table, look.seen) for look in looks])
    told = rows.repartition(1).mapInArrow(finder, "found string").first()
    found = json.loads(told["found"]) if told is not None else {}
    return {t: {c: Meaning.model_validate(m) for c, m in each.items()} for t, each in found.items()}
