"""Writes the tables of a run stage by stage: each is checked in the lake and released before its children read it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType
from tqdm import tqdm

from synthohive_spark.errors import (
    ConstraintViolationError,
    GenerationError,
    SourceDataError,
    SynthoHiveError,
    WriteError,
)
from synthohive_spark.generation import oracle
from synthohive_spark.generation.aggregates import exact_rows, next_due
from synthohive_spark.generation.constraints import violation
from synthohive_spark.generation.row_counts import planned_cells, planned_sizes
from synthohive_spark.generation.stage import completed, stage_frame
from synthohive_spark.generation.stage_input import StageInput
from synthohive_spark.generation.stage_plan import plan_stage
from synthohive_spark.interrupts import last_things, pause
from synthohive_spark.lake.causes import from_outside, may_pass, why
from synthohive_spark.lake.commits import OWNER, PREFIX
from synthohive_spark.lake.held import Held, persisted
from synthohive_spark.lake.places import check_apart
from synthohive_spark.lake.target import WrittenRows, bring_back
from synthohive_spark.location import Location, TableRef
from synthohive_spark.logs import bound, get_logger
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.nested import flat, nested, nested_schema
from synthohive_spark.parallel import side_by_side
from synthohive_spark.schema.ancestors import Reader
from synthohive_spark.schema.table_plan import TablePlan, generation_order
from synthohive_spark.session import settings, sized

log = get_logger(__name__)
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds: what passes by itself often does at once, a restart takes a minute
ROWS, EXACT = "rows", "exact"  # steps of a table's writing: all rows; again with the columns that follow from children
LEFT = "these tables are left as they are"
PAIRED = "a unique key is made of foreign keys, and there are no more parents to pair"


@dataclass
class Trained:
    """What generation needs, apart from parents: plans and models.

    Attributes:
        plans: one per table.
        artifacts: what training left of each; a table with nothing to learn has none.
        copies: frames of reference tables, which are copied.
        lineage: table properties that say where rows come from.
        sources: {table: folder or catalog name} of what was learnt, which is never written to.
        registry: where Spark reads what training left, as ``stage_frame`` takes it.
    """

    plans: dict[str, TablePlan]
    artifacts: dict[str, Artifact]
    copies: Callable[[str], DataFrame]
    lineage: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    registry: Callable[[str], DataFrame] | None = None


@dataclass(frozen=True)
class TableGenerator:
    """Makes the frames of tables from what was trained.

    Attributes:
        spark: the session.
        metadata: the tables that are made.
        trained: plans and models.
        model_cls: the class of every table's model.
        wanted: rows of the root tables, and of others that shall have a number of their own.
        seed: the generation seed.
    """

    spark: SparkSession
    metadata: Metadata
    trained: Trained
    model_cls: type[ConditionalGenerativeModel]
    wanted: Mapping[str, int]
    seed: int

    @property
    def stages(self) -> list[list[str]]:
        """The tables in the order in which they are made."""
        return generation_order({t: self.trained.plans[t] for t in self.metadata.tables})

    @property
    def planned(self) -> dict[str, int]:
        """Rows of each table, as far as they are known before any is made."""
        sizes = planned_sizes(self.trained.plans, self.wanted)
        return {t: n for t, n in sizes.items() if t in self.metadata.tables}

    def stage(self, table: str, sizes: Mapping[str, int], read: Reader) -> StageInput:
        """The inputs of a table's stage.

        Args:
            table: its name.
            sizes: rows of the tables before it.
            read: reads these.
        """
        plans = self.trained.plans
        if any(fk.role == "late" for fk in plans[table].keys.foreign):
            sizes = {**planned_sizes(plans, self.wanted), **sizes}
        return StageInput(self.spark, plans[table], plans, read, sizes, self.wanted.get(table), self.seed)

    def frame(self, table: str, sizes: Mapping[str, int], read: Reader) -> tuple[DataFrame, int, int]:
        """The rows of a table, how many there will be, and how many there would be if parents never ran out.

        Raises:
            GenerationError: no row can be made.
        """
        plan = self.trained.plans[table]
        if plan.reference:
            schema = StructType.fromJson(plan.columns.spark_schema)
            return completed(self.trained.copies(table), schema), plan.rows, 0
        if not plan.rows:
            return self.spark.createDataFrame([], StructType.fromJson(plan.columns.spark_schema)), 0, 0
        stage = plan_stage(self.stage(table, sizes, read))
        if not stage.total:
            raise GenerationError(
                f"{table}: no row can be made, since no rows of its parents agree in what its keys share; "
                "leave one of these keys out"
            )
        artifact = self.trained.artifacts.get(table, Artifact())
        return stage_frame(stage, self.model_cls, artifact, self.trained.registry), stage.total, stage.asked

    def in_memory(self) -> dict[str, DataFrame]:
        """Every table, persisted where Spark keeps frames in memory."""
        made, sizes, exact = dict[str, DataFrame](), dict[str, int](), set[str]()

        def read(table: str) -> DataFrame:
            return flat(made[table])

        with settings(self.spark), sized(self.spark, planned_cells(self.trained.plans, self.planned)):
            for tables in self.stages:
                log.info("stage_start", tables=tables)
                for table in tables:
                    made[table] = self._structured(table, self.frame(table, sizes, read)[0])
                    persisted(made[table])
                    try:
                        sizes[table] = made[table].count()
                    except Exception as e:
                        if (broken := violation(e)) is not None:
                            raise ConstraintViolationError(broken) from e
                        raise
                while (due := self.due(sizes, exact)) is not None:
                    drawn = made[due]
                    made[due] = self._structured(due, exact_rows(self.trained.plans, due, read))
                    if persisted(made[due]):
                        made[due].count()
                        drawn.unpersist()
                    exact.add(due)
        return made

    def _structured(self, table: str, rows: DataFrame) -> DataFrame:
        """Rows with the structs that the source has."""
        return nested(rows, StructType.fromJson(self.trained.plans[table].columns.spark_schema))

    def due(self, written: Collection[str], exact: Collection[str]) -> str | None:
        """A table whose columns can be made what its children say, of those that are written; None without one."""
        plans = {t: self.trained.plans[t] for t in self.metadata.tables}
        return next_due(plans, written, exact)


Written = Callable[[str, int, int], None]


def nobody(table: str, version: int, rows: int) -> None:
    """Nobody wants to know of a table that it is written."""


@contextmanager
def _failing_in(table: str) -> Iterator[None]:
    """Raise what Spark raises in the block as a ``WriteError`` that names the table."""
    try:
        yield
    except SourceDataError as e:  # of a table that this run wrote, or copies
        raise WriteError(f"{table}: {e}") from e
    except SynthoHiveError:
        raise
    except Exception as e:
        if not from_outside(e):
            raise
        raise WriteError(f"{table}: {why(e)}") from e


@dataclass(frozen=True)
class StageWriter:
    """Writes generated tables into a target.

    Attributes:
        generator: makes them.
        io: reads and writes tables (see ``StagedOrchestrator``).
        target: where to.
        on_write_failure: ``raise``, ``retry`` or ``cleanup``.
        write_retries: attempts after the first one, with ``retry``.
        before: {table: its version before the run, None where it was not there}; as it is when the writing begins
            if that is not given.
        cleaned: called after a cleanup with what is left of it.
        attempt: names the commits of this writer where the lineage names no run.
    """

    generator: TableGenerator
    io: Any
    target: Location
    on_write_failure: str
    write_retries: int
    before: Mapping[str, int | None] | None = None
    cleaned: Callable[[list[str]], None] = lambda left: None
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex)

    def write(
        self,
        done: Mapping[str, int | tuple[int, int]] | None = None,
        written: Written = nobody,
        exact: Collection[str] = (),
        replaced: Written = nobody,
    ) -> dict[str, int]:
        """Generate and write every table that is not ``done``; those of a stage side by side.

        After a stage, tables whose columns follow from its rows are written once more, with these columns exact. Tables
        of later stages read that; it is the same in whichever attempt it is written.

        Args:
            done: {table: rows, or (version, rows)} that an earlier attempt of the same run completed.
            written: called after each table with its name, Delta version and rows.
            exact: tables that an earlier attempt wrote once more.
            replaced: called after each of these, as ``written`` is.

        Returns:
            {table: rows}.

        Raises:
            ConfigError: a table of the target is one of the source.
        """
        made, trained, done = self.generator, self.generator.trained, done or {}
        sources = {t: TableRef.parse(place) for t, place in trained.sources.items()}
        targets = {t: self.target.table(t) for t in made.metadata.tables}
        check_apart(made.spark, {"source": sources, "target": targets})
        sizes = {t: told if isinstance(told, int) else told[1] for t, told in done.items()}
        versions = {t: told[0] for t, told in done.items() if not isinstance(told, int)}
        before = self._versions() if self.on_write_failure == "cleanup" else {}
        touched: list[str] = []
        memory = Held()  # the stages below a small table ask it many questions
        read = WrittenRows(lambda table, version: memory.keep(self._open(table, version), sizes[table]), versions)
        ready = {*exact}
        planned = made.planned
        cells = planned_cells(trained.plans, planned)
        log.info("tables_to_generate", rows={t: n for t, n in planned.items() if t not in sizes})
        bar = tqdm(total=len(planned) - len(sizes), desc="generating", unit="table", disable=None)
        with bar, memory, settings(made.spark), sized(made.spark, cells), self._cleaning(touched, before, sizes):
            for stage in made.stages:
                log.info("stage_start", tables=stage)
                waiting = [t for t in stage if t not in sizes]
                touched += waiting
                side_by_side(lambda table: written(table, *self._make(table, sizes, read)), waiting, done=bar.update)
                while (due := made.due(sizes, ready)) is not None:
                    touched.append(due)
                    replaced(due, *self._replace(due, sizes, read))
                    ready.add(due)
        return sizes

    @contextmanager
    def _cleaning(
        self, touched: list[str], before: Mapping[str, int | None], sizes: Mapping[str, int]
    ) -> Iterator[None]:
        """If the block fails, or a signal ends it, bring back the target, as the policy says.

        Whatever it says, a table that was there before, and is not written, does not stay empty.
        """
        try:
            yield
        except BaseException as e:
            if self.on_write_failure == "cleanup":
                last_things(partial(self._clean, touched, before, e))
            else:
                half = [t for t in touched if t not in sizes and (self.before or {}).get(t) is not None]
                last_things(partial(self._bring_back, half, self.before or {}))
            raise

    def _open(self, table: str, version: int | None) -> DataFrame:
        """A table of the target; not every reader can be asked for a version."""
        ref = self.target.table(table)
        rows: DataFrame = self.io.read_dataset(ref) if version is None else self.io.read_dataset(ref, version)
        return flat(rows)

    def _make(self, table: str, sizes: dict[str, int], read: WrittenRows) -> tuple[int, int]:
        """Write one table and ask the oracle about it: its version and rows."""
        with bound(table=table):
            with _failing_in(table):
                frame, total, asked = self.generator.frame(table, sizes, read)
                version, rows = self._write(table, frame)
                sizes[table] = rows
                read.wrote(table, version)
                if not self.generator.trained.plans[table].reference:
                    self._judge(table, version, total, [*sizes], read)
            log.info("stage_written", rows=rows, version=version)
            if rows < asked:
                log.warning("rows_left_out", rows=rows, wanted=asked, why=PAIRED)
            log.debug("table_released_from_memory")
            return version, rows

    def _replace(self, table: str, sizes: Mapping[str, int], read: WrittenRows) -> tuple[int, int]:
        """Write a table once more, with the columns that follow from its children; its version and rows."""
        with bound(table=table), _failing_in(table):
            version, rows = self._write(table, exact_rows(self.generator.trained.plans, table, read), again=True)
            read.wrote(table, version)
            self._judge(table, version, sizes[table], [*sizes], read)
            log.info("aggregates_written", rows=rows, version=version)
            return version, rows

    def _write(self, table: str, frame: DataFrame, again: bool = False) -> tuple[int, int]:
        """Write a table; ``again`` where it has its properties already."""
        trained = self.generator.trained
        plan = trained.plans[table]
        schema = StructType.fromJson(plan.columns.spark_schema)
        declared = {"design": plan.design} if plan.design.carried else {}  # not every writer knows of it
        own = {} if OWNER in trained.lineage else {"attempt": self.attempt}
        said = {**own, **trained.lineage, "step": EXACT if again else ROWS}
        lineage = {f"{PREFIX}{k}": v for k, v in said.items()}
        attempts = 1 + (self.write_retries if self.on_write_failure == "retry" else 0)
        for attempt in range(1, attempts + 1):
            try:
                result = self.io.write_dataset(
                    nested(frame, schema),
                    self.target.table(table),
                    schema=nested_schema(schema),
                    properties={} if again else lineage,
                    user_metadata=json.dumps(said, sort_keys=True),
                    **declared,
                )
            except Exception as e:
                if (broken := violation(e)) is not None:  # drawing once more would give the same rows
                    raise ConstraintViolationError(broken) from e
                if attempt == attempts or not may_pass(e):
                    raise e if isinstance(e, SynthoHiveError) else WriteError(f"{table}: {why(e)}") from e
                wait = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
                log.warning("write_failed", attempt=attempt, attempts=attempts, cause=why(e), seconds=wait)
                pause(wait)
            else:
                return result if result is not None else (0, self.io.read_dataset(self.target.table(table)).count())
        raise GenerationError(f"{table}: no attempt to write was made; set write_retries to 1 or more")

    def _judge(self, table: str, version: int, total: int, there: Collection[str], read: Reader) -> None:
        """Ask the oracle about a table that was written, and about late keys of earlier tables that refer to it.

        Raises:
            GenerationError: a key is broken, or rows are missing; the table is as it was before the write.
        """
        specs, plans = self.generator.metadata.tables, self.generator.trained.plans
        found = oracle.broken(table, specs[table], read(table), total)
        for name in there:
            late = {fk.columns for fk in plans[name].keys.foreign if fk.role == "late" and fk.references == table}
            asked = {fk.columns for fk in specs[name].foreign_keys} if name == table else late
            keys = [fk for fk in specs[name].foreign_keys if fk.columns in asked and fk.references in there]
            found += oracle.orphans(name, keys, read(name), read) if keys else []
        if not found:
            return
        if version > 0 and hasattr(self.io, "restore"):
            self.io.restore(self.target.table(table), version - 1)
        raise GenerationError(
            "\n  - ".join([f"{table} was taken back, since what was generated is not valid:", *found])
            + "\nThis is a bug of SynthoHive: report it with the metadata; leave the key out until it is mended"
        )

    def _versions(self) -> Mapping[str, int | None]:
        """What was there before the run: as the run recorded it, else as it is now."""
        if self.before is not None:
            return self.before
        return {t: self.io.version(self.target.table(t)) for t in self.generator.metadata.tables}

    def _clean(self, touched: list[str], before: Mapping[str, int | None], cause: BaseException) -> None:
        """Bring back the tables of this run, and of its earlier attempts; the cause says what could not be."""
        left = self._bring_back(before if OWNER in self.generator.trained.lineage else touched, before)
        self.cleaned(left)
        told = "\n  - ".join(["", *left, LEFT]) if left else ""
        if left and isinstance(cause, Exception):
            cause.args = (f"{cause}{told}",)
        vars(cause)["left"] = told  # of a signal, which says its number alone

    def _bring_back(self, tables: Collection[str], before: Mapping[str, int | None]) -> list[str]:
        """Bring some tables back to what they were, stage by stage, children first; what is left as it is."""
        stages = [[t for t in stage if t in tables] for stage in reversed(self.generator.stages)]
        return bring_back(self.io, self.target, stages, before, self.generator.trained.lineage.get(OWNER))
