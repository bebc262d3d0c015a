"""Values are counted in people: one customer with ten orders is one, however often the orders say the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import SourceLake, check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.privacy.support import SUBJECT
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.schema import frames
from synthohive_spark.schema.people import People
from synthohive_spark.sql import quote
from synthohive_spark.training.sample import training_frame
from tests.lakes import write_lake

pytestmark = pytest.mark.spark
CUSTOMERS, EACH = 40, 10
TABLES: dict[str, Any] = {
    "regions": {"primary_key": "region"},
    "customers": {
        "primary_key": "customer",
        "foreign_keys": [{"columns": ["region"], "references": "regions", "referenced_columns": ["region"]}],
    },
    "orders": {
        "primary_key": "order",
        "foreign_keys": [{"columns": ["customer"], "references": "customers", "referenced_columns": ["customer"]}],
    },
    "lines": {
        "primary_key": "line",
        "foreign_keys": [{"columns": ["order"], "references": "orders", "referenced_columns": ["order"]}],
    },
}


@pytest.fixture(scope="module")
def paths(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Four regions own all customers. Each customer has ten orders, which repeat a code of the customer's."""
    regions = pd.DataFrame({"region": np.arange(4)})
    customers = pd.DataFrame({"customer": np.arange(CUSTOMERS), "region": np.arange(CUSTOMERS) % 4})
    orders = pd.DataFrame({"order": np.arange(CUSTOMERS * EACH)})
    orders["customer"] = orders["order"] // EACH
    orders["code"] = [f"AB-{c:03d}-{'xyz'[i % 3]}" for i, c in enumerate(orders["customer"])]
    orders["kind"] = ["common" if i % 3 else "usual" for i in range(len(orders))]
    orders.loc[orders["customer"] == 7, "kind"] = "seven alone"
    lines = pd.DataFrame({"line": np.arange(CUSTOMERS * EACH * 2)})
    lines["order"] = lines["line"] // 2
    lines["note"] = ["plain" if o // EACH != 9 else "nine alone" for o in lines["order"]]
    tables = {"regions": regions, "customers": customers, "orders": orders, "lines": lines}
    return write_lake(spark, tmp_path_factory.mktemp("source"), tables)


def source(spark: SparkSession, paths: Mapping[str, str], subject: str | None = None) -> SourceLake:
    metadata = Metadata.load({"tables": TABLES, **({"subject": subject} if subject else {})})
    return check_source(pin_source(DeltaIO(spark), metadata, {t: TableRef.parse(p) for t, p in paths.items()}))


def test_people_are_the_highest_ancestor_that_is_many_or_the_declared_one(
    spark: SparkSession, paths: dict[str, str]
) -> None:
    found = People.of(source(spark, paths), 5)
    assert dict(found.paths) == {"regions": (), "customers": (), "orders": (0,), "lines": (0, 0)}
    people = found.frame("lines").groupBy(quote(SUBJECT)).count()
    assert sorted(r["count"] for r in people.collect()) == [2 * EACH] * CUSTOMERS
    declared = People.of(source(spark, paths, "orders"), 5).paths
    assert dict(declared) == {"regions": (), "customers": (), "orders": (), "lines": (0,)}
    assert People.of(source(spark, paths, "regions"), 5).paths["lines"] == (0, 0, 0)
    with pytest.raises(SchemaValidationError, match="did you mean 'orders'"):
        source(spark, paths, "order")


def test_a_row_without_an_owner_is_about_itself(spark: SparkSession, tmp_path: Path) -> None:
    tables = {
        "customers": {"primary_key": "customer"},
        "orders": {**TABLES["orders"], "foreign_keys": [{**TABLES["orders"]["foreign_keys"][0], "nullable": True}]},
    }
    orders = [(i, None if i < 60 else i % 30) for i in range(300)]
    rows = {"customers": ("customer int", [(i,) for i in range(30)]), "orders": ("order int, customer int", orders)}
    made = write_lake(spark, tmp_path, rows)
    lake = check_source(
        pin_source(DeltaIO(spark), Metadata.load({"tables": tables}), {t: TableRef.parse(p) for t, p in made.items()})
    )
    people = People.of(lake, 5)
    assert people.paths["orders"] == (0,)
    assert people.frame("orders").select(quote(SUBJECT)).distinct().count() == 60 + 30


def test_masks_and_dictionaries_count_people_not_rows(spark: SparkSession, paths: dict[str, str]) -> None:
    plans = plan_tables(source(spark, paths), 5)
    shape = plans["orders"].columns.shapes["code"]
    assert shape.format is not None, "each code is one customer's, though three or four rows have it"
    (mask,) = shape.format.masks
    assert "".join(mask.tokens[:3]) == "AB-"
    assert mask.tokens[3:6] == ("digit",) * 3
    told = "".join(plan.model_dump_json() for plan in plans.values())
    assert "alone" not in told


@pytest.mark.slow
def test_training_knows_whom_rows_and_their_ancestors_are_about(spark: SparkSession, paths: dict[str, str]) -> None:
    lake = source(spark, paths)
    plans = plan_tables(lake, 5)
    plan = plans["lines"]
    assert plan.subject == (0, 0)
    assert set(plan.people) == {(0, 0)}, "of a line's order and its customer, too"
    frame = training_frame("lines", plans, lake.frame, 10_000, 1)
    assert [r["count"] for r in frame.groupBy(frames.person(0)).agg(F.count("*").alias("count")).collect()] == (
        [2 * EACH] * CUSTOMERS
    )
