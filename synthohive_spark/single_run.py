"""One run over one configuration: what it was started with, what it has done, and its phases train and generate."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.config import Config, new_run_id
from synthohive_spark.errors import TrainingError
from synthohive_spark.generation.row_counts import planned_sizes, scaled_rows, wanted_rows
from synthohive_spark.interrupts import interrupted, last_things
from synthohive_spark.lake.any_source import AnySource
from synthohive_spark.lake.causes import why
from synthohive_spark.lake.content import content_hash
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.places import check_apart, check_room, tables_of_run
from synthohive_spark.lake.source import SourceLake, check_source, pin_source
from synthohive_spark.launch.archive import package_digest, package_version
from synthohive_spark.lease import leased
from synthohive_spark.location import Location
from synthohive_spark.logs import bind, current, get_logger
from synthohive_spark.manifest import (
    BEFORE,
    CLEANED,
    EXACT,
    FAILED,
    PACKAGE,
    ROWS,
    SHAPING,
    STARTED,
    RunState,
    state_before,
)
from synthohive_spark.memory import peak_memory
from synthohive_spark.metadata import actions_in
from synthohive_spark.models.artifact import check_models
from synthohive_spark.models.base import resolve_model
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.parallel import side_by_side
from synthohive_spark.privacy.rewriting import check_actions
from synthohive_spark.profiling.holdout import Holdout
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.registry import Workspace
from synthohive_spark.rules.loaded import check_plans
from synthohive_spark.schema.people import People
from synthohive_spark.schema.table_plan import Plans
from synthohive_spark.stage_writer import Trained
from synthohive_spark.tracking import check_tracking
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


class RecordedRun:
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
        check_tracking(config.mlflow)
        self.spark, self.config = spark, config
        self.started = time.monotonic()
        self.workspace = Workspace(spark, config.workspace.location)
        self.io, self.readable = DeltaIO(spark), AnySource(spark)
        self.id = run_id or new_id or new_run_id(config.run)
        bind(run_id=self.id)
        check_apart(spark, tables_of_run(config.places, config.metadata.tables))
        self.wrote: dict[str, tuple[int, int]] = {}
        self.state = RunState.of(self.id, self.workspace.events(run_id) if run_id else [])
        self._leases, self._places = ExitStack(), dict[str, Location]()
        self.begun = bool(run_id)  # whether the manifest knows of it
        if run_id:
            self.state.check_same(self._start())

    def _start(self) -> dict[str, Any]:
        """What a run is started with, and has to be gone on with."""
        package = {"version": package_version(), "code": package_digest()}
        return {"config_hash": self.config.digest, SHAPING: self.config.shaping, PACKAGE: package}

    def _begin(self, phase: str, versions: Mapping[str, int], **more: Any) -> None:
        """Record what the run is started with."""
        config = self.config.model_dump(mode="json", exclude={"metadata", "mlflow"})
        start = {**self._start(), "phase": phase, "source_versions": dict(versions), "config": config, **more}
        self.workspace.record(self.id, STARTED, **start)
        self.begun = True

    def _seconds(self) -> float:
        return round(time.monotonic() - self.started, 3)

    @contextmanager
    def ending(self, *writes: str) -> Iterator[None]:
        """Record how the block fails, if it does, and tell the job's last line what is complete.

        Args:
            writes: the places that the block writes to, beside the workspace; no other run does once they are claimed.
        """
        self._places = {name: self.config.places[name] for name in ("workspace", *writes)}
        with self._leases:
            try:
                yield
            except BaseException as e:
                status = "interrupted" if interrupted() or isinstance(e, KeyboardInterrupt) else "failed"
                told = getattr(e, "summary", None) is not None  # the gate: the run itself is complete
                if not told and isinstance(e, Exception | KeyboardInterrupt):
                    rows = {t: n for t, (_, n) in self.wrote.items()}
                    vars(e)["summary"] = RunSummary(self.id, status, rows, seconds=self._seconds())
                if not told and self.begun:
                    with suppress(Exception):  # the failure itself is what is raised
                        last_things(partial(self._failed, status, type(e).__name__))
                raise

    def claim(self) -> None:
        """Let no other run write where this one does; what it has done is read again, now that nobody else goes on."""
        if self._places:
            self._leases.enter_context(leased(self.spark, self.id, self._places))
            self._places = {}
            if self.begun:
                self.state = RunState.of(self.id, self.workspace.events(self.id))

    def _failed(self, status: str, error: str) -> None:
        phase = current("phase")
        self.workspace.record(self.id, FAILED, status=status, phase=phase, error=error, seconds=self._seconds())

    def summary(self, status: str, tables: Mapping[str, int], report: str | None = None) -> RunSummary:
        """The run's last line; the driver's peak memory goes into the manifest with it."""
        seconds = round(time.monotonic() - self.started, 3)
        self.workspace.record(self.id, "run_complete", status=status, seconds=seconds, driver=peak_memory())
        bind(phase=None)
        return RunSummary(self.id, status, dict(tables), report, seconds)


class Run(RecordedRun):
    """A run that can train and generate."""

    @property
    def metadata_hash(self) -> str:
        """Hash of the metadata that a training belongs to."""
        return hashlib.sha256(self.config.metadata.to_json().encode()).hexdigest()[:16]

    def source(self, versions: Mapping[str, int]) -> SourceLake:
        """The source lake with pinned versions."""
        place, tables = self.config.source, self.config.metadata.tables
        refs = {t: place.location.table(t) for t in tables}
        chosen = {**place.versions, **versions}
        pinned = pin_source(self.readable, self.config.metadata, refs, chosen, place.timestamp)
        return replace(pinned, keep_comments=self.config.privacy.keep_comments)

    def train(self) -> None:
        """Check the source, plan and train every table that has no model of this run yet."""
        bind(phase="train")
        settings = train_settings(self.config)
        settings.check()
        self._check_actions()
        pinned = self.source(self.state.started.get("source_versions") or {})
        with pinned.held():
            source = check_source(pinned)
            if self.config.evaluate.holdout:
                source = check_source(kept_out(source, self.config).kept(pinned))
            self._train(source, settings)
        self.workspace.record(
            self.id,
            "training_complete",
            metadata_hash=self.metadata_hash,
            model=self.config.train.model,
            source_versions=dict(pinned.versions),
            seconds=self._seconds(),
            driver=peak_memory(),
        )

    def _train(self, source: SourceLake, settings: TrainSettings) -> None:
        self.claim()
        if not self.state.started:
            self.workspace.prepare()
            self._begin("train", dict(source.versions))
        plans = planned(source, self.config)
        check_plans(plans, self.config.declared)
        sizes = planned_sizes(plans, wanted_rows(plans, self._rows(plans)))
        check_room(self.config.target.location, sum(n * len(plans[t].columns.each) for t, n in sizes.items()))
        done = self.workspace.trained_tables(self.id) if self.state.started else set()
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

    def _check_actions(self) -> None:
        """Whether the key of hashes and the functions are there."""
        privacy = self.config.privacy
        check_actions([*privacy.actions.values(), *actions_in(self.config.metadata)], privacy.secret)

    def _rows(self, plans: Plans) -> dict[str, int]:
        """Rows that the configuration asks for: of root tables by the scale, of others by number."""
        config = self.config.generate
        return {**scaled_rows(plans, config.scale), **config.rows}

    def generate(self, training: str, start_over: bool = False) -> dict[str, int]:
        """Generate every table that this run has not written yet, with the models of the run ``training``.

        Args:
            training: the run that trained them.
            start_over: make every table, also where somebody else wrote since this run began.
        """
        bind(phase="generate")
        self._check_actions()
        self.claim()
        config = self.config.generate
        plans, artifacts, _ = self.workspace.models(training, self.config.declared)
        missing = sorted(set(self.config.metadata.tables) - set(plans))
        if missing:
            raise TrainingError(f"run {training!r} has no model of {', '.join(missing)}; finish it with --resume")
        model_cls = resolve_model(self.config.train.model)
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
        if training != self.id and not self.state.started:
            self._begin("generate", versions, training_run=training)
        state = self._target(start_over)
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
        copies, registry = self._copies(plans, versions), self.workspace.learnt(training)
        orchestrator.trained = Trained(plans, artifacts, copies, lineage, registry=registry)
        wanted = orchestrator.wanted_rows(self._rows(plans))
        self.wrote = {t: (done.version, done.rows) for t, done in state.complete.items()}
        if state.complete:
            log.info("stages_skipped", tables=sorted(state.complete))
        writer = orchestrator.writer(self.config.target.location, wanted, config.seed)
        before = {t: None if b is None else b.version for t, b in state.before.items()}
        return replace(writer, before=before, cleaned=self._cleaned).write(
            {t: (done.version, done.rows) for t, done in state.complete.items()},
            partial(self._written, ROWS),
            state.exact,
            partial(self._written, EXACT),
        )

    def _target(self, start_over: bool) -> RunState:
        """What this run has completed, as the target has it; before its first table, what is there is recorded."""
        target = self.config.target.location
        state = self.state.verified(self.io, target, start_over)
        if state.target is None:
            before = state_before(self.io, target, self.config.metadata.tables)
            told = {t: None if b is None else [b.version, b.at] for t, b in before.items()}
            self.workspace.record(self.id, BEFORE, target=str(target), tables=told)
            state = replace(state, target=str(target), before=before)
        return state

    def _cleaned(self, left: list[str]) -> None:
        """The target was brought back: nothing of this run is complete any more."""
        self.wrote = {}
        try:
            self.workspace.record(self.id, CLEANED, left=left)
        except Exception as e:  # the first cause is what is raised; --resume looks at the tables themselves
            log.warning("cleanup_not_recorded", cause=why(e))

    def _copies(self, plans: Plans, versions: Mapping[str, int]) -> Callable[[str], DataFrame]:
        """What reads the tables that are copied, each opened now: the others' source is not needed any more."""
        place, metadata = self.config.source.location, self.config.metadata
        source = SourceLake(self.readable, metadata, {t: place.table(t) for t in metadata.tables}, versions, {})
        side_by_side(source.frame, [t for t, plan in plans.items() if plan.reference and t in metadata.tables])
        return source.frame

    def _written(self, event: str, table: str, version: int, rows: int) -> None:
        """A table is written, or its aggregates: its version, rows and content hash go into the manifest."""
        made = self.io.read_dataset(self.config.target.location.table(table), version)
        self.wrote[table] = (version, rows)
        self.workspace.record(
            self.id, event, table, version=version, rows=rows, content=content_hash(made), seconds=self._seconds()
        )

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


def kept_out(source: SourceLake, config: Config) -> Holdout:
    """Who of a checked source is kept out of training."""
    return Holdout(People.of(source, config.privacy.k), config.evaluate.holdout)


def planned(source: SourceLake, config: Config) -> Plans:
    """The plans of a checked source, as a configuration wants them."""
    privacy = config.privacy
    return plan_tables(source, privacy.k, config.generate.linkage, privacy.actions, privacy.secret)


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
        k=config.privacy.k,
        parallelism=train.parallelism,
        options=train.options,
    )
