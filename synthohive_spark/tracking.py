"""What a run did, told to MLflow: a run there with a child per table. MLflow is imported only where it is asked for."""

from __future__ import annotations

import importlib.util
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthohive_spark.config import Config, Tracking
from synthohive_spark.errors import ConfigError
from synthohive_spark.evaluation.places import table_figures
from synthohive_spark.evaluation.scores import Evaluation
from synthohive_spark.lake.causes import first_line
from synthohive_spark.logs import get_logger
from synthohive_spark.models.artifact import Artifact

log = get_logger(__name__)
PARENT, NAME, RUN = "mlflow.parentRunId", "mlflow.runName", "synthohive.run_id"  # the first two are MLflow's own
LONGEST = 500  # characters of a parameter that every store takes
AT_ONCE = 100  # parameters, or metrics, that every store takes in one request


@dataclass(frozen=True)
class FinishedRun:
    """What is told of a run.

    Attributes:
        run_id: the run.
        config: its configuration.
        evaluation: what was found.
        models: {table: what its training said}.
        artifacts: {table: what its training left}.
        texts: of the report: its page and JSON.
        passed: whether the gate was.
    """

    run_id: str
    config: Config
    evaluation: Evaluation
    models: Mapping[str, Mapping[str, Any]]
    artifacts: Mapping[str, Artifact]
    texts: tuple[str, str]
    passed: bool


def check_tracking(tracking: Tracking | None) -> None:
    """Whether MLflow is there if it is asked for; asked before any work.

    Raises:
        ConfigError: it is not installed.
    """
    if tracking is not None and importlib.util.find_spec("mlflow") is None:
        raise ConfigError("mlflow: the package is not installed; install synthohive-spark[mlflow]")


def track(done: FinishedRun) -> None:
    """Tell MLflow of a run, if the configuration names a store. A store that cannot be reached fails no run."""
    tracking = done.config.mlflow
    if tracking is None:
        return
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        client = MlflowClient(tracking_uri=tracking.tracking_uri)
        there = client.get_experiment_by_name(tracking.experiment)
        place = client.create_experiment(tracking.experiment) if there is None else there.experiment_id
        run = _Experiment(client, str(place)).tell(done)
    except (MlflowException, OSError) as e:
        log.warning("mlflow_not_told", experiment=tracking.experiment, cause=first_line(e))
    else:
        log.info("mlflow_told", experiment=tracking.experiment, mlflow_run=run, tables=len(done.models))


@dataclass(frozen=True)
class _Experiment:
    """An experiment of a store, and the client that writes there."""

    client: Any
    place: str

    def tell(self, done: FinishedRun) -> str:
        """Write a run and its tables; its id in the store."""
        run = self._begin({NAME: done.run_id, RUN: done.run_id})
        config = done.config.model_dump(mode="json", exclude={"metadata", "mlflow"})
        self._write(run, dict(_flat(config)), [(name, f.score, 0) for name, f in done.evaluation.figures.items()])
        for name, text in zip(("report.html", "report.json"), done.texts, strict=True):
            self.client.log_text(run, text, name)
        for table in sorted(done.models):
            self._table(run, table, done)
        self.client.set_terminated(run, "FINISHED" if done.passed else "FAILED")
        return run

    def _table(self, parent: str, table: str, done: FinishedRun) -> None:
        run, said = self._begin({NAME: table, PARENT: parent, RUN: done.run_id}), done.models[table]
        each = dict(_flat({key: value for key, value in said.items() if key != "history"}))
        numbers = [(name, number, 0) for name, value in each.items() if (number := _number(value)) is not None]
        for found in (t for t in done.evaluation.tables if t.table == table):
            numbers += [("rows", found.synthetic_rows, 0), ("source_rows", found.real_rows, 0)]
            numbers += [(name, f.score, 0) for name, f in table_figures(done.evaluation, found).items()]
        for step, look in enumerate(said.get("history") or ()):
            then = ((name, _number(value)) for name, value in _flat(look))
            numbers += [(f"look.{name}", number, step) for name, number in then if number is not None]
        self._write(run, {name: value for name, value in each.items() if _number(value) is None}, numbers)
        model = done.artifacts.get(table, Artifact()).model
        if model is not None:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "model.zip")
                file.write_bytes(model)
                self.client.log_artifact(run, str(file))
        self.client.set_terminated(run)

    def _begin(self, tags: Mapping[str, str]) -> str:
        """A new run; its id."""
        return str(self.client.create_run(self.place, tags=dict(tags)).info.run_id)

    def _write(self, run: str, words: Mapping[str, Any], numbers: Sequence[tuple[str, float, int]]) -> None:
        """Parameters and metrics (name, value, step) of a run, in requests that every store takes."""
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        params = [Param(name, str(value)[:LONGEST]) for name, value in words.items()]
        metrics = [Metric(name, float(value), now, step) for name, value, step in numbers]
        for begin in range(0, max(len(params), len(metrics)), AT_ONCE):
            end = begin + AT_ONCE
            self.client.log_batch(run, metrics=metrics[begin:end], params=params[begin:end])


def _number(value: Any) -> float | None:
    """A value as a metric, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _flat(group: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested groups by dotted name, without those that are not set."""
    for key, value in group.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif value is not None:
            yield f"{above}{key}", value
