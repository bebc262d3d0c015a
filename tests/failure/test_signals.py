"""Ctrl-C and SIGTERM at any moment: the job ends with its line, its code, and the target as the policy says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthohive_spark.lake.io import DeltaIO
from tests.cluster.runs import LEAN_CONF, environment
from tests.lakes import config_file, write_lake

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
TABLES: dict[str, Any] = {
    "users": {"primary_key": "id"},
    "orders": {
        "primary_key": "order_id",
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
    },
}
MOMENTS = [  # what the log says right before the signal, which that is, and the policy
    ("source_checked", signal.SIGINT, "raise"),
    ("tables_to_train", signal.SIGTERM, "cleanup"),
    ("training_task_submitted", signal.SIGINT, "raise"),
    ("training_task_started", signal.SIGTERM, "cleanup"),
    ("table_trained", signal.SIGTERM, "raise"),
    ("tables_to_generate", signal.SIGINT, "cleanup"),
    ("stage_start", signal.SIGTERM, "raise"),
    ("stage_start", signal.SIGINT, "cleanup"),
    ("stage_written", signal.SIGINT, "raise"),
    ("stage_written", signal.SIGTERM, "cleanup"),
    ("table_released_from_memory", signal.SIGTERM, "cleanup"),
    ("table_evaluated", signal.SIGINT, "cleanup"),
]
LONG = ("training_task_submitted", "training_task_started")  # training still goes on when the signal comes
DONE = ("table_evaluated",)  # every table is written: nothing fails that a policy is for
OLD = [(7, "old")]


@pytest.fixture(scope="module")
def source(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signals") / "source"
    users = ("id bigint not null, region string", [(i, "ns"[i % 2]) for i in range(1, 401)])
    orders = ("order_id bigint not null, user_id bigint not null", [(100 + i, 1 + i % 390) for i in range(900)])
    write_lake(spark, folder, {"users": users, "orders": orders})
    return folder


@pytest.mark.parametrize(("event", "number", "policy"), MOMENTS)
def test_line_03_a_signal_ends_a_job_with_its_line(
    spark: SparkSession, source: Path, tmp_path: Path, event: str, number: signal.Signals, policy: str
) -> None:
    io, users = DeltaIO(spark), str(tmp_path / "target" / "users")
    io.write_dataset(spark.createDataFrame(OLD, "id bigint not null, region string"), users)
    train = {"model": "ctgan", **({"max_seconds": 60} if event in LONG else {"epochs": 2})}
    generate, evaluated = {"on_write_failure": policy}, {"fail_under": 0}
    places = {"source": {"path": str(source)}, "generate": generate, "evaluate": evaluated}
    file = config_file(tmp_path, TABLES, **places, train=train)
    words = [sys.executable, str(ROOT / "jobs" / "pipeline.py"), "--config", file, "--master", "local[2]"]
    words += [w for k, v in LEAN_CONF.items() for w in ("--conf", f"{k}={v}")]
    words += ["--log-level", "DEBUG"]
    env = environment()
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=ROOT, start_new_session=True
    ) as job:
        assert job.stderr is not None
        for line in job.stderr:
            if f'"event": "{event}"' in line:
                break
        else:
            pytest.fail(f"{event} did not come")
        struck = time.monotonic()
        os.kill(job.pid, number)
        out, err = job.communicate(timeout=60)
        took = time.monotonic() - struck
    last = json.loads(out)
    print(json.dumps({"event": event, "signal": number.name, "policy": policy, "seconds": round(took, 1)}))
    assert (job.returncode, last["status"]) == (128 + number, "interrupted"), err[-3000:]
    assert "Traceback" not in err
    target = tmp_path / "target"
    assert not list(tmp_path.rglob("_synthohive_lease")), "nobody else has to wait"
    rows = [tuple(r) for r in io.read_dataset(users).collect()]
    if event in DONE:
        assert (len(rows), len(last["tables"])) == (400, 2)
    elif policy == "cleanup":
        assert (rows, [p.name for p in target.iterdir()], last["tables"]) == (OLD, ["users"], {})
    elif "users" in last["tables"]:
        assert len(rows) == 400
    else:
        assert rows == OLD
