"""The plan of a run: all that it would do, without a model trained or a row written."""

from __future__ import annotations

import json
import time

from pyspark.sql import SparkSession

from synthohive_spark.config import Config
from synthohive_spark.forecast.costs import costs, slots_of
from synthohive_spark.forecast.report import described, in_words, warnings
from synthohive_spark.generation.row_counts import planned_sizes, scaled_rows, wanted_rows
from synthohive_spark.lake.any_source import AnySource
from synthohive_spark.lake.source import check_source, pin_source
from synthohive_spark.logs import bind, current, get_logger
from synthohive_spark.single_run import RunSummary, planned

log = get_logger(__name__)


def run_plan(spark: SparkSession, config: Config) -> str:
    """Check the source, plan every table, and say what the run would do and cost.

    Returns:
        The job's JSON line; its ``plan`` holds tables, costs and warnings.

    Raises:
        SchemaValidationError, SourceDataError, ConfigError: as the run itself would, before any work.
    """
    bind(phase="plan")
    started, place = time.monotonic(), config.source
    refs = {t: place.location.table(t) for t in config.metadata.tables}
    pinned = pin_source(AnySource(spark), config.metadata, refs, place.versions, place.timestamp)
    with pinned.held():
        plans = planned(check_source(pinned), config)
    asked = {**scaled_rows(plans, config.generate.scale), **config.generate.rows}
    sizes = planned_sizes(plans, wanted_rows(plans, asked))
    tables, found = described(plans, sizes, config.metadata, config), warnings(plans)
    cost = costs(plans, sizes, config, slots_of(spark))
    log.info("planned", text=in_words(tables, cost, found, config))
    seconds = round(time.monotonic() - started, 3)
    line = RunSummary(f"{current('run_id')}", "complete", sizes, seconds=seconds)
    about = {"minutes": cost.minutes, "memory_mib": cost.memory_mib, "seconds": dict(cost.seconds)}
    return json.dumps({**line.__dict__, "plan": {"tables": tables, "costs": about, "warnings": found}})
