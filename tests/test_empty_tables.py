"""A table without rows is copied as it is; its neighbours are learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.lake.io import DeltaIO
from tests.lakes import config_file, run_job, write_lake

pytestmark = pytest.mark.spark
USERS = ("id bigint not null, region string, coupon_id bigint", [(i, "ns"[i % 2], None) for i in range(40)])
ORDERS = ("order_id bigint not null, user_id bigint not null", [(i, i % 30) for i in range(90)])
COUPONS = ("coupon_id bigint not null, region_id int, worth decimal(5,2)", [])
RETURNS = ("order_id bigint not null, line int not null, user_id bigint not null, note string", [])
NOTES = ("note_id bigint not null, order_id bigint, line int, said string", [(i, None, None, "x") for i in range(20)])


def key(columns: list[str], references: str, referenced: list[str]) -> dict[str, Any]:
    return {"columns": columns, "references": references, "referenced_columns": referenced}


TABLES: dict[str, Any] = {
    "coupons": {"primary_key": "coupon_id"},
    "users": {"primary_key": "id", "foreign_keys": [key(["coupon_id"], "coupons", ["coupon_id"])]},
    "orders": {"primary_key": "order_id", "foreign_keys": [key(["user_id"], "users", ["id"])]},
    "returns": {
        "primary_key": ["order_id", "line"],
        "foreign_keys": [key(["order_id"], "orders", ["order_id"]), key(["user_id"], "users", ["id"])],
    },
    "notes": {
        "primary_key": "note_id",
        "foreign_keys": [key(["order_id", "line"], "returns", ["order_id", "line"])],
    },
}


def test_empty_parents_and_children_are_copied_empty(spark: SparkSession, tmp_path: Path) -> None:
    rows = {"coupons": COUPONS, "users": USERS, "orders": ORDERS, "returns": RETURNS, "notes": NOTES}
    write_lake(spark, tmp_path / "source", rows)
    file = config_file(tmp_path, TABLES, evaluate={"fail_under": {"columns": 0.5}}, generate={"scale": 2})
    done = run_job(cli.pipeline, "--config", file)
    assert done.code == 0, done.err
    assert done.line["tables"] == {"coupons": 0, "users": 80, "orders": 180, "returns": 0, "notes": 40}
    lake = DeltaIO(spark)
    for table in rows:
        source, copy = (lake.read_dataset(str(tmp_path / place / table)) for place in ("source", "target"))
        assert copy.schema == source.schema
    assert lake.read_dataset(str(tmp_path / "target" / "notes")).where("line is not null").isEmpty()


@pytest.mark.parametrize(
    ("overrides", "code", "message"),
    [
        (["generate.rows.coupons=5"], 2, "rows are wanted of coupons, which has none in the source to learn from"),
        ([], 3, "no table has rows, so there is nothing to learn"),
    ],
)
def test_what_cannot_be_learnt_is_refused(
    spark: SparkSession, tmp_path: Path, overrides: list[str], code: int, message: str
) -> None:
    users = (USERS[0], USERS[1] if overrides else [])
    write_lake(spark, tmp_path / "source", {"coupons": COUPONS, "users": users})
    file = config_file(tmp_path, {t: TABLES[t] for t in ("coupons", "users")})
    done = run_job(cli.pipeline, "--config", file, *(a for o in overrides for a in ("--set", o)))
    assert done.code == code
    assert message in done.line["error"]
    assert not (tmp_path / "target").exists()
