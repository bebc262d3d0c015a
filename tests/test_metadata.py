from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StringType, StructField, StructType

from synthohive_spark.errors import SchemaError, SchemaValidationError
from synthohive_spark.metadata import Metadata

USERS = {"primary_key": "id", "columns": {"id": "bigint", "region": "string"}}
KEY = {"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}


def load(**tables: Any) -> Metadata:
    return Metadata.load({"tables": tables})


def orders(primary_key: Any = "order_id", **key: Any) -> dict[str, Any]:
    return {
        "primary_key": primary_key,
        "foreign_keys": [{**KEY, **key}],
        "columns": {"order_id": "bigint", "user_id": "bigint", "amount": "double"},
    }


def found(metadata: Metadata, data: Any = None) -> list[str]:
    with pytest.raises(SchemaValidationError) as raised:
        metadata.validate_schema(data)
    assert raised.value.exit_code == 2
    assert all(problem in str(raised.value) for problem in raised.value.problems)
    return raised.value.problems


def test_both_forms_are_the_same_metadata(tmp_path: Path) -> None:
    built = Metadata()
    built.add_table("users", pk="id", columns={"id": "bigint", "region": "string"})
    built.add_table("orders", pk="order_id", fk={"user_id": "users.id"}, columns=orders()["columns"])
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"tables": {"users": USERS, "orders": orders()}}))
    assert Metadata.load(file).to_json() == Metadata.load(str(file)).to_json() == built.to_json()
    assert Metadata.load(json.loads(built.to_json())).to_json() == built.to_json(), "what is kept can be read again"
    built.validate_schema()
    assert built.key_columns("orders") == {"order_id", "user_id"}
    assert built.key_columns("nobody") == set()


def test_a_parent_context_is_kept() -> None:
    built = Metadata()
    built.add_table("users", pk="id")
    built.add_table("orders", pk="o", fk={"user_id": "users.id"}, parent_context_cols=["region"])
    assert built.tables["orders"].parent_context_cols == ("region",)
    with pytest.raises(SchemaError, match="'users' is in the metadata already"):
        built.add_table("users")


def test_descriptive_keys_are_accepted_and_never_kept() -> None:
    described = {**USERS, "rows": 7, "null_fraction": {"region": 0.1}, "stats": {"anything": 1}}
    top = dict.fromkeys(["name", "source", "license", "notes", "subsampled", "features", "verified", "invariants"], "x")
    metadata = Metadata.load({**top, "tables": {"users": described, "orders": orders(stats={"mean": 2})}})
    assert metadata.to_json() == load(users=USERS, orders=orders()).to_json()


@pytest.mark.parametrize("name", ["nycflights13", "mutagenesis", "chinook", "northwind"])
def test_the_shared_schemas_are_read(shared_data: Path, name: str) -> None:
    Metadata.load(shared_data / name / "schema.json").validate_schema()


def test_all_problems_of_form_come_in_one_error_with_the_nearest_key() -> None:
    wrong = {
        "tables": {
            "users": {**USERS, "primary_keys": "id", "piii": ["x"]},
            "orders": {"foreign_keys": [{**KEY, "nulable": True, "orphans": "keep"}]},
        },
        "notess": "x",
    }
    with pytest.raises(SchemaValidationError) as raised:
        Metadata.load(wrong)
    text = str(raised.value)
    assert "5 problems" in text
    for line in (
        "tables.users.primary_keys: unknown key; did you mean 'primary_key'?",
        "tables.users.piii: unknown key; did you mean 'pii'?",
        "tables.orders.foreign_keys.0.nulable: unknown key; did you mean 'nullable'?",
        "notess: unknown key; did you mean 'notes'?",
    ):
        assert line in raised.value.problems
    assert any("orphans" in p and "'keep'" in p for p in raised.value.problems)


def test_a_bare_null_of_yaml_is_the_policy_null(tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    file.write_text(
        "tables:\n"
        "  users: {primary_key: id}\n"
        "  orders:\n"
        "    primary_key: null\n"
        "    foreign_keys:\n"
        "    - {columns: [user_id], references: users, referenced_columns: [id], nullable: true, orphans: null}\n"
    )
    metadata = Metadata.load(file)
    assert metadata.tables["orders"].foreign_keys[0].orphans == "null"
    assert metadata.tables["orders"].primary_key == ()
    metadata.validate_schema()


@pytest.mark.parametrize("text", ["- a list", "tables: [", "just words"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "schema.yaml"
    file.write_text(text)
    with pytest.raises(SchemaError, match=r"schema\.yaml"):
        Metadata.load(file)
    with pytest.raises(SchemaError, match="`metadata:` in the configuration names it"):
        Metadata.load(tmp_path / "absent.json")


def test_all_problems_of_keys_come_in_one_error() -> None:
    metadata = load(
        users={**USERS, "primary_key": "idd", "pii": ["regio"]},
        orders={
            **orders(),
            "foreign_keys": [
                {**KEY, "references": "user"},
                {**KEY, "referenced_columns": ["key"]},
                {**KEY, "columns": ["usr_id"]},
                {**KEY, "columns": ["user_id", "order_id"]},
                {**KEY, "columns": ["amount"]},
            ],
            "constraints": [{"min": 3}, {"column": "amuont", "max": 2}],
            "derived": {"totl": "amount * 2"},
        },
    )
    problems = found(metadata)
    for place, remedy in [
        ("users.primary_key: column 'idd' is not in the table", "did you mean 'id'?"),
        ("users.pii: column 'regio' is not in the table", "did you mean 'region'?"),
        ("orders.foreign_keys(user_id): references table 'user', unknown", "did you mean 'users'?"),
        ("orders.foreign_keys(user_id): column 'key' is not in users", "known: id, region"),
        ("orders.foreign_keys(usr_id): column 'usr_id' is not in the table", "did you mean 'user_id'?"),
        ("orders.foreign_keys(user_id, order_id): 2 columns against 1 referenced ones", ""),
        ("orders.foreign_keys(amount): orders.amount is double, users.id is bigint", "cast one of them"),
        ("orders.constraints: give a column with min, max or allowed, or an expression", ""),
        ("orders.constraints: column 'amuont' is not in the table", "did you mean 'amount'?"),
        ("orders.derived: column 'totl' is not in the table", ""),
    ]:
        assert any(p.startswith(place) and remedy in p for p in problems), (place, problems)


def test_two_driving_keys_are_refused() -> None:
    keys = [{**KEY, "driving": True}, {**KEY, "columns": ["amount"], "driving": True}]
    problems = found(load(users={**USERS, "columns": {}}, orders={**orders(), "foreign_keys": keys, "columns": {}}))
    assert "orders.foreign_keys: more than one is driving; keep one" in problems


def test_field_25_a_personal_key_is_personal_in_every_table_that_holds_it() -> None:
    spec = {**orders(), "pii": ["user_id"]}
    schema = load(users=USERS, orders=spec, notes={"foreign_keys": [KEY], "columns": {"user_id": "bigint"}})
    schema.validate_schema()
    assert schema.personal("orders") == {"user_id"}
    assert schema.personal("users") == {"id"}
    assert schema.personal("notes") == {"user_id"}
    assert load(users=USERS, orders=orders()).personal("users") == set()


def test_personal_columns_are_a_list_or_say_what_is_done() -> None:
    users = load(users={**USERS, "pii": {"id": {"kind": "account", "action": "mask"}, "region": {"action": "keep"}}})
    users.validate_schema()
    assert users.tables["users"].personal == ("id",)
    assert Metadata.load(json.loads(users.to_json())).tables == users.tables, "the form is its own"
    assert load(users={**USERS, "pii": ["id"]}).tables["users"].personal == ("id",)
    with pytest.raises(SchemaValidationError, match=r"'e-mail' is no kind of data; did you mean 'email'\?"):
        load(users={**USERS, "pii": {"id": {"kind": "e-mail"}}})
    with pytest.raises(SchemaValidationError, match=r"users\.pii\.id\.action"):
        load(users={**USERS, "pii": {"id": {"action": "forget"}}})


def test_a_schema_without_tables_is_refused() -> None:
    assert found(Metadata()) == ["tables: empty; name at least one table"]


@pytest.mark.parametrize(
    ("key", "primary_key", "why"),
    [
        ({"nullable": False}, "order_id", "the key is not nullable"),
        ({"nullable": True}, ["user_id", "order_id"], "user_id belongs to another key"),
    ],
)
def test_orphans_to_null_needs_a_key_that_can_be_null(key: dict[str, bool], primary_key: Any, why: str) -> None:
    (problem,) = found(load(users=USERS, orders=orders(primary_key, orphans="null", **key)))
    assert problem == f"orders.foreign_keys(user_id): orphans cannot be set to null, {why}; use 'drop' or 'error'"


def test_orphans_of_a_self_reference_cannot_be_dropped() -> None:
    own = {"columns": ["boss"], "references": "users", "referenced_columns": ["id"], "nullable": True}
    (problem,) = found(load(users={"primary_key": "id", "foreign_keys": [{**own, "orphans": "drop"}]}))
    assert problem == (
        "users.foreign_keys(boss): orphans of a key to its own table cannot be dropped; use 'null' or 'error'"
    )


def test_orphans_to_null_is_refused_where_keys_share_a_column() -> None:
    wide = {"columns": ["user_id", "amount"], "references": "w", "referenced_columns": ["id", "x"]}
    spec = {**orders(nullable=True, orphans="null"), "columns": {}}
    spec["foreign_keys"].append(wide)
    problems = found(load(users={"primary_key": "id"}, w={"primary_key": ["id", "x"]}, orders=spec))
    assert problems == [
        "orders.foreign_keys(user_id): orphans cannot be set to null, user_id belongs to another key; "
        "use 'drop' or 'error'"
    ]


@pytest.mark.parametrize(
    ("child", "parent", "fits"),
    [
        ("int", "bigint", True),
        ("tinyint", "long", True),
        ("varchar(10)", "string", True),
        ("decimal(10, 2)", "DECIMAL(10,2)", True),
        ("string", "bigint", False),
        ("timestamp", "date", False),
        ("decimal(10,2)", "decimal(12,2)", False),
        ("double", "bigint", False),
    ],
)
def test_key_types_must_agree(child: str, parent: str, fits: bool) -> None:
    spec = {**orders(), "columns": {"order_id": "bigint", "user_id": child, "amount": "double"}}
    metadata = load(users={**USERS, "columns": {"id": parent}}, orders=spec)
    if fits:
        metadata.validate_schema()
    else:
        (problem,) = found(metadata)
        assert f"orders.user_id is {child}, users.id is {parent}; cast one of them" in problem


def test_pandas_frames_are_checked() -> None:
    metadata = load(users=USERS, orders=orders())
    users = pd.DataFrame({"id": [1], "region": ["x"]})
    fine = pd.DataFrame({"order_id": [1], "user_id": [1], "amount": [0.5]})
    metadata.validate_schema({"users": users, "orders": fine})
    wrong = fine.assign(user_id="a").drop(columns="amount")
    problems = found(metadata, {"users": users, "orders": wrong})
    assert problems == [
        "orders.columns: 'amount' is not in the table; known: order_id, user_id",
        "orders.columns: user_id is declared bigint and is string; correct the metadata or cast the source",
        "orders.foreign_keys(user_id): orders.user_id is string, users.id is bigint; "
        "cast one of them so that the types agree",
    ]
    assert found(metadata, {"orders": fine}) == ["users: not among the tables given"]


def test_schemas_and_type_names_are_checked_without_a_session() -> None:
    metadata = load(users=USERS)
    metadata.validate_schema(
        {"users": StructType([StructField("id", LongType()), StructField("region", StringType())])}
    )
    metadata.validate_schema({"users": {"id": "long", "region": "string"}})
    (problem,) = found(metadata, {"users": {"id": "int", "region": "string"}})
    assert "id is declared bigint and is int" in problem


@pytest.mark.spark
def test_spark_frames_are_checked(spark: SparkSession) -> None:
    metadata = load(users=USERS, orders={**orders(), "columns": {}})
    users = spark.createDataFrame([], "id bigint, region string")
    metadata.validate_schema({"users": users, "orders": spark.createDataFrame([], "order_id int, user_id int")})
    problems = found(metadata, {"users": users, "orders": spark.createDataFrame([], "order_id int, user_id string")})
    assert problems == [
        "orders.foreign_keys(user_id): orders.user_id is string, users.id is bigint; "
        "cast one of them so that the types agree"
    ]


ODD = {"id": "bigint", "words": "array<string>", "own": "map<string,int>", "v": "variant", "n": "int"}


def test_types_that_are_not_carried_are_named_all_at_once() -> None:
    problems = found(load(t={"primary_key": "id"}, u={"primary_key": "id"}), {"t": ODD, "u": ODD})
    assert [p.split(":")[0] for p in problems] == ["t.words", "t.own", "t.v", "u.words", "u.own", "u.v"]
    assert all("exclude: [...]" in p for p in problems)
    load(t={"primary_key": "id", "exclude": ["words", "v"], "pii": ["own"]}).validate_schema({"t": ODD})


def test_what_is_needed_cannot_be_excluded() -> None:
    child = {"foreign_keys": [{**KEY, "columns": ["up"]}], "exclude": ["up", "gone"], "derived": {"d": "1"}}
    users = {**USERS, "exclude": ["id"], "constraints": [{"column": "region", "allowed": ["n"]}]}
    types = {"users": USERS["columns"], "c": {"up": "bigint", "d": "int"}}
    problems = found(load(users=users, c=child), types)
    assert any(p.startswith("users.exclude: 'id' is a key") for p in problems)
    assert any(p.startswith("c.exclude: 'up' is a key") for p in problems)
    assert any(p.startswith("c.exclude: column 'gone' is not in the table") for p in problems)
    all_gone = found(load(t={"exclude": ["n"]}), {"t": {"n": "int"}})
    assert "every column" in all_gone[0]


@pytest.mark.parametrize(
    ("declared", "actual"),
    [
        ("char(4)", "string"),
        ("numeric(10, 2)", "decimal(10,2)"),
        ("dec", "decimal(10,0)"),
        ("decimal(7)", "decimal(7,0)"),
        ("real", "float"),
        ("timestamp_ltz", "timestamp"),
        ("LONG", "bigint"),
    ],
)
def test_other_names_of_a_type(declared: str, actual: str) -> None:
    load(t={"columns": {"c": declared}}).validate_schema({"t": {"c": actual}})
