"""Spark's part: a bounded sample streamed into one task, and candidates checked against every row of the table."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.part import all_zones
from synthohive_spark.rules.search import Searcher
from synthohive_spark.schema.rule import agrees
from synthohive_spark.sql import quote, text_literal

SAMPLE = 20_000  # rows: a law that as many do not refute is worth a look at all
KNOWN = "try_cast(concat('2020-01-01 00:00:00 ', zone) AS timestamp)"  # null where Spark has no such zone
BUCKETS = 2**30  # of hashes: a share of rows is exact to one in a billion


@functools.lru_cache(maxsize=1)
def known_zones(spark: SparkSession) -> tuple[str, ...]:
    """The time zones that both sides know: Spark's Java may be older than the zones of this machine, or newer."""
    every = ", ".join(text_literal(zone) for zone in all_zones())
    known = spark.sql(f"SELECT zone FROM (SELECT explode(array({every})) AS zone) WHERE {KNOWN} IS NOT NULL").collect()
    found = {row["zone"] for row in known}  # some hundred names
    return tuple(zone for zone in all_zones() if zone in found)


def sampled(frame: DataFrame, key: Sequence[str], rows: int) -> DataFrame:
    """At most about ``SAMPLE`` rows, by the hash of their key."""
    if rows <= SAMPLE:
        return frame
    place = F.pmod(F.xxhash64(F.lit("laws"), *(F.col(quote(c)) for c in key)), F.lit(BUCKETS))
    return frame.where(place < F.lit(int(SAMPLE / rows * BUCKETS)))


def searched(sample: DataFrame, searcher: Searcher) -> list[Law]:
    """Laws of a sample that one task searches; the driver sees the candidates only.

    Args:
        sample: columns named by id.
        searcher: what the task runs.
    """
    found = sample.repartition(1).mapInArrow(searcher, "law string").collect()
    return [Law.from_dict(json.loads(row["law"])) for row in found]


def verified(frame: DataFrame, laws: Sequence[Law], types: Mapping[str, str]) -> list[Law]:
    """The laws that hold on every row, by one aggregation.

    Args:
        frame: the whole table, columns named by id.
        laws: candidates.
        types: Spark type of each column, by id.
    """
    if not laws:
        return []
    names = {c: quote(c) for c in frame.columns}
    broken = [F.count_if(~_holds(law, names, types)).alias(f"n{i}") for i, law in enumerate(laws)]
    row = frame.agg(*broken).first()
    return [law for i, law in enumerate(laws) if row is not None and row[f"n{i}"] == 0]


def _holds(law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> Column:
    """Whether a row's value is that of the law."""
    return F.expr(agrees(names[law.target], law.expression(names, types), types[law.target], law.slack))
