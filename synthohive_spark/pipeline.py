"""The phases of a run over one configuration: train, generate, evaluate, or all three. The jobs call these."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.config import Config, new_run_id
from synthohive_spark.errors import ConfigError, QualityError, TrainingError
from synthohive_spark.evaluation.compare import evaluate
from synthohive_spark.evaluation.runs import publish
from synthohive_spark.evaluation.scores import Evaluation
from synthohive_spark.generation.row_counts import scaled_rows, wanted_rows
from synthohive_spark.lake.content import content_hash
from synthohive_spark.lake.held import Held
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.places import check_apart, tables_of_run
from synthohive_spark.lake.source import SourceLake, check_source, pin_source
from synthohive_spark.logs import bind, get_logger
from synthohive_spark.memory import peak_memory
from synthohive_spark.models.artifact import check_models
from synthohive_spark.models.base import resolve_model
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.parallel import side_by_side
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.registry import Workspace
from synthohive_spark.rules.loaded import check_plans
from synthohive_spark.schema.table_plan import Plans
from synthohive_spark.stage_writer import Trained
from synthohive_spark.training.settings import TrainSettings
from synthohive_spark.training.tables import train_tables

log = get_logger(__name__)


@dataclass
class RunSummary:
    """What a job prints when it ends."""

    run_id: str
    status: str
    tables: dict[str, int] = field(default_factory=dict)
    report: str | None = None
    seconds: float = 0.0

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.__dict__)


class Run:
    """One run: its id, its workspace, what it has done already.

    Args:
        spark: the session.
        config: the configuration.
        run_id: an earlier run that goes on; a new one if None.
        new_id: the id of a new run; made up if None.

    Raises:
        ConfigError: the earlier run is unknown, or had another configuration; or places are not apart.
    """

    def __init__(
        self, spark: SparkSession, config: Config, run_id: str | None = None, new_id: str | None = None
    ) -> None:
        self.spark, self.config = spark, config
        self.started = time.monotonic()
        self.workspace = Workspace(spark, config.workspace.location)
        self.io = DeltaIO(spark)
        self.id = run_id or new_id or new_run_id(config.run)
        bind(run_id=self.id)
        check_apart(spark, tables_of_run(config.places, config.metadata.tables))
        self.events = self.workspace.events(run_id) if run_id else []
        start = next((e.payload for e in self.events if e.event == "run_started"), None)
        if start is not None and start["config_hash"] != config.digest:
            raise ConfigError(
                f"run {run_id} was started with another configuration (hash {start['config_hash']}, now "
                f"{config.digest}); resume it with the same file and --set, or start a new run"
            )
        self.pinned: dict[str, int] = start["source_versions"] if start else {}

    @property
    def metadata_hash(self) -> str:
        """Hash of the metadata that a training belongs to."""
        return hashlib.sha256(self.config.metadata.to_json().encode()).hexdigest()[:16]

    def source(self, versions: Mapping[str, int]) -> SourceLake:
        """The source lake with pinned versions."""
        place, tables = self.config.source, self.config.metadata.tables
        refs = {t: place.location.table(t) for t in tables}
        chosen = {**place.versions, **versions}
        return pin_source(self.io, self.config.metadata, refs, chosen, place.timestamp)

    def has(self, event: str) -> bool:
        """Whether an earlier attempt of this run got so far."""
        return event in {e.event for e in self.events}

    def train(self) -> None:
        """Check the source, plan and train every table that has no model of this run yet."""
        bind(phase="train")
        settings = train_settings(self.config)
        settings.check()
        pinned = self.source(self.pinned)
        with pinned.held():
            self._train(check_source(pinned), settings)
        self.workspace.record(
            self.id,
            "training_complete",
            metadata_hash=self.metadata_hash,
            model=self.config.train.model,
            source_versions=dict(pinned.versions),
            driver=peak_memory(),
        )

    def _train(self, source: SourceLake, settings: TrainSettings) -> None:
        if not self.events:
            self.workspace.prepare()
            self.workspace.record(
                self.id,
                "run_started",
                config_hash=self.config.digest,
                source_versions=dict(source.versions),
                config=self.config.model_dump(mode="json", exclude={"metadata"}),
            )
        plans = planned(source, self.config)
        check_plans(plans, self.config.metadata.expressions)
        wanted_rows(plans, self._rows(plans))
        done = self.workspace.trained_tables(self.id) if self.events else set()
        about = {
            "model_class": f"{settings.model_cls.__module__}.{settings.model_cls.__qualname__}",
            "options": json.dumps(dict(settings.options), sort_keys=True),
            "config_hash": self.config.digest,
            "metadata_hash": self.metadata_hash,
            "seed": str(settings.seed),
            "source_versions": json.dumps(dict(source.versions), sort_keys=True),
        }

        def keep(table: str, frame: DataFrame) -> None:
            self.workspace.keep_model(self.id, plans[table], frame, about)

        waiting = {t: p for t, p in plans.items() if t not in done}
        train_tables(plans, source.frame, settings, keep, only=waiting)
        for plan in waiting.values():
            if not plan.learns:
                self.workspace.keep_model(self.id, plan, None, about)

    def _rows(self, plans: Plans) -> dict[str, int]:
        """Rows that the configuration asks for: of root tables by the scale, of others by number."""
        config = self.config.generate
        return {**scaled_rows(plans, config.scale), **config.rows}

    def generate(self, training: str) -> dict[str, int]:
        """Generate every table that this run has not written yet, with the models of the run ``training``."""
        bind(phase="generate")
        config, model_cls = self.config.generate, resolve_model(self.config.train.model)
        plans, artifacts, _ = self.workspace.models(training, self.config.metadata.expressions)
        missing = sorted(set(self.config.metadata.tables) - set(plans))
        if missing:
            raise TrainingError(f"run {training!r} has no model of {', '.join(missing)}; finish it with --resume")
        check_models(model_cls, artifacts)
        orchestrator = StagedOrchestrator(
            self.config.metadata,
            self.spark,
            self.io,
            config.on_write_failure,
            model_cls,
            config.write_retries,
        )
        versions = self.training_versions(training)
        lineage = {
            "run_id": self.id,
            "training_run": training,
            "model": self.config.train.model,
            "train_seed": str(self.config.train.seed),
            "generate_seed": str(config.seed),
            "config_hash": self.config.digest,
            "source_versions": json.dumps(versions, sort_keys=True),
        }
        orchestrator.conditions = config.conditions
        orchestrator.trained = Trained(plans, artifacts, self._copies(plans, versions), lineage)
        wanted = orchestrator.wanted_rows(self._rows(plans))
        done = {e.table: e.payload["rows"] for e in self.events if e.event == "stage_written" and e.table}
        exact = {e.table for e in self.events if e.event == "aggregates_written" and e.table}
        if done:
            log.info("stages_skipped", tables=sorted(done))
        return orchestrator.writer(self.config.target.location, wanted, config.seed).write(
            done,
            partial(self._written, "stage_written"),
            exact,
            partial(self._written, "aggregates_written"),
        )

    def _copies(self, plans: Plans, versions: Mapping[str, int]) -> Callable[[str], DataFrame]:
        """What reads the tables that are copied, each opened now: the others' source is not needed any more."""
        metadata, place = self.config.metadata, self.config.source.location
        source = SourceLake(self.io, metadata, {t: place.table(t) for t in metadata.tables}, versions, {})
        side_by_side(source.frame, [t for t in metadata.tables if plans[t].reference])
        return source.frame

    def _written(self, event: str, table: str, version: int, rows: int) -> None:
        """A table is written, or its aggregates: its version, rows and content hash go into the manifest."""
        made = self.io.read_dataset(self.config.target.location.table(table), version)
        self.workspace.record(self.id, event, table, version=version, rows=rows, content=content_hash(made))

    def training_versions(self, training: str) -> dict[str, int]:
        """Source versions that a training pinned."""
        complete = [e for e in self.workspace.events(training) if e.event == "training_complete"]
        if not complete:
            raise TrainingError(f"the training of run {training!r} is not complete; finish it with --resume {training}")
        versions: dict[str, int] = complete[-1].payload["source_versions"]
        return versions

    def newest_training(self, chosen: str | None) -> str:
        """The run whose models are used: the chosen one, else the newest complete one that fits the metadata.

        Raises:
            TrainingError: there is none.
        """
        found = chosen or self.workspace.latest("training_complete", metadata_hash=self.metadata_hash)
        if found is None:
            raise TrainingError(
                f"no complete training in {self.config.workspace.location} fits this metadata; run train or pipeline"
            )
        return found

    def evaluate(self, training: str) -> RunSummary:
        """Compare the target with the source as it was trained on, write the report, apply the gate.

        Returns:
            The run's last line, with the report's path and the rows of each target table.

        Raises:
            QualityError: an orphan, a bad key, or a score below the gate; the report is written before, and the
                error's ``summary`` names it.
        """
        bind(phase="evaluate")
        source = self.source(self.training_versions(training))
        tables = self.config.metadata.tables
        target = self.config.target.location
        plans, _, metrics = self.workspace.models(training, self.config.metadata.expressions)
        copies = side_by_side(lambda t: self.io.read_dataset(target.table(t)), tables)
        made = side_by_side(lambda t: copies[t].count(), tables)
        with source.held(), Held() as memory:
            result = evaluate(
                self.config.metadata,
                {t: source.frame(t) for t in tables},
                {t: memory.keep(f, made[t]) for t, f in copies.items()},
                plans,
                self.config.privacy.min_subjects,
            )
        gate = self.config.evaluate.fail_under
        seconds = round(time.monotonic() - self.started, 1)
        about: dict[str, Any] = {
            "run": self.config.run,
            "run_id": self.id,
            "training_run": training,
            "model": self.config.train.model,
            "seed": self.config.generate.seed,
            "scale": self.config.generate.scale,
            "fail_under": gate,
            "seconds": seconds,
            **_of_places(self.config, source, result),
            "models": metrics,
            **peak_memory(),
        }
        report = publish(self.workspace, self.id, result, about, _reports(self.config))
        figures = {name: f.score for name, f in result.figures.items()}
        self.workspace.record(
            self.id, "evaluated", score=result.score, figures=figures, report=report, driver=peak_memory()
        )
        log.info("evaluated", score=result.score, figures=figures, fail_under=gate, report=report)
        rows = {t.table: t.synthetic_rows for t in result.tables}
        try:
            result.check(gate)
        except QualityError as e:
            e.summary = self.summary("failed", rows, report)
            raise
        return self.summary("complete", rows, report)

    def summary(self, status: str, tables: Mapping[str, int], report: str | None = None) -> RunSummary:
        """The run's last line; the driver's peak memory goes into the manifest with it."""
        seconds = round(time.monotonic() - self.started, 3)
        self.workspace.record(self.id, "run_complete", status=status, seconds=seconds, driver=peak_memory())
        bind(phase=None)
        return RunSummary(self.id, status, dict(tables), report, seconds)


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


def planned(source: SourceLake, config: Config) -> Plans:
    """The plans of a checked source, as a configuration wants them."""
    privacy = config.privacy
    return plan_tables(source, privacy.min_subjects, config.generate.linkage, privacy.actions)


def train_settings(config: Config) -> TrainSettings:
    """How a configuration wants its models trained."""
    train = config.train
    return TrainSettings(
        model_cls=resolve_model(train.model),
        sample_rows=train.sample_rows,
        max_seconds=train.max_seconds,
        epochs=train.epochs,
        seed=train.seed,
        gpu=train.gpu,
        min_subjects=config.privacy.min_subjects,
        parallelism=train.parallelism,
        options=train.options,
    )


def run_pipeline(
    spark: SparkSession, config: Config, resume: str | None = None, new_id: str | None = None
) -> RunSummary:
    """Train, generate and evaluate; with ``resume``, go on after the last stage that is complete."""
    run = Run(spark, config, resume, new_id)
    if not run.has("training_complete"):
        run.train()
    run.generate(run.id)
    return run.evaluate(run.id)


def run_train(spark: SparkSession, config: Config, new_id: str | None = None) -> RunSummary:
    """Train every table and keep the models in the workspace."""
    run = Run(spark, config, new_id=new_id)
    run.train()
    return run.summary(
        "complete", {t: p.rows for t, p in run.workspace.models(run.id, config.metadata.expressions)[0].items()}
    )


def run_generate(spark: SparkSession, config: Config, run: str | None = None, new_id: str | None = None) -> RunSummary:
    """Generate the target with the newest complete training that fits, or with that of ``run``."""
    new = Run(spark, config, new_id=new_id)
    return new.summary("complete", new.generate(new.newest_training(run)))


def run_evaluate(spark: SparkSession, config: Config, run: str | None = None, new_id: str | None = None) -> RunSummary:
    """Compare the target with the source that the newest fitting training (or that of ``run``) was made from."""
    new = Run(spark, config, new_id=new_id)
    return new.evaluate(new.newest_training(run))
