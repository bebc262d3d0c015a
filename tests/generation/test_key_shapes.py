"""One small planted database per shape of key, generated in one lake; each test asks the oracle about its own."""

from __future__ import annotations

import datetime as dt
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import mutual_info_score

from synthohive_spark.metadata import Metadata
from tests.lakes import children, fitted, key_faults, write_lake

pytestmark = [pytest.mark.spark, pytest.mark.slow]
RNG = np.random.default_rng(5)
DAY = dt.date(2024, 1, 1)
Spec = dict[str, Any]


def key(columns: str, parent: str, referenced: str | None = None, **more: Any) -> Spec:
    """A foreign key; columns of a composite one are separated by commas."""
    wanted = {"columns": columns.split(","), "referenced_columns": (referenced or columns).split(",")}
    return {**wanted, "references": parent, **more}


def planted() -> tuple[dict[str, Spec], dict[str, Any]]:
    """Metadata and rows of every shape."""
    tables: dict[str, Spec] = {}
    rows: dict[str, Any] = {}

    def table(name: str, data: dict[str, Any], pk: Any = None, *fks: Spec, **more: Any) -> None:
        tables[name] = {"primary_key": pk, "foreign_keys": list(fks), **more}
        rows[name] = pd.DataFrame(data)

    n = 40
    table("client", {"code": [f"CUST-{i:04d}" for i in range(1, n + 1)], "grade": ["a", "b"] * 20}, "code")
    table("token", {"id": [str(uuid.UUID(int=i * 7**40 % 2**128)) for i in range(1, n + 1)], "v": [1, 2] * 20}, "id")
    table("holiday", {"day": [DAY + dt.timedelta(days=i) for i in range(n)], "kind": ["x", "y"] * 20}, "day")
    stores = list(range(1, 9))
    table("store", {"store_id": stores, "size": ["s", "l"] * 4}, "store_id")
    sale = [(s, DAY + dt.timedelta(days=s + d)) for s in stores for d in range(10 + s)]
    table(
        "sales",
        {"store_id": [s for s, _ in sale], "date": [d for _, d in sale], "units": RNG.integers(0, 9, len(sale))},
        ["store_id", "date"],
        key("store_id", "store"),
    )
    table("log", {"store_id": RNG.choice(stores, 60), "line": RNG.integers(0, 5, 60)}, None, key("store_id", "store"))
    table("team", {"team_id": list(range(1, 13)), "city": list("abcdef") * 2}, "team_id")
    blocks = [(s, DAY + dt.timedelta(days=14 * week + d)) for s in stores for week in range(6) for d in range(5)]
    table(
        "shifts",
        {"store_id": [s for s, _ in blocks], "day": [d for _, d in blocks]},
        ["store_id", "day"],
        key("store_id", "store"),
    )
    games = [(h, a) for h in range(1, 13) for a in range(1, 13) if h != a][:100]
    table(
        "game",
        {"game_id": range(100), "home": [h for h, _ in games], "away": [a for _, a in games], "goals": [1, 2] * 50},
        "game_id",
        key("home", "team", "team_id"),
        key("away", "team", "team_id"),
    )
    tenants = list(range(1, 7))
    table("tenant", {"tenant_id": tenants, "plan": ["free", "pro"] * 3}, "tenant_id")
    projects = [(t, p) for t in tenants for p in range(1, 3 + t)]
    users = [(t, u) for t in tenants for u in range(1, 4 + t % 3)]
    for name, column, pairs in (("project", "project_no", projects), ("user", "user_no", users)):
        data = {
            "tenant_id": [t for t, _ in pairs],
            column: [x for _, x in pairs],
            "c": ["u", "v"] * (len(pairs) // 2) + ["u"] * (len(pairs) % 2),
        }
        table(name, data, ["tenant_id", column], key("tenant_id", "tenant"))
    tasks = [(t, p, [u for q, u in users if q == t][i % 3]) for i in range(3) for t, p in projects]
    table(
        "task",
        {
            "task_id": range(len(tasks)),
            "tenant_id": [t for t, _, _ in tasks],
            "project_no": [p for _, p, _ in tasks],
            "user_no": [u for _, _, u in tasks],
        },
        "task_id",
        key("tenant_id,project_no", "project"),
        key("tenant_id,user_no", "user"),
    )
    table("person", {"person_id": range(1, n + 1), "sex": ["f", "m"] * 20}, "person_id")
    table(
        "passport",
        {"person_id": range(1, n + 1, 2), "country": ["x", "y"] * 10},
        "person_id",
        key("person_id", "person"),
    )
    table("card", {"card_id": range(1, 21), "brand": ["v", "m"] * 10}, "card_id")
    paid = [(i, 1 + i % 20 if i % 4 else None, None if i % 4 else 1 + i % n) for i in range(200)]
    table(
        "payment",
        {
            "payment_id": [i for i, _, _ in paid],
            "card_id": pd.array([c for _, c, _ in paid], "Int64"),
            "person_id": pd.array([p for _, _, p in paid], "Int64"),
        },
        "payment_id",
        key("card_id", "card", nullable=True),
        key("person_id", "person", nullable=True),
    )
    boss = [None if i < 2 else (i - 2) // 3 for i in range(n)]
    table(
        "employee",
        {"emp_id": range(n), "boss_id": pd.array(boss, "Int64"), "level": ["j", "s"] * 20},
        "emp_id",
        key("boss_id", "employee", "emp_id", nullable=True),
    )
    table(
        "department",
        {"dept_id": range(1, 9), "head_id": pd.array([1, 2, 3, 4, 5, 6, 7, None], "Int64"), "floor": [1, 2] * 4},
        "dept_id",
        key("head_id", "worker", "worker_id", nullable=True),
    )
    table(
        "worker",
        {"worker_id": range(n), "dept_id": [1 + i % 8 for i in range(n)], "shift": ["d", "n"] * 20},
        "worker_id",
        key("dept_id", "department"),
    )
    table(
        "address",
        {"address_id": range(80), "person_id": [1 + i // 2 for i in range(80)], "kind": ["h", "w"] * 40},
        "address_id",
        key("person_id", "person"),
    )
    owner = [1 + int(p) for p in RNG.integers(0, n, 150)]
    table(
        "parcel",
        {"parcel_id": range(150), "person_id": owner, "address_id": [2 * (p - 1) + i % 2 for i, p in enumerate(owner)]},
        "parcel_id",
        key("person_id", "person"),
        key("address_id", "address"),
    )
    table("course", {"course_id": range(1, 11), "points": [5, 10] * 5}, "course_id")
    pairs = sorted({(int(RNG.integers(1, n + 1)), int(RNG.integers(1, 11))) for _ in range(160)})
    table(
        "enrolment",
        {"person_id": [p for p, _ in pairs], "course_id": [c for _, c in pairs]},
        ["person_id", "course_id"],
        key("person_id", "person"),
        key("course_id", "course"),
    )
    table("order", {"select": range(1, 21), "a.b": ["x", "y"] * 10, "two words": [1, 2] * 10}, "select")
    table(
        "2nd table",
        {"3rd": range(60), "order id": [1 + i % 20 for i in range(60)], "date": ["p", "q"] * 30},
        "3rd",
        key("order id", "order", "select"),
    )
    table("category", {"category_id": range(1, 9), "aisle": list("abcdefgh")}, "category_id")
    table("supplier", {"supplier_id": range(1, 33), "tier": ["g", "s"] * 16}, "supplier_id")
    product = [(i, 1 + i % 8, 1 + (i % 8) * 4 + int(RNG.integers(0, 4))) for i in range(600)]
    table(
        "product",
        {
            "product_id": [i for i, _, _ in product],
            "category_id": [c for _, c, _ in product],
            "supplier_id": [s for _, _, s in product],
        },
        "product_id",
        key("category_id", "category", driving=True),
        key("supplier_id", "supplier"),
    )
    return tables, rows


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("shapes")
    tables, rows = planted()
    metadata = Metadata.load({"tables": tables})
    paths = write_lake(spark, folder / "source", rows)
    made = fitted(spark, metadata, paths)
    made.generate({}, str(folder / "target"))
    frames = {t: made.io.read_dataset(str(folder / "target" / t)) for t in tables}
    return {"metadata": metadata, "real": rows, "made": made, "frames": frames, "folder": folder}


def check(lake: dict[str, Any], *names: str) -> list[DataFrame]:
    """The named tables have valid keys and as many rows as the source."""
    metadata = Metadata({t: lake["metadata"].tables[t] for t in names})
    for spec in metadata.tables.values():
        assert all(fk.references in names for fk in spec.foreign_keys)
    assert key_faults(metadata, lake["frames"]) == []
    for t in names:
        assert lake["frames"][t].count() == len(lake["real"][t]), t
    return [lake["frames"][t] for t in names]


def values(frame: DataFrame, column: str) -> list[Any]:
    return [r[0] for r in frame.select(f"`{column}`").collect()]


def test_string_keys_keep_their_format(lake: dict[str, Any]) -> None:
    client, token = check(lake, "client", "token")
    assert client.where(F.col("code").rlike(r"^CUST-\d{4}$")).count() == 40
    assert token.where(F.col("id").rlike("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")).count() == 40


def test_a_date_is_a_key(lake: dict[str, Any]) -> None:
    (holiday,) = check(lake, "holiday")
    assert sorted(values(holiday, "day")) == sorted(lake["real"]["holiday"]["day"])


def test_a_natural_key_keeps_its_sequence(lake: dict[str, Any]) -> None:
    _, sales = check(lake, "store", "sales")
    for store in {r["store_id"] for r in sales.select("store_id").collect()}:
        days = sorted(values(sales.where(F.col("store_id") == store), "date"))
        assert [(b - a).days for a, b in pairwise(days)] == [1] * (len(days) - 1)
    assert children(sales, ["store_id"], 8) == {10 + s: 1 for s in range(1, 9)}


def test_a_natural_key_with_wide_gaps_keeps_its_span(lake: dict[str, Any]) -> None:
    _, shifts = check(lake, "store", "shifts")
    real = lake["real"]["shifts"]["day"]
    made = shifts.toPandas()["day"]
    assert abs((made.max() - made.min()).days - (real.max() - real.min()).days) <= 7
    assert abs(made.map(dt.date.toordinal).mean() - real.map(dt.date.toordinal).mean()) <= 7


def test_a_table_without_primary_key(lake: dict[str, Any]) -> None:
    check(lake, "store", "log")


def test_two_keys_to_one_parent(lake: dict[str, Any]) -> None:
    _, game = check(lake, "team", "game")
    real = lake["real"]["game"]
    for column in ("home", "away"):
        law = real[column].value_counts().value_counts().to_dict()
        law[0] = 12 - sum(law.values())
        assert children(game, [column], 12) == {k: v for k, v in law.items() if v}


def test_composite_keys_that_overlap(lake: dict[str, Any]) -> None:
    check(lake, "tenant", "project", "user", "task")


def test_a_foreign_key_that_is_the_primary_key(lake: dict[str, Any]) -> None:
    check(lake, "person", "passport")


def test_exactly_one_of_two_keys_is_set(lake: dict[str, Any]) -> None:
    _, _, payment = check(lake, "person", "card", "payment")
    assert payment.where(F.col("card_id").isNull() == F.col("person_id").isNull()).count() == 0
    assert payment.where(F.col("card_id").isNull()).count() == 50


def test_a_self_reference_has_the_depth_of_the_source_and_no_cycle(lake: dict[str, Any]) -> None:
    (employee,) = check(lake, "employee")

    def depths(boss: dict[Any, Any]) -> dict[int, int]:
        found: dict[int, int] = {}
        for e in boss:
            depth, up = 0, boss[e]
            while up is not None:
                depth, up = depth + 1, boss[up]
                assert depth <= len(boss)
            found[depth] = found.get(depth, 0) + 1
        return found

    real = lake["real"]["employee"]
    source = {e: None if pd.isna(b) else int(b) for e, b in zip(real["emp_id"], real["boss_id"], strict=True)}
    assert depths({r["emp_id"]: r["boss_id"] for r in employee.collect()}) == depths(source)
    law = real["boss_id"].value_counts().value_counts().to_dict()
    assert {k: v for k, v in children(employee, ["boss_id"], 40).items() if k} == law


def test_a_cycle_of_tables_is_cut_at_its_nullable_key(lake: dict[str, Any]) -> None:
    department, _ = check(lake, "department", "worker")
    assert department.where(F.col("head_id").isNull()).count() == 1


def test_a_diamond_agrees(lake: dict[str, Any]) -> None:
    _, address, parcel = check(lake, "person", "address", "parcel")
    both = parcel.join(address.select("address_id", F.col("person_id").alias("owner")), "address_id")
    assert both.where(F.col("owner") != F.col("person_id")).count() == 0


def test_pairs_of_a_link_table_are_unique_and_degrees_are_kept(lake: dict[str, Any]) -> None:
    _, _, enrolment = check(lake, "person", "course", "enrolment")
    real = lake["real"]["enrolment"]
    for column, parents in (("person_id", 40), ("course_id", 10)):
        law = real[column].value_counts().value_counts().to_dict()
        law[0] = parents - sum(law.values())
        assert children(enrolment, [column], parents) == {k: v for k, v in law.items() if v}


def test_names_as_they_come(lake: dict[str, Any]) -> None:
    order, second = check(lake, "order", "2nd table")
    assert order.columns == ["select", "a.b", "two words"]
    assert second.columns == ["3rd", "order id", "date"]


def test_a_second_parent_that_follows_the_first(lake: dict[str, Any]) -> None:
    *_, product = check(lake, "category", "supplier", "product")
    made = product.select("category_id", "supplier_id").toPandas()
    real = lake["real"]["product"]
    wanted = mutual_info_score(real["category_id"], real["supplier_id"])
    assert mutual_info_score(made["category_id"], made["supplier_id"]) > 0.9 * wanted
    by_chance = RNG.permutation(real["supplier_id"])
    assert mutual_info_score(real["category_id"], by_chance) < 0.5 * wanted


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_scales(lake: dict[str, Any], scale: float, spark: SparkSession, tmp_path: Path) -> None:
    made = lake["made"]
    plans = made.trained.plans
    roots = {t: max(1, round(p.rows * scale)) for t, p in plans.items() if p.keys.driving is None}
    made.generate(roots, str(tmp_path))
    frames = {t: made.io.read_dataset(str(tmp_path / t)) for t in plans}
    assert key_faults(lake["metadata"], frames) == []
    for t, p in plans.items():
        if scale > 1:
            assert abs(frames[t].count() - scale * p.rows) <= 0.02 * scale * p.rows, t
