"""Laws that name columns of ancestors: computed by Spark beside the row, though the model sees no more than before."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.evaluation.rules import broken_rules
from synthohive_spark.metadata import Metadata
from synthohive_spark.schema.table_plan import TablePlan
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(11)
PARTS, OFFERS, ORDERS, LINES = 300, 600, 400, 3_000
TABLES: dict[str, Any] = {
    "part": {"primary_key": "part"},
    "offer": {
        "primary_key": ["part", "shop"],
        "foreign_keys": [{"columns": ["part"], "references": "part", "referenced_columns": ["part"]}],
    },
    "orders": {"primary_key": "order", "pii": ["number", "given", "family", "mail", "phone"]},
    "line": {
        "primary_key": "line",
        "foreign_keys": [
            {"columns": ["order"], "references": "orders", "referenced_columns": ["order"], "driving": True},
            {"columns": ["part", "shop"], "references": "offer", "referenced_columns": ["part", "shop"]},
        ],
        "constraints": [{"expression": "value < 4 * quantity * 90"}],
    },
}


def names(syllables: int) -> list[str]:
    return ["".join(RNG.choice(["ba", "co", "di", "fu", "ge", "ho"], syllables)).title() for _ in range(ORDERS)]


def planted() -> dict[str, pd.DataFrame]:
    """The price of a part lies two keys away from the lines that it makes dear."""
    part = pd.DataFrame({"part": range(PARTS), "price": RNG.integers(100, 9_000, PARTS) / 100})
    offer = pd.DataFrame({"part": np.arange(OFFERS) % PARTS, "shop": np.arange(OFFERS) // PARTS})
    offer["stock"] = RNG.integers(0, 99, OFFERS)
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(RNG.integers(0, 300, ORDERS), "D")
    orders = pd.DataFrame({"order": range(ORDERS), "day": days.date, "freight": RNG.integers(0, 900, ORDERS) / 100})
    orders["subtotal"] = [Decimal(int(n)).scaleb(-2) for n in RNG.integers(100, 99_999, ORDERS)]
    orders["tax"] = [(s * Decimal("0.08")).quantize(Decimal("0.01"), ROUND_HALF_EVEN) for s in orders["subtotal"]]
    orders["boxes"] = orders["order"] % 7 * 3
    taxed = zip(orders["subtotal"], orders["tax"], orders["boxes"], strict=True)
    orders["whole"] = [subtotal + tax + int(boxes) for subtotal, tax, boxes in taxed]
    orders["number"] = [f"SO#{n:06d}" for n in orders["order"]]
    orders["given"], orders["family"] = names(2), names(4)
    mails = zip(orders["given"], orders["family"], strict=True)
    orders["mail"] = [f"{given}.{family}@example.org".lower() for given, family in mails]
    orders["phone"] = [f"{b + 10}-{RNG.integers(100, 999)}-{RNG.integers(1000, 9999)}" for b in orders["boxes"]]
    of, at = RNG.integers(0, OFFERS, LINES), np.arange(LINES) % ORDERS
    quantity, wait = RNG.integers(1, 9, LINES), RNG.integers(1, 40, LINES)
    price = part["price"].to_numpy()[offer["part"].to_numpy()[of]]
    line = pd.DataFrame(
        {"line": range(LINES), "order": at, "part": offer["part"][of].array, "shop": offer["shop"][of].array}
    )
    line = line.assign(quantity=quantity, wait=wait, value=(price * quantity).round(2))
    line["percent"] = RNG.integers(0, 60, LINES)
    line["net"] = (price * quantity * (100 - line["percent"]) / 100).round(2)
    line["due"] = (days[at] + pd.to_timedelta(wait, "D")).date
    line["year"] = days[at].year
    line["near"] = (orders["freight"].to_numpy()[at] + quantity).round(2)
    line.loc[RNG.random(LINES) < 0.03, "near"] = 1.5
    return {"part": part, "offer": offer, "orders": orders, "line": line}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("ancestors")
    paths, metadata = write_lake(spark, folder / "source", planted()), Metadata.load({"tables": TABLES})
    made = fitted(spark, metadata, paths)
    made.generate({}, str(folder / "target"))
    assert made.trained is not None
    frames = {t: made.io.read_dataset(str(folder / "target" / t)) for t in TABLES}
    real = made.io.read_dataset(paths["orders"])
    return {
        "real": real,
        "plans": made.trained.plans,
        "plan": made.trained.plans["line"],
        "frames": frames,
        "metadata": metadata,
    }


def test_what_a_law_needs_stands_beside_the_row_and_is_hidden_from_the_model(lake: dict[str, Any]) -> None:
    plan: TablePlan = lake["plan"]
    shown = {c.name: c.hidden for c in plan.context.each}
    assert [name for name, hidden in shown.items() if hidden] == ["part+shop:part:price"]
    orders = {f"order:{c}" for c in ("day", "freight", "subtotal", "tax", "boxes", "whole", "#")}
    seen = orders | {"part+shop:shop", "part+shop:stock", "part+shop:#"}
    assert {name for name, hidden in shown.items() if not hidden} == seen
    assert set(plan.columns.named("derived")) == {"value", "due", "year", "net"}
    assert plan.rules.sql["value"] == "round(try_multiply(`quantity`, `#synthohive:part+shop:part:price`), 2)"
    assert "near" in plan.columns.named("model")


def test_the_laws_hold_in_the_copy_and_nothing_else_reaches_it(lake: dict[str, Any]) -> None:
    frames: dict[str, DataFrame] = lake["frames"]
    line = frames["line"]
    assert line.columns == list(planted()["line"].columns)
    whole = line.join(frames["part"], "part").join(frames["orders"], "order")
    assert whole.count() == LINES
    assert whole.where("value <> round(quantity * price, 2) or due <> date_add(day, cast(wait as int))").count() == 0
    assert whole.where("year <> year(day)").count() == 0
    assert whole.where("abs(net - quantity * price * (100 - percent) / 100) > 0.0101").count() == 0
    assert frames["orders"].where("abs(tax - 0.08 * subtotal) > 0.0101 or whole <> subtotal + tax + boxes").count() == 0
    assert line.where("value >= 4 * quantity * 90").count() == 0, "rows were judged, and drawn again, with their prices"
    orders = frames["orders"]
    assert orders.join(lake["real"], "number").count() == 0, "what followed from the key would be real again"
    assert orders.where("mail <> lower(concat(given, '.', family, '@example.org'))").count() == 0
    assert orders.where("not phone rlike '[0-9]{3}'").count() == 0, "numbers of some country"
    assert orders.join(lake["real"], "phone").count() == 0
    assert orders.join(lake["real"], "mail").count() == 0, "names are made up, and so are addresses"
    assert key_faults(lake["metadata"], frames) == []


def test_evaluation_asks_whether_the_copy_keeps_what_the_report_lists(lake: dict[str, Any]) -> None:
    plans, frames = lake["plans"], dict(lake["frames"])
    assert broken_rules("line", plans, frames) == {"value": 0, "due": 0, "year": 0, "net": 0}
    one = frames["line"].agg(F.min("line")).collect()[0][0]
    frames["line"] = frames["line"].withColumn("value", F.expr(f"if(line = {one}, null, value)"))
    frames["orders"] = frames["orders"].withColumn("day", F.expr("date_add(day, 0 + 700)"))
    assert broken_rules("line", plans, frames) == {"value": 1, "due": LINES, "year": LINES, "net": 1}
