"""Stages, parents before children: each table is written and released before the next one reads it from the lake."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType
from tqdm import tqdm

from synthohive_spark.errors import (
    ConfigError,
    ConstraintViolationError,
    GenerationError,
    SynthoHiveError,
    TrainingError,
    WriteError,
)
from synthohive_spark.lake.held import Held
from synthohive_spark.lake.io import DeltaIO, first_line
from synthohive_spark.lake.location import Location, TableRef
from synthohive_spark.lake.places import check_apart
from synthohive_spark.lake.source import SourceLake, check_source, pin_source
from synthohive_spark.logs import bound, get_logger
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.models.base import ConditionalGenerativeModel, check_model_class
from synthohive_spark.models.ctgan import CTGAN
from synthohive_spark.parallel import side_by_side
from synthohive_spark.relational import oracle
from synthohive_spark.relational.capacity import planned_sizes, wanted_rows
from synthohive_spark.relational.context import Reader
from synthohive_spark.relational.linkage import Method
from synthohive_spark.relational.plan import TablePlan, stages
from synthohive_spark.relational.profile import plan_tables
from synthohive_spark.relational.redraw import violation
from synthohive_spark.relational.skeleton import Skeleton
from synthohive_spark.relational.stage import completed, stage_frame
from synthohive_spark.session import get_session, sized
from synthohive_spark.training import TrainSettings, train_tables

log = get_logger(__name__)
PAIRED = "a unique key is made of foreign keys, and there are no more parents to pair"
POLICIES = ("raise", "cleanup", "retry")


@dataclass
class Trained:
    """What generation needs, apart from parents: plans and models.

    Attributes:
        plans: one per table.
        artifacts: what training left of each; a table with nothing to learn has none.
        copies: frames of reference tables, which are copied.
        lineage: table properties that say where rows come from.
        sources: {table: folder or catalog name} of what was learnt, which is never written to.
    """

    plans: dict[str, TablePlan]
    artifacts: dict[str, Artifact]
    copies: Callable[[str], DataFrame]
    lineage: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


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
        paths: Mapping[str, str],
        *,
        sample_rows: int = 200_000,
        max_seconds: float | None = 60.0,
        epochs: int | None = None,
        seed: int = 1,
        min_subjects: int = 3,
        linkage: Method = "empirical",
        **options: Any,
    ) -> None:
        """Learn every table: keys and children per parent from Spark aggregates, a model on an executor.

        Args:
            paths: {table: folder or catalog name} of the source.
            sample_rows: rows per table that a model learns from.
            max_seconds: training budget per table.
            epochs: overrides the budget.
            seed: the training seed.
            min_subjects: rows that must hold a value before it may be learnt.
            linkage: the law of children per parent.
            options: further arguments of the model's constructor.

        Raises:
            SchemaValidationError, SourceDataError, TrainingError: with place and remedy.
        """
        missing = [t for t in self.metadata.tables if t not in paths]
        if missing:
            raise ConfigError(f"fit_all: no path for {', '.join(missing)}; give one for every table of the metadata")
        settings = TrainSettings(
            model_cls=self.model_cls,
            sample_rows=sample_rows,
            max_seconds=max_seconds,
            epochs=epochs,
            seed=seed,
            min_subjects=min_subjects,
            options=options,
        )
        settings.check()
        self.metadata.validate_schema()
        refs = {t: TableRef.parse(p) for t, p in paths.items()}
        pinned = pin_source(self.io, self.metadata, refs)
        artifacts: dict[str, Artifact] = {}

        def keep(table: str, frame: DataFrame) -> None:
            rows = frame.collect()  # one row: the model, a few MB. A limit would cost the Python worker its reuse
            if not rows:
                raise TrainingError(f"{table}: the training task returned no model")
            model = rows[0]["model"]
            artifacts[table] = Artifact(None if model is None else bytes(model), rows[0]["matching"])

        with pinned.held():
            source = check_source(pinned)
            plans = plan_tables(source, min_subjects, linkage)
            train_tables(plans, source.frame, settings, keep)
        lineage = _lineage(source, self.model_cls, seed)
        self.trained = Trained(plans, artifacts, source.frame, lineage, {t: refs[t].path or paths[t] for t in plans})

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
            return self._in_memory(wanted, seed)
        self.write_stages(Location(path=output_path_base), wanted, seed)
        return {}

    def wanted_rows(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Rows of the root tables, and of other tables for which a number was given.

        Raises:
            ConfigError: a name is not that of a table, or there are too few keys for so many rows.
        """
        return wanted_rows(self._trained.plans, wanted)

    def _stages(self) -> list[list[str]]:
        """The tables of the metadata, in the order in which they are made."""
        return stages({t: self._trained.plans[t] for t in self.metadata.tables})

    @property
    def _trained(self) -> Trained:
        if self.trained is None:
            raise TrainingError("nothing is trained yet; call fit_all before generate")
        return self.trained

    def _skeleton(
        self, table: str, wanted: Mapping[str, int], sizes: Mapping[str, int], read: Reader, seed: int
    ) -> Skeleton:
        trained = self._trained
        plan = trained.plans[table]
        if any(fk.role == "late" for fk in plan.foreign_keys):
            sizes = {**planned_sizes(trained.plans, wanted), **sizes}
        return Skeleton(self.spark, plan, trained.plans, read, sizes, wanted.get(table), seed)

    def _frame(self, skeleton: Skeleton) -> DataFrame:
        trained, table = self._trained, skeleton.plan.table
        if skeleton.plan.reference:
            return completed(trained.copies(table), StructType.fromJson(skeleton.plan.spark_schema))
        return stage_frame(skeleton, self.model_cls, trained.artifacts.get(table, Artifact()))

    def _in_memory(self, wanted: Mapping[str, int], seed: int) -> dict[str, DataFrame]:
        made: dict[str, DataFrame] = {}
        sizes: dict[str, int] = {}
        for stage in self._stages():
            log.info("stage_start", tables=stage)
            for table in stage:
                skeleton = self._skeleton(table, wanted, sizes, made.__getitem__, seed)
                made[table] = self._frame(skeleton).persist()
                try:
                    sizes[table] = made[table].count()
                except Exception as e:
                    if (broken := violation(e)) is not None:
                        raise ConstraintViolationError(broken) from e
                    raise
        return made

    def write_stages(
        self,
        target: Location,
        wanted: Mapping[str, int],
        seed: int,
        done: Mapping[str, int] | None = None,
        written: Callable[[str, int, int], None] = lambda table, version, rows: None,
    ) -> dict[str, int]:
        """Generate and write every table that is not ``done``; those of a stage side by side.

        Args:
            target: where to.
            wanted: rows of the root tables, and of others that shall have a number of their own.
            seed: the generation seed.
            done: {table: rows} that an earlier attempt of the same run completed.
            written: called after each table with its name, Delta version and rows.

        Returns:
            {table: rows}.

        Raises:
            ConfigError: a table of the target is one of the source.
        """
        names = self.metadata.tables
        sources = {t: TableRef.parse(place) for t, place in self._trained.sources.items()}
        check_apart(self.spark, {"source": sources, "target": {t: target.table(t) for t in names}})
        sizes = dict(done or {})
        before = self._versions(target) if self.on_write_failure == "cleanup" else {}
        touched: list[str] = []

        memory = Held()  # the stages below a small table ask it many questions

        @functools.cache  # a table that is written is not written again
        def read(table: str) -> DataFrame:
            frame: DataFrame = self.io.read_dataset(target.table(table))
            return memory.keep(frame, sizes[table])

        def make(table: str) -> None:
            with bound(table=table):
                try:
                    skeleton = self._skeleton(table, wanted, sizes, read, seed)
                    if not skeleton.total and skeleton.plan.rows and not skeleton.plan.reference:
                        raise GenerationError(
                            f"{table}: no row can be made, since no rows of its parents agree in what its keys share; "
                            "leave one of these keys out"
                        )
                    version, rows = self._write(table, self._frame(skeleton), target)
                    sizes[table] = rows
                    self._judge(target, version, skeleton, [*sizes], read)
                except SynthoHiveError:
                    raise
                except Exception as e:
                    raise WriteError(f"{table}: {first_line(e)}") from e
                written(table, version, rows)
                log.info("stage_written", rows=rows, version=version)
                if rows < skeleton.asked and not skeleton.plan.reference:
                    log.warning("rows_left_out", rows=rows, wanted=skeleton.asked, why=PAIRED)
                log.debug("table_released_from_memory")

        planned = {t: n for t, n in planned_sizes(self._trained.plans, wanted).items() if t in self.metadata.tables}
        cells = sum(rows * len(self._trained.plans[table].columns) for table, rows in planned.items())
        bar = tqdm(total=len(planned) - len(sizes), desc="generating", unit="table", disable=None)
        with bar, memory, sized(self.spark, cells):
            for stage in self._stages():
                log.info("stage_start", tables=stage)
                waiting = [t for t in stage if t not in sizes]
                touched += waiting
                try:
                    side_by_side(make, waiting, done=bar.update)
                except Exception:
                    if self.on_write_failure == "cleanup":
                        self._clean(target, touched, before)
                    raise
        return sizes

    def _write(self, table: str, frame: DataFrame, target: Location) -> tuple[int, int]:
        plan = self._trained.plans[table]
        schema = StructType.fromJson(plan.spark_schema)
        declared = {"design": plan.design} if plan.design.carried else {}  # not every writer knows of it
        lineage = {f"synthohive.{k}": v for k, v in self._trained.lineage.items()}
        attempts = 1 + (self.write_retries if self.on_write_failure == "retry" else 0)
        for attempt in range(1, attempts + 1):
            try:
                result = self.io.write_dataset(
                    frame,
                    target.table(table),
                    schema=schema,
                    properties=lineage,
                    user_metadata=json.dumps(self._trained.lineage, sort_keys=True),
                    **declared,
                )
            except Exception as e:
                if (broken := violation(e)) is not None:  # drawing once more would give the same rows
                    raise ConstraintViolationError(broken) from e
                if attempt == attempts:
                    raise
                log.warning("write_failed", attempt=attempt, attempts=attempts, cause=first_line(e))
            else:
                return result if result is not None else (0, self.io.read_dataset(target.table(table)).count())
        raise GenerationError(f"{table}: no attempt to write was made; set write_retries to 1 or more")

    def _judge(self, target: Location, version: int, skeleton: Skeleton, there: Collection[str], read: Reader) -> None:
        """Ask the oracle about a table that was written, and about keys of other tables that refer to it.

        Raises:
            GenerationError: a key is broken, or rows are missing; the table is as it was before the write.
        """
        specs, table = self.metadata.tables, skeleton.plan.table
        if skeleton.plan.reference:
            return
        found = oracle.broken(table, specs[table], read(table), skeleton.total)
        for name in there:  # late keys refer to tables that are made after them
            keys = [fk for fk in specs[name].foreign_keys if fk.references in there and table in (name, fk.references)]
            found += oracle.orphans(name, keys, read(name), read) if keys else []
        if not found:
            return
        ref = target.table(table)
        if version > 0 and hasattr(self.io, "restore"):
            self.io.restore(ref, version - 1)
        raise GenerationError(
            "\n  - ".join([f"{table} was taken back, since what was generated is not valid:", *found])
            + "\nThis is a bug of SynthoHive: report it with the metadata; leave the key out until it is mended"
        )

    def _versions(self, target: Location) -> dict[str, int | None]:
        return {t: self.io.version(target.table(t)) for t in self.metadata.tables}

    def _clean(self, target: Location, touched: list[str], before: Mapping[str, int | None]) -> None:
        """Bring the tables that this run touched back to what they were."""
        for table in touched:
            ref, version = target.table(table), before[table]
            now = self.io.version(ref)
            if version is None and now is not None:
                self.io.drop(ref)
                log.info("table_removed", table=table)
            elif version is not None and now != version:
                self.io.restore(ref, version)
                log.info("table_restored", table=table, version=version)


def _lineage(source: SourceLake, model_cls: type, seed: int) -> dict[str, str]:
    return {
        "source_versions": json.dumps(dict(sorted(source.versions.items()))),
        "model": model_cls.__name__,
        "train_seed": str(seed),
    }
