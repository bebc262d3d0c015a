"""Small tables are kept in memory while they are asked many questions: Delta lists a table's files for each of them."""

from __future__ import annotations

from types import TracebackType

from pyspark.sql import DataFrame

CELLS = 500_000  # rows by columns, a few MB in memory; what a cluster cannot hold goes to its disks


class Held:
    """Keeps small frames in memory until its ``with`` block ends."""

    def __init__(self) -> None:
        self._kept: list[DataFrame] = []

    def keep(self, frame: DataFrame, rows: int) -> DataFrame:
        """The frame, kept if so many rows are few; it is read when it is first asked."""
        if rows * len(frame.columns) <= CELLS:
            self._kept.append(frame.persist())
        return frame

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for frame in self._kept:
            frame.unpersist()
