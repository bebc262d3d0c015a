"""Times apart by a constant, or by a number of the row: with a time zone and without one, as Spark computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.kinds.order import NUMBERED
from synthohive_spark.rules.search import search
from synthohive_spark.sql_grammar import sql_problem
from tests.rules.test_search import found

ROWS = 400
RNG = np.random.default_rng(5)
TYPES = {"timestamp": pa.timestamp("us", tz="UTC"), "timestamp_ntz": pa.timestamp("us")}


def table(spark_type: str) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Orders with their due date, and the SQL that was found for each column."""
    zone = "UTC" if spark_type == "timestamp" else None
    ordered = pd.Timestamp("2021-01-01", tz=zone) + pd.to_timedelta(RNG.integers(0, 86_400 * 900, ROWS), unit="s")
    wait = RNG.integers(1, 60, ROWS)
    frame = pd.DataFrame({"ordered": ordered, "due": ordered + pd.Timedelta(days=12), "wait": wait})
    frame["shipped"] = frame["ordered"] + pd.to_timedelta(wait, unit="h")
    frame["odd"] = frame["ordered"] + pd.Timedelta(seconds=1_234_567)  # no whole minutes: a number of the data
    ids = {name: f"v{i}" for i, name in enumerate(frame)}
    kinds = {ids[n]: "bigint" if n == "wait" else spark_type for n in frame}
    arrays = {ids[n]: pa.array(frame[n]).cast(TYPES.get(kinds[ids[n]], pa.int64())) for n in frame}
    laws = search(Sample.of(pa.table(arrays), kinds, {*kinds}, {*kinds}))
    names, said = {i: n for n, i in ids.items()}, dict[str, list[str]]()
    for law in (law for law in laws if law.kind in ("affine", "sum")):
        said.setdefault(names[law.target], []).append(law.expression(names, kinds))
    return frame, said


@pytest.mark.parametrize("spark_type", sorted(TYPES))
def test_offsets_are_whole_units(spark_type: str) -> None:
    _, said = table(spark_type)
    assert any(str(12 * 86_400_000_000) in sql for sql in said["due"])
    assert not any("odd" in sql for sql in said["due"])
    assert "odd" not in said
    assert any("wait" in sql for sql in said["shipped"])
    assert any("shipped" in sql and "ordered" in sql for sql in said["wait"])
    every = [sql for laws in said.values() for sql in laws]
    assert [sql_problem(sql, set(said) | {"ordered"}) for sql in every] == [None] * len(every), "a plan may hold them"


@pytest.mark.parametrize("sql", NUMBERED.values())
def test_what_times_are_as_numbers_may_stand_in_a_plan(sql: str) -> None:
    assert sql_problem(sql.format("`at`"), {"at"}) is None


@pytest.mark.spark
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_spark_computes_the_same(spark: SparkSession, zone: str) -> None:
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        for spark_type in TYPES:
            frame, said = table(spark_type)
            schema = ", ".join(f"{n} {'bigint' if n == 'wait' else spark_type}" for n in frame)
            lake = spark.createDataFrame(frame, schema)
            for column in ("due", "shipped", "wait"):
                asked: Any = [f"count_if(not ({column} <=> ({sql})))" for sql in said[column]]
                assert [*lake.selectExpr(*asked).first()] == [0] * len(asked), (spark_type, column)
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)


def test_days_follow_from_the_day_of_a_time() -> None:
    rng = np.random.default_rng(6)
    lent = pd.Timestamp("2022-03-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 60 * 24 * 500, ROWS), unit="min")
    back = pd.Series(lent.normalize() + pd.to_timedelta(rng.integers(1, 60, ROWS), unit="D")).mask(
        rng.random(ROWS) < 0.1
    )
    due = lent.normalize() + pd.Timedelta(days=28)
    over = (back - pd.Series(due)).dt.days.clip(lower=0)
    kept = (back - pd.Series(lent.normalize())).dt.days
    frame = {"lent": pa.array(lent), "back": pa.array(back.dt.date), "due": pa.array(pd.Series(due).dt.date)}
    lengths = {"over": pa.array(over.astype("Int64")), "fined": pa.array(over.fillna(0).astype(int))}
    laws = found({**frame, **lengths, "kept": pa.array(kept.astype("Int64"))})
    assert "date_add(to_date(lent), 28)" in laws["due"]
    assert "datediff(back, to_date(lent))" in laws["kept"]
    assert any("if(datediff(back, due) < 0, 0, datediff(back, due))" in sql for sql in laws["over"])
    assert any("if(datediff(back, due) > 0, datediff(back, due), 0)" in sql for sql in laws["fined"])
    assert [
        sql_problem(sql, {*frame, *lengths, "kept"}) for each in laws.values() for sql in each if "date" in sql
    ] == [None for each in laws.values() for sql in each if "date" in sql]
