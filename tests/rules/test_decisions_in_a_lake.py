"""Decisions in a planted lake: sharpened and verified in Spark, true of every generated row."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(5)
SHOPS, SALES, MEASURES = 120, 3_000, 1_500
SIZES = {"height": (170.0, 9.0), "weight": (70.0, 12.0)}
TABLES: dict[str, Any] = {
    "shop": {"primary_key": "shop_id"},
    "sale": {
        "primary_key": "sale_id",
        "foreign_keys": [{"columns": ["shop"], "references": "shop", "referenced_columns": ["shop_id"]}],
        "pii": ["holder"],
    },
    "measure": {"primary_key": "measure_id"},
}
LAWS = [
    "status = case when sold <= date'2021-02-03' then 'clo{}sed' else 'it\\'s open' end",
    "case when sold <= date'2021-02-03' then flag in ('A', 'R') else flag = 'N' end",
    "(card is null) = (kind = 'cash')",
    "(card is null) = (holder is null)",
    "kind <> 'cash' or note is null",
    "tax <=> case when region = 'north' then 0 when amount >= 500 then 19 else 7 end",
]


def planted() -> dict[str, pd.DataFrame]:
    shop = pd.DataFrame({"shop_id": range(SHOPS), "region": RNG.choice(["north", "south", "east"], SHOPS)})
    where, day = RNG.integers(0, SHOPS, SALES), RNG.integers(0, 700, SALES)
    kind, amount = RNG.choice(["cash", "card", "bank"], SALES), RNG.integers(0, 10_000, SALES) / 10
    cash, late = kind == "cash", day > 399
    sale = pd.DataFrame(
        {
            "sale_id": range(SALES),
            "shop": where,
            "sold": [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in day],
            "kind": kind,
            "amount": amount,
            "status": np.where(late, "it's open", "clo{}sed"),
            "flag": np.where(late, "N", RNG.choice(["A", "R"], SALES)),
            "card": pd.array(np.where(cash, None, RNG.integers(1_000, 9_999, SALES)), "Int64"),
            "holder": np.where(cash, None, [f"Name {i}" for i in range(SALES)]),
            "note": np.where(cash | (RNG.random(SALES) < 0.5), None, RNG.choice([f"n{i}" for i in range(20)], SALES)),
            "tax": np.where(shop["region"].to_numpy()[where] == "north", 0, np.where(amount >= 500, 19, 7)),
        }
    )
    what = [str(w) for w in RNG.choice(["height", "weight", "smokes"], MEASURES)]
    answers = [str(a) for a in RNG.choice(["never", "often"], MEASURES)]
    value = [f"{RNG.normal(*SIZES[w]):.1f}" if w in SIZES else a for w, a in zip(what, answers, strict=True)]
    unit = [{"height": "cm", "weight": "kg"}.get(w) for w in what]
    measure = pd.DataFrame({"measure_id": range(MEASURES), "what": what, "value": value, "unit": unit})
    return {"shop": shop, "sale": sale, "measure": measure}


def test_decisions_hold_on_every_row(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("decisions")
    made = fitted(spark, Metadata.load({"tables": TABLES}), write_lake(spark, folder / "source", planted()))
    made.generate({}, str(folder / "target"))
    assert made.trained is not None
    plan = made.trained.plans["sale"]
    assert set(plan.columns.named("derived")) == {"status", "tax"}
    assert {"flag", "card", "note"} <= set(plan.columns.named("model"))
    assert "^region" in next(r.text(lambda seen: f"^{seen[5:]}") for r in plan.rules.each if r.column == "tax")
    assert "holder" not in plan.keys.positions.null_shares
    for at in ("source", "target"):
        tables = {t: made.io.read_dataset(str(folder / at / t)) for t in TABLES}
        rows = tables["sale"].join(tables["shop"].withColumnRenamed("shop_id", "shop"), "shop")
        for law in LAWS:
            assert rows.where(f"not coalesce({law}, false)").count() == 0, (at, law)
    share = rows.where("card is null").count() / rows.count()
    assert 0.28 < share < 0.39
    flags = {r["flag"]: r["count"] for r in rows.groupBy("flag").count().collect()}
    assert 0.8 < flags["A"] / flags["R"] < 1.25
    measures = made.io.read_dataset(str(folder / "target" / "measure"))
    assert measures.where("(what <> 'smokes') <> (value rlike '^[0-9]+[.][0-9]$')").count() == 0
    assert measures.where("what = 'smokes' and value not in ('never', 'often')").count() == 0
    averages = (
        measures.where("what <> 'smokes'").groupBy("what").agg(F.avg(F.col("value").cast("double")).alias("size"))
    )
    sizes = {r["what"]: r["size"] for r in averages.collect()}
    assert abs(sizes["height"] - 170) < 3
    assert abs(sizes["weight"] - 70) < 4
