"""What a run will cost: minutes and memory, from plans and fixed prices. Right within a factor of two, not better."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession

from synthohive_spark.config import Config
from synthohive_spark.models.common.budget import affordable_batch, planned_steps, step_seconds, table_batch
from synthohive_spark.schema.table_plan import Plans
from synthohive_spark.session import setting_of

# Measured with the databases of README's table and those of a test bench, on two cores of a 2024 server.
START = 12.0  # seconds until Spark is there and its first query is compiled
A_TABLE = {"check": 2.5, "generate": 3.5, "evaluate": 2.0}  # seconds of the Spark jobs that each table needs
CELLS_A_SECOND = {"check": 4e6, "generate": 2e5, "evaluate": 2e6}  # values per second and slot
TRAINING_TASK = 2.0  # seconds to start, encode and pack, whatever the rows
ENCODING = 1.4  # what encoding, calibration and looks at the data add to the steps
AUTOREGRESSIVE = 0.6  # its seconds as a share of those of a GAN on the same table: held-out rows stop it
PLACES = {"boolean": 2, "date": 20, "timestamp": 30, "timestamp_ntz": 30, "string": 24}  # of a row, by type
NUMBER_PLACES = 12
LAYER = 256  # of CTGAN's networks
NOISE = 128
JVM_MIB, JVM_A_TABLE, PYTHON_MIB = 1300.0, 90.0, 800.0
WORKER_MIB, CELL_BYTES = 700.0, 40.0


@dataclass(frozen=True)
class Costs:
    """What a run will cost.

    Attributes:
        slots: tasks at a time.
        seconds: {phase: seconds}.
        training: {table: seconds of its training task}.
        memory_mib: of driver and workers together, at the peak.
    """

    slots: int
    seconds: Mapping[str, float]
    training: Mapping[str, float]
    memory_mib: float

    @property
    def minutes(self) -> float:
        """The whole run."""
        return round(sum(self.seconds.values()) / 60, 1)


def costs(plans: Plans, sizes: Mapping[str, int], config: Config, slots: int) -> Costs:
    """What training, generating and evaluating these tables will cost.

    Args:
        plans: the tables.
        sizes: rows of each that will be generated.
        config: the run.
        slots: tasks at a time.
    """
    training = {t: _training(plans, t, config) for t, plan in plans.items() if plan.learns}
    side_by_side = max([sum(training.values()) / slots, *training.values()], default=0.0)
    seconds = {"start": START, "check": 0.0, "train": side_by_side, "generate": 0.0, "evaluate": 0.0}
    for phase, each in A_TABLE.items():
        rows = {t: sizes[t] if phase == "generate" else p.rows for t, p in plans.items()}
        cells = sum(rows[t] * len(p.columns.each) for t, p in plans.items())
        seconds[phase] += each * len(plans) + cells / CELLS_A_SECOND[phase] / slots
    largest = max((p.cells(min(p.rows, config.train.sample_rows)) for p in plans.values()), default=0)
    workers = slots * (WORKER_MIB + largest * CELL_BYTES / 2**20)
    memory = JVM_MIB + JVM_A_TABLE * len(plans) + PYTHON_MIB + workers
    return Costs(slots, {k: round(s, 1) for k, s in seconds.items()}, training, round(memory))


def slots_of(spark: SparkSession) -> int:
    """Tasks that the session runs at a time, as far as its settings tell."""
    master = setting_of(spark, "spark.master")
    cores = master.removeprefix("local").strip("[]").partition(",")[0]
    if master.startswith("local"):
        return int(cores) if cores.isdigit() else (os.cpu_count() or 1 if cores == "*" else 1)
    executors = int(setting_of(spark, "spark.executor.instances", "2"))
    return max(1, executors * int(setting_of(spark, "spark.executor.cores", "1")))


def _training(plans: Plans, table: str, config: Config) -> float:
    """Seconds of a table's training task."""
    plan = plans[table]
    types = plan.columns.types()
    own = sum(_places(types[c]) for c in plan.columns.named("model")) + 2 * len(plan.rules.drawn)
    seen = sum(_places(c.type) for c in plan.context.shown)
    if not own:
        return TRAINING_TASK
    train, rows = config.train, min(plan.rows, config.train.sample_rows)
    generator = (NOISE + seen) * LAYER + (NOISE + seen + LAYER) * LAYER + (NOISE + seen + 2 * LAYER) * own
    critic = (own + seen) * LAYER + LAYER * LAYER
    wished = table_batch(rows, own + seen, 500)
    batch = affordable_batch(rows, wished, None if train.epochs else train.max_seconds, generator, critic)
    a_step = step_seconds(batch, generator, critic)
    steps = planned_steps(rows, batch, train.epochs, train.max_seconds, a_step)
    share = AUTOREGRESSIVE if train.model == "autoregressive" else 1.0
    return round(TRAINING_TASK + ENCODING * share * steps * a_step, 1)


def _places(kind: str) -> int:
    return PLACES.get(kind.partition("(")[0], NUMBER_PLACES)
