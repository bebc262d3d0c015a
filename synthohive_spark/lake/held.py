"""Small tables are kept in memory while they are asked many questions: Delta lists a table's files for each of them."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from types import TracebackType

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from synthohive_spark.logs import get_logger

log = get_logger(__name__)
CELLS = 500_000  # rows by columns, a few MB in memory; what a cluster cannot hold goes to its disks


def persisted(frame: DataFrame) -> bool:
    """Keep a frame in memory once it is read; False where Spark keeps none (serverless): it is read each time then."""
    try:
        frame.persist()
    except PySparkException as e:
        log.debug("not_kept_in_memory", condition=e.getCondition())
        return False
    return True


class Held:
    """Keeps small frames in memory until its ``with`` block ends."""

    def __init__(self) -> None:
        self._kept: list[DataFrame] = []

    def keep(self, frame: DataFrame, rows: int) -> DataFrame:
        """The frame, kept if so many rows are few; it is read when it is first asked.

        What is kept is one partition, so that questions about it need no exchange of rows: a stage less for each.
        """
        if rows * len(frame.columns) > CELLS:
            return frame
        whole = frame.coalesce(1)
        if persisted(whole):
            self._kept.append(whole)
        return whole

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with nullcontext() if error is None else suppress(Exception):  # the first cause is what is raised
            for frame in self._kept:
                frame.unpersist()
