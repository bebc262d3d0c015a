"""One seed, one lake: the content hash of every table, whatever the Spark that generated it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .processes import children_of, executors, parent
from .runs import (
    ROOT,
    SMALL,
    Hashes,
    Standalone,
    Trained,
    conf_words,
    environment,
    generate_words,
    need_venv,
    standalone,
)

SHUFFLE, ARROW = "spark.sql.shuffle.partitions", "spark.sql.execution.arrow.maxRecordsPerBatch"
ADAPTIVE, BROADCAST = "spark.sql.adaptive.enabled", "spark.sql.autoBroadcastJoinThreshold"
IN_SESSION = {
    "one partition": {SHUFFLE: "1"},
    "seven partitions": {SHUFFLE: "7"},
    "two hundred partitions": {SHUFFLE: "200"},
    "adaptive on": {ADAPTIVE: "true", SHUFFLE: "7"},
    "adaptive off": {ADAPTIVE: "false", SHUFFLE: "7"},
    "Arrow batches of 100": {ARROW: "100"},
    "Arrow batches of 10,000": {ARROW: "10000"},
    "Arrow batches of 7": {ARROW: "7", SHUFFLE: "1"},
    "no broadcast joins": {BROADCAST: "-1", SHUFFLE: "5"},
    "another time zone": {"spark.sql.session.timeZone": "Asia/Kathmandu"},
    "without ANSI": {"spark.sql.ansi.enabled": "false"},
}


# --- northwind's smallest chains, in the slow tier` -------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.usefixtures("as_large")
def test_small_chains_are_the_same_on_seven_partitions_and_in_small_batches(
    small: Trained, small_hashes: Hashes
) -> None:
    assert set(small_hashes) == set(SMALL)
    assert small.here("varied", {SHUFFLE: "7", ARROW: "100"}) == small_hashes


@pytest.mark.spark
@pytest.mark.slow
def test_small_chains_are_the_same_after_a_killed_worker(small: Trained, small_hashes: Hashes) -> None:
    assert after_a_killed_worker(small) == small_hashes


@pytest.mark.cluster
@pytest.mark.slow
def test_small_chains_are_the_same_on_one_core(small: Trained, small_hashes: Hashes) -> None:
    need_venv()
    assert small.submitted("one-core", ["--master", "local[1]", *conf_words()]) == small_hashes


@pytest.mark.slow
@pytest.mark.spark
def test_another_seed_gives_other_rows_and_no_run_leaves_a_setting_behind(small: Trained, small_hashes: Hashes) -> None:
    before = _settings(small)
    other = small.here("seeded", None, "generate.seed=2")
    assert {t for t, h in other.items() if h != small_hashes[t]} >= {"employees", "shippers", "employee_territories"}
    assert _settings(small) == before


def _settings(small: Trained) -> dict[str, str]:
    """The session's settings; Delta itself counts its commits in one of them."""
    return {
        k: v for k, v in small.spark.conf.getAll.items() if k != "spark.databricks.delta.lastCommitVersionInSession"
    }


# --- whole databases, in `make test-all` ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("conf", IN_SESSION.values(), ids=IN_SESSION.keys())
@pytest.mark.usefixtures("as_large")
def test_a_database_is_the_same_under(whole: Trained, whole_hashes: Hashes, conf: dict[str, str]) -> None:
    assert whole.here("varied", conf) == whole_hashes


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(1800)
def test_a_database_is_the_same_after_a_killed_worker(whole: Trained, whole_hashes: Hashes) -> None:
    assert after_a_killed_worker(whole) == whole_hashes


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("master", ["local[1]", "local[2,4]", "local-cluster[2,1,1024]"])
def test_a_database_is_the_same_on(whole: Trained, whole_hashes: Hashes, master: str) -> None:
    need_venv()
    assert whole.submitted("master", ["--master", master, *conf_words(spark__executor__memory="1g")]) == whole_hashes


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(1800)
def test_a_database_is_the_same_over_spark_connect(whole: Trained, whole_hashes: Hashes) -> None:
    need_venv()
    assert whole.submitted("connect", SPARK_REMOTE="local[2]") == whole_hashes


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(1800)
def test_a_database_is_the_same_after_a_killed_executor(whole: Trained, whole_hashes: Hashes, tmp_path: Path) -> None:
    need_venv()
    with standalone(tmp_path / "cluster", {"cores": "1"}, {"cores": "1"}) as cluster:
        assert after_a_killed_executor(whole, cluster, tmp_path) == whole_hashes
        assert "exitStatus 137" in cluster.log(1) + cluster.log(2)


# --- the murders ---------------------------------------------------------------------------------------------------


def after_a_killed_worker(trained: Trained) -> Hashes:
    """Generate; one Python worker is killed when it has just sampled the rows of a unit."""
    (trained.folder / "kill").touch()
    made = trained.here("killed")
    dead = list(trained.folder.glob("killed-*"))
    assert len(dead) == 1  # it happened, and once
    assert not Path("/proc", dead[0].name.partition("-")[2]).exists()
    dead[0].unlink()
    return made


def after_a_killed_executor(trained: Trained, cluster: Standalone, folder: Path) -> Hashes:
    """Generate on two executors; the one whose worker is seen to be sampling is killed."""
    slow = trained.folder / "slow"
    slow.touch()
    options = ["--master", cluster.url, "--executor-memory", "1g", "--executor-cores", "1", *conf_words()]
    words = generate_words(trained, "executor-killed", options)
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        run = subprocess.Popen(words, stdout=out, stderr=err, env=environment(), cwd=ROOT)
    try:
        worker = _sampling(trained.folder, run, folder / "err")
        executor = next(p for p in _executors(cluster) if worker in children_of(p))
        assert len(_executors(cluster)) == 2
        os.kill(executor, signal.SIGKILL)
        slow.unlink()
        run.wait(600)
    finally:
        slow.unlink(missing_ok=True)
        if run.poll() is None:
            run.terminate()
        for mark in trained.folder.glob("sampling-*"):
            mark.unlink()
    return trained.finished(run.returncode, (folder / "out").read_text(), (folder / "err").read_text())


def _executors(cluster: Standalone) -> list[int]:
    return [p for daemon in cluster.processes[1:] for p in executors(daemon.pid)]


def _sampling(folder: Path, run: subprocess.Popen[bytes], err: Path) -> int:
    """The worker that has begun to sample a moment ago, and still waits in there."""
    end = time.monotonic() + 400
    while time.monotonic() < end:
        assert run.poll() is None, err.read_text()[-4000:]
        for mark in folder.glob("sampling-*"):
            pid = int(mark.name.partition("-")[2])
            text = mark.read_text()
            if text and time.time() - float(text) < 1 and parent(pid):
                return pid
        time.sleep(0.05)
    raise AssertionError("no worker was seen sampling")
