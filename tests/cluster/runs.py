"""Train once, generate many times, on whatever Spark: what the cluster tests share."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.launch.submit import command
from synthohive_spark.location import Location
from synthohive_spark.registry import Workspace
from synthohive_spark.session import settings

ROOT = Path(__file__).parents[2]
Hashes = dict[str, str]
SMALL = ("region", "territories", "employees", "employee_territories", "shippers")
LEAN_CONF = {  # for Spark processes that get none of the local defaults
    "spark.ui.enabled": "false",
    "spark.log.level": "WARN",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "3",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
}


@dataclass(frozen=True)
class Trained:
    """A workspace with trained models, to generate from.

    Attributes:
        spark: the tests' session, by which manifests are read.
        folder: source, workspace, targets and the configuration; models watch for their files here.
    """

    spark: SparkSession
    folder: Path

    @property
    def config(self) -> str:
        return str(self.folder / "run.yaml")

    def here(self, name: str, conf: Mapping[str, str] | None = None, *overrides: str) -> Hashes:
        """Generate in the tests' own session with some of its settings changed."""
        with settings(self.spark, conf or {}):
            line = job("generate", self.config, f"target.path={self.folder / name}", *overrides)
        return self.hashes(line["run_id"])

    def submitted(self, name: str, options: Sequence[str] = (), *overrides: str, **environ: str) -> Hashes:
        """Generate with jobs/generate.py in Spark processes of its own."""
        words = generate_words(self, name, options, *overrides)
        done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment(**environ), cwd=ROOT)
        return self.finished(done.returncode, done.stdout, done.stderr)

    def finished(self, code: int, stdout: str, stderr: str) -> Hashes:
        """What a job wrote that has ended; fails with its last words if it ended badly."""
        said = [line for line in stderr.splitlines() if not line.startswith("\tat ")]
        assert code == 0, "\n".join([stdout, *said[-60:]])
        assert stdout.count("\n") == 1, stdout
        return self.hashes(json.loads(stdout)["run_id"])

    def hashes(self, run_id: str) -> Hashes:
        """The content hash of each table that a run wrote."""
        events = Workspace(self.spark, Location(path=str(self.folder / "workspace"))).events(run_id)
        written = ("stage_written", "aggregates_written")
        return {str(e.table): e.payload["content"] for e in events if e.event in written}

    def metrics(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Metrics of each trained table."""
        return Workspace(self.spark, Location(path=str(self.folder / "workspace"))).models(run_id)[2]


def generate_words(trained: Trained, name: str, options: Sequence[str] = (), *overrides: str) -> list[str]:
    """jobs/generate.py as a command line."""
    sets = [w for o in (f"target.path={trained.folder / name}", *overrides) for w in ("--set", o)]
    return [str(ROOT / "spark-submit.sh"), *options, "jobs/generate.py", "--config", trained.config, *sets]


def conf_words(**more: str) -> list[str]:
    """LEAN_CONF, and settings whose dots are written as ``__``, as --conf words."""
    conf = {**LEAN_CONF, **{k.replace("__", "."): v for k, v in more.items()}}
    return [w for key, value in conf.items() for w in ("--conf", f"{key}={value}")]


def environment(**more: str) -> dict[str, str]:
    """The environment of a run beside the tests: without what their own session has set."""
    spark = ("PYSPARK_", "SPARK_", "PYTHONPATH", "OMP_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(spark)}
    return {**kept, "SPARK_LOCAL_IP": "127.0.0.1", "OMP_NUM_THREADS": "1", **more}


def job(name: str, config: str, *overrides: str, more: Sequence[str] = ()) -> dict[str, Any]:
    """Run a job in this process; its JSON line."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        getattr(cli, name)(["--config", config, *(w for o in overrides for w in ("--set", o)), *more])
    line: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return line


def trained_copy(
    spark: SparkSession, folder: Path, data: Path, tables: Sequence[str] | None, model: str, **train: Any
) -> Trained:
    """Some tables of a shared data set, ingested and trained.

    Args:
        spark: the tests' session.
        folder: where everything goes.
        data: the data set, with its schema.json.
        tables: those to take; all of them if None.
        model: a class of ``models``.
        train: further settings of training.
    """
    metadata = json.loads((data / "schema.json").read_text())["tables"]
    names = list(metadata) if tables is None else list(tables)
    files = folder / "files"
    files.mkdir(parents=True)
    for name in names:
        shutil.copy(data / f"{name}.parquet", files)
    options = {"folder": str(folder)}
    trained = configured(spark, folder, {n: metadata[n] for n in names}, model=model, options=options, **train)
    job("ingest", trained.config, more=["--from", str(files)])
    job("train", trained.config)
    return trained


def configured(spark: SparkSession, folder: Path, metadata: Mapping[str, Any], **train: Any) -> Trained:
    """A configuration over folder/source, /workspace and some target."""
    places = {p: {"path": str(folder / p)} for p in ("source", "target", "workspace")}
    config = {"run": "cluster", **places, "train": train, "metadata": {"tables": dict(metadata)}}
    (folder / "run.yaml").write_text(json.dumps(config))
    return Trained(spark, folder)


class Standalone:
    """A master and workers on this machine.

    Attributes:
        url: of the master.
        processes: the daemons, the master first.
    """

    def __init__(self, folder: Path, *workers: Mapping[str, str]) -> None:
        """Start them; each worker is given as {cores, gpus (optional)}."""
        _, env = command(["jobs/train.py"], environment())
        env |= {"SPARK_DAEMON_MEMORY": "384m", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        env |= {"SPARK_NO_DAEMONIZE": "1", "SPARK_LOG_DIR": str(folder)}
        self.folder, self.env = folder, env
        self.processes: list[subprocess.Popen[str]] = []
        place = "org.apache.spark.deploy"
        self._start([f"{place}.master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0"], {})
        self.url = self._line_of(0, "Starting Spark master at ").split()[-1]
        for number, worker in enumerate(workers):
            words = [f"{place}.worker.Worker", "--host", "127.0.0.1", "--cores", worker["cores"], "--memory", "1200m"]
            words += ["--webui-port", "0", "--work-dir", str(folder / f"work{number}"), self.url]
            self._start(words, _gpu_options(folder, worker.get("gpus")))
            self._line_of(number + 1, "Successfully registered with master")

    def _start(self, words: list[str], more: Mapping[str, str]) -> None:
        log = (self.folder / f"daemon{len(self.processes)}.log").open("w")
        spark_class = str(Path(self.env["SPARK_HOME"], "bin", "spark-class"))
        self.processes.append(
            subprocess.Popen([spark_class, *words], env={**self.env, **more}, stdout=log, stderr=log, text=True)
        )

    def log(self, number: int) -> str:
        """What a daemon has said so far."""
        return (self.folder / f"daemon{number}.log").read_text()

    def _line_of(self, number: int, text: str) -> str:
        for _ in range(600):
            line = next((x for x in self.log(number).splitlines() if text in x), None)
            if line is not None:
                return line
            assert self.processes[number].poll() is None, self.log(number)
            threading.Event().wait(0.1)
        raise AssertionError(f"{text!r} did not come:\n{self.log(number)}")

    def stop(self) -> None:
        """End every daemon; executors end with their workers."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def standalone(folder: Path, *workers: Mapping[str, str]) -> Iterator[Standalone]:
    """A standalone cluster for the length of a ``with`` block."""
    folder.mkdir(exist_ok=True)
    cluster = Standalone(folder, *workers)
    try:
        yield cluster
    finally:
        cluster.stop()


def _gpu_options(folder: Path, gpus: str | None) -> dict[str, str]:
    if gpus is None:
        return {}
    script = folder / "gpus.sh"
    addresses = ", ".join(f'"{i}"' for i in range(int(gpus)))
    script.write_text(f'#!/bin/sh\necho \'{{"name": "gpu", "addresses": [{addresses}]}}\'\n')
    script.chmod(0o755)
    name = "-Dspark.worker.resource.gpu"
    return {"SPARK_WORKER_OPTS": f"{name}.amount={gpus} {name}.discoveryScript={script}"}


def need_venv() -> None:
    """Skip where spark-submit.sh cannot run."""
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("this checkout has no .venv; make venv")
