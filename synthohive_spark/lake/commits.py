"""What was done to a Delta table: its commits, whose they are, and which of them its rows come from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.errors import SourceDataError
from synthohive_spark.lake.causes import failing_as
from synthohive_spark.location import TableRef

ABSENT = ("DELTA_TABLE_ONLY_OPERATION", "DELTA_MISSING_DELTA_TABLE", "TABLE_OR_VIEW_NOT_FOUND", "DELTA_TABLE_NOT_FOUND")
RECENT = 100  # commits that are looked at: a run makes four of a table at most, upkeep some more
# A table's rows are the same before and after these.
UPKEEP = ("OPTIMIZE", "VACUUM", "SET ", "UNSET ", "ADD CONSTRAINT", "DROP CONSTRAINT", "CHANGE COLUMN", "COMPUTE STATS")
UPKEEP_TOO = ("REORG", "FSCK", "CLUSTER BY", "UPGRADE PROTOCOL", "ROW TRACKING", "ADD FEATURE", "DROP FEATURE")
REPLACED = "REPLACE TABLE"
CREATED = ("CREATE TABLE", REPLACED, "CREATE OR REPLACE TABLE")
OWNER = "run_id"  # of what a run says in its commits; its table properties have the same, behind PREFIX
PREFIX = "synthohive."


@dataclass(frozen=True)
class Commit:
    """One commit of a table.

    Attributes:
        version: the table's version after it.
        operation: as Delta names it.
        at: when, in milliseconds since 1970.
        said: what its writer said of it, or of the table that it made.
        rows: that it wrote; 0 where that is not told.
        restored: the version that it went back to, if it did.
    """

    version: int
    operation: str
    at: int
    said: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    restored: int | None = None

    @property
    def owner(self) -> str:
        """Whose it is: the run that made it, else its operation."""
        return f"run {self.said[OWNER]}" if OWNER in self.said else f"somebody's {self.operation}"


def commits(spark: SparkSession, ref: TableRef) -> list[Commit]:
    """The recent commits of a table, the newest first; none where there is no such Delta table."""
    with failing_as(f"{ref.sql} cannot be opened", SourceDataError):
        try:
            history = spark.sql(f"DESCRIBE HISTORY {ref.sql} LIMIT {RECENT}")
            rows = history.withColumn("at", F.unix_millis("timestamp")).collect()
        except AnalysisException as e:
            if any(word in str(e) for word in ABSENT):
                return []
            raise
    return [_commit(row.asDict()) for row in rows]


def source_of_rows(history: Sequence[Commit]) -> Commit | None:
    """The commit that a table's rows come from; None where it is too old to be known.

    Upkeep changes no row, and who goes back to a version has its rows.
    """
    most = history[0].version if history else -1
    for commit in history:
        if commit.version > most or commit.operation.startswith((*UPKEEP, *UPKEEP_TOO)):
            continue
        if commit.restored is None:
            return commit
        most = min(most, commit.restored)
    return None


def marked(history: Sequence[Commit], mark: str | None) -> Commit | None:
    """The commit that a table's rows come from, if its writer said exactly this; None without."""
    last = source_of_rows(history)
    if mark is None or last is None or last.operation.startswith(CREATED):  # a table that was made has no rows yet
        return None
    return last if last.said and last.said == _mapping(mark) else None


def _commit(row: Mapping[str, Any]) -> Commit:
    parameters, metrics = row["operationParameters"] or {}, row["operationMetrics"] or {}
    operation, restored = str(row["operation"]), parameters.get("version")
    said = _mapping(row["userMetadata"])
    if not said and operation.startswith(CREATED):
        properties = _mapping(parameters.get("properties"))
        said = {k.removeprefix(PREFIX): v for k, v in properties.items() if k.startswith(PREFIX)}
    return Commit(
        int(row["version"]),
        operation,
        int(row["at"]),
        said,
        int(metrics.get("numOutputRows") or 0),
        int(restored) if operation == "RESTORE" and restored is not None else None,
    )


def _mapping(text: str | None) -> dict[str, str]:
    """What a writer said, if it is the JSON of texts by name; others say what they like."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
