"""The relational sample on a planted chain: 3 regions, 300 customers, 3,000 orders."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import SourceLake, check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.schema import frames
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.session import settings
from synthohive_spark.training.sample import training_frame
from tests.lakes import content, write_lake

pytestmark = pytest.mark.spark
CUSTOMERS, EACH, NEAR = 300, 10, 5
METADATA = Metadata()
METADATA.add_table("regions", pk="region_id")
METADATA.add_table("customers", pk="customer_id", fk={"region_id": "regions.region_id"})
METADATA.add_table("orders", pk="order_id", fk={"customer_id": "customers.customer_id"})
Source = tuple[SourceLake, dict[str, TablePlan]]


@pytest.fixture(scope="module")
def source(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Every order is near what its ancestors hold: ``near`` its customer's number, ``area`` its region's size."""
    rng = np.random.default_rng(2)
    numbers = [100 * c + int(rng.integers(50)) for c in range(CUSTOMERS)]
    sizes = [1000 * (r + 1) + int(rng.integers(50)) for r in range(3)]
    noise = rng.integers(0, NEAR, (CUSTOMERS * EACH, 2)).tolist()
    orders = [
        (n, n // EACH, numbers[n // EACH] + a, sizes[n // EACH % 3] + b, n % EACH) for n, (a, b) in enumerate(noise)
    ]
    paths = write_lake(
        spark,
        tmp_path_factory.mktemp("source"),
        {
            "regions": ("region_id bigint, size bigint", [(r, size) for r, size in enumerate(sizes)]),
            "customers": (
                "customer_id bigint, region_id bigint, number bigint",
                [(c, c % 3, number) for c, number in enumerate(numbers)],
            ),
            "orders": ("order_id bigint, customer_id bigint, near bigint, area bigint, nth bigint", orders),
        },
    )
    lake = check_source(pin_source(DeltaIO(spark), METADATA, {t: TableRef.parse(p) for t, p in paths.items()}))
    return lake, plan_tables(lake, 3)


def sampled(source: Source, table: str, rows: int, seed: int = 1) -> DataFrame:
    lake, plans = source
    return training_frame(table, plans, lake.frame, rows, seed)


def named(source: Source, table: str, frame: DataFrame) -> pd.DataFrame:
    """The sample under its own names; context columns by path and name."""
    plan = source[1][table]
    names = {frames.model(i): c for i, c in enumerate(plan.columns.named("model"))}
    names |= {frames.context(i): c.name for i, c in enumerate(plan.context.each)}
    return frame.toPandas().rename(columns=names)


def test_a_table_that_fits_is_taken_whole(source: Source) -> None:
    assert sampled(source, "orders", 3000).count() == 3000
    assert sampled(source, "regions", 1000).count() == 3


@pytest.mark.parametrize("rows", [400, 1000])
def test_whole_families_come_with_their_context(source: Source, rows: int) -> None:
    made = named(source, "orders", sampled(source, "orders", rows))
    assert len(made) == pytest.approx(rows, rel=0.25)
    families = made.groupby("customer_id:number").size()
    assert families.eq(EACH).all(), "each customer is there with all orders, or not at all"
    own, above = made["customer_id:number"], made["customer_id:region_id:size"]
    assert (made["near"] - own).between(0, NEAR - 1).all(), "the context is that of the own parent"
    assert (made["area"] - above).between(0, NEAR - 1).all(), "and of the grandparent"
    assert above.nunique() == 3, "regions are too large to be kept whole, so they are context only"


def test_a_family_above_five_percent_of_the_sample_is_no_anchor(source: Source) -> None:
    made = named(source, "orders", sampled(source, "orders", 150))  # 10 orders are more than 5 % of 150
    assert len(made) == pytest.approx(150, rel=0.35)
    assert made.groupby("customer_id:number").size().max() < EACH
    assert made["customer_id:number"].nunique() > 60


def test_a_root_is_sampled_by_its_own_key(source: Source) -> None:
    assert sampled(source, "customers", 100).count() == pytest.approx(100, rel=0.35)


def test_the_sample_depends_on_the_seed_alone(source: Source, spark: SparkSession) -> None:
    first = content(sampled(source, "orders", 400))
    with settings(spark, {"spark.sql.shuffle.partitions": "7", "spark.sql.adaptive.enabled": "false"}):
        assert content(sampled(source, "orders", 400)) == first
    assert content(sampled(source, "orders", 400, seed=2)) != first


def test_no_sample_holds_the_days_of_births(spark: SparkSession, tmp_path: Path) -> None:
    births = [dt.date(1950 + n % 40, 1 + n % 12, 1 + n % 28) for n in range(200)]
    metadata = Metadata()
    metadata.add_table("people", pk="person_id")
    metadata.add_table("visits", pk="visit_id", fk={"person_id": "people.person_id"})
    tables = {
        "people": ("person_id bigint, birth_date date", list(enumerate(births))),
        "visits": ("visit_id bigint, person_id bigint, cost bigint", [(n, n % 200, n % 7) for n in range(600)]),
    }
    paths = write_lake(spark, tmp_path, tables)
    lake = check_source(pin_source(DeltaIO(spark), metadata, {t: TableRef.parse(p) for t, p in paths.items()}))
    both = lake, plan_tables(lake, 3)
    own = named(both, "people", sampled(both, "people", 1000))["birth_date"]
    months = Counter((d.year, d.month) for d in own)
    assert months == Counter((d.year, d.month) for d in births)
    assert sum((Counter(own) & Counter(births)).values()) < 30, "some fall on a real day by chance"
    above = named(both, "visits", sampled(both, "visits", 1000))["person_id:birth_date"]
    assert set(above) == set(own), "the same day wherever the date stands"
