"""Formats of key columns, as Spark aggregates of the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.lake.location import quote
from synthohive_spark.metadata import INTEGRAL
from synthohive_spark.privacy.shapes import key_masks
from synthohive_spark.relational.keyformat import KeyFormat
from synthohive_spark.relational.plan import SequencePlan

Kind = Literal["integer", "date", "timestamp", "string"]
CONSECUTIVE = 0.8  # share of a family's gaps, and of its span, that the commonest gap must make up for a sequence
CALENDAR, RUNS = 200_000, 10_000  # steps that a calendar has at most, and runs of them
GAPS, KNOWN = 0.9, 0.95  # share of its span that a calendar has at most, share of the rows that lie on it at least


def kind_of(spark_type: str) -> Kind:
    """How keys of a type count: as integers, days, microseconds, or not at all."""
    if spark_type in INTEGRAL or spark_type.startswith("decimal") or spark_type in ("float", "double"):
        return "integer"
    if spark_type == "date":
        return "date"
    return "timestamp" if spark_type in ("timestamp", "timestamp_ntz") else "string"


def as_number(column: str, spark_type: str) -> Column:
    """A countable column as a long: the number itself, days or microseconds since 1970."""
    c = F.col(quote(column))
    if spark_type == "date":
        return F.unix_date(c).cast("long")
    if kind_of(spark_type) == "timestamp":
        return F.unix_micros(c.cast("timestamp"))
    return c.cast("long")


def key_format(frame: DataFrame, column: str, spark_type: str, rows: int, min_subjects: int) -> KeyFormat:
    """The format of a key column whose values do not repeat."""
    kind = kind_of(spark_type)
    if kind == "string":
        return KeyFormat(kind="string", masks=key_masks(frame, column, rows, min_subjects))
    number = as_number(column, spark_type)
    ends = frame.agg(F.min(number).alias("low"), F.max(number).alias("high")).first()
    if ends is None or ends["low"] is None:
        return KeyFormat(kind=kind, start=1)
    return KeyFormat(kind=kind, start=ends["low"], step=max(1, (ends["high"] - ends["low"]) // max(rows - 1, 1)))


def grid_column(frame: DataFrame, column: str, spark_type: str, min_subjects: int) -> SequencePlan:
    """One column of a natural key that no family keeps apart: its domain, as wide as its distinct values."""
    distinct = frame.select(F.col(quote(column))).distinct()
    size = distinct.count()
    return SequencePlan(
        column=column,
        format=key_format(distinct, column, spark_type, size, min_subjects),
        size=size,
        consecutive=True,
    )


def sequence(
    frame: DataFrame, family: tuple[str, ...], column: str, spark_type: str, min_subjects: int
) -> SequencePlan:
    """Domain, step and start of the countable key column that tells a family's rows apart.

    Args:
        frame: the table.
        family: the columns that keep families apart.
        column: the key column.
        spark_type: its type.
        min_subjects: families that must hold a value before it belongs to a calendar.
    """
    names = [f"k{i}" for i in range(len(family))]
    slim = frame.select(
        *(F.col(quote(c)).alias(n) for c, n in zip(family, names, strict=True)),
        as_number(column, spark_type).alias("v"),
    )
    step, consecutive = _gaps(slim, names)
    if not consecutive and kind_of(spark_type) != "timestamp":
        step = 1
    ends = slim.agg(F.min("v").alias("low"), F.max("v").alias("high")).first()
    low, high = (ends["low"], ends["high"]) if ends is not None else (0, 0)
    placed = slim.where(F.pmod(F.col("v") - low, F.lit(step)) == 0).withColumn("v", F.expr(f"(v - {low}) div {step}"))
    size, calendar = (high - low) // step + 1, _calendar(placed, slim.count(), min_subjects)
    if calendar:
        size = sum(length for _, length in calendar)
        placed = _counted(placed, min_subjects)
        unit, consecutive = _gaps(placed, names)
        consecutive = consecutive and unit == 1
    else:
        placed = slim.withColumn("v", F.expr(f"(v - {low}) div {step}"))
    firsts = placed.groupBy(*names).agg(F.min("v").alias("first"))
    quantiles = firsts.agg(F.percentile_approx("first", [i / 20 for i in range(21)], 1000).alias("q")).first()
    return SequencePlan(
        column=column,
        format=KeyFormat(kind=kind_of(spark_type), start=low, step=step),
        size=size,
        consecutive=consecutive,
        starts=tuple(sorted(set(quantiles["q"]))) if quantiles and quantiles["q"] else (0,),
        calendar=calendar,
    )


def _gaps(slim: DataFrame, family: list[str]) -> tuple[int, bool]:
    """The commonest gap between values ``v`` of a family, and whether it makes them a sequence."""
    gaps = slim.withColumn("gap", F.col("v") - F.lag("v").over(Window.partitionBy(*family).orderBy("v")))
    common = gaps.where("gap is not null").groupBy("gap").agg(F.count("*").alias("n"))
    top = common.orderBy(F.desc("n"), "gap").first()
    total = common.agg(F.sum("n").alias("n"), F.sum(F.col("gap") * F.col("n")).alias("span")).first()
    if top is None or total is None:
        return 1, False
    step = max(1, int(top["gap"]))
    few = top["n"] >= CONSECUTIVE * total["n"] and total["span"] <= step * total["n"] / CONSECUTIVE  # none is very wide
    return step, few


def _calendar(placed: DataFrame, rows: int, min_subjects: int) -> tuple[tuple[int, int], ...]:
    """Runs of the steps ``v`` that families share, where these hold nearly all rows and have gaps; else ()."""
    held = _held(placed, min_subjects)
    seen = held.agg(
        F.count("*").alias("steps"), F.sum("n").alias("rows"), (F.max("v") - F.min("v") + 1).alias("span")
    ).first()
    if seen is None or not 0 < seen["steps"] <= CALENDAR or seen["steps"] > GAPS * seen["span"]:
        return ()
    if seen["rows"] < KNOWN * rows:
        return ()
    apart = held.select("v", (F.col("v") - F.row_number().over(Window.orderBy("v"))).alias("run"))
    runs = apart.groupBy("run").agg(F.min("v").alias("first"), F.count("*").alias("length")).orderBy("first")
    found = runs.limit(RUNS + 1).collect()
    return tuple((int(r["first"]), int(r["length"])) for r in found) if len(found) <= RUNS else ()


def _counted(placed: DataFrame, min_subjects: int) -> DataFrame:
    """Rows on the calendar, with their position in it as ``v``."""
    held = _held(placed, min_subjects)
    index = held.select("v", (F.row_number().over(Window.orderBy("v")) - 1).alias("position"))
    return placed.join(F.broadcast(index), "v").drop("v").withColumnRenamed("position", "v")


def _held(placed: DataFrame, min_subjects: int) -> DataFrame:
    """Steps that enough families hold, and how many."""
    return placed.groupBy("v").agg(F.count("*").alias("n")).where(F.col("n") >= min_subjects)


def widest(frame: DataFrame, columns: list[str], types: Mapping[str, str]) -> str:
    """The key column with the most distinct values, countable ones first: it is drawn again where a key repeats."""
    row: Any = frame.agg(
        *(F.approx_count_distinct(F.col(quote(c))).alias(f"n{i}") for i, c in enumerate(columns))
    ).first()
    ranked = [(kind_of(types[c]) != "string", row[f"n{i}"], c) for i, c in enumerate(columns)]
    return max(ranked)[2]
