"""Personal data that nobody declared: found, written as fakes, repeated across tables, and kept on request."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.privacy.fakes import lists
from synthohive_spark.privacy.meaning import standards
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.schema.table_plan import TablePlan
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
CUSTOMERS, ORDERS = 90, 270
GIVEN = ["Anna", "Peter", "Maria", "John", "Laura", "Thomas", "Julia", "Michael", "Sarah"]
FAMILY = ["Weber", "Smith", "Rossi", "Novak", "Silva", "Larsen", "Dubois", "Garcia", "Kowalski", "Taylor"]
COUNTRIES = ["Germany", "Italy", "Poland"]
BEGINNINGS = ("Al", "Ber", "Cor", "Dal", "Em", "Fal", "Gor", "Hal", "Im", "Jes", "Kal", "Lim", "Mon", "Nor", "Os")
TOWNS = [[begin + end for begin in BEGINNINGS] for end in ("burg", "ano", "owice")]
MIDDLE = [dt.date(1959, 6, 11), dt.date(1959, 6, 19)]  # between which no month begins: a threshold would name one


def tables() -> dict[str, pd.DataFrame]:
    names = [f"{GIVEN[i % 9]} {FAMILY[i // 9]}" for i in range(CUSTOMERS)]
    born = [dt.date(1930 + (i * 7) % 59, 1 + i // 3 % 12, 1 + (i * 11) % 28) for i in range(CUSTOMERS)]
    born[:2] = MIDDLE
    customers = pd.DataFrame(
        {
            "id": range(1, CUSTOMERS + 1),
            "contact": names,
            "mail": [f"{n.replace(' ', '.').lower()}@corp.test" for n in names],
            "reach": [f"+49 30 77{i:04d}" for i in range(1, CUSTOMERS + 1)],  # which follows from the key
            "fax": [f"+49 30 88{(i * 37) % 9973:04d}" for i in range(CUSTOMERS)],
            "born": born,
            "cohort": ["early" if b <= MIDDLE[0] else "late" for b in born],
            "land": [COUNTRIES[i % 3] for i in range(CUSTOMERS)],
            "street": [f"{FAMILY[i % 10]} Street {1 + i // 10}" for i in range(CUSTOMERS)],
            "city": [TOWNS[i % 3][i // 3 % 15] for i in range(CUSTOMERS)],
            "state": [None if i % 3 else f"{'XYZ'[i // 3 % 3]}-Land" for i in range(CUSTOMERS)],  # of Germany alone
            "zip": [f"{10_000 + (i * 7919) % 80_000}" for i in range(CUSTOMERS)],
        }
    )
    owner = [(i * 7) % CUSTOMERS for i in range(ORDERS)]
    place = [i if n % 12 else (i + 3) % CUSTOMERS for n, i in enumerate(owner)]  # another one of the same country
    orders = pd.DataFrame(
        {
            "order_id": range(500, 500 + ORDERS),
            "customer": [i + 1 for i in owner],
            "sent_to": [names[i] if n % 15 else names[(i + 1) % CUSTOMERS] for n, i in enumerate(owner)],
            "sent_street": [customers["street"][i] for i in place],
            "sent_city": [customers["city"][i] for i in place],
            "sent_zip": [customers["zip"][i] for i in place],
            "placed": [born[i] + dt.timedelta(1 + (n * 7919) % 12_000) for n, i in enumerate(owner)],
            "amount": [n % 17 for n in range(ORDERS)],
        }
    )
    return {"customers": customers, "orders": orders}


METADATA: dict[str, Any] = {
    "customers": {"primary_key": "id"},
    "orders": {
        "primary_key": "order_id",
        "foreign_keys": [{"columns": ["customer"], "references": "customers", "referenced_columns": ["id"]}],
    },
}


@pytest.fixture(scope="module")
def paths(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_lake(spark, tmp_path_factory.mktemp("people"), tables())


def plan_of_customers(
    spark: SparkSession, paths: dict[str, str], pii: Any, actions: dict[str, Any] | None = None
) -> TablePlan:
    metadata = Metadata.load({"tables": {"customers": {**METADATA["customers"], "pii": pii}}})
    pinned = pin_source(DeltaIO(spark), metadata, {"customers": TableRef.parse(paths["customers"])})
    return plan_tables(check_source(pinned), 3, actions=actions or {})["customers"]


def test_what_nobody_declared_is_not_written(spark: SparkSession, paths: dict[str, str]) -> None:
    made = fitted(spark, Metadata.load({"tables": METADATA}), paths)
    assert made.trained is not None
    personal = made.trained.plans["customers"].columns.personal
    assert {c: (t.kind, t.action) for c, t in personal.items()} == {
        "contact": ("person", "fake"),
        "mail": ("email", "fake"),
        "reach": ("phone", "fake"),
        "fax": ("phone", "fake"),
        "born": ("birth_date", "fake"),
        "street": ("street", "fake"),
        "city": ("city", "fake"),
        "state": ("region", "fake"),
        "zip": ("postal_code", "fake"),
    }
    copies = {t: f.toPandas() for t, f in made.generate({}).items()}
    real, copy = tables(), copies["customers"]
    for column in ("contact", "mail", "reach", "fax"):
        assert set(copy[column]).isdisjoint(real["customers"][column]), column
        assert copy[column].is_unique
    words = {w for name in real["customers"]["contact"] for w in name.split()}
    assert words.isdisjoint(w for name in copy["contact"] for w in name.split())
    for row in copy.itertuples():
        given, family = str(row.contact).rsplit(" ", 1)
        assert str(row.mail).startswith(f"{lists.spelt_plainly(given)}.{lists.spelt_plainly(family)}")
        home = lists.known_countries()[f"{lists.country_of(str(row.land))}"]
        assert str(row.reach).startswith(f"+{home.dial} ")
        assert standards.is_email(str(row.mail))
    assert (copy["state"].notna() == (copy["land"] == "Germany")).all(), "a country has regions, or has none"
    both = copies["orders"].merge(copy, left_on="customer", right_on="id")
    there = pd.DataFrame({c: both[f"sent_{c}"] == both[c] for c in ("street", "city", "zip")})
    assert 0.8 < there["street"].mean() < 1
    assert (there["street"] == there["zip"]).all(), "an address is the customer's as a whole, or another one"
    assert there["city"][there["street"]].all()
    assert set(both["sent_to"]).isdisjoint(real["customers"]["contact"])
    assert (both["sent_to"] == both["contact"]).mean() > 0.8
    assert (both["placed"] > both["born"]).all(), "a date of birth bounds what comes after it"
    births = pd.to_datetime(copy["born"]).dt.year
    assert births.between(1930, 1989).all()
    assert births.nunique() > CUSTOMERS / 5
    plans = "".join(plan.model_dump_json() for plan in made.trained.plans.values())
    days = [str(day) for day in real["customers"]["born"]]
    assert not [day for day in days if day in plans], "no threshold names somebody's day"


def test_a_person_decides(spark: SparkSession, paths: dict[str, str]) -> None:
    pii = {"reach": {"action": "keep"}, "fax": {"action": "drop"}, "mail": {"kind": "email", "action": "fake"}}
    columns = plan_of_customers(spark, paths, pii, {"person": "mask", "email": "mask"}).columns
    told = {c: t.action for c, t in columns.personal.items()}
    address = dict.fromkeys(("street", "city", "state", "zip"), "fake")
    assert told == {"contact": "mask", "mail": "mask", "fax": "drop", "born": "fake", **address}
    assert columns.shapes["fax"].null_share == 1.0
    assert set(columns.faked) == {*address}
    with pytest.raises(SchemaValidationError, match=r"customers\.id: to be dropped"):
        plan_of_customers(spark, paths, {"id": {"action": "drop"}})
