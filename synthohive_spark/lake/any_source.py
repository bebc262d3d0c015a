"""Sources that are no Delta tables: views, and other tables of the catalog. Their version is what they hold."""

from __future__ import annotations

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.errors import SourceDataError
from synthohive_spark.lake.causes import failing_as
from synthohive_spark.lake.content import content_hash
from synthohive_spark.lake.io import DeltaIO, ref_of
from synthohive_spark.location import TableRef
from synthohive_spark.logs import get_logger

log = get_logger(__name__)
LARGEST = 2**63  # of a version


class AnySource(DeltaIO):
    """Reads Delta tables at a version, and whatever else the catalog names as it is.

    What has no versions of its own is pinned by a hash of its rows, which are read once for it; where a later phase of
    a run finds other rows, it stops.
    """

    def __init__(self, spark: SparkSession) -> None:
        super().__init__(spark)
        self._known: dict[str, tuple[DataFrame, int] | None] = {}

    def version(self, place: TableRef | str, timestamp: str | None = None) -> int | None:
        """The version of a Delta table, as ever; of anything else a number that its rows give.

        Raises:
            SourceDataError: it cannot be opened; or it has no versions, and that of a time is wanted.
        """
        ref = ref_of(place)
        other = self._other(ref)
        if other is None:
            return super().version(ref, timestamp)
        if timestamp is not None:
            raise SourceDataError(
                f"{ref.sql} is no Delta table, so it has no version of {timestamp}; leave source.timestamp out, "
                "and pin the other tables by source.versions"
            )
        return other[1]

    def read_dataset(self, place: TableRef | str, version: int | None = None) -> DataFrame:
        """The rows.

        Raises:
            SourceDataError: it cannot be opened, or its rows are not those of that version.
        """
        ref = ref_of(place)
        other = self._other(ref)
        if other is None:
            return super().read_dataset(ref, version)
        if version not in (None, other[1]):
            raise SourceDataError(
                f"{ref.sql} has no versions, and its rows are not those that were learnt; train again, "
                "or bring them back"
            )
        return other[0]

    def _other(self, ref: TableRef) -> tuple[DataFrame, int] | None:
        """The rows of what is no Delta table, and their number; None for a Delta table, and for what is not there."""
        if ref.path is not None:
            return None
        if ref.sql not in self._known:
            self._known[ref.sql] = self._opened(ref)
        return self._known[ref.sql]

    def _opened(self, ref: TableRef) -> tuple[DataFrame, int] | None:
        try:
            if super().version(ref) is not None:
                return None
        except SourceDataError:  # Delta has no history of a view
            pass
        try:
            frame = self.spark.table(ref.sql)
            columns = frame.columns
        except AnalysisException:
            return None
        with failing_as(f"{ref.sql} cannot be read", SourceDataError):
            number = int(content_hash(frame), 16) % LARGEST
        log.warning("source_without_versions", source=ref.sql, columns=len(columns), pinned_by="a hash of its rows")
        return frame, number
