"""Over Spark Connect, what the client says does not grow with the models: workers get them from the registry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from .runs import ROOT, Trained, configured, environment, job

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
METADATA = {
    "users": {"primary_key": "id"},
    "orders": {
        "primary_key": "id",
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
        "constraints": [{"expression": "amount >= paid"}],
    },
}
BALLAST = 4_000_000


def heavy(spark: SparkSession, folder: Path, ballast: int) -> Trained:
    """Users and their orders, trained with models of so many bytes."""
    folder.mkdir()
    spark.range(40).selectExpr("id", "id % 7 AS age").coalesce(1).write.format("delta").save(f"{folder}/source/users")
    orders = spark.range(120).selectExpr("id", "id % 40 AS user_id", "id % 9 + id % 5 AS amount", "id % 9 AS paid")
    orders.coalesce(1).write.format("delta").save(f"{folder}/source/orders")
    options = {"ballast": ballast}
    made = configured(spark, folder, METADATA, model="tests.cluster.models.Heavy", options=options)
    job("train", made.config)
    return made


def test_messages_are_as_large_with_large_models(spark: SparkSession, tmp_path: Path) -> None:
    sizes = {}
    for name, ballast in (("light", 0), ("heavy", BALLAST)):
        made, file = heavy(spark, tmp_path / name, ballast), tmp_path / f"{name}.txt"
        words = ["-m", "tests.cluster.messages", str(file), "generate", "--config", made.config]
        env = environment(SPARK_REMOTE="local[2]", PYTHONPATH=str(ROOT))
        done = subprocess.run(
            [sys.executable, *words], check=False, capture_output=True, text=True, env=env, cwd=tmp_path
        )
        made.finished(done.returncode, done.stdout, done.stderr)
        sizes[name] = int(file.read_text())
    assert 0 < sizes["light"] < BALLAST / 4
    assert abs(sizes["heavy"] - sizes["light"]) < 1_000  # paths and run ids differ a little
