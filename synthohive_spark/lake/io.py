"""Reads and writes of single Delta tables. Everything is SQL or DataFrame API, so it runs over Spark Connect too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyarrow import fs
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from synthohive_spark.errors import SourceDataError, SynthoHiveError, WriteError, kinds
from synthohive_spark.lake.location import LOG, Address, TableRef, quote, text_literal
from synthohive_spark.masking import masked

NEEDS_COLUMN_MAPPING = " ,;{}()\n\t="
RECENT = 20  # commits among which a write's own is looked for; others are a table's upkeep
FIRST_COMMIT = f"{0:020}.json"
OWN = re.compile(rf"\b({'|'.join(sorted(kinds()))}): ")
ABSENT = ("DELTA_TABLE_ONLY_OPERATION", "DELTA_MISSING_DELTA_TABLE", "TABLE_OR_VIEW_NOT_FOUND", "DELTA_TABLE_NOT_FOUND")


class DeltaIO:
    """Delta tables by folder or by name; a place is a ``TableRef`` or its text form.

    Another object with the same methods may stand in for it (``StagedOrchestrator(io=...)``).
    """

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self._made: set[str] = set()  # tables that did not exist before this object created them

    def version(self, place: TableRef | str, timestamp: str | None = None) -> int | None:
        """The newest version of a table (at ``timestamp``, if given); None where there is no such Delta table."""
        try:
            if timestamp is None:
                newest = self.spark.sql(f"DESCRIBE HISTORY {_ref(place).sql} LIMIT 1").collect()
            else:
                history = self.spark.sql(f"DESCRIBE HISTORY {_ref(place).sql}")
                old = history.where(F.col("timestamp") <= F.lit(timestamp).cast("timestamp"))
                newest = old.orderBy(F.desc("version")).limit(1).collect()
        except AnalysisException as e:
            if any(word in str(e) for word in ABSENT):
                return None
            raise
        return int(newest[0]["version"]) if newest else None

    def read_dataset(self, place: TableRef | str, version: int | None = None) -> DataFrame:
        """A table, at one version if given.

        Raises:
            SourceDataError: there is no such Delta table.
        """
        ref = _ref(place)
        if version is None:
            version = self.version(ref)
        if version is None:
            raise SourceDataError(f"{ref.sql} is not a Delta table; check the path or name, or ingest it first")
        try:
            return self.spark.sql(f"SELECT * FROM {ref.sql} VERSION AS OF {int(version)}")
        except AnalysisException as e:
            raise SourceDataError(f"{ref.sql} cannot be read at version {version}: {first_line(e)}") from e

    def write_dataset(
        self,
        frame: DataFrame,
        place: TableRef | str,
        schema: StructType | None = None,
        properties: Mapping[str, str] | None = None,
        user_metadata: str | None = None,
    ) -> tuple[int, int]:
        """Replace a table's rows in one transaction; create the table first where it is absent or of another schema.

        Args:
            frame: the rows, columns matched by name.
            place: the table.
            schema: names, order, types, nullability and comments of the table; the frame's own if not given.
            properties: table properties.
            user_metadata: text kept in the Delta commit.

        Returns:
            The version written and its number of rows.

        Raises:
            WriteError: with the cause, if the table cannot be created or written.
        """
        ref, wanted = _ref(place), schema or frame.schema
        with _failing_as(f"{ref.sql} could not be written"):
            present, empty = self.version(ref), True
            if present is None:
                self.spark.sql(_ddl("CREATE TABLE", ref, wanted, properties or {}))
                self._made.add(ref.sql)
            elif not _same(self.spark.sql(f"SELECT * FROM {ref.sql}").schema, wanted):
                self.spark.sql(_ddl("REPLACE TABLE", ref, wanted, properties or {}))
            else:
                empty = False
                if properties:
                    self.spark.sql(f"ALTER TABLE {ref.sql} SET TBLPROPERTIES ({_properties(properties)})")
            writer = frame.writeTo(ref.sql)
            if user_metadata is not None:
                writer = writer.option("userMetadata", user_metadata)
            if empty:  # an overwrite would look for files to remove, which takes longer than a small write
                writer.append()
            else:
                writer.overwrite(F.lit(True))
            commits = self.spark.sql(f"DESCRIBE HISTORY {ref.sql} LIMIT {RECENT}").collect()
        before = -1 if present is None else present
        wrote = [c for c in commits if c["operation"] == "WRITE" and c["version"] > before]
        if not wrote:  # Delta makes no commit where nothing replaces nothing
            return max(int(c["version"]) for c in commits), 0
        last = max(wrote, key=lambda c: int(c["version"]))
        return int(last["version"]), int(last["operationMetrics"].get("numOutputRows") or 0)

    def create(self, place: TableRef | str, schema: StructType) -> None:
        """Create an empty table; one that exists is left as it is."""
        ref = _ref(place)
        with _failing_as(f"{ref.sql} could not be created"):
            if self.version(ref) is None:
                self.spark.sql(_ddl("CREATE TABLE IF NOT EXISTS", ref, schema, {}))

    def append(self, frame: DataFrame, place: TableRef | str) -> None:
        """Add rows to a table that exists, in one transaction."""
        ref = _ref(place)
        with _failing_as(f"{ref.sql} could not be written"):
            frame.writeTo(ref.sql).append()

    def restore(self, place: TableRef | str, version: int) -> None:
        """Bring a table back to an earlier version, schema and properties included."""
        self.spark.sql(f"RESTORE TABLE {_ref(place).sql} TO VERSION AS OF {int(version)}")

    def drop(self, place: TableRef | str) -> None:
        """Remove a table with its files, if this object created it; whatever else is in the place stays as it is.

        Raises:
            WriteError: the table is another's, or its folder cannot be reached from here. Nothing is removed.
        """
        ref = _ref(place)
        if ref.sql not in self._made:
            raise WriteError(
                f"{ref.sql} was not created by this run, so it is not removed; remove it if it is not wanted"
            )
        if ref.path is None:
            self.spark.sql(f"DROP TABLE IF EXISTS {ref.sql}")
        else:
            detail = self.spark.sql(f"DESCRIBE DETAIL {ref.sql}").collect()[0]
            try:
                system, folder = file_system(str(detail["location"]))
                if _table_id(system, folder) != detail["id"]:
                    raise WriteError(f"{ref.sql} is not in the folder {folder} of this machine; remove it yourself")
                system.delete_dir(folder)
            except (OSError, ValueError) as e:
                raise WriteError(f"{ref.sql} could not be removed: {e}; remove it yourself") from e
        self._made.discard(ref.sql)


def file_system(folder: str) -> tuple[fs.FileSystem, str]:
    """The store that holds a folder, and the folder's name in it. Only scheme and host are read as those of a URL.

    Raises:
        OSError, ValueError: the store cannot be reached from here.
    """
    address = Address.parse(folder)
    if not address.scheme:
        return fs.LocalFileSystem(), address.path
    system, root = fs.FileSystem.from_uri(f"{address.scheme}://{address.host}/")
    return system, root.rstrip("/") + address.path


def _table_id(system: fs.FileSystem, folder: str) -> str | None:
    """The id in the first commit of the Delta table in a folder; None without one."""
    first = f"{folder}/{LOG}/{FIRST_COMMIT}"
    if system.get_file_info(first).type != fs.FileType.File:
        return None
    with system.open_input_stream(first) as stream:
        actions = [json.loads(line) for line in stream.read().splitlines()]
    ids = [action["metaData"]["id"] for action in actions if "metaData" in action]
    return str(ids[0]) if ids else None


@contextmanager
def _failing_as(what: str) -> Iterator[None]:
    """Raise what Spark raises in the block as a ``WriteError``."""
    try:
        yield
    except PySparkException as e:
        raise WriteError(f"{what}: {first_line(e)}") from e
    except Exception as e:
        if type(e).__name__ != "Py4JJavaError":  # classic Spark wraps what fails in a task in this one
            raise
        raise WriteError(f"{what}: {first_line(e)}") from e


def first_line(error: Exception) -> str:
    """The cause of a Spark error in one line, without its Java stack and without values; our own errors hold none."""
    java = getattr(error, "java_exception", None)
    cause: Any = java
    while cause is not None and cause.getCause() is not None:
        cause = cause.getCause()
    text = str(cause.getMessage() if cause is not None else error).strip()
    lines = [
        line for line in text.splitlines() if line.strip() and not line.startswith(("\tat", "  File", "Traceback"))
    ]
    named = [line for line in lines if "Error: " in line]  # what a Python worker raised
    line = (named or lines or [type(error).__name__])[0]
    own = isinstance(error, SynthoHiveError) or OWN.search(line)
    return (line if own else masked(line))[:500]


def _ref(place: TableRef | str) -> TableRef:
    return place if isinstance(place, TableRef) else TableRef.parse(place)


def _properties(properties: Mapping[str, str]) -> str:
    return ", ".join(f"{text_literal(k)} = {text_literal(v)}" for k, v in properties.items())


def _same(actual: StructType, wanted: StructType) -> bool:
    def face(field: StructField) -> tuple[object, ...]:
        return field.name, field.dataType, field.nullable, field.metadata.get("comment")

    return [face(f) for f in actual.fields] == [face(f) for f in wanted.fields]


def _ddl(verb: str, ref: TableRef, schema: StructType, properties: Mapping[str, str]) -> str:
    columns = []
    for f in schema.fields:
        comment = f.metadata.get("comment")
        raw_type = f.metadata.get("__CHAR_VARCHAR_TYPE_STRING", f.dataType.simpleString())
        columns.append(
            f"{quote(f.name)} {raw_type}{'' if f.nullable else ' NOT NULL'}"
            + (f" COMMENT {text_literal(comment)}" if comment else "")
        )
    settings = {"delta.enableDeletionVectors": "false", **properties}
    if any(ch in f.name for f in schema.fields for ch in NEEDS_COLUMN_MAPPING):
        settings["delta.columnMapping.mode"] = "name"
    return f"{verb} {ref.sql} ({', '.join(columns)}) USING DELTA TBLPROPERTIES ({_properties(settings)})"
