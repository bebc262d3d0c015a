"""A model class of a user's own, ``tests.shuffle.ColumnShuffle``, through the whole pipeline; and what is refused."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.lake.io import DeltaIO
from tests.lakes import SHUFFLE, config_file, run_job, write_lake
from tests.shuffle import ColumnShuffle

pytestmark = pytest.mark.spark
DAY = dt.date(2024, 5, 1)
TABLES: dict[str, Any] = {
    "users": {"primary_key": "id"},
    "orders": {
        "primary_key": "order_id",
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
        "derived": {"total": "price * quantity"},
        "constraints": [
            {"expression": "placed <= shipped"},
            {"column": "quantity", "min": 2},
            {"column": "total", "max": 60},  # of a derived column: held by drawing again
        ],
    },
}


def planted() -> dict[str, Any]:
    rng = np.random.default_rng(2)
    users = [(i, ["north", "south", "east"][i % 3]) for i in range(1, 41)]
    orders = []
    for n in range(300):
        user, clock = users[int(rng.integers(40))], int(rng.integers(24)) * 100 + int(rng.integers(60))
        price, quantity, placed = float(rng.integers(1, 20)), int(rng.integers(1, 6)), int(rng.integers(60))
        days = (DAY + dt.timedelta(placed), DAY + dt.timedelta(placed + int(rng.integers(9))))
        orders.append((n, user[0], user[1], clock, clock // 100, *days, price, quantity, price * quantity))
    columns = "region string, clock bigint, hour bigint, placed date, shipped date, price double, quantity int"
    return {
        "users": ("id bigint not null, region string", users),
        "orders": (f"order_id bigint not null, user_id bigint not null, {columns}, total double", orders),
    }


@pytest.mark.slow
def test_it_runs_through_the_pipeline_and_the_report_lists_what_was_derived_and_held(
    spark: SparkSession, tmp_path: Path
) -> None:
    assert len(inspect.getsource(ColumnShuffle).splitlines()) <= 32
    write_lake(spark, tmp_path / "source", planted())
    done = run_job(cli.pipeline, "--config", config_file(tmp_path, TABLES, evaluate={"fail_under": {"columns": 0.5}}))
    assert (done.code, done.line["tables"]) == (0, {"users": 40, "orders": 300}), done.err[-3000:]
    io = DeltaIO(spark)
    orders = io.read_dataset(str(tmp_path / "target" / "orders"))
    laws = ("placed <= shipped", "quantity >= 2", "total <= 60", "total <=> price * quantity", "hour <=> clock div 100")
    for law in laws:
        assert orders.where(law).count() == 300, law
    models = io.read_dataset(str(tmp_path / "workspace" / "models")).collect()
    assert {json.loads(m["about"])["model_class"] for m in models} == {SHUFFLE}
    tables = {t["table"]: t for t in json.loads(Path(done.line["report"]).with_suffix(".json").read_text())["tables"]}
    assert [(d["column"], d["source"], d["declared"]) for d in tables["orders"]["derived"]] == [
        ("region", "`users`.`region`", False),
        ("hour", "`clock` div 100", False),
        ("shipped", ">= `placed`", False),
        ("total", "price * quantity", True),
    ]
    assert [(c["rule"], c["broken"]) for c in tables["orders"]["constraints"]] == [
        ("placed <= shipped", 0),
        ("quantity: at least 2", 0),
        ("total: at most 60", 0),
    ]
    assert (tables["users"]["derived"], tables["users"]["constraints"]) == ([], [])
    assert Path(done.line["report"]).read_text().count("holds on every row") == 4 + 3, "rules and constraints"


def test_a_class_that_breaks_the_interface_is_refused_with_what_is_missing(tmp_path: Path, spark: SparkSession) -> None:
    file = config_file(tmp_path, TABLES, train={"model": "tests.models.test_base.Incomplete"})
    done = run_job(cli.pipeline, "--config", file)
    assert done.code == 2
    assert "Incomplete lacks fit, load, sample of ConditionalGenerativeModel" in done.line["error"]
    assert not (tmp_path / "target").exists()
