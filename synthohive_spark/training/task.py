"""What one training task runs on an executor: rows of the sample in, one model out."""

from __future__ import annotations

import inspect
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext

from synthohive_spark.errors import TrainingError
from synthohive_spark.logs import bound, get_logger
from synthohive_spark.matching.learn import MatchingLearner
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.artifact import pack
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.schema import frames
from synthohive_spark.schema.columns import NAN, nan_name
from synthohive_spark.schema.conversion import Mask, Values, as_model, from_arrow
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.tables import Table
from synthohive_spark.training.drawn import check_drawn
from synthohive_spark.training.memory_left import halved, out_of_memory
from synthohive_spark.training.published import as_published
from synthohive_spark.training.settings import TrainSettings
from synthohive_spark.worker import forget_archives

log = get_logger(__name__)
RESULT = "model binary, matching string, metrics string"


@dataclass(frozen=True)
class Trainer:
    """What one training task runs, as the function of ``mapInArrow``: rows of the sample in, one model out.

    Attributes:
        plan: the table's.
        settings: how to train.
        log_context: the run and phase for the lines of its log.
    """

    plan: TablePlan
    settings: TrainSettings
    log_context: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The whole sample of the table in, one row (model, matching, metrics) out."""
        forget_archives()
        with bound(**self.log_context, table=self.plan.table):
            yield self._trained(batches)

    def _trained(self, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
        parts = [b for b in batches if b.num_rows]
        if not parts:
            raise TrainingError(f"{self.plan.table}: the sample is empty; raise train.sample_rows")
        started, place = time.monotonic(), placement()
        log.debug("training_task_started", **place)
        sample = pa.Table.from_batches(parts)
        data, context = self.frames(sample)
        seed = seed_of(self.settings.seed, self.plan.table, "train") % 2**31
        given = data.notna()
        data = self.plan.rules.encode(data, context, lambda nth: seed_of(seed, nth))
        context = context.drop(columns=[*self.plan.rules.behind(self.plan.context)])
        data = _with_nan(data, self._nan(sample), seed)
        named = {fk.position: frames.parent(fk.position) for fk in self.plan.keys.foreign}
        parents = {i: _identity(sample, name) for i, name in named.items() if name in sample.column_names}
        people = {way: _identity(sample, frames.person(i)) for i, way in enumerate(self.plan.people)}
        context = as_published(context, self.plan.context.shown, people, self.settings.k, seed)
        learner = MatchingLearner(self.plan.keys, self.plan.context, parents, self.settings.k, seed)
        matching, context = learner(context)
        about = self._about(data, given, people)
        model, metrics = self._fit(data, context, about, seed) if len(data.columns) else (None, {})
        seconds = round(time.monotonic() - started, 3)
        metrics |= {"sample_rows": sample.num_rows, "train_seconds": seconds, "placement": place}
        row = {"model": [model], "matching": [matching.pack()], "metrics": [json.dumps(metrics, default=str)]}
        kinds = [("model", pa.binary()), ("matching", pa.string()), ("metrics", pa.string())]
        return pa.RecordBatch.from_pydict(row, schema=pa.schema(kinds))

    def _about(
        self, data: pd.DataFrame, given: pd.DataFrame, people: Mapping[tuple[int, ...], Ints]
    ) -> dict[str, Ints]:
        """{column: code of whom each value is about}: nobody, -1, where a null, or NaN, has got another row's value."""
        own, rows = people.get(self.plan.subject), np.arange(len(data), dtype=np.int64)
        found = {c.name: people[c.holder] for c in self.plan.context.shown}
        for name in map(str, data.columns):
            filled = data[name].notna() & ~given[name] if name in given else pd.Series(False, index=data.index)
            if own is not None or filled.any():
                found[name] = np.where(filled, -1, rows if own is None else own)
        return found

    def _fit(
        self, data: pd.DataFrame, context: pd.DataFrame, people: Mapping[str, Ints], seed: int
    ) -> tuple[bytes, dict[str, Any]]:
        """The packed model and its metrics."""
        device = pick_device(self.settings.gpu)
        types = {c: self.plan.columns.types().get(c, "boolean") for c in data.columns}
        shown = Metadata({self.plan.table: Table(columns=types)})
        seen = context if len(context.columns) else None
        takes = "people" in inspect.signature(self.settings.model_cls.fit).parameters  # a class of the user's need not
        more = {"people": people} if takes else {}

        def fitted(options: Mapping[str, Any]) -> ConditionalGenerativeModel:
            model = self.settings.model_cls(shown, **options)
            model.fit(data, context=seen, table_name=self.plan.table, seed=seed, **more)
            return model

        options = self.settings.constructor_options(device)
        try:
            model = fitted(options)
        except Exception as e:
            if not out_of_memory(e):
                raise
            options = {**options, "batch_size": halved(self.settings.model_cls, options, len(data))}
            log.warning("training_out_of_memory", batch_size=options["batch_size"], cause=type(e).__name__)
            model = fitted(options)
        check_drawn(self.plan.table, model, data, seen)
        return pack(model), {**getattr(model, "metrics", {}), "device": device}

    def _nan(self, sample: pa.Table) -> dict[str, Mask]:
        """Where the modelled columns that hold NaN do so; Arrow tells it from null."""
        columns = {c: sample.column(frames.model(i)) for i, c in enumerate(self.plan.columns.named("model"))}
        floats = {
            c: pc.is_nan(a).fill_null(False).to_numpy() for c, a in columns.items() if pa.types.is_floating(a.type)
        }
        return {c: nan for c, nan in floats.items() if nan.any()}

    def frames(self, sample: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Data and context in the dtypes of ``as_model``, rows in the order of their key's hash.

        The context holds what rules need of ancestors too.
        """
        plan, types = self.plan, self.plan.columns.types()
        data = {c: _column(sample, frames.model(i), types[c]) for i, c in enumerate(plan.columns.named("model"))}
        data |= {c: _column(sample, frames.rule(i), "boolean") for i, c in enumerate(plan.rules.drawn)}
        seen = {c.name: frames.context(i) for i, c in enumerate(plan.context.each)}
        known = {**plan.context.types(), **plan.rules.behind(plan.context)}
        context = {c: _column(sample, seen[c], kind) for c, kind in known.items()}
        own = plan.columns.shown
        context |= {c: _column(sample, frames.own(i), types[c]) for i, c in enumerate(own)}
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


def _with_nan(data: pd.DataFrame, nan: Mapping[str, Mask], seed: int) -> pd.DataFrame:
    """Columns with NaN apart in two: whether it is NaN, and a value, or null, of the rows where it is not."""
    for i, (column, there) in enumerate(nan.items()):
        others, order = np.flatnonzero(~there), np.arange(len(data))
        if len(others):
            order[there] = np.random.default_rng(seed_of(seed, NAN, i)).choice(others, int(there.sum()))
        value = data[column].iloc[order].reset_index(drop=True)
        data = data.assign(**{column: value, nan_name(column): pd.Series(there)})
    return data


def _identity(sample: pa.Table, name: str) -> Ints:
    """Codes of the parents behind a key, -1 for none, shape (rows,)."""
    hashes = sample.column(name).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    code: Ints = pd.factorize(hashes, sort=True)[0].astype("int64")
    return code


def _column(sample: pa.Table, name: str, spark_type: str) -> Values:
    return as_model(from_arrow(sample.column(name)), spark_type)
