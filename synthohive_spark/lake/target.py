"""The target while a run writes it: rows at the versions that the run wrote, and the way back to what was there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyspark.sql import DataFrame

from synthohive_spark.errors import WriteError
from synthohive_spark.lake.causes import why
from synthohive_spark.lake.commits import OWNER, commits, source_of_rows
from synthohive_spark.location import Location, TableRef
from synthohive_spark.logs import get_logger
from synthohive_spark.parallel import side_by_side

log = get_logger(__name__)


class WrittenRows:
    """Tables of the target, each at the version that the run wrote, and read once until it is written again.

    Args:
        open_table: reads a table at a version; at its newest one where that is None.
        versions: {table: version} of what was written already; 0 where the writer does not tell.
    """

    def __init__(self, open_table: Callable[[str, int | None], DataFrame], versions: Mapping[str, int]) -> None:
        self._open, self._versions, self._known = open_table, dict(versions), dict[str, DataFrame]()

    def __call__(self, table: str) -> DataFrame:
        """The rows of a table."""
        if table not in self._known:
            self._known[table] = self._open(table, self._versions.get(table) or None)
        return self._known[table]

    def wrote(self, table: str, version: int) -> None:
        """Read a table at this version from here on."""
        self._versions[table] = version
        self._known.pop(table, None)


def bring_back(
    io: Any, target: Location, stages: Iterable[Iterable[str]], before: Mapping[str, int | None], owner: str | None
) -> list[str]:
    """Bring tables back to what they were before a run; each is tried, whatever happens to the others.

    Args:
        io: reads and writes tables.
        target: where they lie.
        stages: tables that the run may have touched, children first; those of a stage are brought back side by side.
        before: {table: its version before the run; None where it was not there}.
        owner: the run; None where its commits do not name it, and it is known that nobody else wrote.

    Returns:
        What is left as it is, with the reason.
    """

    def left(table: str) -> str | None:
        try:
            if before[table] is not None and hasattr(io, "tidy"):  # not every writer writes beside a table
                io.tidy(target.table(table))
            _bring_back(io, target.table(table), table, before[table], owner)
        except Exception as e:
            log.warning("table_left", table=table, cause=why(e))
            return f"{table}: {why(e)}"
        return None

    return [line for stage in stages for line in side_by_side(left, stage).values() if line is not None]


def _bring_back(io: Any, ref: TableRef, table: str, before: int | None, owner: str | None) -> None:
    past = [] if owner is None else commits(io.spark, ref)
    now = past[0].version if past else io.version(ref)
    if now == before:
        return
    if now is None:
        raise WriteError("it was there before the run and is gone; restore it from a copy")
    if owner is not None:
        last = source_of_rows(past)
        if last is not None and before is not None and last.version <= before:
            return  # its rows are those of then
        if last is not None and last.said.get(OWNER) != owner:
            raise WriteError(f"{last.owner} has written it since, so it is left as it is")
    if before is not None:
        io.restore(ref, before)
        log.info("table_restored", table=table, version=before)
    else:
        io.drop(ref) if owner is None else io.drop(ref, owner)
        log.info("table_removed", table=table)
