"""What the tests share: one lean Spark session, the shared data sets, the checkout's root."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
# Two workers of pytest with a thread per core each, beside Spark, wait for each other: a small model takes minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The same examples on every run; `pytest --hypothesis-profile=default` looks for new ones, as `make test-all` does.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

# Small Delta tables in seconds: few partitions and tasks, a quick start instead of a fast steady state. Expressions are
# interpreted: compiling each query's code takes longer than running it. The cluster tests run with Spark's defaults.
LEAN = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Nobody looks at what Spark's pages would tell of queries: their plans as texts, for a thousand of them
    "spark.ui.liveUpdate.period": "-1",
    "spark.ui.retainedJobs": "20",
    "spark.ui.retainedStages": "20",
    "spark.ui.retainedTasks": "100",
    "spark.sql.ui.retainedExecutions": "20",
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.delta.log.cacheSize": "40",  # each table in it holds a few MB
    "spark.buffer.pageSize": "1m",  # a task's thread keeps the page of each sort it ran, 16 MB by default
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.python.daemon.module": "tests.worker_daemon",  # a worker has its imports when it starts
    # C1 alone has a code cache of 48 MB; when that is full, everything is interpreted
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -Xmn600m -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with Spark tests come first. The others take seconds, so that no worker waits long for the last file."""
    long = {item.path for item in items if item.get_closest_marker("spark") or item.get_closest_marker("cluster")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local session with Delta; a failed task is tried again, as on a cluster."""
    from synthohive_spark.session import local_builder

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = local_builder("synthohive-tests").master("local[2,4]")
    for key, value in LEAN.items():
        builder = builder.config(key, value)
    builder = builder.config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
    with pytest.MonkeyPatch.context() as environment:  # the workers find the tests' own model; no other process does
        environment.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The data sets that lie beside the checkout of those who work on it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data sets (../shared/data) are not on this machine")
    return folder


@pytest.fixture
def as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small lake is worked on as large ones are: on as many partitions as the session says, none kept in memory."""
    monkeypatch.setattr("synthohive_spark.session.SMALL_CELLS", 0)
    monkeypatch.setattr("synthohive_spark.lake.held.CELLS", 0)
    monkeypatch.setattr("synthohive_spark.generation.stage.FAMILY_SLICE", 1)
