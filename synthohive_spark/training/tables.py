"""Training on the executors: one Spark task per table, tables side by side.

The task streams its sample in through Arrow, trains, and returns the model as one row. The driver sees neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from pyspark.resource import ResourceProfile, ResourceProfileBuilder, TaskResourceRequests
from pyspark.sql import DataFrame, SparkSession
from tqdm import tqdm

from synthohive_spark.errors import SynthoHiveError, TrainingError, WriteError
from synthohive_spark.interrupts import interrupted
from synthohive_spark.lake.causes import failing_as, why
from synthohive_spark.logs import bound_context, get_logger
from synthohive_spark.parallel import side_by_side
from synthohive_spark.schema.ancestors import Reader
from synthohive_spark.schema.table_plan import Plans
from synthohive_spark.session import setting_of
from synthohive_spark.training.sample import training_frame
from synthohive_spark.training.settings import TrainSettings
from synthohive_spark.training.task import RESULT, Trainer

log = get_logger(__name__)
SIDE_BY_SIDE = 16  # Spark queues what exceeds its slots; this bounds the driver's threads


def resource_profile(spark: SparkSession, gpu: str) -> ResourceProfile | None:
    """What Spark is to give a training task beyond what every task gets, or None.

    Where executors have GPUs and tasks ask for none, training asks for one of its own; no other stage waits for a GPU
    then (Spark's stage level scheduling, which local masters do not have).
    """
    has = float(setting_of(spark, "spark.executor.resource.gpu.amount", "0")) >= 1
    asked = bool(setting_of(spark, "spark.task.resource.gpu.amount"))
    if gpu == "never" or asked or not has or setting_of(spark, "spark.master").startswith("local["):
        return None
    cpus = int(setting_of(spark, "spark.task.cpus", "1"))
    return ResourceProfileBuilder().require(TaskResourceRequests().cpus(cpus).resource("gpu", 1)).build


def train_tables(
    plans: Plans,
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
        TrainingError: naming each table that failed, and its cause; the models of all others are kept.
    """
    wanted = [t for t, p in plans.items() if p.learns and (only is None or t in only)]
    longest = {t: plans[t].cells(min(plans[t].rows, settings.sample_rows)) for t in wanted}
    wanted.sort(key=longest.__getitem__, reverse=True)  # the longest first: none is last

    told = bound_context()
    log.info("tables_to_train", rows={t: plans[t].rows for t in wanted})

    def train(table: str) -> None:
        log.info("training_task_submitted", table=table)
        started = time.monotonic()
        with failing_as(f"{table}: training failed", TrainingError):
            frame = training_frame(table, plans, read, settings.sample_rows, settings.seed)
            first, *others = frame.columns
            gathered = frame.repartition(1).sortWithinPartitions(first, *others)
        try:
            profile = resource_profile(frame.sparkSession, settings.gpu)
            keep(table, gathered.mapInArrow(Trainer(plans[table], settings, told), RESULT, profile=profile))
        except WriteError as e:  # the model trains while its row is written
            raise TrainingError(f"{table}: training failed: {e}") from e
        except SynthoHiveError:
            raise
        except Exception as e:
            raise TrainingError(f"{table}: training failed: {why(e)}") from e
        log.info("table_trained", table=table, rows=plans[table].rows, seconds=round(time.monotonic() - started, 1))

    failed: dict[str, SynthoHiveError] = {}

    def tried(table: str) -> None:
        try:
            train(table)
        except SynthoHiveError as e:
            if interrupted():
                raise
            log.error("table_not_trained", table=table, cause=str(e))
            failed[table] = e

    with tqdm(total=len(wanted), desc="training", unit="table", disable=None) as bar:
        side_by_side(tried, wanted, settings.parallelism or SIDE_BY_SIDE, bar.update)
    _raise(failed, len(wanted))


def _raise(failed: Mapping[str, SynthoHiveError], wanted: int) -> None:
    """Say which tables of so many failed, if any did."""
    if len(failed) > 1:
        said = f"{len(failed)} of {wanted} tables could not be trained; the models of the others are kept:"
        raise TrainingError("\n  - ".join([said, *map(str, failed.values())])) from next(iter(failed.values()))
    for error in failed.values():
        raise error
