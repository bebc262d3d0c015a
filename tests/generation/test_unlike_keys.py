"""Two keys of a row to one table that never have the same parent: nobody is sent to where he comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from synthohive_spark.generation.exchange import Fit, deal_fitting
from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake


@given(st.integers(1, 60), st.integers(2, 9), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_no_row_keeps_what_it_has_wherever_rows_can_exchange(rows: int, parents: int, keys: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parent, dealt = rng.integers(0, parents, rows), np.arange(rows, dtype=np.int64)
    free = np.zeros((0, rows))
    others = [rng.integers(0, parents, rows) for _ in range(keys)]
    fit = Fit(free, free, np.zeros(0, bool), parent, np.array(others), None, np.zeros(rows, np.int64), once=True)
    dealt[rng.random(rows) < 0.2] = -1
    made = deal_fitting(dealt, fit, rng)
    parent = np.where(dealt >= 0, parent, -1)
    assert sorted(made) == sorted(dealt), "whoever is dealt stays dealt, as often"
    of = {int(slot): int(p) for slot, p in zip(dealt, parent, strict=True)}
    now = np.array([of[int(slot)] for slot in made])
    had = np.array(others)
    left = np.flatnonzero((now == had).any(axis=0) & (made >= 0))
    before = (parent == had).any(axis=0) & (dealt >= 0)
    assert {*left} <= {*np.flatnonzero(before)}, "no row is made worse"
    for row in left:  # nobody could exchange with it
        able = (made >= 0) & ~np.isin(now, had[:, row]) & (had != now[row]).all(axis=0)
        assert not able.any()


def lake(alike: int) -> dict[str, pd.DataFrame]:
    rng, rows = np.random.default_rng(7), 600
    depots = rng.permutation(np.repeat(np.arange(12), rows // 12))
    there = (depots + rng.integers(1, 12, rows)) % 12
    there[:alike] = depots[:alike]
    via = pd.Series((depots + rng.integers(1, 12, rows)) % 12).astype("Int64").mask(rng.random(rows) < 0.4)
    trip = pd.DataFrame({"trip": range(rows), "origin": depots, "destination": there, "via": via})
    return {"depot": pd.DataFrame({"depot": range(12), "size": rng.integers(0, 9, 12)}), "trip": trip}


def metadata() -> Metadata:
    def key(column: str, nullable: bool = False) -> dict[str, Any]:
        return {"columns": [column], "references": "depot", "referenced_columns": ["depot"], "nullable": nullable}

    keys = [key("origin"), key("destination"), key("via", True)]
    return Metadata.load(
        {"tables": {"depot": {"primary_key": "depot"}, "trip": {"primary_key": "trip", "foreign_keys": keys}}}
    )


@pytest.mark.spark
def test_keys_that_never_agree_never_do_in_the_copy(spark: SparkSession, tmp_path: Path) -> None:
    made = fitted(spark, metadata(), write_lake(spark, tmp_path / "source", lake(0)))
    made.generate({}, str(tmp_path / "copy"))
    copy = {t: made.io.read_dataset(str(tmp_path / "copy" / t)) for t in ("depot", "trip")}
    rows = copy["trip"].toPandas()
    assert (rows["origin"] != rows["destination"]).all()
    assert not (rows["origin"] == rows["via"]).any()
    assert key_faults(made.metadata, copy) == []
    assert abs(rows["via"].isna().mean() - 0.4) < 0.06
    wrong = fitted(spark, metadata(), write_lake(spark, tmp_path / "other", lake(3)))
    assert wrong.trained is not None
    keys = wrong.trained.plans["trip"].keys.foreign
    unlike = {keys[i].columns[0]: {keys[j].columns[0] for j in keys[i].unlike} for i in range(3)}
    assert not any({a, b} == {"origin", "destination"} for a, those in unlike.items() for b in those)
