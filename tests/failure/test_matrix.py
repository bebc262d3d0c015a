"""The matrix of policies: on paths and catalog tables, classic Spark and Connect, and four kinds of targets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.cluster.runs import environment

from .matrix import PLACES, POLICIES, TARGETS, cases

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(0)]
ROOT = Path(__file__).parents[2]


def test_policies_on_classic_spark(spark: SparkSession, tmp_path: Path) -> None:
    made = list(cases(spark, tmp_path))
    assert [c for c in made if c["found"] != c["wanted"]] == []
    assert len(made) == len(POLICIES) * len(PLACES) * len(TARGETS)


def test_policies_over_connect(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.failure.matrix", str(tmp_path)]
    env = environment(SPARK_REMOTE="local[2]", PYTHONPATH=str(ROOT))
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    made = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"policy"')]
    assert [c for c in made if c["found"] != c["wanted"]] == []
    assert len(made) == len(POLICIES) * len(PLACES) * len(TARGETS)
