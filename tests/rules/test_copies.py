"""What a child repeats of its parent it repeats in the copy: texts and keys that no model sees, or on most rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.evaluation.rules import broken_rules
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.metadata import Metadata
from synthohive_spark.rules.kinds.copy import Inherited
from synthohive_spark.rules.kinds.mostly_equal import EqualOnMostRows
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
PEOPLE, ORDERS, PARCELS, AGENTS = 90, 1_500, 2_000, 6
GIFTS, PII = 0.1, ["mail", "ship_name", "bill_street"]


def planted() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(4)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))

    def words(n: int) -> Any:
        return np.array(["".join(rng.choice(letters, 9)).title() for _ in range(n)], dtype=object)

    people = pd.DataFrame(
        {
            "person": np.arange(PEOPLE),
            "agent": rng.integers(AGENTS, size=PEOPLE),
            "name": words(PEOPLE),
            "street": words(PEOPLE),
            "mail": words(PEOPLE),
        }
    )
    people.loc[rng.random(PEOPLE) < 0.2, "street"] = None
    who = rng.integers(PEOPLE, size=ORDERS)
    gift = rng.random(ORDERS) < GIFTS
    theirs = people.iloc[who].reset_index(drop=True)
    orders = pd.DataFrame(
        {
            "order": np.arange(ORDERS),
            "person": who,
            "placed": rng.integers(1, 99, ORDERS),
            "bill_street": theirs["street"],
            "mail": theirs["mail"],
            "agent_then": theirs["agent"],
            "ship_name": np.where(gift, words(ORDERS), theirs["name"]),
        }
    )
    which = rng.integers(ORDERS, size=PARCELS)
    parcels = pd.DataFrame(
        {"parcel": np.arange(PARCELS), "order": which, "to_street": orders["bill_street"].iloc[which].to_numpy()}
    )
    agents = pd.DataFrame({"agent": np.arange(AGENTS)})
    return {"agents": agents, "people": people, "orders": orders, "parcels": parcels}


@pytest.mark.slow
def test_texts_and_keys_of_a_parent_are_repeated(spark: SparkSession, tmp_path: Path) -> None:
    def key(column: str, parent: str, referenced: str) -> dict[str, Any]:
        return {"columns": [column], "references": parent, "referenced_columns": [referenced]}

    spec = {
        "agents": {"primary_key": "agent"},
        "people": {"primary_key": "person", "foreign_keys": [key("agent", "agents", "agent")], "pii": ["mail"]},
        "orders": {"primary_key": "order", "foreign_keys": [key("person", "people", "person")], "pii": PII},
        "parcels": {"primary_key": "parcel", "foreign_keys": [key("order", "orders", "order")], "pii": ["to_street"]},
    }
    metadata, tables = Metadata.load({"tables": spec}), planted()
    made = fitted(spark, metadata, write_lake(spark, tmp_path / "source", tables))
    made.generate({}, str(tmp_path / "copy"))
    assert made.trained is not None
    plans = made.trained.plans
    assert set(plans["people"].protected) == {"name", "street", "mail"}
    assert plans["orders"].rules.columns({"inherited"}) == {"bill_street", "mail", "agent_then"}
    assert [r for r in plans["orders"].rules.each if r.kind == "mostly_equal"] == [
        EqualOnMostRows(column="ship_name", source="person:name")
    ]
    assert set(plans["orders"].protected) == {"ship_name", "bill_street", "mail", "agent_then"}
    assert plans["parcels"].rules.each == (Inherited(column="to_street", source="order:bill_street"),)
    assert all(c.hidden for c in plans["parcels"].context.each if c.column in plans["orders"].protected)

    frames = {t: DeltaIO(spark).read_dataset(str(tmp_path / "copy" / t)) for t in tables}
    assert key_faults(metadata, frames) == []
    asked = {t: broken_rules(t, plans, frames) for t in tables}
    inherited = {(t, r.column) for t in tables for r in plans[t].rules.each if isinstance(r, Inherited)}
    assert {(t, c) for t, found in asked.items() for c in found} >= inherited
    assert not any(rows for found in asked.values() for rows in found.values()), asked
    moved = frames["people"].withColumn("mail", F.concat("mail", F.lit("x")))
    assert broken_rules("orders", plans, {**frames, "people": moved})["mail"] == frames["orders"].count()
    copy = {t: frame.toPandas() for t, frame in frames.items()}
    orders = copy["orders"].merge(copy["people"], on="person", suffixes=("", "_of_person"))
    for own, theirs in (("bill_street", "street"), ("mail", "mail_of_person"), ("agent_then", "agent")):
        same = (orders[own] == orders[theirs]) | (orders[own].isna() & orders[theirs].isna())
        assert same.all(), own
    assert 0.1 < orders["bill_street"].isna().mean() < 0.3
    elsewhere = (orders["ship_name"] != orders["name"]).mean()
    assert GIFTS - 0.03 < elsewhere < GIFTS + 0.03
    parcels = copy["parcels"].merge(copy["orders"], on="order")
    assert (parcels["to_street"].fillna("") == parcels["bill_street"].fillna("")).all()
    real = {str(v) for c in ("name", "street", "mail") for v in tables["people"][c].dropna()}
    for column in ("bill_street", "mail", "ship_name"):
        assert real.isdisjoint(copy["orders"][column].dropna()), f"{column}: a text of the source"
