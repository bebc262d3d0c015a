"""A table that gets another shape keeps its rows until the new ones are whole, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.errors import WriteError
from synthohive_spark.lake.design import Design
from synthohive_spark.lake.io import NEW, DeltaIO
from synthohive_spark.lake.target import bring_back
from synthohive_spark.location import Location

pytestmark = pytest.mark.spark
OLD, NEWER = "id int, other string", "`id` bigint NOT NULL COMMENT 'the key', `two words` string"
MARK, SAID = '{"run_id": "r2", "step": "rows"}', {"synthohive.run_id": "r2"}
DESIGN = Design(checks={"law": "id > 0"})


class Killed(BaseException):
    """What no handler catches, as little as a process that is killed does."""


# The dearest test has the catalog in make test, the others a folder; the slow tier has both of all.
FOLDER = pytest.mark.parametrize("target", ["path", pytest.param("catalog", marks=pytest.mark.slow)], indirect=True)
CATALOG = pytest.mark.parametrize("target", ["catalog", pytest.param("path", marks=pytest.mark.slow)], indirect=True)


@pytest.fixture
def target(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Iterator[Location]:
    """A place with a table of an older shape."""
    place = Location(path=str(tmp_path)) if request.param == "path" else Location(schema_name="other_shape")
    if place.path is None:
        spark.sql(f"CREATE SCHEMA other_shape LOCATION '{tmp_path}'")
    DeltaIO(spark).write_dataset(spark.createDataFrame([(7, "old")], OLD), place.table("t"))
    yield place
    if place.path is None:
        spark.sql("DROP SCHEMA other_shape CASCADE")


def write(spark: SparkSession, target: Location, frame: DataFrame) -> tuple[int, int]:
    schema = spark.createDataFrame([], NEWER).schema
    said: dict[str, Any] = {"schema": schema, "properties": SAID, "user_metadata": MARK, "design": DESIGN}
    return DeltaIO(spark).write_dataset(frame, target.table("t"), **said)


def rows(spark: SparkSession, target: Location) -> list[tuple[Any, ...]]:
    return sorted(tuple(r) for r in DeltaIO(spark).read_dataset(target.table("t")).collect())


def beside(spark: SparkSession, target: Location) -> int | None:
    return DeltaIO(spark).version(target.table(f"{NEW}t"))


@CATALOG
def test_old_rows_are_read_while_the_new_ones_are_made(spark: SparkSession, target: Location, tmp_path: Path) -> None:
    begun, go = str(tmp_path / "_begun"), str(tmp_path / "_go")

    def slow(parts: Iterator[Any]) -> Iterator[Any]:
        Path(begun).touch()
        while not Path(go).exists():
            time.sleep(0.05)
        yield from parts

    frame = spark.createDataFrame([(1, "new"), (2, None)], NEWER).coalesce(1)
    made: list[tuple[int, int]] = []
    writing = threading.Thread(target=lambda: made.append(write(spark, target, frame.mapInArrow(slow, frame.schema))))
    writing.start()
    try:
        while writing.is_alive() and not Path(begun).exists():
            time.sleep(0.05)
        assert rows(spark, target) == [(7, "old")]
    finally:
        Path(go).touch()
        writing.join()
    assert made
    assert made[0][1] == 2
    new = DeltaIO(spark).read_dataset(target.table("t"))
    assert new.schema == frame.schema, "names, types, NOT NULL, comments"
    assert rows(spark, target) == [(1, "new"), (2, None)]
    assert beside(spark, target) is None
    with pytest.raises(Exception, match="DELTA_VIOLATE_CONSTRAINT"):
        spark.sql(f"INSERT INTO {target.table('t').sql} VALUES (-1, 'x')")


@FOLDER
def test_rows_that_fail_in_the_middle_leave_the_old_ones(spark: SparkSession, target: Location) -> None:
    broken = spark.range(1, 9, 1, 2).selectExpr("if(id > 6, raise_error('boom'), id) AS id", "'x' AS `two words`")
    with pytest.raises(WriteError, match="boom"):
        write(spark, target, broken)
    assert rows(spark, target) == [(7, "old")]
    assert DeltaIO(spark).version(target.table("t")) == 1, "nothing was done to the table"
    assert beside(spark, target) is None


@FOLDER
@pytest.mark.parametrize("moment", ["before the swap", "within it"])
def test_new_rows_that_are_whole_are_taken_by_the_next_attempt(
    spark: SparkSession, target: Location, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    prepare = DeltaIO._prepare

    def killed(*given: Any) -> bool:
        if moment == "within it":
            prepare(*given)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(DeltaIO, "_prepare", killed)
        with pytest.raises(Killed):
            write(spark, target, spark.createDataFrame([(1, "new")], NEWER))
    assert rows(spark, target) == ([(7, "old")] if moment == "before the swap" else [])
    assert beside(spark, target) is not None
    never = spark.range(1).selectExpr("cast(raise_error('again') AS bigint) AS id", "'' AS `two words`")
    assert write(spark, target, never)[1] == 1
    assert rows(spark, target) == [(1, "new")]
    assert beside(spark, target) is None


@FOLDER
def test_a_cleanup_removes_what_a_killed_attempt_left_beside_and_nothing_else(
    spark: SparkSession, target: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> bool:
        raise Killed

    io = DeltaIO(spark)
    with monkeypatch.context() as patch:
        patch.setattr(DeltaIO, "_prepare", killed)
        with pytest.raises(Killed):
            write(spark, target, spark.createDataFrame([(1, "new")], NEWER))
    io.write_dataset(spark.createDataFrame([(7, "old")], OLD), target.table(f"{NEW}stranger"))
    assert bring_back(io, target, [["t", "stranger"]], {"t": 1, "stranger": None}, "r2") == []
    assert rows(spark, target) == [(7, "old")]
    assert beside(spark, target) is None
    assert io.version(target.table(f"{NEW}stranger")) == 1, "somebody's own, whatever its name"
