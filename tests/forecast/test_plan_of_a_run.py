"""What is said before a run: costs, roles, masks and warnings, from plans alone."""

from __future__ import annotations

from typing import Any

import pytest

from synthohive_spark.config import Config
from synthohive_spark.forecast.costs import costs
from synthohive_spark.forecast.doctor import examine
from synthohive_spark.forecast.report import described, in_words, warnings
from synthohive_spark.metadata import Metadata
from synthohive_spark.schema.columns import ColumnPlan, ColumnsPlan, Role, Treatment
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan
from synthohive_spark.schema.table_plan import TablePlan

COLUMNS: dict[str, tuple[str, Role]] = {
    "id": ("bigint", "surrogate"),
    "shop": ("bigint", "foreign"),
    "email": ("string", "shape"),
    "note": ("string", "shape"),
    "last_name": ("string", "model"),
    "price": ("double", "model"),
    "total": ("double", "derived"),
}


def config(**train: Any) -> Config:
    places = {name: {"path": f"/lake/{name}"} for name in ("source", "target", "workspace")}
    return Config.model_validate({**places, "metadata": {}, "train": train})


def table(rows: int, most: int = 3) -> TablePlan:
    each = tuple(ColumnPlan(name=n, type=t, role=r) for n, (t, r) in COLUMNS.items())
    shops = ForeignKeyPlan(
        position=0,
        columns=("shop",),
        references="shops",
        referenced_columns=("id",),
        role="driving",
        null_share=0.0,
        distribution={"values": [0, most]},
    )
    keys = KeysPlan(primary_key=("id",), foreign=(shops,))
    personal = {
        "email": Treatment(kind="email", action="fake", evidence="declared"),
        "note": Treatment(kind="text", action="mask", evidence="80% of the values are long texts"),
    }
    columns = ColumnsPlan(each=each, spark_schema={"fields": []}, personal=personal)
    return TablePlan(table="sales", rows=rows, keys=keys, columns=columns)


@pytest.fixture
def metadata() -> Metadata:
    known = Metadata()
    known.add_table("sales", pk="id", fk={"shop": "shops.id"}, pii=["email"])
    return known


def test_each_column_has_a_role_and_each_mask_a_reason(metadata: Metadata) -> None:
    told = described({"sales": table(500)}, {"sales": 1000}, metadata, config())["sales"]
    assert (told["rows"], told["wanted"], told["model"]) == (500, 1000, "model ctgan")
    assert told["columns"]["personal, written as fakes"] == ["email"]
    assert told["columns"]["personal, masked"] == ["note"]
    assert told["personal"]["note"]["evidence"] == "80% of the values are long texts"
    assert told["columns"]["learnt"] == ["last_name", "price"]
    assert sorted(c for columns in told["columns"].values() for c in columns) == sorted(COLUMNS)


def test_what_to_look_at() -> None:
    assert warnings({"sales": table(500)}) == [
        "sales: note were found to be personal; say so under pii, with action: keep where they are not"
    ]
    few = warnings({"sales": table(20, most=50_000)})
    assert any("20 rows" in line for line in few)
    assert any("50,000 children" in line for line in few)
    assert any("no rows" in line for line in warnings({"sales": table(0)}))


def test_costs_grow_with_rows_and_fall_with_slots_and_budget() -> None:
    plans = {"sales": table(100_000)}
    one = costs(plans, {"sales": 100_000}, config(), slots=2)
    assert costs(plans, {"sales": 10_000_000}, config(), slots=2).minutes > 2 * one.minutes
    assert costs(plans, {"sales": 100_000}, config(), slots=8).minutes < one.minutes
    assert costs(plans, {"sales": 100_000}, config(max_seconds=5), slots=2).minutes < one.minutes
    assert costs(plans, {"sales": 100_000}, config(model="autoregressive"), slots=2).minutes < one.minutes
    assert costs(plans, {"sales": 100_000}, config(), slots=8).memory_mib > one.memory_mib


def test_the_plan_is_read_by_people(metadata: Metadata) -> None:
    plans, sizes, run = {"sales": table(500)}, {"sales": 1000}, config()
    told = described(plans, sizes, metadata, run)
    text = in_words(told, costs(plans, sizes, run, 2), warnings(plans), run)
    assert "sales: 500 rows, 1,000 wanted, model ctgan" in text
    assert "email is email, fake: declared" in text
    assert "to look at:" in text


def test_the_doctor_says_that_spark_does_not_start() -> None:
    def start() -> Any:
        raise RuntimeError("no jars\nand more")

    found = {f.what: f for f in examine(None, start)}
    assert found["Python"].fine
    assert found["torch"].fine
    assert found["temporary files"].fine
    assert (found["Spark"].fine, found["Spark"].text) == (False, "does not start: no jars")
    assert "workers" not in found
