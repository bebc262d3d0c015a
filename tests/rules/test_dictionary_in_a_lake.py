"""Dictionaries in a planted lake: verified and written by Spark, true of every generated row."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from synthohive_spark.rules.kinds.dictionary import Lookup
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
ROWS, DAY = 1_200, dt.date(2020, 1, 1)
GUESTS = 180  # so that each of 15 cards and 18 segments is held by more than the five who must hold a value
K, STAYS = 5, 2 * ROWS
RNG = np.random.default_rng(11)


def visits() -> pd.DataFrame:
    """Codes with what follows from them; some are rare, some rows have none."""
    code = np.where(RNG.random(ROWS) < 0.02, RNG.integers(30, 90, ROWS), RNG.integers(0, 24, ROWS))
    none, kind, place = RNG.random(ROWS) < 0.2, RNG.integers(0, 5, ROWS), RNG.integers(0, 4, ROWS)
    free, shop = RNG.integers(0, 3, ROWS), RNG.integers(0, 30, ROWS)
    return pd.DataFrame(
        {
            "id": range(ROWS),
            "code": [None if n else f"c'{c}\\ \"é" for c, n in zip(code, none, strict=True)],
            "words": [None if n else f"what {c} is" for c, n in zip(code, none, strict=True)],
            "group": [f"g{f}" if n else f"group {c % 5}" for c, n, f in zip(code, none, free, strict=True)],
            "since": [
                None if n or c % 7 == 0 else dt.date(2020, 1, 1 + c % 4) for c, n in zip(code, none, strict=True)
            ],
            "kind": [f"k{k}" for k in kind],
            "place": place,
            "price": [Decimal(int(k * 17 + p * 31) % 13).scaleb(-1) for k, p in zip(kind, place, strict=True)],
            "nearly": [f"n{RNG.integers(0, 12) if RNG.random() < 0.04 else s % 12}" for s in shop],
            "shop": [f"shop {s}" for s in shop],
        }
    )


def guests() -> pd.DataFrame:
    """Guests of a segment each, as parents of visits."""
    return pd.DataFrame({"guest": range(GUESTS), "segment": [f"segment {i % 18}" for i in range(GUESTS)]})


def stays() -> pd.DataFrame:
    """Rows with what follows from their guest's segment, from a month, and from towns of which many are rare."""
    guest = RNG.integers(0, GUESTS, STAYS)
    day = [DAY + dt.timedelta(int(d)) for d in RNG.integers(0, 700, STAYS)]
    card = RNG.integers(0, 15, GUESTS)[guest]
    town = np.where(RNG.random(STAYS) < 0.4, RNG.integers(100, 2_000, STAYS), RNG.integers(0, 30, STAYS))
    return pd.DataFrame(
        {
            "stay": range(STAYS),
            "guest": guest,
            "card": [f"card {c}" for c in card],
            "limit": 100.5 * card,
            "tier": [f"tier {g % 18 % 11}" for g in guest],
            "day": day,
            "month": [d.strftime("%B") for d in day],
            "town": [f"town {t}" for t in town],
            "state": [f"state {t % 7}" for t in town],
        }
    )


def test_dictionaries_of_parents_of_parts_and_of_what_is_often_rare(spark: SparkSession, tmp_path: Path) -> None:
    key = {"columns": ["guest"], "references": "guest", "referenced_columns": ["guest"]}
    tables = {"guest": {"primary_key": "guest"}, "stay": {"primary_key": "stay", "foreign_keys": [key]}}
    paths = write_lake(spark, tmp_path / "lake", {"guest": guests(), "stay": stays()})
    made = fitted(spark, Metadata.load({"tables": tables}), paths)
    made.generate({}, str(tmp_path / "target"))
    assert made.trained is not None
    plan = made.trained.plans["stay"]
    texts = {r.column: r.text(lambda name: name) for r in plan.rules.each if isinstance(r, Lookup)}
    assert texts["tier"] == "a function of guest:segment (18 entries)"
    assert texts["month"] == "a function of month(`day`) (12 entries)"
    assert texts["state"].startswith("a function of `town` (")
    assert texts["limit"] == "a function of `card` (15 entries)"
    assert plan.columns.named("derived") == ["limit", "tier", "month"]
    assert plan.columns.named("given") == ["card"], "it follows from the guest alone, and the limit from it"
    copy = made.io.read_dataset(str(tmp_path / "target" / "stay")).toPandas()
    above = made.io.read_dataset(str(tmp_path / "target" / "guest")).toPandas()
    copy = copy.merge(above, on="guest")
    assert copy.groupby("segment")["tier"].nunique().max() == 1
    assert copy.groupby("guest")["card"].nunique().max() == 1
    assert 1 < copy["card"].nunique() <= 15
    assert copy["limit"].tolist() == [100.5 * int(c.split()[1]) for c in copy["card"]]
    assert copy["month"].tolist() == [d.strftime("%B") for d in copy["day"]]
    usual = copy[copy["town"].isin([f"town {t}" for t in range(30)])]
    assert len(usual) > STAYS / 2
    assert usual["state"].tolist() == [f"state {int(t.split()[1]) % 7}" for t in usual["town"]]
    assert copy[~copy["town"].isin(usual["town"])]["state"].nunique() > 1


def test_a_copy_keeps_dictionaries_on_every_row(spark: SparkSession, tmp_path: Path) -> None:
    frame = visits()
    metadata = Metadata.load({"tables": {"visit": {"primary_key": "id"}}})
    made = fitted(spark, metadata, write_lake(spark, tmp_path / "lake", {"visit": frame}))
    made.generate({}, str(tmp_path / "target"))
    assert made.trained is not None
    plan = made.trained.plans["visit"]
    rules = {r.column: r for r in plan.rules.each if isinstance(r, Lookup)}
    text = {c: r.text(str) for c, r in rules.items()}
    assert text["price"] == "a function of `kind`, `place` (20 entries)"
    assert set(rules) in ({"words", "group", "since", "price", "nearly"}, {"code", "group", "since", "price", "nearly"})
    assert 0.95 < rules["nearly"].agreed < 1
    assert set(plan.columns.named("derived")) == {*rules} - {"group"}, "rows without a code have groups of their own"
    counts = frame["code"].value_counts()
    rare = {str(c) for c in counts.index[counts < K]}
    assert rare
    assert not [name for r in rules.values() for name in r.entries if name.removeprefix("=") in rare]

    copy = made.io.read_dataset(str(tmp_path / "target" / "visit")).toPandas()
    real = {c: dict(zip(frame["code"], frame[c], strict=True)) for c in ("words", "since")}
    for name, inputs in {"words": ["code"], "since": ["code"], "price": ["kind", "place"]}.items():
        assert copy.groupby(inputs, dropna=False)[name].nunique(dropna=False).max() == 1
    assert copy[copy["code"].notna()].groupby("code")["group"].nunique().max() == 1
    assert copy["code"].isna().equals(copy["words"].isna())
    usual = copy[copy["code"].isin(counts.index[counts >= K])]
    assert len(usual) > ROWS / 2
    assert usual["words"].tolist() == [real["words"][c] for c in usual["code"]]
    assert usual["since"].tolist() == [real["since"][c] for c in usual["code"]]
    assert copy[copy["code"].isna()]["group"].nunique() > 1
    both = copy.merge(copy.groupby("shop")["nearly"].agg(lambda v: v.mode()[0]).rename("usual"), on="shop")
    assert 0.94 < (both["nearly"] == both["usual"]).mean() < 0.99, "exceptions keep their share"
