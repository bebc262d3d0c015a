"""Aggregates of children in a planted lake: found and verified in Spark, exact in the copy however it is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.errors import WriteError
from synthohive_spark.evaluation.rules import broken_rules
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location
from synthohive_spark.metadata import Metadata
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.rules.kinds.aggregate import aggregates
from tests.lakes import content, fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(3)
CUSTOMERS, ORDERS, LINES = 60, 400, 1_500


def key(column: str, parent: str, referenced: str) -> dict[str, Any]:
    return {"columns": [column], "references": parent, "referenced_columns": [referenced]}


TABLES: dict[str, Any] = {
    "customer": {"primary_key": "id", "constraints": [{"column": "bounded", "min": 0}]},
    "purchase": {"primary_key": "number", "foreign_keys": [key("customer", "customer", "id")]},
    "line": {"primary_key": "line", "foreign_keys": [key("number", "purchase", "number")]},
}
# table: a parent's columns beside what its children say
LAWS = {
    "purchase": (
        "select number, count(*) n, round(sum(round(price * 100) * quantity) / 100, 2) total, "
        "case when bool_and(state = 'F') then 'F' when bool_and(state = 'O') then 'O' else 'P' end state, "
        "max(sent) sent from line group by number",
        ["o.items <=> coalesce(n, 0)", "abs(o.total - coalesce(t.total, 0)) < 0.001", "o.total * 2 = o.twice"],
        ["n is null or o.state = t.state", "o.sent <=> t.sent"],
    ),
    "customer": (
        "select customer as id, sum(total) total, count(*) n from purchase group by customer",
        ["abs(o.spent - coalesce(t.total, 0)) < 0.01", "o.purchases = coalesce(n, 0)"],
        [],
    ),
}


def planted() -> dict[str, pd.DataFrame]:
    number, owner = RNG.integers(0, ORDERS, LINES), RNG.integers(0, CUSTOMERS - 5, ORDERS)
    first = np.array([dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in RNG.integers(0, 900, LINES)])
    kind = RNG.integers(0, 3, ORDERS)[number]
    line = pd.DataFrame(
        {
            "line": range(LINES),
            "number": number,
            "price": RNG.integers(100, 9_999, LINES) / 100,
            "quantity": RNG.integers(1, 9, LINES),
            "state": np.where((kind == 0) | ((kind == 1) & (RNG.random(LINES) < 0.5)), "F", "O"),
            "sent": first,
        }
    )
    lines = line.assign(amount=(line["price"] * line["quantity"]).round(2)).groupby("number")
    status = lines["state"].agg(lambda s: "P" if s.nunique() > 1 else s.iloc[0])
    purchase = pd.DataFrame({"number": range(ORDERS), "customer": owner})
    purchase["items"] = lines.size().reindex(range(ORDERS), fill_value=0)
    purchase["total"] = lines["amount"].sum().reindex(range(ORDERS), fill_value=0.0).round(2)
    purchase["twice"] = purchase["total"] * 2
    purchase["state"] = status.reindex(range(ORDERS), fill_value="P")
    purchase["sent"] = lines["sent"].max().reindex(range(ORDERS))
    purchase["sent"] = purchase["sent"].where(purchase["sent"].notna(), None)
    owned = purchase.groupby("customer")["total"]
    customer = pd.DataFrame({"id": range(CUSTOMERS), "level": RNG.integers(0, 4, CUSTOMERS)})
    customer["spent"] = owned.sum().reindex(range(CUSTOMERS), fill_value=0.0).round(2)
    customer["purchases"] = owned.size().reindex(range(CUSTOMERS), fill_value=0)
    customer["bounded"] = owned.max().reindex(range(CUSTOMERS), fill_value=0.0)
    return {"customer": customer, "purchase": purchase, "line": line}


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StagedOrchestrator:
    folder = tmp_path_factory.mktemp("aggregates")
    return fitted(spark, Metadata.load({"tables": TABLES}), write_lake(spark, folder, planted()))


@pytest.fixture(scope="module")
def copy(made: StagedOrchestrator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, DataFrame]:
    folder = tmp_path_factory.mktemp("copy")
    made.generate({}, str(folder))
    return {t: made.io.read_dataset(str(folder / t)) for t in TABLES}


def broken(tables: dict[str, DataFrame], table: str, law: str) -> int:
    for name, frame in tables.items():
        frame.createOrReplaceTempView(name)
    joined = "number" if table == "purchase" else "id"
    query = f"select * from {table} o left join ({LAWS[table][0]}) t on o.{joined} = t.{joined}"
    return tables[table].sparkSession.sql(f"{query} where not coalesce({law}, true)").count()


def test_what_children_say_is_found_and_exact_in_the_copy(made: StagedOrchestrator, copy: dict[str, DataFrame]) -> None:
    assert made.trained is not None
    found = {t: [r.column for r in aggregates(p.rules)] for t, p in made.trained.plans.items()}
    assert {t: sorted(columns) for t, columns in found.items()} == {
        "customer": ["purchases", "spent"],
        "purchase": ["items", "sent", "state", "total"],
        "line": [],
    }
    for table, (_, always, where) in LAWS.items():
        assert {law: broken(copy, table, law) for law in [*always, *where]} == dict.fromkeys([*always, *where], 0)
    assert key_faults(made.metadata, copy) == []
    plans = made.trained.plans
    assert broken_rules("purchase", plans, copy) == dict.fromkeys([*found["purchase"], "twice"], 0)
    spoilt = {**copy, "line": copy["line"].where("line % 2 = 0")}
    assert broken_rules("purchase", plans, spoilt)["items"] > 0
    assert copy["purchase"].agg(F.countDistinct("state")).collect()[0][0] == 3


def test_in_memory_the_rows_are_the_same(made: StagedOrchestrator, copy: dict[str, DataFrame]) -> None:
    kept = made.generate({})
    try:
        assert {t: content(f) for t, f in kept.items()} == {t: content(f) for t, f in copy.items()}
    finally:
        for frame in kept.values():
            frame.unpersist()


class Failing:
    """A writer that fails once, at the n-th write of a table."""

    def __init__(self, spark: SparkSession, table: str, write: int) -> None:
        self.inner, self.table, self.write = DeltaIO(spark), table, write
        self.writes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write_dataset(self, frame: DataFrame, place: Any, **options: Any) -> tuple[int, int]:
        self.writes.append(Path(str(place.path)).name)
        if self.writes[-1] == self.table and self.writes.count(self.table) == self.write:
            raise OSError("the disk is full")
        return self.inner.write_dataset(frame, place, **options)


def again(made: StagedOrchestrator, io: Any, policy: str = "raise") -> StagedOrchestrator:
    other = StagedOrchestrator(made.metadata, made.spark, io, policy, made.model_cls)
    other.trained = made.trained
    return other


@pytest.mark.slow
def test_an_attempt_that_failed_goes_on_to_the_same_rows(
    spark: SparkSession, made: StagedOrchestrator, copy: dict[str, DataFrame], tmp_path: Path
) -> None:
    rows: dict[str, int] = {}
    exact: list[str] = []
    written: Callable[[str, int, int], None] = lambda t, v, n: rows.update({t: n})  # noqa: E731
    replaced: Callable[[str, int, int], None] = lambda t, v, n: exact.append(t)  # noqa: E731
    place, wanted = Location(path=str(tmp_path)), made.wanted_rows({})
    failing = Failing(spark, "customer", 2)
    with pytest.raises(WriteError, match="customer: the disk is full"):
        again(made, failing).writer(place, wanted, 1).write(None, written, (), replaced)
    assert (exact, failing.writes[-2:]) == (["purchase"], ["purchase", "customer"])
    whole = Failing(spark, "", 0)
    again(made, whole).writer(place, wanted, 1).write(rows, written, exact, replaced)
    assert (whole.writes, exact) == (["customer"], ["purchase", "customer"])
    assert {t: content(whole.inner.read_dataset(str(tmp_path / t))) for t in TABLES} == {
        t: content(f) for t, f in copy.items()
    }


@pytest.mark.slow
def test_cleanup_and_retry(spark: SparkSession, made: StagedOrchestrator, tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="the disk is full"):
        again(made, Failing(spark, "purchase", 2), "cleanup").generate({"customer": 10}, str(tmp_path))
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]
    retried = Failing(spark, "purchase", 2)
    again(made, retried, "retry").generate({"customer": 10}, str(tmp_path))
    assert retried.writes.count("purchase") == 3
    tables = {t: retried.inner.read_dataset(str(tmp_path / t)) for t in TABLES}
    assert broken(tables, "purchase", LAWS["purchase"][1][1]) == 0
