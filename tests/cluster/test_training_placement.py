"""Training on executors: tables side by side on the slots there are, each task on the GPU that Spark gave it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ..lakes import write_lake
from .runs import ROOT, conf_words, configured, environment, job, need_venv, standalone

MODEL = "tests.cluster.models.Placed"
SECONDS = 5.0


def _tables(names: list[str]) -> tuple[dict[str, object], dict[str, tuple[str, list[tuple[object, ...]]]]]:
    metadata = {n: {"primary_key": "id"} for n in names}
    rows: list[tuple[object, ...]] = [(i, float(i)) for i in range(20)]
    return dict(metadata), dict.fromkeys(names, ("id bigint not null, v double", rows))


@pytest.mark.spark
@pytest.mark.slow
def test_five_tables_on_two_slots(spark: SparkSession, tmp_path: Path) -> None:
    metadata, tables = _tables(["a", "b", "c", "d", "e"])
    write_lake(spark, tmp_path / "source", tables)
    trained = configured(spark, tmp_path, metadata, model=MODEL, options={"seconds": SECONDS})
    metrics = trained.metrics(job("train", trained.config)["run_id"])
    spans = sorted((m["began"], m["ended"]) for m in metrics.values())
    wall, total = max(e for _, e in spans) - spans[0][0], sum(e - b for b, e in spans)
    at_once = max(sum(b <= begin < e for b, e in spans) for begin, _ in spans)
    print(f"five tables: {wall:.1f} s on the clock, {total:.1f} s of training, {at_once} at once")
    assert len(metrics) == 5
    assert at_once == 2
    assert wall < 0.9 * total
    places = [m["placement"] for m in metrics.values()]
    assert all(p["host"] and p["pid"] for p in places)
    assert len({p["pid"] for p in places}) >= 2


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "asked", [{"spark__task__resource__gpu__amount": "1"}, {}], ids=["by each task", "by training"]
)
def test_two_tasks_side_by_side_get_different_gpus(spark: SparkSession, tmp_path: Path, asked: dict[str, str]) -> None:
    """GPUs are asked for by the cluster's settings, or where those ask for none by the stage that trains."""
    need_venv()
    metadata, tables = _tables(["a", "b"])
    write_lake(spark, tmp_path / "source", tables)
    trained = configured(spark, tmp_path, metadata, model=MODEL, options={"seconds": 10.0})
    gpus = conf_words(spark__executor__resource__gpu__amount="2", **asked)
    with standalone(tmp_path / "cluster", {"cores": "2", "gpus": "2"}) as cluster:
        options = ["--master", cluster.url, "--executor-memory", "1g", "--executor-cores", "2", *gpus]
        words = [str(ROOT / "spark-submit.sh"), *options, "jobs/train.py", "--config", trained.config]
        done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment(), cwd=ROOT)
    assert done.returncode == 0, done.stderr[-6000:]
    metrics = trained.metrics(json.loads(done.stdout)["run_id"])
    assert max(m["began"] for m in metrics.values()) < min(m["ended"] for m in metrics.values())  # side by side
    assert sorted(m["placement"]["gpus"] for m in metrics.values()) == [["0"], ["1"]]
