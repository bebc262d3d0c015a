"""The phases of a run over one configuration: train, generate, evaluate, or all three. The jobs call these."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from pyspark.sql import SparkSession

from synthohive_spark.config import Config
from synthohive_spark.errors import QualityError
from synthohive_spark.evaluation.audit import audit, check_audit, told
from synthohive_spark.evaluation.compare import evaluate
from synthohive_spark.evaluation.runs import publish, report_texts
from synthohive_spark.evaluation.scores import Evaluation
from synthohive_spark.lake.held import Held
from synthohive_spark.lake.source import SourceLake, check_source
from synthohive_spark.logs import bind, get_logger
from synthohive_spark.memory import peak_memory
from synthohive_spark.parallel import side_by_side
from synthohive_spark.single_run import Run, RunSummary, kept_out
from synthohive_spark.tracking import FinishedRun, track

log = get_logger(__name__)


def run_pipeline(
    spark: SparkSession, config: Config, resume: str | None = None, new_id: str | None = None, start_over: bool = False
) -> RunSummary:
    """Train, generate and evaluate; with ``resume``, go on after the last stage that is complete.

    Args:
        spark: the session.
        config: the configuration.
        resume: the run that goes on.
        new_id: the id of a new run.
        start_over: with ``resume``: make every table again, also where somebody else wrote since.
    """
    run = Run(spark, config, resume, new_id)
    training = run.state.started.get("training_run") or run.id
    with run.ending("target"):
        if training == run.id and not run.state.trained:
            run.train()
        run.generate(training, start_over)
        return _evaluate(run, training)


def run_train(spark: SparkSession, config: Config, new_id: str | None = None) -> RunSummary:
    """Train every table and keep the models in the workspace."""
    run = Run(spark, config, new_id=new_id)
    with run.ending():
        run.train()
        plans = run.workspace.models(run.id, config.declared)[0]
        return run.summary("complete", {t: p.rows for t, p in plans.items()})


def run_generate(spark: SparkSession, config: Config, run: str | None = None, new_id: str | None = None) -> RunSummary:
    """Generate the target with the newest complete training that fits, or with that of ``run``."""
    new = Run(spark, config, new_id=new_id)
    with new.ending("target"):
        return new.summary("complete", new.generate(new.newest_training(run)))


def run_evaluate(spark: SparkSession, config: Config, run: str | None = None, new_id: str | None = None) -> RunSummary:
    """Compare the target with the source that the newest fitting training (or that of ``run``) was made from."""
    new = Run(spark, config, new_id=new_id)
    with new.ending():
        return _evaluate(new, new.newest_training(run))


def _evaluate(run: Run, training: str) -> RunSummary:
    """Compare the target with the source as it was trained on, write the report, apply the gate.

    Returns:
        The run's last line, with the report's path and the rows of each target table.

    Raises:
        QualityError: an orphan, a bad key, or a score below the gate; the report is written before, and the
            error's ``summary`` names it.
    """
    bind(phase="evaluate")
    run.claim()
    source = run.source(run.training_versions(training))
    tables = run.config.metadata.tables
    target = run.config.target.location
    plans, artifacts, metrics = run.workspace.models(training, run.config.declared)
    copies = side_by_side(lambda t: run.io.read_dataset(target.table(t), run.wrote.get(t, (None,))[0]), tables)
    made = side_by_side(lambda t: copies[t].count(), tables)
    with source.held(), Held() as memory:
        result = evaluate(
            run.config.metadata,
            {t: source.frame(t) for t in tables},
            {t: memory.keep(f, made[t]) for t, f in copies.items()},
            plans,
            run.config.privacy.k,
        )
        holdout = run.config.evaluate.holdout
        found = audit(kept_out(check_source(source), run.config), copies, plans) if holdout else {}
    gate = run.config.evaluate.fail_under
    seconds = round(time.monotonic() - run.started, 1)
    about: dict[str, Any] = {
        "run": run.config.run,
        "run_id": run.id,
        "training_run": training,
        "model": run.config.train.model,
        "seed": run.config.generate.seed,
        "scale": run.config.generate.scale,
        "fail_under": gate,
        "seconds": seconds,
        "privacy": told(found, holdout) if found else {},
        **_of_places(run.config, source, result),
        "models": metrics,
        **peak_memory(),
    }
    texts = report_texts(result, about)
    report = publish(run.workspace, run.id, result, texts, _reports(run.config))
    figures = {name: f.score for name, f in result.figures.items()}
    run.workspace.record(run.id, "evaluated", score=result.score, figures=figures, report=report, driver=peak_memory())
    log.info("evaluated", score=result.score, figures=figures, fail_under=gate, report=report)
    rows = {t.table: t.synthetic_rows for t in result.tables}
    done = FinishedRun(run.id, run.config, result, metrics, artifacts, texts, passed=True)
    try:
        result.check(gate)
        check_audit(found, run.config.privacy.fail_over)
    except QualityError as e:
        track(replace(done, passed=False))
        e.summary = run.summary("failed", rows, report)
        raise
    track(done)
    return run.summary("complete", rows, report)


def _reports(config: Config) -> str | None:
    """The folder of the reports; None where the workspace is a schema and no other folder was named."""
    workspace = config.workspace.path
    return config.evaluate.reports or (None if workspace is None else f"{workspace.rstrip('/')}/reports")


def _of_places(config: Config, source: SourceLake, result: Evaluation) -> dict[str, Any]:
    """What a report says of source and target: where they lie, versions, and rows of the source that took no part."""
    lost = {t.table: source.count(t.table) - t.real_rows for t in result.tables}
    return {
        "source": str(config.source.location),
        "target": str(config.target.location),
        "source_versions": dict(source.versions),
        "dropped": {t: f"{n} whose parent is missing" for t, n in lost.items() if n} or None,
    }
