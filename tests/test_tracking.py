"""MLflow is told of a run: one there with a child per table, in a file store; nobody else needs it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthohive_spark.config import Tracking
from synthohive_spark.errors import ConfigError
from synthohive_spark.tracking import check_tracking
from tests.lakes import config_file

ROOT = Path(__file__).parents[1]
TABLES = {
    "users": {"primary_key": "id"},
    "orders": {
        "primary_key": "id",
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
    },
}
RUN = """
import sys
from synthohive_spark import cli
from synthohive_spark.session import get_session
spark, config, folder = get_session("t"), sys.argv[1], sys.argv[2]
spark.range(60).selectExpr("id", "id % 7 AS age").write.format("delta").save(f"{folder}/source/users")
orders = spark.range(180).selectExpr("id", "id % 60 AS user_id", "id % 9 AS amount")
orders.write.format("delta").save(f"{folder}/source/orders")
cli.pipeline(["--config", config])
"""
READ = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
place = client.get_experiment_by_name("copies").experiment_id
runs = [
    {
        "id": r.info.run_id,
        "status": r.info.status,
        "tags": r.data.tags,
        "params": r.data.params,
        "metrics": r.data.metrics,
        "files": {f.path: f.file_size for f in client.list_artifacts(r.info.run_id)},
        "epochs": len(client.get_metric_history(r.info.run_id, "look.step")),
    }
    for r in client.search_runs([place])
]
print(json.dumps(runs))
"""


def test_it_is_asked_for_before_any_work_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_tracking(None)
    with pytest.raises(ConfigError, match=r"install synthohive-spark\[mlflow\]"):
        check_tracking(Tracking(tracking_uri="file:///nowhere"))


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_a_run_and_its_tables_are_in_a_file_store(tmp_path: Path) -> None:
    packages, store = tmp_path / "packages", f"file://{tmp_path}/store"
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages)]
    subprocess.run([*words, "-c", str(ROOT / "requirements.lock"), "mlflow-skinny"], check=True)
    config = config_file(
        tmp_path,
        TABLES,
        train={"model": "ctgan", "epochs": 2},
        evaluate={"fail_under": 0},
        mlflow={"tracking_uri": store, "experiment": "copies"},
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)]), "MLFLOW_ALLOW_FILE_STORE": "true"}
    words = [sys.executable, "-c", RUN, config, str(tmp_path)]
    made = subprocess.run(words, check=False, capture_output=True, text=True, env=env, cwd=tmp_path)
    assert made.returncode == 0, made.stderr[-4000:]
    line = json.loads(made.stdout.splitlines()[-1])
    read = subprocess.run([sys.executable, "-c", READ, store], check=True, capture_output=True, text=True, env=env)
    runs = {r["tags"]["mlflow.runName"]: r for r in json.loads(read.stdout.splitlines()[-1])}
    assert {*runs} == {line["run_id"], "users", "orders"}
    whole = runs[line["run_id"]]
    assert whole["status"] == "FINISHED"
    assert (whole["params"]["train.epochs"], whole["params"]["generate.seed"]) == ("2", "1")
    assert whole["params"]["source.path"] == str(tmp_path / "source")
    assert {"columns", "pairs"} <= {*whole["metrics"]}
    assert all(whole["files"][name] > 1_000 for name in ("report.html", "report.json"))
    for table, rows in line["tables"].items():
        child = runs[table]
        assert child["tags"]["mlflow.parentRunId"] == whole["id"]
        assert child["metrics"]["rows"] == rows
        assert child["metrics"]["sample_rows"] > 0
        assert child["params"]["device"] == "cpu"
        assert child["files"]["model.zip"] > 1_000
        assert child["epochs"] > 0
