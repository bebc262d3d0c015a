"""A run that goes on: what is complete is verified, the rest is made, and what changed meanwhile is refused by name."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark import cli, single_run
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.registry import Workspace
from tests.lakes import Done, config_file, content, run_job, write_lake

pytestmark = pytest.mark.spark
TABLES: dict[str, Any] = {
    "users": {"primary_key": "id"},
    "orders": {
        "primary_key": "order_id",
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
    },
}
ROWS = {"users": 12, "orders": 30}


@dataclass
class Failed:
    """A run whose first table is written and whose second one is not."""

    spark: SparkSession
    folder: Path
    file: str
    run_id: str

    def resumed(self, *more: str) -> Done:
        return run_job(cli.pipeline, "--config", self.file, "--resume", self.run_id, *more)

    def history(self, table: str) -> list[str]:
        past = self.spark.sql(f"DESCRIBE HISTORY delta.`{self.folder}/target/{table}`").orderBy("version").collect()
        return [r["operation"] for r in past]


@pytest.fixture
def failed(spark: SparkSession, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Failed:
    """A copy of a run that failed."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    text = (trained / "run.yaml").read_text().replace(str(trained), str(tmp_path))
    (tmp_path / "run.yaml").write_text(text)
    workspace = tmp_path / "workspace" / "manifest"
    rows = (
        spark.read.format("delta")
        .load(str(workspace))
        .withColumn("payload", F.replace("payload", F.lit(str(trained)), F.lit(str(tmp_path))))
    )
    spark.createDataFrame(rows.toArrow()).write.format("delta").mode("overwrite").save(str(workspace))
    return Failed(spark, tmp_path, str(tmp_path / "run.yaml"), (trained / "run_id").read_text())


@pytest.fixture(scope="module")
def trained(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that lost the connection before the second table."""
    folder = tmp_path_factory.mktemp("failed")
    users = ("id bigint not null, region string", [(i, "ns"[i % 2]) for i in range(1, 13)])
    orders = ("order_id bigint not null, user_id bigint not null", [(100 + i, 1 + i % 9) for i in range(30)])
    write_lake(spark, folder / "source", {"users": users, "orders": orders})
    file = config_file(folder, TABLES, evaluate={"fail_under": 0})
    write = DeltaIO.write_dataset

    def fails(self: DeltaIO, frame: Any, place: Any, **options: Any) -> tuple[int, int]:
        if "orders" in str(place):
            raise OSError("No space left on device")
        return write(self, frame, place, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeltaIO, "write_dataset", fails)
        done = run_job(cli.pipeline, "--config", file)
    assert (done.code, done.line["status"]) == (5, "failed"), done.err[-3000:]
    assert "orders: the disk is full (No space left on device); make room" in done.line["error"]
    (folder / "run_id").write_text(done.line["run_id"])
    return folder


def test_line_01_a_target_that_somebody_else_wrote_is_refused_by_name(failed: Failed) -> None:
    io, place = DeltaIO(failed.spark), str(failed.folder / "target" / "users")
    others = failed.spark.createDataFrame([(70, "x")], "id bigint not null, region string")
    io.write_dataset(others, place, user_metadata=json.dumps({"run_id": "B-1"}))
    refused = failed.resumed()
    assert refused.code == 5
    assert "users: run B-1, version 2" in refused.line["error"]
    assert "--start-over" in refused.line["error"]
    assert io.read_dataset(place).count() == 1, "nothing is touched"
    over = failed.resumed("--start-over")
    assert (over.code, over.line["tables"]) == (0, ROWS), over.err[-3000:]
    assert json.loads(Path(over.line["report"]).with_suffix(".json").read_text())["orphans"] == 0


def test_line_02_another_seed_is_refused_and_shown(failed: Failed, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = failed.resumed("--set", "generate.seed=5", "--set", "privacy.min_subjects=4")
    assert refused.code == 2
    assert "was started with another configuration" in refused.line["error"]
    assert "generate.seed: 1 then, 5 now" in refused.line["error"]
    assert "privacy.k: 5 then, 4 now" in refused.line["error"]
    monkeypatch.setattr(single_run, "package_digest", lambda: "another")
    assert "package.code" in failed.resumed().line["error"]
    assert failed.history("users") == ["CREATE TABLE", "WRITE"]


def test_what_failed_is_resumed_to_the_same_rows(failed: Failed) -> None:
    io, target = DeltaIO(failed.spark), failed.folder / "target"
    users = io.version(str(target / "users"))
    # rows that the source has got since are not those of this run
    few = failed.spark.createDataFrame([(i, "n") for i in range(1, 8)], "id bigint not null, region string")
    io.write_dataset(few, str(failed.folder / "source" / "users"))
    resumed = failed.resumed()
    assert (resumed.code, resumed.line["tables"]) == (0, ROWS), resumed.err[-2000:]
    assert not resumed.events("training_task_submitted"), "what is trained stays trained"
    assert io.version(str(target / "users")) == users
    rows = {t: content(io.read_dataset(str(target / t))) for t in TABLES}
    other = ("--set", f"target.path={failed.folder / 'b'}")
    made = run_job(cli.generate, "--config", failed.file, "--run", failed.run_id, *other)
    assert made.code == 0
    assert {t: content(io.read_dataset(str(failed.folder / "b" / t))) for t in TABLES} == rows


def test_line_11_what_is_missing_is_made_and_a_source_that_is_not_needed_may_be_gone(failed: Failed) -> None:
    target, source = failed.folder / "target", failed.folder / "source"
    rows = content(DeltaIO(failed.spark).read_dataset(str(target / "users")))
    source.rename(failed.folder / "elsewhere")
    other = ("--set", f"target.path={failed.folder / 'other'}", "--set", "generate.seed=5")
    made = run_job(cli.generate, "--config", failed.file, "--run", failed.run_id, *other)
    assert (made.code, made.line["tables"]) == (0, ROWS), made.err[-3000:]
    # seed 5, gone on with as seed 1: the run of generate is resumed as what it was, or not at all
    seeds = run_job(cli.pipeline, "--config", failed.file, "--resume", made.line["run_id"], *other[:2])
    assert (seeds.code, "generate.seed: 5 then, 1 now" in seeds.line["error"]) == (2, True)
    (failed.folder / "elsewhere").rename(source)
    shutil.rmtree(target / "users")
    failed.spark.catalog.clearCache()
    done = failed.resumed()
    assert (done.code, done.line["tables"]) == (0, ROWS), done.err[-3000:]
    assert content(DeltaIO(failed.spark).read_dataset(str(target / "users"))) == rows


@pytest.mark.slow
def test_an_answer_that_was_lost_is_not_written_twice(failed: Failed, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Workspace.record

    def dies(self: Workspace, run_id: str, event: str, table: str | None = None, **payload: Any) -> None:
        if event == "stage_written":
            raise KeyboardInterrupt
        record(self, run_id, event, table, **payload)

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "record", dies)
        assert failed.resumed().code == 130
    assert failed.history("orders") == ["CREATE TABLE", "WRITE"]
    done = failed.resumed()
    assert (done.code, done.line["tables"]) == (0, ROWS), done.err[-3000:]
    assert failed.history("orders") == ["CREATE TABLE", "WRITE"], "its mark was known again"


@pytest.mark.slow
def test_a_complete_table_whose_files_are_damaged_is_made_again(failed: Failed) -> None:
    place = failed.folder / "target" / "users"
    rows = content(DeltaIO(failed.spark).read_dataset(str(place)))
    for file in place.glob("*.parquet"):
        file.unlink()
    failed.spark.catalog.clearCache()
    done = failed.resumed()
    assert (done.code, done.line["tables"]) == (0, ROWS), done.err[-3000:]
    assert done.events("tables_to_redo")[0]["tables"] == ["users"]
    assert content(DeltaIO(failed.spark).read_dataset(str(place))) == rows
