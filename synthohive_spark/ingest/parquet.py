"""Parquet files as Spark can read them: what Spark has no type for is found in the footers, and read or refused.

Spark infers the schema of a folder from one of its files, and stops at the first type that it does not know. So the
footers are looked at here; where they hold nothing odd, Spark reads the files by itself, else it is told as what each
column is stored, and SQL makes of it what it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StringType, StructField, StructType

from synthohive_spark.errors import SourceDataError
from synthohive_spark.ingest.footer import Reading, layout_of
from synthohive_spark.lake.causes import condition
from synthohive_spark.sql import quote, without_globs

LOOKED_AT = 1000  # files of a table whose footers are read at first; the others follow where these differ
THREADS = 16  # a footer is a few KB, and may be far away
WIDER = ("tinyint", "smallint", "int", "bigint")  # whole numbers of one column may be of several sizes
Layout = tuple[tuple[str, Reading], ...]


@dataclass(frozen=True)
class ParquetTable:
    """The Parquet files of one table.

    Attributes:
        table: its name.
        path: the file, or the folder that holds the files.
        files: every file.
        deep: they lie in folders below the path that name no column.
        layouts: {columns as they are stored: the files that store them so}; {} where no footer can be reached.
    """

    table: str
    path: str
    files: tuple[str, ...]
    deep: bool
    layouts: Mapping[Layout, Sequence[str]]

    @classmethod
    def look(cls, table: str, path: str, files: Sequence[str], deep: bool) -> ParquetTable:
        """Read the footers of the files."""
        layouts = _grouped(files[:LOOKED_AT])
        if len(layouts) > 1:
            layouts = _grouped(files)
        return cls(table, path, tuple(files), deep, layouts)

    @property
    def plain(self) -> bool:
        """Whether Spark reads the files as they are meant without being told anything."""
        return len(self.layouts) <= 1 and not any(r.odd for layout in self.layouts for _, r in layout)

    def problems(self) -> list[str]:
        """What cannot be read: a line for each column, with its file and the way out."""
        found: dict[str, str] = {}
        for layout, files in self.layouts.items():
            for column, reading in layout:
                if reading.problem:
                    found.setdefault(column, f"{self.table}.{column} ({files[0]}): {reading.problem}")
        for column, kinds in self._kinds().items():
            if len({*kinds}) > 1 and not {k.simpleString() for k in kinds} <= {*WIDER}:
                types = " and ".join(f"{kind.simpleString()} in {file}" for kind, file in kinds.items())
                found.setdefault(column, f"{self.table}.{column} is {types}; write its files with one type")
        first: dict[str, str] = {}
        for column in self._kinds():
            other = first.setdefault(column.casefold(), column)
            if other != column:
                found[column] = (
                    f"{self.table}.{column} ({self.path}): differs from {other} in case alone, which Spark and Delta "
                    "do not tell apart; rename one of them"
                )
        return list(found.values())

    def frame(self, spark: SparkSession, declared: Mapping[str, DataType], keys: Sequence[str]) -> DataFrame:
        """The rows of all files.

        Args:
            spark: the session; its times without a zone are UTC.
            declared: types that the metadata gives; those of columns of which the files know nothing.
            keys: columns that folders name and that shall come as the text they have there.

        Raises:
            SourceDataError: Spark cannot read the files.
        """
        try:
            if self.plain:
                return self._plain(spark, keys)
            types = self.types(declared)
            parts = [self._part(spark, layout, files, types, keys) for layout, files in self.layouts.items()]
            return reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), parts)
        except Exception as e:
            if not isinstance(e, PySparkException) and type(e).__name__ != "Py4JJavaError":  # of a failed task
                raise
            raise SourceDataError(
                f"{self.table}: Spark cannot read {self.path} as Parquet ({condition(e)}); write it again with "
                "types that Spark has (times in microseconds, no time of day, no half precision)"
            ) from e

    def types(self, declared: Mapping[str, DataType]) -> dict[str, DataType]:
        """{column: its type, once all files are read}."""
        made = {}
        for column, kinds in self._kinds().items():
            widest = max(kinds, key=lambda kind: WIDER.index(kind.simpleString())) if len(kinds) > 1 else None
            made[column] = widest or next(iter(kinds), declared.get(column, StringType()))
        return made

    def said(self) -> dict[str, str]:
        """{column: what became of it on the way}."""
        kinds = self._kinds()
        all_said = ((column, r) for layout in self.layouts for column, r in layout if r.said)
        return {column: r.said for column, r in all_said if r.type is not None or not kinds[column]}

    def _kinds(self) -> dict[str, dict[DataType, str]]:
        """{column: {type: a file that has it so}}; no type where files know nothing but nulls."""
        kinds: dict[str, dict[DataType, str]] = {}
        for layout, files in self.layouts.items():
            for column, reading in layout:
                of = kinds.setdefault(column, {})
                if reading.type is not None:
                    of.setdefault(reading.type, files[0])
        return kinds

    def _plain(self, spark: SparkSession, keys: Sequence[str]) -> DataFrame:
        path, reader = without_globs(self.path), spark.read.option("recursiveFileLookup", str(self.deep).lower())
        frame = reader.parquet(path)
        if not keys:
            return frame
        fields = [StructField(f.name, StringType()) if f.name in keys else f for f in frame.schema.fields]
        return reader.schema(StructType(fields)).parquet(path)

    def _part(
        self,
        spark: SparkSession,
        layout: Layout,
        files: Sequence[str],
        types: Mapping[str, DataType],
        keys: Sequence[str],
    ) -> DataFrame:
        """The rows of the files that store their columns in one way; columns of a folder's name come last."""
        stored = [StructField(c, r.stored) for c, r in layout if r.stored is not None]
        stored += [StructField(key, StringType()) for key in keys]
        reader = spark.read.schema(StructType(stored))
        if [*files] != [self.path]:
            reader = reader.option("basePath", self.path)
        frame = reader.parquet(*(without_globs(f) for f in files))
        own = [F.expr(r.sql.format(quote(c))).cast(types[c]).alias(c) for c, r in layout]
        inside = {c for c, _ in layout}
        return frame.select(*own, *(F.col(quote(c)) for c in frame.columns if c not in inside))


def _grouped(files: Sequence[str]) -> dict[Layout, list[str]]:
    with ThreadPoolExecutor(THREADS, thread_name_prefix="footer") as pool:
        layouts = list(pool.map(layout_of, files))
    groups: dict[Layout, list[str]] = {}
    for file, layout in zip(files, layouts, strict=True):
        if layout is None:
            return {}
        groups.setdefault(layout, []).append(file)
    return groups
