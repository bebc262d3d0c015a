"""Training on the executors: one Spark task per table, tables side by side.

The task streams its sample in through Arrow, trains, and returns the model as one row. The driver sees neither.
"""

from __future__ import annotations

import inspect
import json
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext
from pyspark.resource import ResourceProfile, ResourceProfileBuilder, TaskResourceRequests
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tqdm import tqdm

from synthohive_spark.errors import ConfigError, SynthoHiveError, TrainingError, WriteError
from synthohive_spark.lake.io import first_line
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import TEXT, Metadata, Table
from synthohive_spark.models.artifact import pack
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.models.encoders import RARE_TOKEN
from synthohive_spark.parallel import side_by_side
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.relational.context import Reader
from synthohive_spark.relational.elapsed import elapsed
from synthohive_spark.relational.matching import learn
from synthohive_spark.relational.plan import NAN, ContextColumn, TablePlan, nan_name, same_name
from synthohive_spark.relational.relative import factors
from synthohive_spark.relational.values import Mask, as_model, from_arrow
from synthohive_spark.sampling import ORDER, training_frame
from synthohive_spark.strict import nearest
from synthohive_spark.worker import forget_archives

log = get_logger(__name__)
RESULT = "model binary, matching string, metrics string"
SIDE_BY_SIDE = 16  # Spark queues what exceeds its slots; this bounds the driver's threads


@dataclass(frozen=True)
class TrainSettings:
    """How models are trained.

    Attributes:
        model_cls: the class of every table's model.
        options: arguments of its constructor that the user gave.
        max_seconds: budget per table.
        parallelism: tables side by side; None for as many as there are slots.
    """

    model_cls: type[ConditionalGenerativeModel]
    sample_rows: int = 200_000
    max_seconds: float | None = 60.0
    epochs: int | None = None
    seed: int = 1
    gpu: str = "auto"
    min_subjects: int = 3
    parallelism: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def constructor_options(self, device: str) -> dict[str, Any]:
        """Arguments for the model's constructor: the user's, and those of ours that it takes."""
        ours = {
            "epochs": self.epochs,
            "max_seconds": self.max_seconds,
            "device": device,
            "min_count": self.min_subjects,
            "threads": int(os.environ.get("OMP_NUM_THREADS", "1")),
        }
        parameters = inspect.signature(self.model_cls).parameters
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            ours = {k: v for k, v in ours.items() if k in parameters}
        return {**ours, **self.options}

    def check(self) -> None:
        """Refuse options that the model's constructor does not take.

        Raises:
            ConfigError: naming the nearest option that it takes.
        """
        parameters = inspect.signature(self.model_cls).parameters
        known = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        unknown = [] if known else [o for o in self.options if o not in parameters]
        if unknown:
            hints = "; ".join(f"{o}: {nearest(o, list(parameters))}" for o in unknown)
            raise ConfigError(f"train.options: {self.model_cls.__name__} does not take {hints}")
        self.model_cls(Metadata(), **self.constructor_options("cpu"))


@dataclass(frozen=True)
class Trainer:
    """What one training task runs, as the function of ``mapInArrow``: rows of the sample in, one model out."""

    plan: TablePlan
    settings: TrainSettings

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The whole sample of the table in, one row (model, matching, metrics) out."""
        forget_archives()
        parts = [b for b in batches if b.num_rows]
        if not parts:
            raise TrainingError(f"{self.plan.table}: the sample is empty; raise train.sample_rows")
        started, place = time.monotonic(), placement()
        log.info("training_task_started", table=self.plan.table, **place)
        sample = pa.Table.from_batches(parts)
        data, context = self.frames(sample)
        seed = seed_of(self.settings.seed, self.plan.table, "train") % 2**31
        data = factors(elapsed(data, context, self.plan.after), context, self.plan.relative)
        data = _with_nan(_filled(data, self.plan.absent, seed), self._nan(sample), seed)
        named = {fk.position: f"p{fk.position}" for fk in self.plan.foreign_keys}
        parents = {i: _identity(sample, name) for i, name in named.items() if name in sample.column_names}
        context = _as_published(context, self.plan.shown, parents, self.settings.min_subjects)
        matching, context = learn(self.plan, context, parents, self.settings.min_subjects, seed)
        model, metrics = self._fit(data, context, seed) if len(data.columns) else (None, {})
        seconds = round(time.monotonic() - started, 3)
        metrics |= {"sample_rows": sample.num_rows, "train_seconds": seconds, "placement": place}
        row = {"model": [model], "matching": [matching.pack()], "metrics": [json.dumps(metrics, default=str)]}
        kinds = [("model", pa.binary()), ("matching", pa.string()), ("metrics", pa.string())]
        yield pa.RecordBatch.from_pydict(row, schema=pa.schema(kinds))

    def _fit(self, data: pd.DataFrame, context: pd.DataFrame, seed: int) -> tuple[bytes, dict[str, Any]]:
        """The packed model and its metrics."""
        device = pick_device(self.settings.gpu)
        shown = Metadata(
            {self.plan.table: Table(columns={c: self.plan.types().get(c, "boolean") for c in data.columns})}
        )
        model = self.settings.model_cls(shown, **self.settings.constructor_options(device))
        seen = context if len(context.columns) else None
        model.fit(data, context=seen, table_name=self.plan.table, seed=seed)
        return pack(model), {**getattr(model, "metrics", {}), "device": device}

    def _nan(self, sample: pa.Table) -> dict[str, Mask]:
        """Where the modelled columns that hold NaN do so; Arrow tells it from null."""
        columns = {c: sample.column(f"m{i}") for i, c in enumerate(self.plan.named("model"))}
        floats = {
            c: pc.is_nan(a).fill_null(False).to_numpy() for c, a in columns.items() if pa.types.is_floating(a.type)
        }
        return {c: nan for c, nan in floats.items() if nan.any()}

    def frames(self, sample: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Data and context in the dtypes of ``as_model``, rows in the order of their key's hash."""
        types = self.plan.types()
        data = {c: _column(sample, f"m{i}", types[c]) for i, c in enumerate(self.plan.named("model"))}
        data |= {same_name(c): _column(sample, f"n{i}", "boolean") for i, c in enumerate(self.plan.near)}
        seen = {c.name: f"c{i}" for i, c in enumerate(self.plan.context)}
        context = {c.name: _column(sample, seen[c.name], c.type) for c in self.plan.shown}
        context |= {c: _column(sample, f"s{i}", types[c]) for i, c in enumerate(self.plan.named("sequence", "grid"))}
        rows = range(sample.num_rows)
        return pd.DataFrame(data, index=rows), pd.DataFrame(context, index=rows)


def placement() -> dict[str, Any]:
    """Where this task runs: host, process, attempt, and the GPUs that Spark gave it."""
    task = TaskContext.get()
    given = task.resources().get("gpu") if task is not None else None
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "attempt": task.attemptNumber() if task is not None else 0,
        "gpus": list(given.addresses) if given is not None else [],
    }


def pick_device(gpu: str) -> str:
    """The device of this task: its own GPU where Spark gave it one, else any GPU that torch sees, else the CPU.

    Raises:
        TrainingError: ``require`` was asked for and there is no GPU.
    """
    if gpu == "never":
        return "cpu"
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # the order in which Spark's discovery scripts count
    import torch  # only now: CUDA reads the variable when it starts

    if torch.cuda.is_available():
        seen = {str(i) for i in range(torch.cuda.device_count())}
        own = [a for a in placement()["gpus"] if a in seen]  # none where the platform shows a task its own GPUs only
        return f"cuda:{own[0]}" if own else "cuda"
    if gpu == "require":
        raise TrainingError("train.gpu is 'require' and the executor has no GPU; use 'auto', or a cluster with GPUs")
    return "cpu"


def resource_profile(spark: SparkSession, gpu: str) -> ResourceProfile | None:
    """What Spark is to give a training task beyond what every task gets, or None.

    Where executors have GPUs and tasks ask for none, training asks for one of its own; no other stage waits for a GPU
    then (Spark's stage level scheduling, which local masters do not have).
    """
    conf = spark.conf
    has = float(conf.get("spark.executor.resource.gpu.amount", "0") or 0) >= 1
    asked = conf.get("spark.task.resource.gpu.amount", None) is not None
    if gpu == "never" or asked or not has or (conf.get("spark.master", "") or "").startswith("local["):
        return None
    cpus = int(conf.get("spark.task.cpus", "1") or 1)
    return ResourceProfileBuilder().require(TaskResourceRequests().cpus(cpus).resource("gpu", 1)).build


def learns(plan: TablePlan) -> bool:
    """Whether a table has something to learn: columns, or which of its parents go together."""
    return not plan.reference and bool(plan.named("model") or plan.near or plan.dealt)


def train_tables(
    plans: Mapping[str, TablePlan],
    read: Reader,
    settings: TrainSettings,
    keep: Callable[[str, DataFrame], None],
    only: Collection[str] | None = None,
) -> None:
    """Train every table that has something to learn.

    Args:
        plans: the tables.
        read: source tables by name.
        settings: how.
        keep: called from a thread per table with a frame of one row (model, matching, metrics), which trains when run.
        only: tables to train; all of them by default.

    Raises:
        TrainingError: naming the table and the cause; the other tables that have begun are finished.
    """
    wanted = [t for t, p in plans.items() if learns(p) and (only is None or t in only)]
    wanted.sort(key=lambda t: _cells(plans[t], settings.sample_rows), reverse=True)  # the longest first: none is last

    def train(table: str) -> None:
        log.info("training_task_submitted", table=table)
        frame = training_frame(table, plans, read, settings.sample_rows, settings.seed)
        gathered = frame.repartition(1).sortWithinPartitions(ORDER, *(F.col(c) for c in frame.columns if c != ORDER))
        try:
            profile = resource_profile(frame.sparkSession, settings.gpu)
            keep(table, gathered.mapInArrow(Trainer(plans[table], settings), RESULT, profile=profile))
        except WriteError as e:  # the model trains while its row is written
            raise TrainingError(f"{table}: training failed: {e}") from e
        except SynthoHiveError:
            raise
        except Exception as e:
            raise TrainingError(f"{table}: training failed: {first_line(e)}") from e

    with tqdm(total=len(wanted), desc="training", unit="table", disable=None) as bar:
        side_by_side(train, wanted, settings.parallelism or SIDE_BY_SIDE, bar.update)


def _cells(plan: TablePlan, sample_rows: int) -> int:
    """Values that a table's training sees, its parents' among them."""
    return min(plan.rows, sample_rows) * (len(plan.named("model")) + len(plan.shown))


def _filled(data: pd.DataFrame, absent: Mapping[str, tuple[str, ...]], seed: int) -> pd.DataFrame:
    """Values where a law of the plan says null: some of the column's own, so that the model learns the other nulls.

    A null that a law makes and that the model draws as well would be there twice as often.
    """
    filled = dict[str, Any]()
    for i, (column, causes) in enumerate(absent.items()):
        if column in data:
            null = data[column].isna().to_numpy()
            known = np.flatnonzero(~null)
            lawful = np.flatnonzero(null & data[[c for c in causes if c in data]].isna().any(axis=1).to_numpy())
            if len(known) and len(lawful):
                order = np.arange(len(data))
                order[lawful] = np.random.default_rng(seed_of(seed, i)).choice(known, len(lawful))
                filled[column] = data[column].iloc[order].reset_index(drop=True)
    return data.assign(**filled)


def _with_nan(data: pd.DataFrame, nan: Mapping[str, Mask], seed: int) -> pd.DataFrame:
    """Columns with NaN apart in two: whether it is NaN, and a value, or null, of the rows where it is not."""
    for i, (column, there) in enumerate(nan.items()):
        others, order = np.flatnonzero(~there), np.arange(len(data))
        if len(others):
            order[there] = np.random.default_rng(seed_of(seed, NAN, i)).choice(others, int(there.sum()))
        value = data[column].iloc[order].reset_index(drop=True)
        data = data.assign(**{column: value, nan_name(column): pd.Series(there)})
    return data


def _as_published(
    context: pd.DataFrame, columns: Iterable[ContextColumn], parents: Mapping[int, Ints], min_subjects: int
) -> pd.DataFrame:
    """Context as synthetic parents will show it: there a text that few parents hold is the rare token.

    It may be frequent among the parents' children all the same; a model that learnt it would not know the token.
    Those who hold a text of a further ancestor are counted as the parents below it.
    """
    shown = dict[str, Any]()
    for column in columns:
        known = parents.get(column.path[0])
        if known is None or column.verbatim or not column.type.startswith(TEXT):
            continue
        text = context[column.name]
        holders = pd.DataFrame({"text": text, "parent": known}).dropna().drop_duplicates()["text"].value_counts()
        shown[column.name] = text.mask(text.isin(holders.index[holders < min_subjects]), RARE_TOKEN)
    return context.assign(**shown)


def _identity(sample: pa.Table, name: str) -> Ints:
    """Codes of the parents behind a key, -1 for none, shape (rows,)."""
    hashes = sample.column(name).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    code: Ints = pd.factorize(hashes, sort=True)[0].astype("int64")
    return code


def _column(sample: pa.Table, name: str, spark_type: str) -> pd.Series[Any]:
    return as_model(from_arrow(sample.column(name)), spark_type)
