"""Bills: what lines sum up to, what follows from that with the customer's rate, and payments that share it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.evaluation.rules import broken_rules
from synthohive_spark.metadata import Metadata
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.rules.kinds.aggregate import aggregates
from synthohive_spark.schema.table_plan import generation_order
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(8)
CUSTOMERS, BILLS = 60, 400


def key(column: str, parent: str, referenced: str) -> dict[str, Any]:
    return {"columns": [column], "references": parent, "referenced_columns": [referenced]}


TABLES: dict[str, Any] = {
    "customer": {"primary_key": "id"},
    "bill": {"primary_key": "number", "foreign_keys": [key("customer", "customer", "id")]},
    "line": {"primary_key": "line", "foreign_keys": [key("number", "bill", "number")]},
    "payment": {"primary_key": "payment", "foreign_keys": [key("number", "bill", "number")]},
}
LAWS = {
    "off": "select count(*) from bill join customer c on customer = c.id where abs(off - net * rate) > .00501",
    "gross": "select count(*) from bill where abs(gross - (net - off + freight)) > .001",
    "net": "select count(*) from bill b join (select number, sum(price) s from line group by 1) t "
    "on b.number = t.number where abs(net - s) > .001",
    "paid": "select count(*) from bill b join (select number, sum(amount) s from payment group by 1) t "
    "on b.number = t.number where abs(gross - s) > .001",
    "owed": "select count(*) from (select *, row_number() over (partition by number order by part desc) n from payment)"
    " where n = 1 and abs(owed) > .001",
    "freight": "select count(*) from bill where freight < 2 or freight > 20",
    "visit": "select count(*) from bill where to_date(visited) <> day",
    "morning": "select count(*) from bill where hour(visited) not between 8 and 17",
    "made": "select count(*) from bill where to_date(made) > day",
}


def planted() -> dict[str, pd.DataFrame]:
    customer = pd.DataFrame({"id": range(CUSTOMERS), "rate": RNG.choice([0.0, 0.05, 0.1], CUSTOMERS)})
    bill = pd.DataFrame({"number": range(BILLS), "customer": RNG.integers(0, CUSTOMERS, BILLS)})
    number = np.repeat(bill["number"], RNG.integers(1, 6, BILLS))
    line = pd.DataFrame({"line": range(len(number)), "number": number.to_numpy()})
    line["price"] = RNG.integers(500, 20_000, len(line)) / 100
    bill["net"] = line.groupby("number")["price"].sum().round(2)
    bill["off"] = (bill["net"] * customer["rate"].to_numpy()[bill["customer"]]).round(2)
    bill["freight"] = RNG.integers(200, 2_000, BILLS) / 100
    bill["gross"] = (bill["net"] - bill["off"] + bill["freight"]).round(2)
    made = pd.Timestamp("2021-01-01") + pd.to_timedelta(RNG.integers(0, 60 * 24 * 900, BILLS), unit="min")
    day = made.normalize() + pd.to_timedelta(RNG.integers(0, 60, BILLS), unit="D")
    visited = day + pd.to_timedelta(RNG.integers(8 * 60, 17 * 60, BILLS), unit="min")
    bill["made"], bill["day"] = made, [d.date() for d in day]
    bill["visited"] = pd.Series(visited).where(RNG.random(BILLS) < 0.7)
    parts = RNG.integers(1, 4, BILLS)
    payment = pd.DataFrame({"number": np.repeat(bill["number"].to_numpy(), parts)})
    payment["part"] = payment.groupby("number").cumcount() + 1
    gross, many = (np.repeat(v, parts) for v in (bill["gross"].to_numpy(), parts))
    some = (gross / many * RNG.uniform(0.5, 1, len(payment))).round(2)
    before = pd.Series(some).groupby(payment["number"]).cumsum() - some
    payment["amount"] = np.where(payment["part"] == many, gross - before, some).round(2)
    payment["owed"] = (gross - payment.groupby("number")["amount"].cumsum()).round(2)
    payment.insert(0, "payment", range(len(payment)))
    return {"customer": customer, "bill": bill, "line": line, "payment": payment}


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StagedOrchestrator:
    folder = tmp_path_factory.mktemp("bills")
    return fitted(spark, Metadata.load({"tables": TABLES}), write_lake(spark, folder, planted()))


def broken(spark: SparkSession, tables: dict[str, DataFrame]) -> dict[str, int]:
    for name, frame in tables.items():
        frame.createOrReplaceTempView(name)
    return {name: spark.sql(sql).collect()[0][0] for name, sql in LAWS.items()}


def test_what_is_summed_is_followed_and_shared_out(
    made: StagedOrchestrator, spark: SparkSession, tmp_path: Path
) -> None:
    assert made.trained is not None
    plans = made.trained.plans
    assert broken(spark, {t: spark.createDataFrame(f) for t, f in planted().items()}) == dict.fromkeys(LAWS, 0)
    assert [r.column for r in aggregates(plans["bill"].rules)] == ["net"], (
        "payments have the gross amount from the bill"
    )
    assert generation_order(plans) == [["customer"], ["bill"], ["line"], ["payment"]], (
        "who pays sees what lines sum up to"
    )
    assert {"shared.amount", "running.owed"} <= {r.name for r in plans["payment"].rules.each}
    made.generate({}, str(tmp_path))
    copy = {t: made.io.read_dataset(str(tmp_path / t)) for t in TABLES}
    assert broken(spark, copy) == dict.fromkeys(LAWS, 0)
    assert key_faults(made.metadata, copy) == []
    for table in TABLES:
        assert {c: n for c, n in broken_rules(table, plans, copy).items() if n} == {}
