"""Order in a planted lake: between a row, its parent and a grandparent; what Spark computes only later bounds too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.metadata import Metadata
from synthohive_spark.rules.kinds.bounds import Ordered, OrderedLater
from synthohive_spark.rules.kinds.siblings import AmongSiblings
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(17)
CLIENTS, VISITS, TESTS = 300, 1_200, 1_500


def key(column: str, table: str) -> dict[str, Any]:
    return {"columns": [column], "references": table, "referenced_columns": [column]}


TABLES: dict[str, Any] = {
    "client": {"primary_key": "client"},
    "visit": {"primary_key": "visit", "foreign_keys": [key("client", "client")]},
    "term": {"primary_key": "term", "foreign_keys": [key("client", "client")]},
    "entry": {"primary_key": ["client", "n"], "foreign_keys": [key("client", "client")]},
    "version": {"primary_key": ["client", "version"], "foreign_keys": [key("client", "client")]},
    "test": {
        "primary_key": "test",
        "foreign_keys": [key("client", "client"), key("visit", "visit")],
        "parent_context_cols": [],
    },
}
LAWS = {
    "visit": [
        "at >= begun",
        "gone is null or to_date(at) <= gone",
        "until > at",
        "paid <= cost",
        "paid >= 0",
        "day >= begun",
    ],
    "test": ["cents < cost", "taken >= at", "taken <= until"],
}


def planted() -> dict[str, pd.DataFrame]:
    """Visits of a life, and tests of a visit; the cost is the product of two numbers, so that Spark computes it."""
    begun = RNG.integers(-9_000, 9_000, CLIENTS)
    life = RNG.integers(5, 12_000, CLIENTS)
    epoch = pd.Timestamp("1970-01-01")
    client = pd.DataFrame({"client": range(CLIENTS)})
    client["begun"] = (epoch + pd.to_timedelta(begun, "D")).date
    client["gone"] = (epoch + pd.to_timedelta(begun + life, "D")).date
    client.loc[RNG.random(CLIENTS) < 0.4, "gone"] = None
    of = np.arange(VISITS) % CLIENTS
    minute = begun[of] * 1_440 + np.floor(RNG.random(VISITS) ** 2 * (life[of] + 1) * 1_440)
    minute[:CLIENTS] = (begun + life) * 1_440 + 700  # the last day is part of a life
    visit = pd.DataFrame({"visit": range(VISITS), "client": of})
    visit["at"] = (epoch + pd.to_timedelta(minute, "min")).tz_localize("UTC").as_unit("us")
    visit["until"] = visit["at"] + pd.to_timedelta(RNG.choice([15, 30, 45], VISITS), "min")
    visit["day"] = (epoch + pd.to_timedelta(begun[of] + RNG.integers(0, 900, VISITS), "D")).date
    visit = visit.assign(hours=RNG.integers(1, 9, VISITS), rate=RNG.integers(2_000, 9_000, VISITS) / 100)
    visit["cost"] = (visit["hours"] * visit["rate"]).round(2)
    visit["paid"] = np.where(RNG.random(VISITS) < 0.3, 0, (visit["cost"] * RNG.random(VISITS)).round(2))
    which = RNG.integers(0, VISITS, TESTS)
    test = pd.DataFrame({"test": range(TESTS), "client": of[which], "visit": which})
    test["taken"] = visit["at"].array[which] + pd.to_timedelta(RNG.integers(0, 15, TESTS), "min")
    test["cents"] = np.floor(visit["cost"].to_numpy()[which] * RNG.random(TESTS)).astype(int)
    return {"client": client, "visit": visit, "test": test, **siblings()}


def siblings() -> dict[str, pd.DataFrame]:
    """Terms that follow each other, of which the last one may last; entries that are noted in the order of their n."""
    terms, entries = RNG.integers(1, 7, CLIENTS), RNG.integers(1, 9, CLIENTS)
    of, who = np.repeat(np.arange(CLIENTS), terms), np.repeat(np.arange(CLIENTS), entries)
    long = RNG.choice([30, 60, 365], len(of))
    until = RNG.integers(15_000, 18_000, CLIENTS)[of] + pd.Series(long).groupby(of).cumsum().to_numpy()
    day = pd.Timestamp("1970-01-01")
    term = pd.DataFrame(
        {"term": range(len(of)), "client": of, "since": (day + pd.to_timedelta(until - long, "D")).date}
    )
    term["until"] = (day + pd.to_timedelta(until, "D")).date
    last = np.append(of[1:] != of[:-1], True)
    term.loc[last & (RNG.random(len(of)) < 0.5), "until"] = None
    entry = pd.DataFrame({"client": who, "n": np.concatenate([np.arange(1, n + 1) for n in entries])})
    minute = pd.Series(RNG.integers(1, 90_000, len(who))).groupby(who).cumsum()
    entry["noted"] = (
        (pd.Timestamp("2020-01-01") + pd.to_timedelta(minute, "min")).dt.tz_localize("UTC").dt.as_unit("us")
    )
    return {"term": term, "entry": entry, "version": versions()}


def versions() -> pd.DataFrame:
    """Numbered periods that name their last day and how long they are; the last one of a client goes on."""
    count = RNG.integers(1, 6, CLIENTS)
    of, days = np.repeat(np.arange(CLIENTS), count), RNG.integers(20, 300, count.sum())
    begin = RNG.integers(15_000, 17_000, CLIENTS)[of] + pd.Series(days + 1).groupby(of).cumsum().to_numpy() - days - 1
    day, last = pd.Timestamp("1970-01-01"), np.append(of[1:] != of[:-1], True)
    version = pd.DataFrame({"client": of, "version": np.concatenate([np.arange(1, n + 1) for n in count])})
    version["first_day"] = (day + pd.to_timedelta(begin, "D")).date
    version["last_day"] = pd.Series((day + pd.to_timedelta(begin + days, "D")).date).mask(last, None)
    return version.assign(days=pd.Series(days, dtype="Int64").mask(last))


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("orders")
    made = fitted(spark, Metadata.load({"tables": TABLES}), write_lake(spark, folder, planted()))
    assert made.trained is not None
    return {"plans": made.trained.plans, "frames": made.generate({})}


def broken(frame: DataFrame, law: str) -> int:
    return frame.where(f"not coalesce({law}, true)").count()


def test_every_row_keeps_its_order_whatever_the_model_draws(lake: dict[str, Any]) -> None:
    tables = lake["frames"]
    visit = tables["visit"].join(tables["client"], "client")
    test = tables["test"].join(tables["visit"].select("visit", "at", "until", "cost"), "visit")
    assert {law: broken(visit, law) for law in LAWS["visit"]} == dict.fromkeys(LAWS["visit"], 0)
    assert {law: broken(test, law) for law in LAWS["test"]} == dict.fromkeys(LAWS["test"], 0)


def test_bounds_are_those_of_ancestors_of_the_row_and_of_what_is_computed(lake: dict[str, Any]) -> None:
    rules = {(t, r.column): r for t, p in lake["plans"].items() for r in p.rules.each if isinstance(r, Ordered)}
    at, taken = rules["visit", "at"], rules["test", "taken"]
    assert [b.name for b in at.lower] == ["client:begun"]
    assert [(b.name, b.late) for b in at.upper] == [("client:gone", True)], "the last day is part of a life"
    assert (rules["visit", "until"].column, rules["visit", "until"].lower[0].name) == ("until", "at")
    assert {b.name for b in taken.lower} == {"visit:at", "visit:client:begun"}, "a grandparent that no model sees"
    later = [r for r in lake["plans"]["visit"].rules.each if isinstance(r, OrderedLater)]
    assert [(r.column, [b.name for b in r.upper]) for r in later] == [("paid", ["cost"])]
    assert lake["frames"]["visit"].where("paid = 0").count() > VISITS // 5, "what is inside its bounds stays"


def test_siblings_follow_each_other(lake: dict[str, Any]) -> None:
    term, entry = lake["frames"]["term"], lake["frames"]["entry"]
    found = [r for t in ("term", "entry") for r in lake["plans"][t].rules.each if isinstance(r, AmongSiblings)]
    assert [(r.column, r.other, r.form) for r in found] == [("since", "until", "joined"), ("noted", "n", "rising")]
    lag = "lag({}) over (partition by client order by {}) as last"
    assert (
        broken(
            term.selectExpr("since", lag.format("until", "since"), lag.format("since", "since") + "_"),
            "last_ is null or since <=> last",
        )
        == 0
    )
    assert broken(entry.selectExpr("noted", lag.format("noted", "n")), "noted > last") == 0
    assert {r["d"] for r in term.selectExpr("datediff(until, since) d").distinct().collect()} == {30, 60, 365, None}
    assert 100 < term.where("until is null").count() < 200, "half of the last ones of 300 clients"


def test_numbered_periods_follow_each_other_in_the_order_of_their_numbers(lake: dict[str, Any]) -> None:
    version = lake["frames"]["version"]
    rules = [r for r in lake["plans"]["version"].rules.each if isinstance(r, AmongSiblings)]
    assert [(r.column, r.other, r.form, r.gap, r.by, r.unended) for r in rules] == [
        ("first_day", "last_day", "joined", 1, "version", True)
    ]
    after = "lead(first_day) over (partition by client order by version)"
    asked = version.selectExpr("*", f"{after} as following")
    assert broken(asked, "(following is null) = (last_day is null)") == 0
    assert broken(asked, "following is null or following = date_add(last_day, 1)") == 0
    assert broken(asked, "days <=> datediff(last_day, first_day)") == 0


def test_the_distance_is_that_of_the_source(lake: dict[str, Any]) -> None:
    minutes = lake["frames"]["visit"].selectExpr("(unix_seconds(until) - unix_seconds(at)) / 60 as m").distinct()
    assert {r["m"] for r in minutes.collect()} == {15, 30, 45}
