"""Stages, parents before children: each table is written and released before the next one reads it from the lake."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.conditional import ConditionedGenerator, Conditions, check_conditions
from synthohive_spark.counts.distribution import Method
from synthohive_spark.errors import (
    ConfigError,
    TrainingError,
)
from synthohive_spark.generation.row_counts import wanted_rows
from synthohive_spark.lake.given import given_tables, named_tables
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import SourceLake, check_source, pin_source
from synthohive_spark.location import Location
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import Metadata, actions_in
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.models.base import ConditionalGenerativeModel, check_model_class
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.personal import Action
from synthohive_spark.privacy.rewriting import check_actions
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.session import get_session, settings
from synthohive_spark.stage_writer import StageWriter, TableGenerator, Trained
from synthohive_spark.training.settings import TrainSettings
from synthohive_spark.training.tables import train_tables

log = get_logger(__name__)
PAIRED = "a unique key is made of foreign keys, and there are no more parents to pair"
POLICIES = ("raise", "cleanup", "retry")


class StagedOrchestrator:
    """Trains and generates linked tables stage by stage.

    Args:
        metadata: the tables and their keys.
        spark: the session; the active one, or a local one, when it is first needed.
        io: reads and writes tables; ``DeltaIO`` by default. Any object with its methods will do: ``read_dataset`` and
            ``write_dataset``, and for ``on_write_failure="cleanup"`` ``version``, ``restore`` and ``drop``.
        on_write_failure: ``raise`` stops, and what is complete stays; ``retry`` writes again, never twice the rows;
            ``cleanup`` brings the target back to what it was.
        model_cls: the class of every table's model.

    Attributes:
        conditions: {root table: {column: value, or list of values}} that every row of these tables fulfils.

    Raises:
        ConfigError: ``on_write_failure`` is none of these.
        TypeError: ``model_cls`` is not a usable model class.
    """

    def __init__(
        self,
        metadata: Metadata,
        spark: SparkSession | None = None,
        io: Any | None = None,
        on_write_failure: str = "raise",
        model_cls: type[ConditionalGenerativeModel] = CTGAN,
        write_retries: int = 1,
    ) -> None:
        if on_write_failure not in POLICIES:
            raise ConfigError(f"on_write_failure={on_write_failure!r} is unknown; choose {', '.join(POLICIES)}")
        self.metadata = metadata
        self.on_write_failure = on_write_failure
        self.write_retries = write_retries
        self.model_cls = check_model_class(model_cls)
        self.trained: Trained | None = None
        self.conditions: Conditions = {}
        self._spark, self._io = spark, io

    @property
    def spark(self) -> SparkSession:
        """The session; made when it is first needed."""
        if self._spark is None:
            self._spark = get_session("synthohive")
        return self._spark

    @property
    def io(self) -> Any:
        """The lake's reader and writer."""
        if self._io is None:
            self._io = DeltaIO(self.spark)
        return self._io

    def fit_all(
        self,
        paths: Mapping[str, Any],
        *,
        sample_rows: int = 200_000,
        max_seconds: float | None = 60.0,
        epochs: int | None = None,
        seed: int = 1,
        k: int = 5,
        keep_comments: bool = False,
        linkage: Method = "empirical",
        actions: Mapping[str, Action] | None = None,
        secret: str | None = None,
        **options: Any,
    ) -> None:
        """Learn every table: keys and children per parent from Spark aggregates, a model on an executor.

        Args:
            paths: {table: folder, name of a table or view, Spark or pandas frame} of the source, or one folder of them
                all. A Spark frame has to give the same rows whenever it is read.
            sample_rows: rows per table that a model learns from.
            max_seconds: training budget per table.
            epochs: overrides the budget.
            seed: the training seed.
            k: people who must hold a value before it may be learnt.
            keep_comments: the copy has the comments of the source, which may hold personal text.
            linkage: the law of children per parent.
            actions: {kind, column or table.column: what is done with personal data}.
            secret: where the key of hashes is: ``env:NAME``, or the path of a file.
            options: further arguments of the model's constructor.

        Raises:
            SchemaValidationError, SourceDataError, TrainingError: with place and remedy.
        """
        named = named_tables(self.metadata, paths, "fit")
        how = TrainSettings(
            model_cls=self.model_cls,
            sample_rows=sample_rows,
            max_seconds=max_seconds,
            epochs=epochs,
            seed=seed,
            k=_k(options, k),
            options=options,
        )
        self._check(how, actions or {}, secret)
        given = given_tables(self.spark, self.io, self.metadata, named)
        pinned = replace(pin_source(given.io, self.metadata, given.refs), keep_comments=keep_comments)
        artifacts: dict[str, Artifact] = {}

        def keep(table: str, frame: DataFrame) -> None:
            artifacts[table] = _artifact(table, frame)

        with settings(self.spark), pinned.held():
            source = check_source(pinned)
            plans = plan_tables(source, how.k, linkage, actions or {}, secret)
            train_tables(plans, source.frame, how, keep)
        self.trained = Trained(plans, artifacts, source.frame, _lineage(source, self.model_cls, seed), given.places)

    def _check(self, how: TrainSettings, actions: Mapping[str, Action], secret: str | None) -> None:
        """Whether settings, metadata, and what actions need are as they must be."""
        how.check()
        check_actions([*actions.values(), *actions_in(self.metadata)], secret)
        self.metadata.validate_schema()

    def generate(
        self,
        num_rows_root: Mapping[str, int] | None = None,
        output_path_base: str | None = None,
        *,
        seed: int = 1,
    ) -> dict[str, DataFrame]:
        """Generate every table, stage by stage.

        Args:
            num_rows_root: {table: rows}; a root that is not named gets as many rows as the source has, other tables
                follow from their parents.
            output_path_base: the folder of the target. Each table is written there and released before the next;
                children read their parents from it.
            seed: the generation seed.

        Returns:
            Nothing ({}) with ``output_path_base``; else {table: persisted DataFrame}, to be unpersisted by the caller.

        Raises:
            TrainingError: ``fit_all`` was not called.
            ConstraintViolationError: rows that hold a declared expression could not be drawn.
            GenerationError, WriteError: with place and cause.
        """
        wanted = self.wanted_rows(num_rows_root or {})
        if output_path_base is None:
            return self.generator(wanted, seed).in_memory()
        self.write_stages(Location(path=output_path_base), wanted, seed)
        return {}

    def generator(self, wanted: Mapping[str, int], seed: int) -> TableGenerator:
        """What makes the frames of the tables.

        Args:
            wanted: as ``wanted_rows`` gives it.
            seed: the generation seed.
        """
        made = self.spark, self.metadata, self._trained, self.model_cls, wanted, seed
        if not self.conditions:
            return TableGenerator(*made)
        return ConditionedGenerator(*made, check_conditions(self._trained.plans, self.conditions))

    def write_stages(
        self,
        target: Location,
        wanted: Mapping[str, int],
        seed: int,
        done: Mapping[str, int] | None = None,
        written: Callable[[str, int, int], None] = lambda table, version, rows: None,
    ) -> dict[str, int]:
        """Generate and write every table that is not ``done``: ``StageWriter.write``.

        Args:
            target: where to.
            wanted: rows of the root tables, and of others that shall have a number of their own.
            seed: the generation seed.
            done: {table: rows} that an earlier attempt of the same run completed.
            written: called after each table with its name, Delta version and rows.
        """
        return self.writer(target, wanted, seed).write(done, written)

    def writer(self, target: Location, wanted: Mapping[str, int], seed: int) -> StageWriter:
        """What writes the tables into a target."""
        return self.writer_of(self.generator(wanted, seed), target)

    def writer_of(self, generator: TableGenerator, target: Location) -> StageWriter:
        """What writes the tables of a generator into a target."""
        return StageWriter(generator, self.io, target, self.on_write_failure, self.write_retries)

    def wanted_rows(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Rows of the root tables, and of other tables for which a number was given.

        Raises:
            ConfigError: a name is not that of a table, or there are too few keys for so many rows.
        """
        return wanted_rows(self._trained.plans, wanted)

    @property
    def _trained(self) -> Trained:
        if self.trained is None:
            raise TrainingError("nothing is trained yet; call fit_all before generate")
        return self.trained


def _artifact(table: str, frame: DataFrame) -> Artifact:
    """What the training task of a table gave."""
    rows = frame.collect()  # one row: the model, a few MB. A limit would cost the Python worker its reuse
    if not rows:
        raise TrainingError(f"{table}: the training task returned no model")
    model = rows[0]["model"]
    return Artifact(None if model is None else bytes(model), rows[0]["matching"])


def _k(options: dict[str, Any], k: int) -> int:
    """``k``, which may still be given by its older name."""
    if "min_subjects" not in options:
        return k
    log.warning("older_name", key="min_subjects", use="k")
    return int(options.pop("min_subjects"))


def _lineage(source: SourceLake, model_cls: type, seed: int) -> dict[str, str]:
    return {
        "source_versions": json.dumps(dict(sorted(source.versions.items()))),
        "model": model_cls.__name__,
        "train_seed": str(seed),
    }
