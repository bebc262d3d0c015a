"""Write policies: what was there before the run comes back, nothing is emptied before, nothing is written twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark import cli
from synthohive_spark.errors import WriteError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import TableRef
from synthohive_spark.manifest import CLEANED, FAILED
from synthohive_spark.registry import Workspace
from tests.lakes import Done, config_file, run_job, write_lake

pytestmark = pytest.mark.spark
TABLES: dict[str, Any] = {
    "users": {"primary_key": "id", "reference": True},
    "orders": {
        "primary_key": "order_id",
        "reference": True,
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
    },
}
OLD = {"users": [(7, "old")], "orders": [(8, 7)]}
DDL = {"users": "id bigint not null, region string", "orders": "order_id bigint not null, user_id bigint not null"}
Job = Callable[..., Done]


@pytest.fixture(scope="module")
def source(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables that are copied: what the policies are tried on needs no model."""
    folder = tmp_path_factory.mktemp("policies") / "source"
    users = (DDL["users"], [(i, "ns"[i % 2]) for i in range(1, 6)])
    orders = (DDL["orders"], [(100 + i, 1 + i % 5) for i in range(9)])
    write_lake(spark, folder, {"users": users, "orders": orders})
    return folder


@pytest.fixture
def fails(spark: SparkSession, source: Path, tmp_path: Path) -> Iterator[Job]:
    """Pipelines over an older target, whose second table cannot be written."""
    io = DeltaIO(spark)
    for table, rows in OLD.items():
        place = str(tmp_path / "target" / table)
        io.write_dataset(spark.createDataFrame(rows, DDL[table]), place, properties={"team": "ours"})
    write = DeltaIO.write_dataset

    def run(error: BaseException, *more: str) -> Done:
        def failing(self: DeltaIO, frame: Any, place: TableRef, **options: Any) -> tuple[int, int]:
            if "orders" in place.sql:
                raise error
            return write(self, frame, place, **options)

        file = config_file(tmp_path, TABLES, source={"path": str(source)}, evaluate={"fail_under": 0})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DeltaIO, "write_dataset", failing)
            return run_job(cli.pipeline, "--config", file, *more)

    return run


def rows(spark: SparkSession, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    io = DeltaIO(spark)
    return {t: [tuple(r) for r in io.read_dataset(str(folder / "target" / t)).collect()] for t in TABLES}


def properties(spark: SparkSession, place: Path) -> dict[str, str]:
    return {r["key"]: r["value"] for r in spark.sql(f"SHOW TBLPROPERTIES delta.`{place}`").collect()}


def test_line_04_cleanup_after_a_resume_brings_back_what_was_there_before_the_run(
    spark: SparkSession, fails: Job, tmp_path: Path
) -> None:
    first = fails(OSError("No space left on device"))
    assert (first.code, first.line["tables"]) == (5, {"users": 5})
    assert len(rows(spark, tmp_path)["users"]) == 5
    assert rows(spark, tmp_path)["orders"] == OLD["orders"]
    again = ("--resume", first.line["run_id"], "--set", "generate.on_write_failure=cleanup")
    second = fails(OSError("No space left on device"), *again)
    assert (second.code, second.line["tables"]) == (5, {})
    assert "orders: the disk is full" in second.line["error"]
    assert rows(spark, tmp_path) == OLD
    assert not any(k.startswith("synthohive.") for k in properties(spark, tmp_path / "target" / "users"))
    assert sorted(p.name for p in (tmp_path / "target").iterdir()) == ["orders", "users"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "code", "cause"),
    [
        (OSError("No space left on device"), 5, "orders: the disk is full"),
        (KeyboardInterrupt(15), 143, "ended by SIGTERM; go on with --resume"),
    ],
)
def test_line_05_what_cannot_be_brought_back_is_listed_and_the_first_cause_kept(
    spark: SparkSession,
    fails: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    cause: str,
) -> None:
    def lost(self: DeltaIO, place: TableRef, version: int) -> None:
        raise OSError("Connection reset by peer")

    with monkeypatch.context() as patch:
        patch.setattr(DeltaIO, "restore", lost)
        done = fails(error, "--set", "generate.on_write_failure=cleanup")
    assert done.code == code
    assert cause in done.line["error"]
    assert "users: a connection failed" in done.line["error"]
    assert "Traceback" not in done.err
    # as it says: the next attempt can clean up
    again = ("--resume", done.line["run_id"], "--set", "generate.on_write_failure=cleanup")
    assert fails(OSError("No space left on device"), *again).code == 5
    assert rows(spark, tmp_path) == OLD


@pytest.mark.slow
def test_a_cleanup_that_cannot_be_recorded_keeps_the_first_cause(
    spark: SparkSession, fails: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Workspace.record

    def full(self: Workspace, run_id: str, event: str, *more: Any, **said: Any) -> None:
        if event in (CLEANED, FAILED):
            raise OSError("No space left on device")
        record(self, run_id, event, *more, **said)

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "record", full)
        done = fails(OSError("Connection reset by peer"), "--set", "generate.on_write_failure=cleanup")
    assert (done.code, done.line["tables"]) == (5, {})
    assert "orders: a connection failed" in done.line["error"]
    assert rows(spark, tmp_path) == OLD
    again = fails(OSError("Connection reset by peer"), "--resume", done.line["run_id"])
    assert (again.code, again.line["tables"]) == (5, {"users": 5}), "made again"


def test_line_03_an_interrupt_under_cleanup_leaves_the_target_as_it_was(
    spark: SparkSession, fails: Job, tmp_path: Path
) -> None:
    done = fails(KeyboardInterrupt(15), "--set", "generate.on_write_failure=cleanup")
    assert (done.code, done.line["status"], done.line["tables"]) == (143, "interrupted", {})
    assert "SIGTERM" in done.line["error"]
    assert "Traceback" not in done.err
    assert rows(spark, tmp_path) == OLD
    told = DeltaIO(spark).read_dataset(str(tmp_path / "workspace" / "manifest")).where(F.col("event") == "run_failed")
    (failed,) = [json.loads(r["payload"]) for r in told.collect()]
    assert (failed["status"], failed["phase"]) == ("interrupted", "generate")


@pytest.mark.parametrize("ddl", [DDL["users"], "id int, other string"], ids=["same_shape", "other_shape"])
def test_line_07_a_write_that_fails_leaves_rows_and_properties(spark: SparkSession, tmp_path: Path, ddl: str) -> None:
    io, place = DeltaIO(spark), str(tmp_path / "t")
    io.write_dataset(spark.createDataFrame([(7, "old")], ddl), place, properties={"synthohive.run_id": "before"})
    frame = spark.createDataFrame([(1, "new")], DDL["users"])
    broken = frame.select(F.raise_error(F.lit("boom")).cast("bigint").alias("id"), "region")
    said = {"synthohive.run_id": "r2"}
    with pytest.raises(WriteError, match="boom"):
        io.write_dataset(broken, place, schema=frame.schema, properties=said, user_metadata='{"run_id": "r2"}')
    assert [tuple(r) for r in io.read_dataset(place).collect()] == [(7, "old")]
    assert properties(spark, tmp_path / "t")["synthohive.run_id"] == "before"
    version, count = io.write_dataset(frame, place, properties=said, user_metadata='{"run_id": "r2"}')
    assert count == 1
    assert io.write_dataset(frame, place, properties=said, user_metadata='{"run_id": "r2"}') == (version, 1), "once"
    assert io.read_dataset(place).count() == 1
    assert properties(spark, tmp_path / "t")["synthohive.run_id"] == "r2"
