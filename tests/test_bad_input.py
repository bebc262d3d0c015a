"""What is wrong is said with its place and a way out, and the exit code of its kind; nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from tests.lakes import Done, config_file, run_job, write_lake
from tests.shuffle import ColumnShuffle

pytestmark = pytest.mark.spark
KEY = {"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}
USERS = ("id bigint, region string", [(1, "n"), (2, "s")])
ORDERS = ("order_id bigint, user_id bigint, amount double", [(1, 1, 0.5), (2, 1, 1.5), (3, 2, 2.5)])
Fails = Callable[..., Done]


class Broken(ColumnShuffle):
    """A model that cannot be trained."""

    def fit(self, data: pd.DataFrame, context: Any = None, table_name: Any = None, seed: Any = None) -> Broken:
        raise ValueError("no gradient today")


@pytest.fixture(scope="module")
def good(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source without faults."""
    folder = tmp_path_factory.mktemp("good")
    write_lake(spark, folder, {"users": USERS, "orders": ORDERS})
    return folder


@pytest.fixture
def fails(spark: SparkSession, good: Path, tmp_path: Path) -> Fails:
    """Runs a pipeline over users and orders and returns how it failed."""

    def run(*overrides: str, users: Any = USERS, orders: Any = ORDERS, key: Any = KEY, **groups: Any) -> Done:
        source = good
        if (users, orders) != (USERS, ORDERS):
            source = tmp_path / "source"
            write_lake(spark, source, {t: r for t, r in {"users": users, "orders": orders}.items() if r})
        tables = {"users": {"primary_key": "id"}, "orders": {"primary_key": "order_id", "foreign_keys": [key]}}
        file = config_file(tmp_path, tables, source={"path": str(source)}, **groups)
        done = run_job(cli.pipeline, "--config", file, *(a for o in overrides for a in ("--set", o)))
        assert done.code != 0
        assert done.line["status"] == "failed"
        assert done.line["error"] in done.err
        assert "Traceback" not in done.err
        return done

    return run


def nothing_written(folder: Path) -> bool:
    return not (folder / "target").exists()


def test_an_unknown_configuration_key(fails: Fails, tmp_path: Path) -> None:
    done = fails("train.epoch=3")
    assert done.code == 2
    assert "train.epoch: unknown key; did you mean 'epochs'?" in done.line["error"]
    assert nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"references": "usres"},
            "orders.foreign_keys(user_id): references table 'usres', unknown; did you mean 'users'?",
        ),
        ({"referenced_columns": ["ident"]}, "orders.foreign_keys(user_id): column 'ident' is not in users"),
        ({"columns": ["usr_id"]}, "orders.foreign_keys(usr_id): column 'usr_id' is not in the table; did you mean"),
    ],
)
def test_a_foreign_key_to_what_is_not_there(fails: Fails, tmp_path: Path, wrong: Any, message: str) -> None:
    done = fails(key={**KEY, **wrong})
    assert done.code == 2
    assert message in done.line["error"]
    assert nothing_written(tmp_path)


def test_key_types_that_differ(fails: Fails) -> None:
    done = fails(orders=("order_id bigint, user_id string", [(1, "1")]))
    assert done.code == 2
    assert "orders.user_id is string, users.id is bigint; cast one of them" in done.line["error"]


def test_a_source_table_that_is_missing(fails: Fails, tmp_path: Path) -> None:
    done = fails(orders=None)
    assert done.code == 3
    assert "orders" in done.line["error"]
    assert "users" not in done.line["error"].replace("(jobs", "")
    assert "ingest them (jobs/ingest.py) or correct source" in done.line["error"]
    assert nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (("id bigint, region string", []), "orders(user_id): 3 rows have no row in users"),
        (("id bigint, region string", [(1, "a"), (1, "b"), (2, "c")]), "(id) is not unique: 1 rows repeat it"),
        (("id bigint, region string", [(None, "a"), (1, "b"), (2, "c")]), "(id) is null in 1 rows"),
        (("id bigint, region string", [(1, "a")]), "orders(user_id): 1 rows have no row in users"),
    ],
    ids=["empty", "duplicates", "nulls", "orphans"],
)
def test_source_data_that_break_their_keys(fails: Fails, tmp_path: Path, users: Any, message: str) -> None:
    done = fails(users=users)
    assert done.code == 3
    assert message in done.line["error"]
    assert nothing_written(tmp_path)


def test_a_version_that_the_source_has_not(fails: Fails) -> None:
    done = fails("source.versions.users=99")
    assert done.code == 3
    assert "version 99" in done.line["error"]


@pytest.mark.parametrize(
    ("model", "message"),
    [("ctgun", "unknown model 'ctgun'"), ("no.such.Model", "cannot be imported"), ("json.JSONDecoder", "subclass")],
)
def test_a_model_that_is_none(fails: Fails, model: str, message: str) -> None:
    done = fails(train={"model": model})
    assert done.code == 2
    assert message in done.line["error"]


def test_an_option_that_the_model_does_not_take(fails: Fails) -> None:
    done = fails("train.options.embeding_dim=3", train={"model": "ctgan"})
    assert done.code == 2
    assert "'embedding_dim'" in done.line["error"]


def test_a_training_that_fails(fails: Fails, tmp_path: Path) -> None:
    done = fails(train={"model": "tests.test_bad_input.Broken"})
    assert done.code == 4
    assert "training failed" in done.line["error"]
    assert "no gradient today" in done.line["error"]
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("place", ["target", "workspace"])
def test_a_place_that_cannot_be_written(fails: Fails, tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text("not a folder")
    done = fails(f"{place}.path={tmp_path}/a file/lake")
    assert done.code == 5
    assert "a file/lake" in done.line["error"]
    assert (tmp_path / "a file").read_text() == "not a folder"


def test_rows_for_a_table_that_is_not_there(fails: Fails) -> None:
    done = fails("generate.rows.user=3")
    assert done.code == 2
    assert "unknown tables ['user']" in done.line["error"]
