"""The source is checked before any work, and orphans are treated as the metadata says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pyspark.sql import SparkSession

from synthohive_spark import logs
from synthohive_spark.errors import SchemaValidationError, SourceDataError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import SourceLake, check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.session import settings
from tests.lakes import write_lake

pytestmark = pytest.mark.spark
USERS = ("id bigint, region string", [(1, "n"), (2, "s"), (3, "n")])
ORDERS = ("order_id bigint, user_id bigint", [(10, 1), (11, 2), (12, 9), (13, None), (14, 8), (15, 1)])
LINES = ("order_id bigint, line int", [(10, 1), (12, 1), (12, 2), (15, 1), (77, 1)])
Pin = Callable[..., SourceLake]


def key(policy: str, nullable: bool = True) -> dict[str, Any]:
    return {
        "columns": ["user_id"],
        "references": "users",
        "referenced_columns": ["id"],
        "nullable": nullable,
        "orphans": policy,
    }


def metadata(policy: str, nullable: bool = True) -> Metadata:
    made = Metadata()
    made.add_table("users", pk="id")
    made.add_table("orders", pk="order_id", fk=[key(policy, nullable)])
    return made


@pytest.fixture
def pin(spark: SparkSession, tmp_path: Path) -> Pin:
    def pinned(schema: Metadata, **tables: Any) -> SourceLake:
        paths = write_lake(spark, tmp_path, tables)
        return pin_source(DeltaIO(spark), schema, {t: TableRef.parse(p) for t, p in paths.items()})

    return pinned


@pytest.fixture
def events() -> Iterator[list[Any]]:
    logs.configure("DEBUG")
    with structlog.testing.capture_logs() as lines:
        yield lines
    structlog.reset_defaults()


def refused(source: SourceLake) -> list[str]:
    with pytest.raises(SourceDataError) as raised:
        check_source(source)
    assert raised.value.exit_code == 3
    return str(raised.value).split("\n  - ")[1:]


def test_orphans_become_null(pin: Pin, events: list[Any]) -> None:
    source = check_source(pin(metadata("null"), users=USERS, orders=ORDERS))
    rows = sorted((r["order_id"], r["user_id"]) for r in source.frame("orders").collect())
    assert rows == [(10, 1), (11, 2), (12, None), (13, None), (14, None), (15, 1)]
    assert source.rows == {"users": 3, "orders": 6}
    (told,) = [e for e in events if e["event"] == "orphans_treated"]
    assert (told["table"], told["key"], told["policy"], told["rows"]) == ("orders", ["user_id"], "null", 2)


@pytest.mark.parametrize(("nullable", "kept"), [(True, [10, 11, 13, 15]), (False, [10, 11, 15])])
def test_orphans_are_dropped(pin: Pin, nullable: bool, kept: list[int]) -> None:
    source = check_source(pin(metadata("drop", nullable), users=USERS, orders=ORDERS))
    assert sorted(r["order_id"] for r in source.frame("orders").collect()) == kept
    assert source.rows["orders"] == len(kept)
    assert source.frame("orders").columns == ["order_id", "user_id"]


def test_a_row_loses_the_parent_in_its_own_table_that_was_dropped(pin: Pin) -> None:
    schema = Metadata()
    schema.add_table("users", pk="id")
    own = {
        "columns": ["boss"],
        "references": "staff",
        "referenced_columns": ["id"],
        "nullable": True,
        "orphans": "null",
    }
    schema.add_table("staff", pk="id", fk=[own, key("drop", nullable=False)])
    staff = ("id bigint, user_id bigint, boss bigint", [(1, 1, None), (2, 99, 1), (3, 1, 2), (4, 2, 1), (5, 2, 77)])
    source = check_source(pin(schema, users=USERS, staff=staff))
    rows = sorted((r["id"], r["user_id"], r["boss"]) for r in source.frame("staff").collect())
    assert rows == [(1, 1, None), (3, 1, None), (4, 2, 1), (5, 2, None)]
    assert source.rows["staff"] == 4


def test_children_of_dropped_rows_are_orphans_too(pin: Pin, events: list[Any]) -> None:
    schema = metadata("drop")
    line = {"columns": ["order_id"], "references": "orders", "referenced_columns": ["order_id"], "orphans": "drop"}
    schema.add_table("lines", pk=["order_id", "line"], fk=[line])
    source = check_source(pin(schema, users=USERS, orders=ORDERS, lines=LINES))
    assert sorted((r["order_id"], r["line"]) for r in source.frame("lines").collect()) == [(10, 1), (15, 1)]
    told = {e["table"]: e["rows"] for e in events if e["event"] == "orphans_treated"}
    assert told == {"orders": 2, "lines": 3}


def test_orphans_under_the_policy_error(pin: Pin) -> None:
    (problem,) = refused(pin(metadata("error"), users=USERS, orders=ORDERS))
    assert problem == (
        "orders(user_id): 2 rows have no row in users; mend the source, or set orphans to 'drop' or 'null' in the "
        "metadata"
    )


def test_a_composite_key_with_any_null_is_no_orphan(pin: Pin) -> None:
    schema = Metadata()
    schema.add_table("places", pk=["city", "year"])
    both = {"columns": ["city", "year"], "references": "places", "referenced_columns": ["city", "year"]}
    schema.add_table("shops", pk="id", fk=[{**both, "nullable": True, "orphans": "null"}])
    places = ("city string, year int", [("a", 1), ("b", 2)])
    shops = ("id int, city string, year int", [(1, "a", 1), (2, "a", 2), (3, "a", None), (4, None, 9)])
    source = check_source(pin(schema, places=places, shops=shops))
    found = {r["id"]: (r["city"], r["year"]) for r in source.frame("shops").collect()}
    assert found[1] == ("a", 1)
    assert found[2] == (None, None)
    assert source.rows["shops"] == 4


def test_every_fault_of_the_data_comes_in_one_error(pin: Pin) -> None:
    schema = metadata("error")
    schema.add_table("tags", pk=["a", "b"])
    schema.add_table("nothing", pk="id")
    users = ("id bigint, region string", [(1, "n"), (1, "s"), (None, "n"), (2, "n"), (9, "n"), (8, "n")])
    tags = ("a int, b string", [(1, "x"), (1, "x"), (1, "x"), (1, None), (None, None)])
    problems = refused(pin(schema, users=users, orders=ORDERS, tags=tags, nothing=("id bigint", [])))
    assert problems == [
        "users: primary key (id) is null in 1 rows; a key must be set on every row",
        "users: primary key (id) is not unique: 1 rows repeat it; choose columns that are",
        "tags: primary key (a, b) is null in 2 rows; a key must be set on every row",
        "tags: primary key (a, b) is not unique: 2 rows repeat it; choose columns that are",
    ]


def test_a_referenced_key_must_be_unique(pin: Pin) -> None:
    schema = Metadata()
    schema.add_table("users", pk="id")
    schema.add_table("orders", pk="order_id", fk={"region": "users.region"})
    orders = ("order_id bigint, region string", [(1, "n"), (2, "s")])
    (problem,) = refused(pin(schema, users=USERS, orders=orders))
    assert problem.startswith("users: referenced columns (region) is not unique: 1 rows repeat it")


def test_a_table_that_only_has_orphans(pin: Pin) -> None:
    orders = ("order_id bigint, user_id bigint", [(1, 7), (2, 8)])
    (problem,) = refused(pin(metadata("drop"), users=USERS, orders=orders))
    assert problem == "orders: no row is left once orphans are dropped; check its foreign keys"


def test_small_tables_are_held_for_a_block(pin: Pin, monkeypatch: pytest.MonkeyPatch) -> None:
    source = pin(metadata("null"), users=USERS, orders=ORDERS)
    with source.held():
        small = {t: source.raw(t) for t in source.metadata.tables}
        assert all(frame.storageLevel.useMemory for frame in small.values())
        assert check_source(source).rows == {"users": 3, "orders": 6}
    assert not any(frame.storageLevel.useMemory for frame in small.values())
    source = pin(metadata("null"), users=USERS, orders=ORDERS)
    monkeypatch.setattr("synthohive_spark.lake.held.CELLS", 0)
    with source.held():
        assert not any(source.raw(t).storageLevel.useMemory for t in source.metadata.tables)


def test_queries_of_a_small_lake_are_neither_compiled_nor_planned_again(
    pin: Pin, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, told = pin(metadata("null"), users=USERS, orders=ORDERS), list[list[str]]()
    keys = ("spark.sql.codegen.wholeStage", "spark.sql.adaptive.enabled", "spark.sql.shuffle.partitions")
    own = ["true", "true", "200"]
    with settings(spark, dict(zip(keys, own, strict=True))):
        for cells in (1_000_000, 0):
            monkeypatch.setattr("synthohive_spark.session.SMALL_CELLS", cells)
            with source.held():
                told.append([str(spark.conf.get(key)) for key in keys])
            assert [spark.conf.get(key) for key in keys] == own
    assert told == [["false", "false", "8"], own]


def test_types_are_checked_before_a_row_is_read(pin: Pin) -> None:
    schema = Metadata.load(json.loads(metadata("error").to_json()))
    with pytest.raises(SchemaValidationError, match=r"orders\.user_id is string, users\.id is bigint"):
        pin(schema, users=USERS, orders=("order_id bigint, user_id string", [(1, "1")]))


def test_all_missing_tables_are_named(spark: SparkSession, tmp_path: Path) -> None:
    refs = {t: TableRef.parse(str(tmp_path / t)) for t in ("users", "orders")}
    with pytest.raises(SourceDataError, match=r"(?s)users .*orders .*ingest them"):
        pin_source(DeltaIO(spark), metadata("error"), refs)
