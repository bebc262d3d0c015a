"""A planted shop, generated once: keys, formats, laws, personal data, declared rules, and one seed for one lake."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.errors import ConstraintViolationError
from synthohive_spark.location import Location
from synthohive_spark.metadata import Metadata
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.session import settings
from synthohive_spark.stage_writer import Trained
from synthohive_spark.training.sample import training_frame
from tests.lakes import children, content, fitted, key_faults, write_lake
from tests.shuffle import ColumnShuffle

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(11)
CUSTOMERS, ORDERS, REFERRED = 60, 180, 120
HOUR = dt.datetime(2024, 3, 1)
NAMES = [f"{first} {last}berg" for first in ("Zaphod", "Trillian", "Marvin", "Ford") for last in "ABCDEFGHIJKLMNO"]
ORDERS_OF = [0, 1, 2, 3, 9]  # orders of customer i % 5
KEY = "foreign_keys"
METADATA = Metadata.load(
    {
        "tables": {
            "currencies": {"primary_key": "code", "reference": True},
            "customers": {"primary_key": "code", "pii": ["name", "phone", "born"]},
            "hours": {"primary_key": "at"},
            "orders": {
                "primary_key": "order_id",
                "foreign_keys": [
                    {"columns": ["customer"], "references": "customers", "referenced_columns": ["code"]},
                    {
                        "columns": ["referred_by"],
                        "references": "customers",
                        "referenced_columns": ["code"],
                        "nullable": True,
                    },
                    {"columns": ["currency"], "references": "currencies", "referenced_columns": ["code"]},
                    {"columns": ["at"], "references": "hours", "referenced_columns": ["at"], "nullable": True},
                ],
                "constraints": [{"column": "rating", "min": 2, "max": 4}, {"expression": "amount >= 0"}],
            },
            "items": {
                "primary_key": ["order_id", "line"],
                "foreign_keys": [{"columns": ["order_id"], "references": "orders", "referenced_columns": ["order_id"]}],
                "derived": {"total": "price * quantity"},
                "constraints": [{"column": "size", "allowed": ["S", "M"]}],
            },
        }
    }
)


def planted() -> dict[str, Any]:
    customers = [
        (
            f"CUST-{i:04d}",
            NAMES[i],
            f"+49 30 77{i:04d}" if i % 4 else None,
            dt.date(1960, 1, 1) + dt.timedelta(i * 99),
            ["north", "south"][i % 2],
            None if i % 10 == 0 else i % 3 == 0,
        )
        for i in range(CUSTOMERS)
    ]
    owners = [i for i in range(CUSTOMERS) for _ in range(ORDERS_OF[i % 5])]
    hours = [(HOUR + dt.timedelta(hours=h), float(h % 7)) for h in range(30)]
    orders = [
        (
            7000 + n,
            customers[i][0],
            customers[(i * 7) % CUSTOMERS][0] if n % 3 else None,
            ["EUR", "USD", "JPY"][n % 3],
            hours[n % 20][0] if n % 2 else None,
            Decimal(n % 50) + Decimal("0.25"),
            1 + n % 5,
        )
        for n, i in enumerate(owners)
    ]
    items = [
        (
            order[0],
            line,
            ["S", "M", "L"][int(RNG.integers(3))],
            float(RNG.integers(1, 20)),
            int(RNG.integers(1, 6)),
            0.0,
        )
        for n, order in enumerate(orders)
        for line in range(1, 2 + n % 3)
    ]
    return {
        "currencies": ("code string not null, rate double", [("EUR", 1.0), ("USD", 1.1), ("JPY", 160.0)]),
        "customers": (
            "code string not null, name string, phone string, born date, region string, vip boolean",
            customers,
        ),
        "hours": ("at timestamp not null, load double", hours),
        "orders": (
            "order_id bigint not null, customer string not null, referred_by string, "
            "currency string, at timestamp, amount decimal(10,2), rating int",
            orders,
        ),
        "items": (
            "order_id bigint not null, line int not null, size string, price double, quantity int, total double",
            items,
        ),
    }


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("shop")
    source = write_lake(spark, folder / "source", planted())
    made = fitted(spark, METADATA, source)
    made.generate({}, str(folder / "target"))
    return {
        "made": made,
        "real": {t: made.io.read_dataset(p) for t, p in source.items()},
        "frames": {t: made.io.read_dataset(str(folder / "target" / t)) for t in METADATA.tables},
        "folder": folder,
    }


@pytest.fixture(scope="module")
def made(shop: dict[str, Any]) -> dict[str, DataFrame]:
    frames: dict[str, DataFrame] = shop["frames"]
    return frames


def trained(shop: dict[str, Any]) -> Trained:
    found: Trained = shop["made"].trained
    return found


def test_keys_are_unique_and_nothing_is_an_orphan(made: dict[str, DataFrame]) -> None:
    assert key_faults(METADATA, made) == []
    assert made["customers"].count() == CUSTOMERS
    assert made["orders"].count() == ORDERS


def test_schemas_are_those_of_the_source(shop: dict[str, Any]) -> None:
    for table, real in shop["real"].items():
        assert shop["frames"][table].schema == real.schema, table


def test_string_keys_keep_their_format_and_times_their_grid(made: dict[str, DataFrame]) -> None:
    assert made["customers"].where(~F.col("code").rlike(r"^CUST-\d{4}$")).count() == 0
    hours = sorted(r["at"] for r in made["hours"].collect())
    assert hours == [HOUR + dt.timedelta(hours=h) for h in range(30)]


def test_children_per_parent_are_those_of_the_source(shop: dict[str, Any], made: dict[str, DataFrame]) -> None:
    assert children(made["orders"], ["customer"], CUSTOMERS) == dict.fromkeys(ORDERS_OF, 12)
    for child, columns, parent in [
        ("orders", ["referred_by"], "customers"),
        ("orders", ["at"], "hours"),
        ("items", ["order_id"], "orders"),
    ]:
        parents = made[parent].count()
        assert children(made[child], columns, parents) == children(shop["real"][child], columns, parents)


def test_nullable_keys_keep_their_share_of_nulls(made: dict[str, DataFrame]) -> None:
    orders = made["orders"]
    assert orders.where("referred_by is not null").count() == REFERRED
    assert orders.where("at is null").count() == ORDERS // 2
    assert orders.where("customer is null or currency is null").count() == 0


def test_a_line_number_runs_within_its_order(made: dict[str, DataFrame]) -> None:
    families = made["items"].groupBy("order_id").agg(F.count("*").alias("n"), F.min("line").alias("a"), F.max("line"))
    assert families.where("a <> 1 or n <> `max(line)`").count() == 0


def test_reference_tables_are_copied_and_others_are_not(shop: dict[str, Any], made: dict[str, DataFrame]) -> None:
    assert content(made["currencies"]) == content(shop["real"]["currencies"])
    assert made["currencies"].collect()[0]["code"] in ("EUR", "USD", "JPY")
    real = {r["code"] for r in shop["real"]["customers"].select("code", "name").collect()}
    assert {r["name"] for r in made["customers"].collect()}.isdisjoint(NAMES)
    assert len(real) == CUSTOMERS


def test_declared_rules_hold_on_every_row(made: dict[str, DataFrame]) -> None:
    orders, items = made["orders"], made["items"]
    assert orders.where("rating < 2 or rating > 4").count() == 0
    assert {r["rating"] for r in orders.select("rating").distinct().collect()} == {2, 3, 4}
    assert items.where("size is null or size not in ('S', 'M')").count() == 0
    assert items.where("total is null or total <> price * quantity").count() == 0
    assert items.agg(F.countDistinct("total").alias("n")).collect()[0]["n"] > 5


def test_personal_data_reach_neither_sample_nor_plan_nor_model(shop: dict[str, Any]) -> None:
    found = trained(shop)
    plan = found.plans["customers"]
    assert set(plan.protected) == {"name", "phone"}
    assert plan.columns.named("model") == ["born", "region", "vip"]
    frame = training_frame("customers", found.plans, shop["real"].__getitem__, 1000, 1)
    assert [c for c in frame.columns if c.startswith("m")] == ["model0", "model1", "model2"]
    days = [
        [row[0] for row in rows.collect() if row[0]]
        for rows in (shop["real"]["customers"].select("born"), frame.select("model0"))
    ]
    assert Counter((d.year, d.month) for d in days[0]) == Counter((d.year, d.month) for d in days[1])
    same = sum((Counter(days[0]) & Counter(days[1])).values())
    assert same < len(days[0]) / 4, "each is moved within its month, some fall on a real day"
    assert all("name" not in c.name and "phone" not in c.name for p in found.plans.values() for c in p.context.each)
    secrets = [str(v) for r in shop["real"]["customers"].select("name", "phone").collect() for v in r if v]
    kept = [p.model_dump_json() for p in found.plans.values()]
    assert not [day for day in map(str, days[0]) if any(day in text for text in kept)]
    kept += [(a.model or b"").decode("latin-1") + a.matching for a in found.artifacts.values()]
    assert not [s for s in secrets if any(s in text for text in kept)]


def test_personal_data_are_written_as_fakes_of_their_kind(shop: dict[str, Any], made: dict[str, DataFrame]) -> None:
    real, fake = shop["real"]["customers"].toPandas(), made["customers"].toPandas()
    for column in ("name", "phone"):
        assert set(fake[column].dropna()).isdisjoint(real[column].dropna())
    assert fake["phone"].dropna().str.fullmatch(r"\+1 \d{3} \d{3} \d{4}").all(), "the country of English names"
    assert fake["phone"].isna().mean() == pytest.approx(0.25, abs=0.15)
    assert fake["name"].str.fullmatch(r"\w+ \w+").all()
    assert fake["name"].is_unique
    assert all(type(v) is dt.date for v in fake["born"])
    assert fake["born"].between(real["born"].min(), real["born"].max()).all()


@pytest.mark.usefixtures("as_large")
def test_a_seed_gives_one_lake_whatever_the_partitions(shop: dict[str, Any], spark: SparkSession) -> None:
    other = {
        "spark.sql.shuffle.partitions": "7",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "13",
        "spark.sql.files.maxPartitionBytes": "2k",
        "spark.sql.session.timeZone": "Asia/Kolkata",
    }
    with settings(spark, other):
        shop["made"].generate({}, str(shop["folder"] / "again"))
    for table, frame in shop["frames"].items():
        assert content(shop["made"].io.read_dataset(str(shop["folder"] / "again" / table))) == content(frame), table


def test_another_seed_gives_another_lake_and_scale_follows(shop: dict[str, Any], spark: SparkSession) -> None:
    few = Metadata({t: METADATA.tables[t] for t in ("customers", "hours", "currencies", "orders")})
    made = StagedOrchestrator(few, spark, model_cls=ColumnShuffle)
    made.trained = trained(shop)
    rows = made.write_stages(Location(path=str(shop["folder"] / "half")), made.wanted_rows({"customers": 30}), 2)
    frames = {t: made.io.read_dataset(str(shop["folder"] / "half" / t)) for t in few.tables}
    assert rows == {"customers": 30, "hours": 30, "currencies": 3, "orders": 90}
    assert key_faults(few, frames) == []
    assert children(frames["orders"], ["customer"], 30) == dict.fromkeys(ORDERS_OF, 6)
    assert content(frames["hours"]) != content(shop["frames"]["hours"]), "the same hours, other loads"


def test_a_broken_expression_stops_the_write(shop: dict[str, Any], spark: SparkSession, tmp_path: Path) -> None:
    plan = trained(shop).plans["hours"]
    law = METADATA.tables["orders"].constraints[1].model_copy(update={"expression": "load > 100"})
    strict = plan.model_copy(update={"columns": plan.columns.model_copy(update={"bounds": (law,)})})
    made = StagedOrchestrator(Metadata({"hours": METADATA.tables["hours"]}), spark, model_cls=ColumnShuffle)
    made.trained = Trained({"hours": strict}, trained(shop).artifacts, trained(shop).copies)
    with pytest.raises(ConstraintViolationError, match=r"hours: 30 of the 30 rows .*; broken: load > 100 \(30 rows\)"):
        made.generate({}, str(tmp_path))
