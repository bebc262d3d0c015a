"""The workspace: what a run did (manifest) and the models it trained (registry), as two append-only Delta tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, DataType, DoubleType, StringType, StructField, StructType, TimestampType

from synthohive_spark.errors import ConfigError, SerializationError, SourceDataError, TrainingError
from synthohive_spark.lake.causes import why
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location
from synthohive_spark.matching.matching import Matching
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.rules.loaded import read_plan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.untrusted import MALFORMED, plain_json

MOST_METRICS = 32 * 2**20  # bytes of what a training says of itself


def _columns(**types: DataType) -> StructType:
    return StructType([StructField(name, kind) for name, kind in types.items()])


TEXT = StringType()
TABLES = {
    "manifest": _columns(run_id=TEXT, event=TEXT, table_name=TEXT, payload=TEXT, at=TimestampType()),
    "models": _columns(
        run_id=TEXT,
        table_name=TEXT,
        model=BinaryType(),
        matching=TEXT,
        metrics=TEXT,
        plan=TEXT,
        schema_hash=TEXT,
        about=TEXT,
        at=TimestampType(),
    ),
}
REPORTS = _columns(run_id=TEXT, page=TEXT, details=TEXT, at=TimestampType())  # made where no folder can hold them

METRICS = {
    **dict.fromkeys(("run_id", "kind", "place", "what"), "string"),
    **dict.fromkeys(("score", "floor", "ceiling", "share", "low", "high"), "double"),
}  # of evaluations, beside the time; made by the first one


@dataclass(frozen=True)
class MetricRow:
    """One thing that an evaluation judged.

    Attributes:
        run_id: of the evaluation.
        kind: figure, table, or the kind of what was judged.
        place: the table or foreign key; empty for a figure of the whole lake.
        what: the figure, or what was judged.
        score: similarity of the copy; of a figure its score.
        floor: similarity where nothing goes together.
        ceiling: similarity of two halves of the source.
        share: how much of the way from floor to ceiling is gone.
        low: the share, a standard error lower.
        high: the share, a standard error higher.
    """

    run_id: str
    kind: str
    place: str
    what: str
    score: float
    floor: float
    ceiling: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Event:
    """One line of a run's manifest."""

    event: str
    table: str | None
    payload: dict[str, Any]


@dataclass(frozen=True)
class Workspace:
    """Manifest and registry of a workspace.

    Attributes:
        spark: the session.
        place: where the two tables lie.
    """

    spark: SparkSession
    place: Location

    @property
    def _io(self) -> DeltaIO:
        return DeltaIO(self.spark)

    def prepare(self) -> None:
        """Create both tables where they are absent, before writers of many threads meet."""
        for name, schema in TABLES.items():
            self._io.create(self.place.table(name), schema)

    def record(self, run_id: str, event: str, table: str | None = None, **payload: Any) -> None:
        """Append one event to the manifest."""
        line = self.spark.range(0, 1, 1, 1).select(
            F.lit(run_id).alias("run_id"),
            F.lit(event).alias("event"),
            F.lit(table).cast("string").alias("table_name"),
            F.lit(json.dumps(payload, sort_keys=True)).alias("payload"),
            F.current_timestamp().alias("at"),
        )
        self._io.append(line, self.place.table("manifest"))

    def keep_report(self, run_id: str, page: str, details: str) -> str:
        """Append a report to the workspace's table ``reports``.

        Returns:
            Where it lies, in words.
        """
        place = self.place.table("reports")
        self._io.create(place, REPORTS)
        line = self.spark.createDataFrame([(run_id, page, details)], "run_id string, page string, details string")
        self._io.append(line.withColumn("at", F.current_timestamp()), place)
        return f"{place.sql}: column page where run_id = '{run_id}'"

    def keep_metrics(self, rows: DataFrame) -> None:
        """Append what an evaluation judged (the columns of ``METRICS``) to the workspace's table ``metrics``."""
        place = self.place.table("metrics")
        kinds = {name: DoubleType() if kind == "double" else TEXT for name, kind in METRICS.items()}
        self._io.create(place, _columns(**kinds, at=TimestampType()))
        self._io.append(rows.withColumn("at", F.current_timestamp()), place)

    def newest_figures(self, runs: int) -> list[tuple[str, str, str, float]]:
        """Run, time, figure and score of the newest runs, oldest first."""
        rows = self._io.read_dataset(self.place.table("metrics")).where(F.col("kind") == "figure")
        newest = rows.groupBy("run_id").agg(F.max("at").alias("last")).orderBy(F.desc("last")).limit(runs)
        told = rows.join(newest, "run_id").where(F.col("at") == F.col("last")).orderBy("at", "run_id", "what").collect()
        return [(r["run_id"], f"{r['at']:%Y-%m-%d %H:%M}", r["what"], float(r["share"])) for r in told]

    def events(self, run_id: str) -> list[Event]:
        """A run's events, oldest first.

        Raises:
            ConfigError: the workspace knows no such run.
        """
        with self._readable("manifest"):
            lines = self._newest("manifest")
            if lines is None:
                raise ConfigError(f"the workspace {self.place} has no manifest yet; run train or pipeline first")
            rows = lines.where(F.col("run_id") == run_id).orderBy("at").collect()
            found = [Event(r["event"], r["table_name"], dict(plain_json(r["payload"], MOST_METRICS))) for r in rows]
        if not rows:
            raise ConfigError(
                f"run {run_id!r} is not in the workspace {self.place}; check the run id and the workspace"
            )
        return found

    @contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        """Say of a table of the workspace that it is damaged, whatever reading it raises."""
        try:
            yield
        except (ConfigError, TrainingError):
            raise
        except (*MALFORMED, SourceDataError, PySparkException, Py4JError) as e:
            raise SerializationError(
                f"the workspace {self.place} is damaged: its table {name} cannot be read ({why(e)}); "
                "restore it from a copy, or name another workspace and train again"
            ) from e

    def latest(self, event: str, **payload: Any) -> str | None:
        """The run with the newest event of that name whose payload holds these values; None without one."""
        with self._readable("manifest"):
            lines = self._newest("manifest")
            if lines is None:
                return None
            found = lines.where(F.col("event") == event)
            for key, value in payload.items():
                found = found.where(F.get_json_object("payload", f"$.{key}") == str(value))
            row = found.orderBy(F.desc("at")).select("run_id").first()
        return None if row is None else str(row["run_id"])

    def _newest(self, name: str) -> DataFrame | None:
        """A table of the workspace as it is now; None where it is not there."""
        ref = self.place.table(name)
        version = self._io.version(ref)
        return None if version is None else self._io.read_dataset(ref, version)

    def keep_model(self, run_id: str, plan: TablePlan, model: DataFrame | None, about: Mapping[str, str]) -> None:
        """Append a table's plan and model to the registry; the frame trains while it is written.

        Args:
            run_id: the training run.
            plan: the table's plan.
            model: one row (model, matching, metrics); None for a table with nothing to learn.
            about: model class, options, hashes, seed.
        """
        if model is None:
            nothing = [
                F.lit(None).cast("binary").alias("model"),
                F.lit("").alias("matching"),
                F.lit("{}").alias("metrics"),
            ]
            model = self.spark.range(0, 1, 1, 1).select(*nothing)
        text = plan.model_dump_json()
        schema_hash = hashlib.sha256(json.dumps(plan.columns.spark_schema, sort_keys=True).encode()).hexdigest()[:16]
        row = model.select(
            F.lit(run_id).alias("run_id"),
            F.lit(plan.table).alias("table_name"),
            F.col("model"),
            F.col("matching"),
            F.col("metrics"),
            F.lit(text).alias("plan"),
            F.lit(schema_hash).alias("schema_hash"),
            F.lit(json.dumps(dict(about), sort_keys=True)).alias("about"),
            F.current_timestamp().alias("at"),
        )
        self._io.append(row, self.place.table("models"))

    def models(
        self, run_id: str, declared: Collection[str] = ()
    ) -> tuple[dict[str, TablePlan], dict[str, Artifact], dict[str, dict[str, Any]]]:
        """Plans, models and metrics of a training run, by table. Models are a few MB each.

        Args:
            run_id: of the training.
            declared: Spark SQL of the user's own metadata; plans may hold no other that is not known to be harmless.

        Raises:
            TrainingError: the registry has no model of that run.
            SerializationError: a plan cannot be read.
        """
        with self._readable("models"):
            held = self._newest("models")
            if held is None:
                raise TrainingError(f"the workspace {self.place} holds no models; run train or pipeline first")
            own = held.select(*TABLES["models"].names).where(F.col("run_id") == run_id)
            rows: list[Row] = own.orderBy("at").collect()
        if not rows:
            raise TrainingError(f"run {run_id!r} has no models in {self.place}; choose another with --run")
        try:
            plans = {r["table_name"]: read_plan(r["plan"], declared) for r in rows}
            for row in rows:
                Matching.unpack(row["matching"])
                if plans[row["table_name"]].table != row["table_name"]:
                    raise ValueError(f"{row['table_name']} has the plan of {plans[row['table_name']].table}")
            metrics = {r["table_name"]: plain_json(r["metrics"], MOST_METRICS) for r in rows}
        except MALFORMED as e:
            raise SerializationError(
                f"a plan of run {run_id!r} was written by another version: {e}; train again"
            ) from e
        artifacts = {r["table_name"]: _artifact(r) for r in rows}
        return plans, artifacts, metrics

    def learnt(self, run_id: str) -> Callable[[str], DataFrame]:
        """What training left of each table of a run, for Spark to read: {table: one row (table_name, model, matching)}.

        The registry is as it was when this was called.
        """
        rows = self._io.read_dataset(self.place.table("models")).where(F.col("run_id") == run_id)

        def of(table: str) -> DataFrame:
            newest = rows.where(F.col("table_name") == table).orderBy(F.desc("at")).limit(1)
            return newest.select("table_name", "model", "matching")

        return of

    def trained_tables(self, run_id: str) -> set[str]:
        """Tables of a run that the registry holds."""
        with self._readable("models"):
            held = self._newest("models")
            if held is None:
                return set()
            rows = held.where(F.col("run_id") == run_id).select("table_name").collect()
        return {r["table_name"] for r in rows}


def _artifact(row: Row) -> Artifact:
    return Artifact(None if row["model"] is None else bytes(row["model"]), row["matching"])
