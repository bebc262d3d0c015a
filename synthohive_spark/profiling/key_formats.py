"""Formats of key columns, as Spark aggregates of the source."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.lake.quantiles import exact, quantiles
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.privacy.coarse import Ends, coarse_days, coarse_numbers, coarse_times
from synthohive_spark.privacy.masks import Mask
from synthohive_spark.privacy.support import Support
from synthohive_spark.privacy.textmasks import MASKS, text_masks
from synthohive_spark.schema.key_format import LONGEST, WIDE, KeyFormat, Kind
from synthohive_spark.schema.keys import SequencePlan
from synthohive_spark.schema.people import People
from synthohive_spark.sql import quote
from synthohive_spark.tables import CHAR_VARCHAR, INTEGRAL, decimal_form

EPOCH = dt.date(1970, 1, 1).toordinal()
LONG_DIGITS = 18  # digits of a decimal that a long always holds
LONGEST_SPAN = 2**62  # differences of longs up to it, and sums of two, are longs
WIDE_LONG = "decimal(20,0)"
EXACT_FLOATS = {"float": 2**24, "double": 2**53}  # below them every whole number is a float of its own
NARROW = ("char(", "varchar(")
CONSECUTIVE = 0.8  # share of a family's gaps, and of its span, that the commonest gap must make up for a sequence
CALENDAR, RUNS = 200_000, 10_000  # steps that a calendar has at most, and runs of them
TWENTIETHS = [i / 20 for i in range(21)]  # of the families, by the first step of each
GAPS, KNOWN = 0.9, 0.95  # share of its span that a calendar has at most, share of the rows that lie on it at least


def kind_of(spark_type: str) -> Kind:
    """How keys of a type are made: counted as integers, days, microseconds ..., or written."""
    if spark_type.startswith("decimal"):
        precision, scale = decimal_form(spark_type)
        return "decimal" if scale or precision > LONG_DIGITS else "integer"
    known: dict[str, Kind] = {
        **dict.fromkeys(INTEGRAL, "integer"),
        **dict.fromkeys(("float", "double"), "double"),
        **dict.fromkeys(("timestamp", "timestamp_ntz"), "timestamp"),
        "date": "date",
        "boolean": "boolean",
        "binary": "binary",
    }
    return known.get(spark_type, "string")


def countable(spark_type: str) -> bool:
    """Whether every value of a type is a long, so that steps between values can be counted."""
    if spark_type.startswith("decimal"):
        return decimal_form(spark_type)[0] <= LONG_DIGITS
    return kind_of(spark_type) in ("integer", "date", "timestamp", "boolean")


def key_number(column: str, spark_type: str) -> Column:
    """A countable column as a long: the number itself, units of its last digit, days or microseconds since 1970."""
    c = F.col(quote(column))
    if spark_type == "date":
        return F.unix_date(c).cast("long")
    if kind_of(spark_type) == "timestamp":
        return F.unix_micros(c.cast("timestamp"))
    if spark_type.startswith("decimal"):
        return (c * F.lit(Decimal(10 ** decimal_form(spark_type)[1]))).cast("long")
    return c.cast("long")


def bounds_of(spark_type: str) -> tuple[int | None, int | None]:
    """The least and the greatest number that a type holds, in the units of ``key_number``."""
    if spark_type.startswith("decimal"):
        most = 10 ** decimal_form(spark_type)[0] - 1
        return -most, most
    if spark_type == "date":
        return dt.date.min.toordinal() - EPOCH, dt.date.max.toordinal() - EPOCH
    if kind_of(spark_type) == "timestamp":
        day = 86_400_000_000
        return (dt.date.min.toordinal() - EPOCH) * day, (dt.date.max.toordinal() + 1 - EPOCH) * day - 1
    if spark_type in EXACT_FLOATS:
        return -EXACT_FLOATS[spark_type], EXACT_FLOATS[spark_type]
    if spark_type == "boolean":
        return 0, 1
    bits = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}.get(spark_type)
    return (None, None) if bits is None else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def holders(source: SourceLake, table: str, column: str) -> list[str]:
    """Types of a column and of those that refer to it, through any number of tables: a key must fit all of them."""
    seen, waiting = {(table, column)}, [(table, column)]
    while waiting:
        place = waiting.pop()
        referring = {
            (name, own)
            for name, spec in source.metadata.tables.items()
            for fk in spec.foreign_keys
            for own, theirs in zip(fk.columns, fk.referenced_columns, strict=True)
            if (fk.references, theirs) == place
        }
        waiting += sorted(referring - seen)
        seen |= referring
    fields = [source.schema(t)[c] for t, c in sorted(seen)]
    return [f.metadata.get(CHAR_VARCHAR, f.dataType.simpleString()) for f in fields]


def key_format(people: People, table: str, column: str, nulls: float = 0.0, sql: str | None = None) -> KeyFormat:
    """The format of a key column whose values do not repeat; of a personal one a range of magnitude is kept only.

    Args:
        people: the source's.
        table: the table.
        column: the column.
        nulls: share of its rows that are null.
        sql: what its values are to be taken for, as Spark SQL; None for what they are.
    """
    source, support = people.source, people.support(table)
    own, personal = source.schema(table)[column].dataType.simpleString(), column in source.metadata.personal(table)
    frame, held = people.frame(table), holders(source, table, column)
    frame = frame if sql is None else frame.withColumn(column, F.expr(sql))
    return _format(frame, column, own, source.rows[table], support, held, personal, nulls)


def _format(
    frame: DataFrame,
    column: str,
    spark_type: str,
    rows: int,
    support: Support,
    held: Sequence[str] = (),
    personal: bool = False,
    nulls: float = 0.0,
) -> KeyFormat:
    """The format of a column of distinct values; ``held``: further types that its values must fit."""
    kind, types = kind_of(spark_type), [spark_type, *held]
    if kind in ("string", "binary"):
        width = min((int(t.split("(")[1].rstrip(")")) for t in types if t.startswith(NARROW)), default=None)
        if kind == "binary":
            masks = byte_masks(frame, column, rows, support)
        else:
            masks = text_masks(frame, column, round(rows * (1 - nulls)), support, personal)
        fit = tuple(m for m in masks if width is None or m.length <= width)
        return KeyFormat(kind=kind, masks=fit or (Mask(tokens=("alnum",) * (width or 1), share=1.0),), width=width)
    ends = [bounds_of(t) for t in types]
    least = max((low for low, _ in ends if low is not None), default=None)
    most = min((high for _, high in ends if high is not None), default=None)
    low, high, scale = _span(frame, column, spark_type, rows)
    if low is None or high is None or least is None or most is None:
        return KeyFormat(kind=kind, start=1, scale=scale, least=least, most=most)
    low, high = _around(kind)(low, high) if personal else (low, high)
    low, high = min(max(low, least), most), min(max(high, least), most)
    step = max(1, (high - low) // max(rows - 1, 1))
    start = low if kind in ("date", "timestamp") else max(_rounded(low, high), least)
    return KeyFormat(kind=kind, start=start, step=step, scale=scale, least=least, most=most)


def _rounded(low: int, high: int) -> int:
    """Where keys of numbers begin: at one that is round beside all of them; what begins with 0 or 1 tells nobody's."""
    grid = 10 ** len(str(high - low))
    return low if abs(low) <= 1 else low // grid * grid


def _around(kind: Kind) -> Callable[[int, int], Ends]:
    """What a range of personal keys is rounded outward to."""
    if kind == "timestamp":
        return lambda low, high: coarse_times(low, high, 1_000_000)
    return coarse_days if kind == "date" else coarse_numbers


def byte_masks(frame: DataFrame, column: str, rows: int, support: Support) -> tuple[Mask, ...]:
    """Lengths of a binary key that enough people have, the commonest first; else its middle length."""
    length = F.least(F.length(F.col(quote(column))), F.lit(LONGEST))  # which skips null
    frame = frame.where(F.col(quote(column)).isNotNull())
    counts = frame.groupBy(length.alias("bytes")).agg(F.count(F.lit(1)).alias("n"), support.count().alias("held"))
    kept = counts.where(F.col("held") >= support.least).orderBy(F.desc("n"), "bytes").limit(MASKS).collect()
    if kept:
        return tuple(Mask(tokens=("byte",) * r["bytes"], share=r["n"] / max(rows, 1)) for r in kept)
    middle = frame.select(length.alias("bytes")).agg(exact("bytes", [0.5]).alias("q")).first()
    size = int((middle["q"][0] if middle is not None else None) or 1)  # a percentile is a double
    return (Mask(tokens=("byte",) * size, share=1.0),)


def _span(frame: DataFrame, column: str, spark_type: str, rows: int) -> tuple[int | None, int | None, int]:
    """The least and the greatest value of a countable column in units of its last digit, and its digits."""
    kind, c = kind_of(spark_type), F.col(quote(column))
    if kind not in ("decimal", "double"):
        number = key_number(column, spark_type)
        ends = frame.agg(F.min(number).alias("low"), F.max(number).alias("high")).first()
        return (ends["low"], ends["high"], 0) if ends is not None else (None, None, 0)
    fine = c if kind == "decimal" else F.when(F.abs(c) < F.lit(float("inf")), c)  # NaN is above all numbers
    found = frame.agg(F.min(fine).alias("low"), F.max(fine).alias("high"), F.count_if(fine % 1 != 0).alias("n"))
    ends = found.first()
    if ends is None or ends["low"] is None:
        return None, None, 0
    if kind == "decimal":
        scale = decimal_form(spark_type)[1]
        return int(ends["low"].scaleb(scale, WIDE)), int(ends["high"].scaleb(scale, WIDE)), scale
    low, high = ends["low"], ends["high"]
    scale, limit = 0, EXACT_FLOATS[spark_type] / 4  # of fractions, so that no two meet when they are rounded
    while ends["n"] and (high - low) * 10**scale < 10 * rows and max(abs(low), abs(high)) * 10 ** (scale + 1) < limit:
        scale += 1
    return int(low * 10**scale), int(high * 10**scale), scale


def grid_column(frame: DataFrame, column: str, spark_type: str, support: Support, personal: bool) -> SequencePlan:
    """One column of a natural key that no family keeps apart: its domain, as wide as its distinct values."""
    distinct = frame.dropDuplicates([column]).select(F.col(quote(column)), *support.columns)
    size = distinct.count()
    return SequencePlan(
        column=column,
        format=_format(distinct, column, spark_type, size, support, personal=personal),
        size=size,
        consecutive=True,
    )


def sequence(frame: DataFrame, family: tuple[str, ...], column: str, spark_type: str, support: Support) -> SequencePlan:
    """Domain, step and start of the countable key column that tells a family's rows apart.

    Args:
        frame: the table, as ``support`` counts it.
        family: the columns that keep families apart.
        column: the key column.
        spark_type: its type.
        support: a value belongs to a calendar where enough people hold it.
    """
    names = [f"k{i}" for i in range(len(family))]
    number = key_number(column, spark_type)
    ends = frame.agg(F.min(number).alias("low"), F.max(number).alias("high")).first()
    low, high = (ends["low"], ends["high"]) if ends is not None and ends["low"] is not None else (0, 0)
    unit = 1 + (high - low) // LONGEST_SPAN  # where two values may be further apart than a long can tell
    above = number - F.lit(low) if unit == 1 else F.floor((number.cast(WIDE_LONG) - F.lit(Decimal(low))) / unit)
    slim = frame.select(
        *(F.col(quote(c)).alias(n) for c, n in zip(family, names, strict=True)),
        above.cast("long").alias("v"),
        *support.columns,
    )
    step, consecutive = _gaps(slim, names)
    if not consecutive and kind_of(spark_type) != "timestamp":
        step = 1
    placed = slim.where(F.pmod("v", F.lit(step)) == 0).withColumn("v", F.expr(f"v div {step}"))
    size, calendar = (high - low) // unit // step + 1, _calendar(placed, slim.count(), support)
    if calendar:
        size = sum(length for _, length in calendar)
        placed = _counted(placed, support)
        gap, consecutive = _gaps(placed, names)
        consecutive = consecutive and gap == 1
    else:
        placed = slim.withColumn("v", F.expr(f"v div {step}"))
    firsts = placed.groupBy(*names).agg(F.min("v").alias("first"))
    return SequencePlan(
        column=column,
        format=_stepped(spark_type, low, step * unit),
        size=size,
        consecutive=consecutive,
        starts=tuple(sorted({int(v) for v in quantiles(firsts, F.col("first"), TWENTIETHS, names)} or {0})),
        calendar=calendar,
    )


def _stepped(spark_type: str, start: int, step: int) -> KeyFormat:
    least, most = bounds_of(spark_type)
    scale = decimal_form(spark_type)[1] if spark_type.startswith("decimal") else 0
    return KeyFormat(kind=kind_of(spark_type), start=start, step=step, scale=scale, least=least, most=most)


def _gaps(slim: DataFrame, family: list[str]) -> tuple[int, bool]:
    """The commonest gap between values ``v`` of a family, and whether it makes them a sequence."""
    gaps = slim.withColumn("gap", F.col("v") - F.lag("v").over(Window.partitionBy(*family).orderBy("v")))
    common = gaps.where("gap is not null").groupBy("gap").agg(F.count("*").alias("n"))
    top = common.orderBy(F.desc("n"), "gap").first()
    total = common.agg(F.sum("n").alias("n"), F.sum(F.col("gap").cast(WIDE_LONG) * F.col("n")).alias("span")).first()
    if top is None or total is None:
        return 1, False
    step = max(1, int(top["gap"]))
    few = (
        top["n"] >= CONSECUTIVE * total["n"] and int(total["span"]) <= step * total["n"] / CONSECUTIVE
    )  # none is very wide
    return step, few


def _calendar(placed: DataFrame, rows: int, support: Support) -> tuple[tuple[int, int], ...]:
    """Runs of the steps ``v`` that families share, where these hold nearly all rows and have gaps; else ()."""
    held = _held(placed, support)
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


def _counted(placed: DataFrame, support: Support) -> DataFrame:
    """Rows on the calendar, with their position in it as ``v``."""
    held = _held(placed, support)
    index = held.select("v", (F.row_number().over(Window.orderBy("v")) - 1).alias("position"))
    return placed.join(F.broadcast(index), "v").drop("v").withColumnRenamed("position", "v")


def _held(placed: DataFrame, support: Support) -> DataFrame:
    """Steps that enough people hold, and the rows of each."""
    counts = placed.groupBy("v").agg(F.count("*").alias("n"), support.count().alias("held"))
    return counts.where(F.col("held") >= support.least)


def widest(frame: DataFrame, columns: list[str], types: Mapping[str, str]) -> str:
    """The key column with the most distinct values, countable ones first: it is drawn again where a key repeats."""
    row: Any = frame.agg(
        *(F.approx_count_distinct(F.col(quote(c))).alias(f"n{i}") for i, c in enumerate(columns))
    ).first()
    ranked = [(countable(types[c]), row[f"n{i}"], c) for i, c in enumerate(columns)]
    return max(ranked)[2]
