"""What columns mean: known databases, twenty locales, values against names. No Spark."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest

from synthohive_spark.privacy.meaning.found import ColumnSample, Meaning
from synthohive_spark.privacy.meaning.judge import meanings
from tests.privacy.meaning.generator import tables


def judged(table: str, types: dict[str, str], frame: pd.DataFrame) -> dict[str, Meaning]:
    return meanings(table, [ColumnSample.of(c, t, frame[c].dropna().astype(str)) for c, t in types.items()])


def one(name: str, values: list[str], spark_type: str = "string", table: str = "things") -> Meaning:
    return meanings(table, [ColumnSample.of(name, spark_type, values)])[name]


@pytest.mark.parametrize("database", ["northwind", "chinook", "pagila"])
def test_all_that_people_declared_is_found(database: str, shared_data: Path) -> None:
    spec = json.loads((shared_data / database / "schema.json").read_text())["tables"]
    missed = []
    for name, table in spec.items():
        frame = pd.read_parquet(shared_data / database / f"{name}.parquet").head(5000)
        found = judged(name, table["columns"], frame)
        missed += [f"{name}.{c}" for c in table.get("pii") or [] if not found[c].personal]
    assert missed == []


@pytest.mark.parametrize("database", ["nycflights13", "mutagenesis"])
def test_nothing_is_found_where_nobody_is_in_it(database: str, shared_data: Path) -> None:
    spec = json.loads((shared_data / database / "schema.json").read_text())["tables"]
    for name, table in spec.items():
        found = judged(name, table["columns"], pd.read_parquet(shared_data / database / f"{name}.parquet").head(5000))
        assert [c for c, m in found.items() if m.personal] == [], name


def test_people_of_twenty_locales_are_found_and_things_are_not() -> None:
    hits = misses = false = 0
    for table in tables(seed=11):
        found = meanings(table.name, [ColumnSample.of(c.name, c.type, c.values) for c in table.columns])
        hits += sum(found[c.name].personal for c in table.columns if c.personal)
        misses += sum(not found[c.name].personal for c in table.columns if c.personal)
        false += sum(found[c.name].personal for c in table.columns if not c.personal)
    assert hits / (hits + misses) >= 0.95
    assert hits / (hits + false) >= 0.95


def test_values_are_stronger_than_names() -> None:
    mails = [f"{c}{i}@mail.example" for i in range(30) for c in "ab"]
    assert one("sku", mails).kind == "email"
    assert one("email", ["red", "green", "blue"] * 9).kind != "email"
    assert not one("phone", ["iPhone 12", "Pixel 8a", "Galaxy S22"] * 5).personal
    towns = ["Boston", "Seattle", "Tampa", "Redmond", "Troy", "Racine", "Denver", "Austin", "Bellevue", "Chicago"]
    assert one("territory", towns).kind == "city"
    assert one("territory", ["Ohio", "Texas", "Utah", "New York", "Kansas"]).kind == "region"
    assert not one("customer_name", [str(n) for n in range(40)]).personal


def test_a_key_may_be_personal() -> None:
    assert one("user_id", [f"person.{i}@mail.example" for i in range(50)]).personal


def test_a_company_is_personal_where_it_can_be_reached() -> None:
    names = ["Miller Ltd", "Schmidt GmbH", "Dupont S.A.", "Rossi S.r.l.", "Jansen B.V.", "Nowak Sp. z o.o."]
    phones = [f"+49 30 {n:07d}" for n in range(1234567, 1234573)]
    alone = meanings("makers", [ColumnSample.of("maker", "string", names)])["maker"]
    reached = meanings(
        "sellers", [ColumnSample.of("seller", "string", names), ColumnSample.of("tel", "string", phones)]
    )
    assert alone.kind == "company"
    assert not alone.personal
    assert reached["seller"].personal


def test_names_beside_an_address_are_those_of_somebody() -> None:
    streets = [f"{n} Main Street" for n in range(1, 40)]
    names = [f"Cactus {n} para llevar" for n in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"] + ["Antonio Moreno Taquería"] * 13
    found = meanings(
        "orders", [ColumnSample.of("ship_name", "string", names), ColumnSample.of("ship_address", "string", streets)]
    )
    assert found["ship_name"].personal


def test_evidence_holds_no_value() -> None:
    names = [f"Zorbaquix{chr(97 + i)} Wiltrumble" for i in range(20)]
    mails = [f"zorbaquix{i}@wiltrumble.example" for i in range(20)]
    found = meanings("people", [ColumnSample.of("name", "string", names), ColumnSample.of("contact", "string", mails)])
    assert "zorbaquix" not in json.dumps({c: m.model_dump() for c, m in found.items()}).lower()


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("site", ["https://a.example/x", "https://b.example", "www.c.example"], "url"),
        ("x", ["00:1B:44:11:3A:B7", "00:1B:44:11:3A:B8", "00:1B:44:11:3A:B9"], "mac"),
        ("x", ["10.0.0.1", "192.168.7.9", "8.8.4.4"], "ip"),
        ("sku", [f"SKU-{n:04d}" for n in range(60)], "coded"),
        ("land", ["Deutschland", "Österreich", "Schweiz", "Frankreich"], "country"),
        ("cc", ["DEU", "AUT", "CHE", "FRA"], "country"),
        ("curr", ["EUR", "USD", "JPY"], "currency"),
        ("rate", ["5%", "7%", "19%"], "percentage"),
        ("notes", [f"He said that number {n} was not what he had ordered before" for n in range(20)], "text"),
    ],
)
def test_kinds_without_people(name: str, values: list[str], kind: str) -> None:
    found = one(name, values)
    assert found.kind == kind
    assert not found.personal or kind in ("ip", "mac")


def test_positions_are_told_by_name_and_range() -> None:
    rng = random.Random(1)
    values = [f"{rng.uniform(-80, 80):.5f}" for _ in range(50)]
    assert one("lat", values, "double").kind == "latitude"
    assert one("latency", values, "double").kind == "unknown"
    assert one("lon", [f"{n * 1000}.5" for n in range(50)], "double").kind == "unknown"


def test_the_generator_draws_the_same_tables_again() -> None:
    assert [t.columns for t in tables(3, 1)] == [t.columns for t in tables(3, 1)]


def test_no_file_of_this_folder_knows_a_known_database() -> None:
    folder = Path(__file__).parents[3] / "synthohive_spark" / "privacy" / "meaning"
    text = "".join(p.read_text(encoding="utf-8").lower() for p in folder.glob("*.py"))
    assert [w for w in ("northwind", "chinook", "pagila", "synthea") if w in text] == []
