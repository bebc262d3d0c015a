"""Sequences in a natural key whose families share gaps: closed days stay closed in the copy."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.metadata import Metadata
from synthohive_spark.privacy.support import Support
from synthohive_spark.profiling.key_formats import sequence
from synthohive_spark.schema.key_format import KeyFormat
from synthohive_spark.schema.keys import SequencePlan
from tests.lakes import fitted, key_faults, write_lake

STORES, FIRST = 12, dt.date(2024, 1, 1)  # a Monday
OPEN = [FIRST + dt.timedelta(days=d) for d in range(140) if d % 7 != 6]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=20), st.integers(0, 50))
def test_positions_fill_the_runs_and_go_on_behind_them(gaps_and_lengths: list[tuple[int, int]], more: int) -> None:
    runs, at = [], 0
    for gap, length in gaps_and_lengths:
        runs.append((at + gap, length))
        at += gap + length
    size = sum(length for _, length in runs)
    plan = SequencePlan(column="n", format=KeyFormat(kind="integer"), size=size, consecutive=True, calendar=tuple(runs))
    wanted = [first + i for first, length in runs for i in range(length)]
    assert plan.steps(np.arange(size + more)).tolist() == wanted + [wanted[-1] + 1 + i for i in range(more)]


def stores_with(days: list[list[dt.date]]) -> pd.DataFrame:
    rows = [(s, d, float(s)) for s, own in enumerate(days) for d in own]
    return pd.DataFrame(rows, columns=["store", "day", "sales"])


@pytest.mark.spark
def test_a_calendar_is_what_enough_families_share(spark: SparkSession) -> None:
    days = [OPEN[3 * s : 3 * s + 80] for s in range(STORES)]
    days[0] = [*days[0], FIRST + dt.timedelta(days=6)]  # one store opens on one Sunday
    found = sequence(spark.createDataFrame(stores_with(days)), ("store",), "day", "date", Support(3))
    assert found.consecutive
    assert set(found.starts) == set(range(0, 28, 3))
    values = found.format.values(found.steps(np.arange(found.size)), found.size)
    held = pd.Series([d for own in days for d in own]).value_counts()
    assert values.tolist() == sorted(held.index[held >= 3])


@pytest.mark.spark
def test_families_with_gaps_of_their_own_have_no_calendar(spark: SparkSession) -> None:
    rng = np.random.default_rng(3)
    days = [[FIRST + dt.timedelta(days=int(d)) for d in rng.permutation(30)[:20]] for _ in range(40)]
    found = sequence(spark.createDataFrame(stores_with(days)), ("store",), "day", "date", Support(3))
    assert found.calendar == ()
    assert found.size == 30


@pytest.mark.spark
@pytest.mark.slow
def test_no_store_of_the_copy_opens_when_all_are_closed(spark: SparkSession, tmp_path: Path) -> None:
    keys = Metadata()
    keys.add_table("stores", pk="store")
    keys.add_table("sales", pk=["store", "day"], fk={"store": "stores.store"})
    twice = np.repeat(np.arange(STORES), 2)  # two of a kind: five stores must be open on nearly all of the days
    stores = pd.DataFrame({"store": np.arange(len(twice)), "size": twice * 1.5})
    sales = stores_with([OPEN[3 * s : 3 * s + 60 + s] for s in twice])
    fit = fitted(spark, keys, write_lake(spark, tmp_path / "source", {"stores": stores, "sales": sales}))
    fit.generate({"stores": 3 * len(twice)}, output_path_base=str(tmp_path / "copy"))
    made = {t: DeltaIO(spark).read_dataset(str(tmp_path / "copy" / t)) for t in keys.tables}
    assert key_faults(keys, made) == []
    copy = made["sales"].toPandas()
    assert len(copy) == 3 * len(sales)
    assert set(copy["day"]) <= set(OPEN)
    place = copy["day"].map({d: i for i, d in enumerate(OPEN)})
    gaps = place.sort_values().groupby(copy["store"]).diff().dropna()
    assert gaps.eq(1).all(), "a store's days follow each other, Sundays apart"
