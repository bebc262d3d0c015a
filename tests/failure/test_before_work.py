"""What can be checked before work is: with the contract's exit code, and nothing is written anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.errors import ConfigError, SerializationError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location
from synthohive_spark.registry import Workspace
from tests.lakes import config_file, run_job, write_lake

pytestmark = pytest.mark.spark
USERS = ("id bigint not null, region string, age int", [(i, "ns"[i % 2], i % 3) for i in range(1, 9)])
TABLES: dict[str, Any] = {"users": {"primary_key": "id"}}


@pytest.fixture(scope="module")
def source(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    write_lake(spark, folder, {"users": USERS})
    return folder


def refused(folder: Path, code: int, *messages: str, table: dict[str, Any] | None = None, **groups: Any) -> None:
    """A pipeline ends with this code and these words, and leaves nothing behind but its configuration."""
    file = config_file(folder, {"users": {**TABLES["users"], **(table or {})}}, **groups)
    done = run_job(cli.pipeline, "--config", file)
    assert (done.code, done.line["status"]) == (code, "failed"), done.err[-3000:]
    assert [m for m in messages if m not in done.line["error"]] == [], done.line["error"]
    assert "Traceback" not in done.err
    assert not [p.name for p in folder.iterdir() if p.name not in ("run.yaml", "source")]


def test_line_06_wrong_sql_is_found_before_training(spark: SparkSession, source: Path, tmp_path: Path) -> None:
    wrong = {
        "constraints": [
            {"expression": "aeg > 3"},
            {"expression": "age >"},
            {"expression": "age + 1"},
            {"expression": "sum(age) > 1"},
        ],
        "derived": {"age": "cast(array(1) as int)"},
        "rules": {"mine": "no_such_function(age)"},
    }
    said = ("`aeg`", "PARSE_SYNTAX_ERROR", "its type is int, and a condition is expected", "users.derived(age)")
    refused(tmp_path, 2, *said, "has 6 problems", "users.rules(mine)", table=wrong, source={"path": str(source)})


def test_line_06_what_cannot_be_asked_of_a_row_is_found_before_training(
    spark: SparkSession, source: Path, tmp_path: Path
) -> None:
    law = {"constraints": [{"expression": "1 / age > 0"}]}
    refused(tmp_path, 2, "cannot be evaluated on a row", "DIVIDE_BY_ZERO", table=law, source={"path": str(source)})


def test_line_08_an_address_without_its_jar(spark: SparkSession, tmp_path: Path) -> None:
    said = ("Spark has no driver for this kind of address", "--packages", "s3a://bucket/lake")
    refused(tmp_path, 2, *said, source={"path": "s3a://bucket/lake"})


def test_line_08_a_source_version_whose_files_are_gone(spark: SparkSession, tmp_path: Path) -> None:
    io, place = DeltaIO(spark), tmp_path / "source" / "users"
    io.write_dataset(spark.createDataFrame(USERS[1], USERS[0]).coalesce(1), str(place))
    old = {p.name for p in place.glob("*.parquet")}
    io.write_dataset(spark.createDataFrame(USERS[1], USERS[0]).coalesce(1), str(place))
    for name in old:  # what VACUUM does
        (place / name).unlink()
    spark.catalog.clearCache()
    said = ("files of the table are gone or damaged: VACUUM removes", "source.versions")
    refused(tmp_path, 3, *said, source={"path": str(tmp_path / "source"), "versions": {"users": 1}})


def _no_commit(folder: Path) -> None:
    (folder / "_delta_log" / f"{1:020}.json").unlink()
    (folder / "_delta_log" / f"{1:020}.json").write_text("{}")


def _torn_log(folder: Path) -> None:
    for log in folder.glob("_delta_log/*.json"):
        log.write_bytes(log.read_bytes()[:40])


def _no_rows(folder: Path) -> None:
    for file in folder.glob("*.parquet"):
        file.unlink()


def _garbage(folder: Path) -> None:
    for file in folder.glob("*.parquet"):
        file.write_bytes(b"no parquet")


def _gap(folder: Path) -> None:
    (folder / "_delta_log" / f"{0:020}.json").unlink()


@pytest.mark.parametrize("damage", [_no_commit, _torn_log, _no_rows, _garbage, _gap])
def test_line_08_a_workspace_that_is_damaged(
    spark: SparkSession, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    workspace = Workspace(spark, Location(path=str(tmp_path / "workspace")))
    workspace.prepare()
    workspace.record("r1", "training_complete", metadata_hash="x")
    damage(tmp_path / "workspace" / "manifest")
    shutil.copytree(tmp_path / "workspace", tmp_path / "copy")  # Spark remembers the log of the first
    other = Workspace(spark, Location(path=str(tmp_path / "copy")))
    for ask in (lambda: other.events("r1"), lambda: other.latest("training_complete", metadata_hash="x")):
        with pytest.raises((SerializationError, ConfigError)) as raised:
            ask()
        assert raised.value.exit_code in (2, 4)
        assert str(tmp_path / "copy") in str(raised.value)


def test_line_08_a_manifest_that_is_none(spark: SparkSession, tmp_path: Path) -> None:
    workspace = Workspace(spark, Location(path=str(tmp_path)))
    DeltaIO(spark).write_dataset(spark.range(3), str(tmp_path / "manifest"))
    with pytest.raises(SerializationError, match="its table manifest cannot be read"):
        workspace.events("r1")


@pytest.mark.parametrize(
    ("privacy", "said"),
    [
        ({"actions": {"region": "hash"}}, "set privacy.secret to env:NAME"),
        ({"actions": {"region": "hash"}, "secret": "env:NO_SUCH_KEY"}, "NO_SUCH_KEY holds nothing"),
        ({"actions": {"region": {"function": "no_such_module:f"}}}, "no_such_module:f is not there"),
    ],
)
def test_what_an_action_needs_is_asked_for_before_work(
    spark: SparkSession, source: Path, tmp_path: Path, privacy: dict[str, Any], said: str
) -> None:
    refused(tmp_path, 2, said, privacy=privacy, source={"path": str(source)})
