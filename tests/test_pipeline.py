"""The jobs on a tiny lake, as they are called from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark import cli
from synthohive_spark.lake.io import DeltaIO
from tests.lakes import Done, config_file, content, run_job, write_lake

pytestmark = pytest.mark.spark
USERS = ("id bigint not null, region string", [(i, "north" if i % 3 else "south") for i in range(1, 41)])
ORDERS = (
    "order_id bigint not null, user_id bigint not null, amount double",
    [(100 + i, 1 + i % 30, float(i % 11)) for i in range(90)],
)
TABLES: dict[str, Any] = {
    "users": {"primary_key": "id"},
    "orders": {
        "primary_key": "order_id",
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
    },
}
ROWS = {"users": 40, "orders": 90}


class Lake:
    """A folder with a source, and what lies in it afterwards."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder, self.io = spark, folder, DeltaIO(spark)
        write_lake(spark, folder / "source", {"users": USERS, "orders": ORDERS})

    def config(self, **groups: Any) -> str:
        return config_file(self.folder, TABLES, **{"evaluate": {"fail_under": 0}, **groups})

    def versions(self) -> dict[str, int | None]:
        return {t: self.io.version(str(self.folder / "target" / t)) for t in TABLES}

    def content(self) -> dict[str, tuple[int, int]]:
        return {t: content(self.io.read_dataset(str(self.folder / "target" / t))) for t in TABLES}

    def manifest(self, run_id: str) -> list[tuple[str, str | None, dict[str, Any]]]:
        rows = self.io.read_dataset(str(self.folder / "workspace" / "manifest")).where(F.col("run_id") == run_id)
        return [(r["event"], r["table_name"], json.loads(r["payload"])) for r in rows.orderBy("at").collect()]


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(spark, tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def done(lake: Lake) -> Done:
    """The whole pipeline, with a CTGAN of one epoch."""
    return run_job(cli.pipeline, "--config", lake.config(train={"model": "ctgan", "epochs": 1}), "--log-level", "DEBUG")


def test_it_ends_with_one_json_line_and_a_report(lake: Lake, done: Done) -> None:
    assert (done.code, done.line["status"], done.line["tables"]) == (0, "complete", ROWS), done.err[-3000:]
    assert set(done.line) == {"run_id", "status", "tables", "report", "seconds"}
    assert done.line["seconds"] > 0
    page = Path(done.line["report"])
    assert page.parent == lake.folder / "workspace" / "reports"
    text = page.read_text()
    assert all(table in text for table in TABLES)
    assert done.line["run_id"] in text
    tree = json.loads(page.with_suffix(".json").read_text())
    assert (tree["orphans"], tree["bad_keys"]) == (0, 0)
    assert tree["run"]["source"] == str(lake.folder / "source")
    assert f'href="{page.name}"' in (page.parent / "runs.html").read_text()
    kept = lake.spark.sql(f"SELECT * FROM delta.`{lake.folder}/workspace/metrics`").toPandas()
    kept = kept[kept["run_id"] == done.line["run_id"]]
    figures = kept[kept["kind"] == "figure"].set_index("what")["share"].to_dict()
    assert figures == {name: f["score"] for name, f in tree["figures"].items()}
    assert len(kept) == len(figures) + (kept["kind"] == "table").sum() + len(tree["judged"])


def test_every_log_line_names_the_run_and_no_line_holds_a_value(done: Done) -> None:
    lines = [json.loads(text) for text in done.err.splitlines() if text.startswith('{"') and '"event"' in text]
    named = [line for line in lines if line["run_id"] == done.line["run_id"]]
    assert {line["phase"] for line in named} >= {"train", "generate", "evaluate"}
    assert [line["table"] for line in done.events("table_released_from_memory")] == ["users", "orders"]
    assert not any("north" in str(line) for line in lines)


def test_the_manifest_tells_what_was_done(lake: Lake, done: Done) -> None:
    events = lake.manifest(done.line["run_id"])
    names = [event for event, _, _ in events]
    assert names[0] == "run_started"
    assert names[-1] == "run_complete"
    told: Callable[[str], dict[str, Any]] = lambda name: next(p for e, _, p in events if e == name)  # noqa: E731
    assert told("run_started")["source_versions"] == {"users": 1, "orders": 1}
    assert told("training_complete")["source_versions"] == {"users": 1, "orders": 1}
    stages = {table: payload for event, table, payload in events if event == "stage_written"}
    assert {t: p["rows"] for t, p in stages.items()} == ROWS
    assert {t: p["version"] for t, p in stages.items()} == lake.versions()
    peaks = told("run_complete")["driver"]
    assert peaks["driver_python_mib"] > 50
    assert peaks["driver_jvm_mib"] > 100


def test_tables_and_commits_carry_their_lineage(lake: Lake, done: Done) -> None:
    for table in TABLES:
        place = f"delta.`{lake.folder}/target/{table}`"
        shown = {r["key"]: r["value"] for r in lake.spark.sql(f"SHOW TBLPROPERTIES {place}").collect()}
        last = lake.spark.sql(f"DESCRIBE HISTORY {place}").orderBy(F.desc("version")).first()
        assert last is not None
        committed = json.loads(last["userMetadata"])
        for key, value in committed.items():
            assert shown[f"synthohive.{key}"] == value
        assert committed["run_id"] == committed["training_run"] == done.line["run_id"]
        assert (committed["model"], committed["train_seed"], committed["generate_seed"]) == ("ctgan", "1", "1")
        assert json.loads(committed["source_versions"]) == {"users": 1, "orders": 1}
        assert len(committed["config_hash"]) == 16


def test_a_complete_run_is_resumed_without_writing(lake: Lake, done: Done) -> None:
    file = lake.config(train={"model": "ctgan", "epochs": 1})
    before = lake.versions()
    other = run_job(cli.pipeline, "--config", file, "--set", "train.seed=2", "--resume", done.line["run_id"])
    assert other.code == 2
    assert "was started with another configuration" in other.line["error"]
    unknown = run_job(cli.pipeline, "--config", file, "--resume", "no-such-run")
    assert unknown.code == 2
    assert "'no-such-run' is not in the workspace" in unknown.line["error"]
    again = run_job(cli.pipeline, "--config", file, "--set", "run=renamed", "--resume", done.line["run_id"])
    assert (again.code, again.line["run_id"], again.line["tables"]) == (0, done.line["run_id"], ROWS)
    assert not again.events("training_task_submitted")
    assert lake.versions() == before


@pytest.mark.slow
def test_a_complete_run_below_the_gate_fails_and_its_tables_stay(lake: Lake, done: Done) -> None:
    file, before = lake.config(train={"model": "ctgan", "epochs": 1}), lake.versions()
    gate = run_job(cli.pipeline, "--config", file, "--set", "evaluate.fail_under=1.0", "--resume", done.line["run_id"])
    assert (gate.code, gate.line["status"], gate.line["tables"]) == (6, "failed", ROWS), "the tables stay"
    assert Path(gate.line["report"]).is_file()
    assert "evaluate.fail_under" in gate.line["error"]
    assert lake.versions() == before


@pytest.mark.slow
def test_each_phase_on_its_own(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, tmp_path)
    file = lake.config()
    early = run_job(cli.generate, "--config", file)
    assert (early.code, "no complete training" in early.line["error"]) == (4, True)
    first = run_job(cli.train, "--config", file)
    second = run_job(cli.train, "--config", file, "--set", "train.seed=5")
    assert (first.code, second.code) == (0, 0), first.err[-2000:]
    assert first.line["tables"] == ROWS
    made = run_job(cli.generate, "--config", file)
    assert made.line["tables"] == ROWS
    (started,) = [p for e, t, p in lake.manifest(made.line["run_id"]) if e == "stage_written" and t == "users"]
    assert started["rows"] == 40
    shown = spark.sql(f"SHOW TBLPROPERTIES delta.`{tmp_path}/target/users`").collect()
    assert {r["key"]: r["value"] for r in shown}["synthohive.training_run"] == second.line["run_id"], "the newest"
    rows = lake.content()
    checked = run_job(cli.evaluate, "--config", file, "--run", second.line["run_id"])
    assert (checked.code, checked.line["tables"]) == (0, ROWS)
    assert Path(checked.line["report"]).is_file()
    # another training on request; the gate fails, and says where the report is
    chosen = run_job(cli.generate, "--config", file, "--run", first.line["run_id"], "--set", "generate.scale=0.5")
    assert (chosen.code, chosen.line["tables"]["users"]) == (0, 20)
    assert lake.content() != rows
    gate = run_job(cli.evaluate, "--config", file, "--set", "evaluate.fail_under=1.0")
    assert (gate.code, gate.line["status"], gate.line["tables"]) == (6, "failed", {"users": 20, "orders": 45})
    assert Path(gate.line["report"]).is_file()
    assert run_job(cli.generate, "--config", file, "--run", "no-such-run").code in (2, 4)
