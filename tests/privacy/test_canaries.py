"""Values that fewer than k people hold are nowhere in what a run leaves: planted ones are sought in each byte of it."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.models.artifact import pack
from synthohive_spark.models.autoregressive.model import AutoregressiveModel
from synthohive_spark.models.ctgan.model import CTGAN
from tests.lakes import config_file, run_job, write_lake
from tests.privacy.scanner import Scanner

K, CUSTOMERS = 5, 150
PLANTED = ((1, 1), (2, 1), (3, 1), (10, 1), (2, 2), (3, 3), (10, 2), (10, 3), (5, 5), (10, 5))  # rows of people
FIRST, START = dt.date(2015, 1, 1), dt.datetime(2021, 3, 4)


def number(name: str) -> int:
    """A number that belongs to a canary."""
    return 1 + sum(ord(c) * 31**i for i, c in enumerate(name)) % 9973


def value(kind: str, name: str) -> Any:
    """A value of its own: those of the middle lie among the others, those of the ends beyond them."""
    n = number(name)
    return {
        "word": f"Canary{n:04d}q",
        "middle": 400.0 + n / 1e4 + 3e-9 * n,  # among floats of 4 decimals; this one has more
        "end": 9_000_000 + 7 * n,
        "whole": 20_000_000 + 3_571 * n,
        "day": dt.date(1921, 1, 1) + dt.timedelta(days=n),
        "moment": dt.datetime(2021, 6, 1) + dt.timedelta(microseconds=997_331 * n * 101 + 17),
    }[kind]


KINDS = ("word", "middle", "end", "whole", "day", "moment")


def columns(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """What others hold."""
    words = rng.choice(["red", "green", "blue", "grey"], rows, p=[0.4, 0.3, 0.2, 0.1])
    return pd.DataFrame(
        {
            "word": words,
            "middle": rng.normal(400, 80, rows).round(4),
            "end": rng.integers(1_000, 2_000, rows),
            "whole": rng.integers(1_000_000, 90_000_000, rows),
            "day": [FIRST + dt.timedelta(days=int(d)) for d in rng.integers(0, 1500, rows)],
            "moment": pd.to_datetime(START) + pd.to_timedelta(rng.integers(0, 10**13, rows), unit="us"),
        }
    )


def planted(rng: np.random.Generator, frame: pd.DataFrame, table: str, owner: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Plants the canaries of a table in place; returns those that fewer than K people hold."""
    rare: dict[str, Any] = {}
    people = rng.permutation(CUSTOMERS)
    rows_of = {p: np.flatnonzero(owner == p) for p in range(CUSTOMERS)}
    for rows, persons in PLANTED:
        if persons > rows or (table == "customers" and rows != persons):
            continue
        for kind in KINDS:
            name = f"{table}.{kind}.{rows}.{persons}"
            most = -(-rows // persons)
            able = [p for p in people if len(rows_of[p]) >= most][:persons]
            people = np.array([p for p in people if p not in able] + able)
            each = [rows // persons + (i < rows % persons) for i in range(persons)]
            for person, n in zip(able, each, strict=True):
                taken, rows_of[person] = rows_of[person][:n], rows_of[person]
                column = list(frame[kind])
                for at in taken:
                    column[at] = value(kind, name)
                frame[kind] = column
            if persons < K:
                rare[name] = value(kind, name)
    return rare


def lake() -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Customers, their orders and the lines of these, with canaries in all."""
    rng, rare = np.random.default_rng(11), dict[str, Any]()
    customers = columns(rng, CUSTOMERS)
    customers.insert(0, "customer", 48_213_577 + 3 * np.arange(CUSTOMERS))
    owner = np.repeat(np.arange(CUSTOMERS), rng.integers(8, 16, CUSTOMERS))
    orders = columns(rng, len(owner))
    orders.insert(0, "order", 61_377_213 + np.arange(len(owner)))
    orders.insert(1, "customer", customers["customer"].to_numpy()[owner])
    of = np.repeat(np.arange(len(owner)), rng.integers(1, 3, len(owner)))
    lines = columns(rng, len(of))
    lines.insert(0, "line", np.arange(len(of)))
    lines.insert(1, "order", orders["order"].to_numpy()[of])
    for name, frame, who in (
        ("customers", customers, np.arange(CUSTOMERS)),
        ("orders", orders, owner),
        ("lines", lines, owner[of]),
    ):
        rare |= planted(rng, frame, name, who)
    rare |= {"customers.key": 48_213_577, "orders.key": 61_377_213}
    return {"customers": customers, "orders": orders, "lines": lines}, rare


TABLES: dict[str, Any] = {
    "customers": {"primary_key": "customer"},
    "orders": {
        "primary_key": "order",
        "foreign_keys": [{"columns": ["customer"], "references": "customers", "referenced_columns": ["customer"]}],
    },
    "lines": {
        "primary_key": "line",
        "foreign_keys": [{"columns": ["order"], "references": "orders", "referenced_columns": ["order"]}],
    },
}


@pytest.mark.parametrize("model", [CTGAN, AutoregressiveModel])
def test_no_model_holds_a_value_of_few_people(model: Any) -> None:
    """Orders with what they see of their customers, as a training task has them."""
    tables, rare = lake()
    orders, customers = tables["orders"], tables["customers"].set_index("customer")
    above = customers.loc[orders["customer"], [k for k in KINDS if k != "word"]].reset_index(drop=True)
    context = above.add_prefix("customer:")  # words of ancestors are published before
    who = pd.factorize(orders["customer"])[0].astype(np.int64)
    data = orders.drop(columns=["order", "customer"])
    people = dict.fromkeys((*data.columns, *context.columns), who)
    made = model(epochs=1, min_count=K).fit(data, context, "orders", 1, people=people)
    sought = Scanner({name: v for name, v in rare.items() if not name.startswith("lines")})
    assert sought.data("", pack(made)) == set()
    unprotected = model(epochs=1, min_count=K).fit(data, context, "orders", 1)
    assert "orders.word.10.1" in sought.data("", pack(unprotected)), "ten rows of one customer, who counts as ten"
    rows = made.sample(2000, context.sample(2000, replace=True, random_state=1).reset_index(drop=True), 3)
    out = io.BytesIO()
    rows.to_parquet(out)
    assert sought.data("", out.getvalue()) == set()
    frequent = {"orders.word.5.5", "orders.word.10.5"}
    assert {value("word", name) for name in frequent} <= set(rows["word"]) | set(
        re.findall("Canary....q", str(pack(made)))
    )


@pytest.fixture(scope="module", params=["ctgan", "autoregressive"])
def run(request: pytest.FixtureRequest, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp(f"canaries_{request.param}")
    tables, rare = lake()
    write_lake(spark, folder / "source", tables)
    for table in TABLES:
        spark.sql(f"ALTER TABLE delta.`{folder}/source/{table}` ALTER COLUMN word COMMENT 'ask Canarycomment'")
    rare["comment"] = "Canarycomment"
    config = config_file(folder, TABLES, train={"model": request.param, "max_seconds": 10}, evaluate={"fail_under": 0})
    done = run_job(cli.pipeline, "--config", config, "--log-level", "DEBUG")
    assert done.code == 0, done.err[-3000:]
    (folder / "workspace" / "log.txt").write_text(done.err + json.dumps(done.line))
    return folder, rare


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.parametrize("place", ["workspace", "target"])
def test_no_byte_of_a_run_holds_a_value_of_few_people(run: Any, place: str) -> None:
    folder, rare = run
    found = Scanner(rare).folder(folder / place)
    assert {name: sorted(files)[:2] for name, files in found.items()} == {}


@pytest.mark.spark
@pytest.mark.slow
def test_the_scanner_finds_what_is_there(run: Any) -> None:
    folder, rare = run
    assert set(Scanner(rare).folder(folder / "source")) == set(rare)
