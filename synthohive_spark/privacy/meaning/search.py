"""Spark's part: a bounded sample of a table streamed into one task on an executor; only findings come back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.privacy.meaning.found import ColumnSample, Meaning
from synthohive_spark.privacy.meaning.judge import meanings
from synthohive_spark.sql import quote
from synthohive_spark.tables import is_carried
from synthohive_spark.worker import forget_archives

ROWS = 20_000  # that the values are taken from, by the hash of the row's key
VALUES = 2_000  # distinct ones of each column that are looked at, by their hash
LONGEST = 300  # characters of a value that are looked at
BUCKETS = 2**30  # of hashes: a share of rows is exact to one in a billion
UNSEEN = ("binary", "boolean")  # types whose values say nothing


@dataclass(frozen=True)
class Finder:
    """What the task runs, as the function of ``mapInArrow``: rows in, one meaning per column out, as JSON.

    Attributes:
        table: its name.
        types: Spark type of each column, in their order.
    """

    table: str
    types: Mapping[str, str]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The whole sample in, all findings out."""
        forget_archives()
        rows = [0] * len(self.types)
        seen: list[set[str]] = [set() for _ in self.types]
        for batch in batches:
            for i, column in enumerate(batch.columns):
                known = column.drop_null()
                rows[i] += len(known)
                seen[i].update(known.unique().to_pylist())
        samples = [
            ColumnSample(name, kind, tuple(_some(seen[i])), rows[i] / max(1, len(seen[i])))
            for i, (name, kind) in enumerate(self.types.items())
        ]
        found = {name: m.model_dump() for name, m in meanings(self.table, samples).items()}
        yield pa.RecordBatch.from_pydict({"found": [json.dumps(found)]}, schema=pa.schema([("found", pa.string())]))


def _some(values: set[str]) -> list[str]:
    return sorted(values, key=lambda v: (zlib.crc32(v.encode()), v))[:VALUES]


def find_meanings(
    frame: DataFrame, table: str, types: Mapping[str, str], rows: int, key: Sequence[str]
) -> dict[str, Meaning]:
    """{column: what it means}, of the columns of which values are carried.

    Args:
        frame: the table's rows.
        table: its name, which may say that rows are people.
        types: Spark type of each column.
        rows: how many there are.
        key: columns by whose hash the sample is taken.
    """
    seen = {c: t for c, t in types.items() if is_carried(t) and t not in UNSEEN}
    if not seen or not rows:
        return {}
    if rows > ROWS:
        place = F.pmod(F.xxhash64(F.lit("meaning"), *(F.col(quote(c)) for c in key)), F.lit(BUCKETS))
        frame = frame.where(place < F.lit(int(ROWS / rows * BUCKETS)))
    shown = [F.left(F.col(quote(c)).cast("string"), F.lit(LONGEST)).alias(f"c{i}") for i, c in enumerate(seen)]
    told = frame.select(*shown).repartition(1).mapInArrow(Finder(table, seen), "found string").first()
    found = json.loads(told["found"]) if told is not None else {}
    return {c: Meaning.model_validate(m) for c, m in found.items()}
