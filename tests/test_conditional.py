"""Conditions on root tables: what is refused before any row is made. No Spark."""

from __future__ import annotations

from typing import Any

import pytest

from synthohive_spark.conditional import check_conditions
from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.errors import ConfigError
from synthohive_spark.schema.columns import ColumnPlan, ColumnsPlan
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan
from synthohive_spark.schema.table_plan import TablePlan


def plan(table: str, *keys: ForeignKeyPlan, **roles: Any) -> TablePlan:
    columns = tuple(ColumnPlan(name=n, type="string", role=role) for n, role in roles.items())
    return TablePlan(
        table=table, rows=9, keys=KeysPlan(foreign=keys), columns=ColumnsPlan(each=columns, spark_schema={})
    )


def key(references: str, role: Any) -> ForeignKeyPlan:
    return ForeignKeyPlan(
        position=0,
        columns=("up",),
        references=references,
        referenced_columns=("id",),
        role=role,
        null_share=0.0,
        distribution=LinkageModel().fit({1: 1}).to_dict(),
    )


PLANS = {
    "users": plan("users", id="surrogate", country="model"),
    "staff": plan("staff", key("staff", "self"), id="surrogate", up="foreign", name="model"),
    "orders": plan("orders", key("users", "driving"), up="foreign", kind="model"),
}


def test_conditions_of_drawn_columns_of_root_tables_are_taken() -> None:
    wanted = {"users": {"country": ["Germany", "France"]}}
    assert check_conditions(PLANS, wanted) == wanted


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([("users", "country")], 'give {"customers": {"country": "Germany"}}'),
        ({"users": {}}, 'give {"customers": {"country": "Germany"}}'),
        ({"user": {"country": "x"}}, "'user' is no table; did you mean 'users'"),
        ({"orders": {"kind": "x"}}, "orders follows its parents; conditions are for users, staff"),
        ({"staff": {"name": "x"}}, "rows of staff refer to each other"),
        ({"users": {"land": "x"}}, "users has no column 'land'"),
        ({"users": {"id": 1}}, r"users\.id is no value that is drawn; choose another column"),
        ({"users": {"country": []}}, r"users\.country: give a value, or a list of values"),
    ],
)
def test_others_are_refused_with_the_way_out(conditions: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_conditions(PLANS, conditions)
