"""Parquet and CSV files, one per table, into the source lake.

CSV has no types: the metadata's ``columns`` give them, and every value must fit. Parquet keeps its own.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, StringType, StructField, StructType, TimestampNTZType

from synthohive_spark.config import Config
from synthohive_spark.errors import SchemaError, SourceDataError
from synthohive_spark.ingest.parquet import ParquetTable
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.places import check_apart
from synthohive_spark.location import TableRef
from synthohive_spark.logs import bind, get_logger
from synthohive_spark.metadata import Metadata
from synthohive_spark.session import settings
from synthohive_spark.sql import quote, without_globs

log = get_logger(__name__)

FORMATS = (".parquet", ".csv", ".csv.gz", ".csv.zip")
NULLS = ("", "NA")
_CSV = {
    "header": "true",
    "enforceSchema": "false",  # each file's header must name the columns in this order, not just the first one's
    "mode": "FAILFAST",
    "multiLine": "true",
    "escape": '"',
}
_ZIP_BATCH = 10_000  # rows of a zipped CSV that are parsed at once on the driver
_HEADER_LINES = 100  # a header may have line breaks between quotes


@dataclass(frozen=True)
class Files:
    """The files of one table.

    Attributes:
        format: one of ``FORMATS``.
        path: the file, or the folder that holds the files.
        parts: every file.
    """

    format: str
    path: str
    parts: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """Columns that the folders between path and files name, as in ``day=2024-01-01``."""
        named = (unquote(folder.partition("=")[0]) for folder in self._folders if "=" in folder)
        return list(dict.fromkeys(named))

    @property
    def deep(self) -> bool:
        """Whether files lie in folders below the path that name no column."""
        return any("=" not in folder for folder in self._folders)

    @property
    def _folders(self) -> list[str]:
        return [folder for part in self.parts for folder in _below(part, self.path).split("/")[:-1]]


def ingest(spark: SparkSession, config: Config, folder: str) -> dict[str, int]:
    """Write the tables that the metadata names from files into the source lake, each in one transaction.

    Nothing is written before all files are found and every CSV value fits its type.

    Args:
        spark: the session.
        config: its source says where the tables go, its metadata which they are.
        folder: holds ``TABLE.parquet``, ``TABLE.csv``, ``TABLE.csv.gz`` or ``TABLE.csv.zip``, or a folder ``TABLE``
            of such files; anything that Spark can read (a local path, dbfs:, s3:, ...).

    Returns:
        The rows of each table.

    Raises:
        SourceDataError: the folder or files are missing, columns are missing, or values do not fit their types.
        SchemaError: a type of the metadata is none of Spark's.
        ConfigError: the files are those of the source lake itself.
        WriteError: a table cannot be written.
    """
    bind(phase="ingest")
    metadata: Metadata = config.metadata
    files = find_files(spark, folder, list(metadata.tables))
    places = {t: config.source.location.table(t) for t in files}
    check_apart(spark, {"folder to ingest": {t: TableRef.parse(f.path) for t, f in files.items()}, "source": places})
    rows = {}
    with settings(spark):  # times without a zone are UTC
        frames = read_tables(spark, files, {t: metadata.tables[t].columns for t in files})
        io_ = DeltaIO(spark)
        for table, frame in frames.items():
            _, rows[table] = io_.write_dataset(frame, places[table])
            log.info("table_ingested", table=table, rows=rows[table], format=files[table].format.lstrip("."))
            if not rows[table]:
                log.warning("table_empty", table=table)
    return rows


def find_files(spark: SparkSession, folder: str, tables: Iterable[str] | None) -> dict[str, Files]:
    """Where each table's files lie; with None, those of every table that the folder holds.

    Raises:
        SourceDataError: with every table that has no file, or files of more than one format.
    """
    root = _absolute(folder)
    found = _listing(spark, root)
    problems = []
    chosen = {}
    for table in sorted(found) if tables is None else tables:
        candidates = found.get(table, [])
        if len(candidates) == 1:
            chosen[table] = candidates[0]
            if candidates[0].keys and (candidates[0].deep or candidates[0].format == ".csv.zip"):
                keys = ", ".join(candidates[0].keys)
                problems.append(
                    f"{table}: its folders name columns ({keys}), whose values are lost beside other folders and in "
                    "zipped files; unpack these, and use one kind of folder"
                )
        elif candidates:
            formats = ", ".join(sorted(f.format for f in candidates))
            problems.append(f"{table}: more than one source ({formats}); keep one")
        else:
            problems.append(f"{table}: no {table}.parquet, {table}.csv, {table}.csv.gz, {table}.csv.zip or {table}/")
    if problems:
        there = ", ".join(sorted(found)) or "no parquet or CSV files"
        raise SourceDataError("\n  - ".join([f"folder {folder} (--from) holds {there}:", *problems]))
    return chosen


def read_tables(
    spark: SparkSession, files: Mapping[str, Files], columns: Mapping[str, Mapping[str, str]]
) -> dict[str, DataFrame]:
    """The files of tables as DataFrames.

    Args:
        spark: the session; its times without a zone are UTC.
        files: those of each table.
        columns: {table: {column: declared type}}.

    Raises:
        SourceDataError: with what is wrong with each table.
        SchemaError: a declared type is none of Spark's.
    """
    frames, problems = {}, []
    for table, found in files.items():
        try:
            frames[table] = read_table(spark, table, found, columns[table])
        except SourceDataError as e:
            problems.append(str(e))
    if problems:
        raise SourceDataError("\n".join(problems))
    return frames


def read_table(spark: SparkSession, table: str, files: Files, columns: Mapping[str, str]) -> DataFrame:
    """A table's files as a DataFrame with the declared types.

    Raises:
        SourceDataError: columns are missing, or values of a CSV do not fit their types.
        SchemaError: a declared type is none of Spark's.
    """
    if files.format == ".parquet":
        return _read_parquet(spark, table, files, columns)
    try:
        zipped = files.format == ".csv.zip"
        text = _read_zip(spark, table, files.path) if zipped else _read_csv(spark, table, files)
        absent = [c for c in columns if c not in text.columns]
        if absent:
            raise SourceDataError(
                f"{table}: {files.path} has no column {', '.join(absent)}; its header names {', '.join(text.columns)}"
            )
        types = {c: _type(spark, table, c, declared) for c, declared in columns.items()}
        undeclared = [c for c in text.columns if c not in types]
        if undeclared:
            log.warning("columns_undeclared", table=table, columns=undeclared, taken_as="string")
        clean = text.select(*(_null_if_na(c).alias(c) for c in text.columns))
        _check_values(table, clean, types)
    except PySparkException as e:
        raise _malformed(table, files, e) from e
    except Exception as e:
        if type(e).__name__ != "Py4JJavaError":  # what classic Spark makes of a failed task
            raise
        raise _malformed(table, files, e) from e
    return clean.select(*(F.col(quote(c)).cast(types.get(c, StringType())).alias(c) for c in clean.columns))


def _absolute(folder: str) -> str:
    return str(Path(folder).resolve()) if "://" not in folder and Path(folder).exists() else folder.rstrip("/")


def _listing(spark: SparkSession, root: str) -> dict[str, list[Files]]:
    """The files below a folder by table, listed by Spark, which reaches where the driver may not."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        listed = reader.load(without_globs(root)).select("path")
        paths = [row["path"] for row in listed.toLocalIterator()]
    except PySparkException as e:
        raise SourceDataError(f"folder {root} (--from) cannot be read: {e.getCondition() or type(e).__name__}") from e
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for path in paths:
        inner = _below(path, root)
        extension = next((x for x in FORMATS[::-1] if inner.endswith(x)), None)
        if extension is None:
            continue
        first, _, rest = inner.partition("/")
        table = re.sub(r"\.(parquet|csv)$", "", first) if rest else first.removesuffix(extension)
        place = f"{root}/{first}" if rest else path
        found.setdefault(table, {}).setdefault((extension, place), []).append(path)
    return {table: [Files(*of, tuple(parts)) for of, parts in places.items()] for table, places in found.items()}


def _below(path: str, root: str) -> str:
    """The part of a path below a folder; Spark may write the same folder with another scheme or host."""
    bare = "/" + re.sub(r"^\w[\w+.-]*:/*", "", root).strip("/") + "/"
    return ("/" + re.sub(r"^\w[\w+.-]*:/*", "", path)).partition(bare)[2]


def _read_parquet(spark: SparkSession, table: str, files: Files, columns: Mapping[str, str]) -> DataFrame:
    """Parquet keeps its types; columns that folders name have the declared ones, else those that Spark sees in them."""
    found = ParquetTable.look(table, files.path, files.parts, files.deep)
    problems = found.problems()
    if problems:
        raise SourceDataError("\n  - ".join([f"files of {table} cannot be read:", *problems]))
    types = {c: _type(spark, table, c, declared) for c, declared in columns.items()}
    keys = [c for c in files.keys if c in types]
    frame = found.frame(spark, types, keys)
    said = found.said()
    if said:
        log.warning("columns_read_as", table=table, columns=said)
    _check_values(table, frame, {c: types[c] for c in keys})
    casts = {c: F.col(quote(c)).cast(types[c]).alias(c) for c in keys}
    return _in_utc(frame.select(*(casts.get(c, F.col(quote(c))) for c in frame.columns)), columns)


def _in_utc(frame: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    """Timestamps without a zone become timestamps in UTC where the metadata declares ``timestamp``."""
    zoneless = {f.name for f in frame.schema.fields if isinstance(f.dataType, TimestampNTZType)}
    casts = {c for c in zoneless if columns.get(c) == "timestamp"}
    return frame.select(
        *(F.col(quote(c)).cast("timestamp").alias(c) if c in casts else F.col(quote(c)) for c in frame.columns)
    )


def _read_csv(spark: SparkSession, table: str, files: Files) -> DataFrame:
    """The fields as text; columns that folders name come last.

    Spark is told the header: to infer it, it would take signs in a file's name for a pattern.
    """
    path, deep = without_globs(files.path), {"recursiveFileLookup": str(files.deep).lower()}
    lines = spark.read.options(**deep).text(path).select("value").take(_HEADER_LINES)
    header = next(csv.reader(f"{line['value']}\n".removeprefix("\ufeff") for line in lines), [])
    _check_header(table, files.path, header)
    schema = _strings([*header, *(key for key in files.keys if key not in header)])
    return spark.read.options(**_CSV, **deep).schema(schema).csv(path)


def _read_zip(spark: SparkSession, table: str, path: str) -> DataFrame:
    """A zipped CSV, unpacked on an executor: Spark itself cannot read it."""
    archives = spark.read.format("binaryFile").load(without_globs(path)).select("content")
    head = archives.mapInPandas(_unzip(None), "header array<string>").first()
    header = list(head["header"]) if head is not None else []
    _check_header(table, path, header)
    return archives.mapInPandas(_unzip(header), _strings(header))


def _unzip(header: list[str] | None) -> Callable[[Iterable[pd.DataFrame]], Iterable[pd.DataFrame]]:
    """Rows of zipped CSV files as text; with ``header`` None, their header alone."""

    def rows(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            for content in batch["content"]:
                archive = zipfile.ZipFile(io.BytesIO(content))
                members = [n for n in archive.namelist() if n.endswith(".csv") and not n.startswith("__MACOSX")]
                for member in members:
                    with archive.open(member) as raw:
                        yield from _records(io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""), header)

    return rows


def _records(text: io.TextIOWrapper, header: list[str] | None) -> Iterator[pd.DataFrame]:
    reader = csv.reader(text)
    first = next(reader, [])
    if header is None:
        yield pd.DataFrame({"header": [first]})
        return
    if first != header:
        raise ValueError("the headers of the CSV files differ")
    while records := list(islice(reader, _ZIP_BATCH)):
        if any(len(record) != len(header) for record in records):
            raise ValueError(f"a record before line {reader.line_num + 1} has another number of fields than the header")
        yield pd.DataFrame(records, columns=pd.Index(header), dtype=object)


def _check_header(table: str, path: str, header: Sequence[str]) -> None:
    """Names that Spark would take for one.

    Raises:
        SourceDataError: with all of them.
    """
    if "" in header:
        raise SourceDataError(
            f"{table}: column {list(header).index('') + 1} of {path} has no name in the header; give it one"
        )
    names: dict[str, list[str]] = {}
    for name in header:
        names.setdefault(name.casefold(), []).append(name)
    twice = [" and ".join(same) for same in names.values() if len(same) > 1]
    if twice:
        raise SourceDataError(
            f"{table}: columns of {path} have one name but for its case ({', '.join(twice)}), which Spark and Delta do "
            "not tell apart; rename one of each"
        )


def _strings(header: list[str]) -> StructType:
    return StructType([StructField(name, StringType()) for name in header])


def _null_if_na(column: str) -> Column:
    value = F.col(quote(column))
    return F.when(~value.isin(*NULLS), value)


def _type(spark: SparkSession, table: str, column: str, declared: str) -> DataType:
    try:
        return spark.range(0).select(F.lit(None).cast(declared)).schema.fields[0].dataType
    except PySparkException as e:
        raise SchemaError(f"{table}.columns: {column} has the type {declared!r}, which Spark does not know") from e


def _check_values(table: str, text: DataFrame, types: dict[str, DataType]) -> None:
    """Count in one pass the values that do not fit the type of their column.

    Raises:
        SourceDataError: with every such column and its count, never a value.
    """
    typed = {c: t for c, t in types.items() if not isinstance(t, StringType)}
    if not typed:
        return
    unfit = [F.count_if(_unfit(c, t)).alias(f"unfit_{i}") for i, (c, t) in enumerate(typed.items())]
    counts = text.agg(*unfit).first()
    bad = {c: n for c, n in zip(typed, counts or (), strict=False) if n}
    if bad:
        lines = [f"{table}.{c}: {n} values are not {typed[c].simpleString()}" for c, n in bad.items()]
        remedy = "correct the file, or the type in the metadata's columns (empty and NA are null)"
        raise SourceDataError("\n  - ".join([f"values of {table} do not fit their types; {remedy}:", *lines]))


def _unfit(column: str, type_: DataType) -> Column:
    value = F.col(quote(column))
    cast = value.try_cast(type_)
    conditions = [cast.isNull()]
    if isinstance(type_, DecimalType):  # a cast rounds without a word
        conditions.append(cast != value.try_cast(DecimalType(38, min(38, type_.scale + 10))))
    return value.isNotNull() & reduce(lambda a, b: a | b, conditions)


def _malformed(table: str, files: Files, error: Exception) -> SourceDataError:
    """The error of a file that is not a well-formed CSV. Spark's own message holds the record, so it stays out."""
    names = re.findall(r"\[([A-Z][A-Z0-9_.]+)\]|(ValueError: [^\n]+|BadZipFile: [^\n]+)", str(error))
    causes = dict.fromkeys(a or b for a, b in names)
    return SourceDataError(
        f"{table}: {files.path} is not a well-formed CSV with a header ({', '.join(causes) or type(error).__name__}); "
        "each record needs as many fields as the header, quotes are doubled inside quotes, the encoding is UTF-8"
    )
