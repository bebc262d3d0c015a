"""Reads and writes of single Delta tables. Everything is SQL or DataFrame API, so it runs over Spark Connect too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyarrow import fs
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from synthohive_spark.errors import SourceDataError, WriteError
from synthohive_spark.lake.causes import failing_as, why
from synthohive_spark.lake.commits import ABSENT, OWNER, PREFIX, REPLACED, Commit, commits, marked
from synthohive_spark.lake.ddl import properties_sql, table_ddl
from synthohive_spark.lake.design import DEFAULT, Design, design_of
from synthohive_spark.lake.folders import clear_rest, file_system
from synthohive_spark.location import LOG, TableRef
from synthohive_spark.logs import get_logger
from synthohive_spark.nested import flat_schema
from synthohive_spark.sql import quote

log = get_logger(__name__)
FIRST_COMMIT = f"{0:020}.json"
NEW = "_synthohive_new_"  # before a table's name: its next rows; the underscore hides it from those who list a folder
FOR = f"{PREFIX}new_rows_of"  # property of that table


@dataclass(frozen=True)
class Wanted:
    """What a table shall be, beside its rows.

    Attributes:
        schema: its columns.
        properties: of the table.
        mark: what its writer says in the commit, by which the commit is known again.
        design: what else it declares.
    """

    schema: StructType
    properties: Mapping[str, str]
    mark: str | None
    design: Design

    def options(self, turn: int) -> dict[str, str]:
        """Options of the write.

        Delta commits an application's turn once: a second attempt, begun before the first one is known to have
        succeeded, finds that it has, or fails.
        """
        if self.mark is None:
            return {}
        name = hashlib.sha256(self.mark.encode()).hexdigest()[:32]
        return {"userMetadata": self.mark, "txnAppId": f"{PREFIX}{name}", "txnVersion": str(turn)}


class DeltaIO:
    """Delta tables by folder or by name; a place is a ``TableRef`` or its text form.

    Another object with the same methods may stand in for it (``StagedOrchestrator(io=...)``).
    """

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self._made: set[str] = set()  # tables that did not exist before this object created them

    def version(self, place: TableRef | str, timestamp: str | None = None) -> int | None:
        """The newest version of a table (at ``timestamp``, if given); None where there is no such Delta table."""
        ref = ref_of(place)
        with failing_as(f"{ref.sql} cannot be opened", SourceDataError):
            try:
                if timestamp is None:
                    newest = self.spark.sql(f"DESCRIBE HISTORY {ref.sql} LIMIT 1").collect()
                else:
                    history = self.spark.sql(f"DESCRIBE HISTORY {ref.sql}")
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
            SourceDataError: there is no such Delta table, or it cannot be opened.
        """
        ref = ref_of(place)
        if version is None:
            version = self.version(ref)
        if version is None:
            raise SourceDataError(f"{ref.sql} is not a Delta table; check the path or name, or ingest it first")
        with failing_as(f"{ref.sql} cannot be read at version {version}", SourceDataError):
            return self.spark.sql(f"SELECT * FROM {ref.sql} VERSION AS OF {int(version)}")

    def write_dataset(
        self,
        frame: DataFrame,
        place: TableRef | str,
        schema: StructType | None = None,
        properties: Mapping[str, str] | None = None,
        user_metadata: str | None = None,
        design: Design | None = None,
    ) -> tuple[int, int]:
        """Replace a table's rows in one transaction; create the table first where it is absent.

        Where it is of another schema, all rows are written to a table beside it first. Only when they are whole it gets
        its new schema, and the rows of that table.

        Args:
            frame: the rows, columns matched by name.
            place: the table.
            schema: the columns with nullability, comments and defaults; the frame's own if not given.
            properties: table properties.
            user_metadata: text kept in the Delta commit. Where the rows come from a commit with the same text, they are
                not written again.
            design: what else the table declares. A CHECK that Delta refuses is left out, and said.

        Returns:
            The version written and its number of rows.

        Raises:
            WriteError: with the cause, if the table cannot be created or written.
        """
        ref = ref_of(place)
        wanted = Wanted(schema or frame.schema, properties or {}, user_metadata, design or Design())
        with failing_as(f"{ref.sql} could not be written", WriteError):
            past = commits(self.spark, ref)
            made = marked(past, user_metadata)
            if made is None:
                made = self._replace_rows(frame, ref, wanted, past[0] if past else None)
            elif any(c.operation == REPLACED for c in past):
                self.tidy(ref)  # whoever wrote it was killed before that
            if past:
                self._say(ref, {**wanted.design.properties, **wanted.properties})
        return made.version, made.rows

    def _replace_rows(self, frame: DataFrame, ref: TableRef, wanted: Wanted, newest: Commit | None) -> Commit:
        """Replace a table's rows; if that fails, the table is as it was, or empty where it was not there."""
        present = None if newest is None else newest.version
        killed = newest is not None and newest.operation == REPLACED  # between shape and rows: these may be beside it
        other = killed or (newest is not None and self._other_shape(ref, wanted))
        try:
            if other:
                names = flat_schema(wanted.schema).fieldNames()
                wanted = replace(wanted, design=wanted.design.over(design_of(self.spark, ref), names))
                frame = self._beside(frame, ref, wanted)
            empty = self._prepare(ref, wanted, present, other)
            if empty:
                self._declare(ref, wanted.design.checks)
            self._rows(frame, ref, wanted, (present or 0) + 1, empty)
            if not empty:  # of the old rows some may have broken them
                self._declare(ref, wanted.design.checks)
        except Exception:
            lost = self._undone(ref, wanted, present)
            if other:
                self.tidy(ref)
            if lost is None:
                raise
            log.warning("answer_lost", place=ref.sql, version=lost.version)
            return lost
        if other:
            self.tidy(ref)
        since = [c for c in commits(self.spark, ref) if c.version > (-1 if present is None else present)]
        wrote = [c for c in since if c.operation == "WRITE"]
        if not wrote:  # Delta makes no commit where nothing replaces nothing
            return Commit(since[0].version if since else present or 0, "nothing", 0)
        return wrote[0]

    def _undone(self, ref: TableRef, wanted: Wanted, present: int | None) -> Commit | None:
        """After a failure: the commit, where only its answer was lost; else the table is brought back, and None."""
        try:
            past = commits(self.spark, ref)
            made = marked(past, wanted.mark)
            if made is None and present is not None and past and past[0].version != present:
                self.restore(ref, present)
        except Exception as e:  # the first cause is what is raised
            log.warning("table_left", place=ref.sql, cause=why(e))
            return None
        return made

    def _rows(self, frame: DataFrame, ref: TableRef, wanted: Wanted, turn: int, empty: bool) -> None:
        """Write all rows of a table in one transaction."""
        writer = frame.writeTo(ref.sql)
        for key, value in wanted.options(turn).items():
            writer = writer.option(key, value)
        if empty:  # an overwrite would look for files to remove, which takes longer than a small write
            writer.append()
        else:
            writer.overwrite(F.lit(True))

    def _other_shape(self, ref: TableRef, wanted: Wanted) -> bool:
        """Whether a table that is there has other columns, or its rows lie together in another way than wanted."""
        there = design_of(self.spark, ref) if wanted.design.laid_out else wanted.design
        laid = (there.partitions, there.clustering) == (wanted.design.partitions, wanted.design.clustering)
        return not laid or not _same(self.spark.sql(f"SELECT * FROM {ref.sql}").schema, wanted.schema)

    def _prepare(self, ref: TableRef, wanted: Wanted, present: int | None, other: bool) -> bool:
        """Make a table that takes the rows, if there is none. Returns whether it is empty."""
        if present is None or other:
            verb = "CREATE TABLE" if present is None else REPLACED
            if present is None:
                clear_rest(ref)
            self.spark.sql(table_ddl(verb, ref, wanted.schema, wanted.properties, wanted.design))
            if present is None:
                self._made.add(ref.sql)
            return True
        there = design_of(self.spark, ref).checks if wanted.design.checks else {}
        for name, sql in there.items():
            if wanted.design.checks.get(name, sql) != sql:
                self.spark.sql(f"ALTER TABLE {ref.sql} DROP CONSTRAINT {quote(name)}")
        return False

    def _beside(self, frame: DataFrame, ref: TableRef, wanted: Wanted) -> DataFrame:
        """The rows, in a table beside the one that they are for, which keeps its own until these are whole.

        Delta has no commit that brings rows and NOT NULL columns to a table which has rows (docs/failure.md).
        """
        place = ref.beside(NEW)
        if marked(commits(self.spark, place), wanted.mark) is None:
            self.tidy(ref)  # of another attempt
            clear_rest(place)
            said = {**wanted.properties, FOR: ref.sql}
            self.spark.sql(table_ddl("CREATE TABLE", place, wanted.schema, said, wanted.design))
            self._declare(place, wanted.design.checks)
            self._rows(frame, place, wanted, 1, empty=True)
        return self.spark.sql(f"SELECT * FROM {place.sql}")

    def tidy(self, place: TableRef | str) -> None:
        """Remove what was written beside a table, if an attempt to replace it has left that."""
        beside = ref_of(place).beside(NEW)
        try:
            if any(FOR.removeprefix(PREFIX) in c.said for c in commits(self.spark, beside)):
                self.remove(beside)
        except Exception as e:  # the table itself is as it should be
            log.warning("table_left", place=beside.sql, cause=why(e))

    def _say(self, ref: TableRef, properties: Mapping[str, str]) -> None:
        """Give a table its properties once its rows are there: old rows never carry those of a write that failed."""
        if not properties:
            return
        there = {r["key"]: r["value"] for r in self.spark.sql(f"SHOW TBLPROPERTIES {ref.sql}").collect()}
        if any(there.get(key) != value for key, value in properties.items()):
            self.spark.sql(f"ALTER TABLE {ref.sql} SET TBLPROPERTIES ({properties_sql(properties)})")

    def _declare(self, ref: TableRef, checks: Mapping[str, str]) -> None:
        """Declare CHECK constraints that the table has not yet."""
        there = design_of(self.spark, ref).checks if checks else {}
        for name in checks.keys() - there.keys():
            try:
                self.spark.sql(f"ALTER TABLE {ref.sql} ADD CONSTRAINT {quote(name)} CHECK ({checks[name]})")
            except PySparkException as e:
                log.warning("check_not_carried", place=ref.sql, check=name, cause=e.getCondition())

    def create(self, place: TableRef | str, schema: StructType) -> None:
        """Create an empty table; one that exists is left as it is."""
        ref = ref_of(place)
        with failing_as(f"{ref.sql} could not be created", WriteError):
            if self.version(ref) is None:
                clear_rest(ref)
                self.spark.sql(table_ddl("CREATE TABLE IF NOT EXISTS", ref, schema, {}, Design()))

    def append(self, frame: DataFrame, place: TableRef | str) -> None:
        """Add rows to a table that exists, in one transaction."""
        ref = ref_of(place)
        with failing_as(f"{ref.sql} could not be written", WriteError):
            frame.writeTo(ref.sql).append()

    def restore(self, place: TableRef | str, version: int) -> None:
        """Bring a table back to an earlier version, schema and properties included."""
        self.spark.sql(f"RESTORE TABLE {ref_of(place).sql} TO VERSION AS OF {int(version)}")

    def drop(self, place: TableRef | str, owner: str | None = None) -> None:
        """Remove a table with its files, if it was created by this object or by the run ``owner``, and only that.

        Raises:
            WriteError: the table is another's, or its folder cannot be reached from here. Nothing is removed.
        """
        ref = ref_of(place)
        first = [c for c in commits(self.spark, ref) if c.version == 0] if owner is not None else []
        if ref.sql not in self._made and not any(c.said.get(OWNER) == owner for c in first):
            raise WriteError(
                f"{ref.sql} was not created by this run, so it is not removed; remove it if it is not wanted"
            )
        self.remove(ref)

    def remove(self, ref: TableRef) -> None:
        """Remove a table with its files, whoever made it: its folder holds the log that Spark reads, or is left alone.

        Raises:
            WriteError: its folder cannot be reached from here. Nothing is removed.
        """
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


def _table_id(system: fs.FileSystem, folder: str) -> str | None:
    """The id in the first commit of the Delta table in a folder; None without one."""
    first = f"{folder}/{LOG}/{FIRST_COMMIT}"
    if system.get_file_info(first).type != fs.FileType.File:
        return None
    with system.open_input_stream(first) as stream:
        actions = [json.loads(line) for line in stream.read().splitlines()]
    ids = [action["metaData"]["id"] for action in actions if "metaData" in action]
    return str(ids[0]) if ids else None


def ref_of(place: TableRef | str) -> TableRef:
    """A place, or what its text form names."""
    return place if isinstance(place, TableRef) else TableRef.parse(place)


def _same(actual: StructType, wanted: StructType) -> bool:
    def face(field: StructField) -> tuple[object, ...]:
        return field.name, field.dataType, field.nullable, field.metadata.get("comment"), field.metadata.get(DEFAULT)

    return [face(f) for f in actual.fields] == [face(f) for f in wanted.fields]
