from __future__ import annotations

from typing import Any

import pytest

from synthohive_spark import graph
from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.metadata import Metadata
from synthohive_spark.tables import ForeignKey

ROWS = {"a": 10, "b": 1000, "c": 100}


def child(primary_key: Any, *keys: dict[str, Any]) -> Metadata:
    tables: dict[str, Any] = {t: {"primary_key": "id"} for t in ROWS}
    made = [
        {"columns": [f"{k['to']}_id"], "references": k["to"], "referenced_columns": ["id"], **k}
        for k in map(dict, keys)
    ]
    for key in made:
        del key["to"]
    return Metadata.load({"tables": {**tables, "child": {"primary_key": primary_key, "foreign_keys": made}}})


def driving(metadata: Metadata) -> ForeignKey | None:
    return graph.driving_key("child", metadata.tables, ROWS)


@pytest.mark.parametrize(
    ("primary_key", "keys", "expected"),
    [
        ("id", [], None),
        ("id", [{"to": "a"}, {"to": "b"}], "a"),  # the first non-null key
        ("id", [{"to": "a", "nullable": True}, {"to": "b"}], "b"),
        ("id", [{"to": "a", "nullable": True}, {"to": "b", "nullable": True}], "a"),  # else the first
        (["a_id", "b_id", "c_id"], [{"to": "a"}, {"to": "b"}, {"to": "c"}], "b"),  # in the key: the most selective
        (["c_id", "n"], [{"to": "a"}, {"to": "c"}], "c"),
        (["c_id", "n"], [{"to": "a", "driving": True}, {"to": "c"}], "a"),  # what is declared
    ],
)
def test_each_child_has_one_driving_parent(primary_key: Any, keys: list[dict[str, Any]], expected: str | None) -> None:
    key = driving(child(primary_key, *keys))
    assert (key.references if key is not None else None) == expected


def test_a_key_to_itself_never_drives() -> None:
    own = {"columns": ["boss"], "references": "child", "referenced_columns": ["id"], "nullable": True}
    metadata = Metadata.load({"tables": {"child": {"primary_key": "id", "foreign_keys": [own]}}})
    assert driving(metadata) is None
    assert graph.stages(metadata.tables) == [["child"]]


def test_parents_stand_in_earlier_stages_in_the_order_of_the_metadata() -> None:
    metadata = Metadata()
    metadata.add_table("lines", pk="id", fk={"order_id": "orders.id", "product_id": "products.id"})
    metadata.add_table("products", pk="id")
    metadata.add_table("orders", pk="id", fk={"user_id": "users.id"})
    metadata.add_table("users", pk="id")
    assert graph.stages(metadata.tables) == [["products", "users"], ["orders"], ["lines"]]


def test_a_cycle_of_keys_that_are_never_null_is_named() -> None:
    metadata = Metadata()
    metadata.add_table("a", pk="x", fk={"x": "c.x"})  # nor can one be made before its parents
    metadata.add_table("b", pk="x", fk={"x": "a.x"})
    metadata.add_table("c", pk="x", fk={"x": "b.x"})
    with pytest.raises(SchemaValidationError, match="form a cycle") as raised:
        metadata.validate_schema()
    (problem,) = raised.value.problems
    steps = problem.split(": ")[1].split(";")[0].split(" -> ")
    assert steps[0] == steps[-1]
    assert set(steps) == {"a", "b", "c"}
