"""The whole pipeline in a session that refuses what serverless compute refuses, its workers within a gigabyte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from synthohive_spark.example import write_example

from .processes import children_of, command, peak_mib
from .runs import environment

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
HERE = Path(__file__).parent
WORKER_MIB = 1024  # the most memory of a Python worker there


def test_the_pipeline_runs_where_nothing_is_kept_and_few_settings_are_told(tmp_path: Path) -> None:
    write_example(tmp_path / "shop")
    config = str(tmp_path / "shop" / "shop.yaml")
    with (tmp_path / "ingest.log").open("w") as log:
        words = ["-c", "from synthohive_spark.cli import ingest; ingest()", "--config", config]
        words += ["--from", str(tmp_path / "shop" / "data")]
        subprocess.run([sys.executable, *words], check=True, stderr=log, stdout=log, env=environment(), cwd=tmp_path)
    env = environment(SPARK_REMOTE="local[2]", PYTHONPATH=str(HERE.parents[1]))
    sets = ["--set", "train.max_seconds=5", "--set", "evaluate.fail_under=0.0"]
    with (tmp_path / "log").open("w") as log:
        words = [sys.executable, str(HERE / "serverless.py"), "--config", config, *sets]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=env, cwd=tmp_path)
        peak = 0.0
        while process.poll() is None:
            workers = [p for p in children_of(process.pid) if "pyspark.daemon" in command(p)]
            peak = max([peak, *(peak_mib(p) for p in workers)])
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    said = (tmp_path / "log").read_text()
    assert process.returncode == 0, said[-4000:]
    assert process.stdout is not None
    line = json.loads(process.stdout.read().splitlines()[-1])
    assert line["status"] == "complete"
    assert set(line["tables"]) == {"customers", "products", "orders", "order_items", "reviews"}
    assert 0 < peak < WORKER_MIB
