"""Sources that are views or tables in other formats: pinned by what they hold, refused if that has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.errors import SourceDataError
from synthohive_spark.lake.any_source import AnySource
from tests.lakes import config_file, run_job

pytestmark = pytest.mark.spark
SCHEMA = "any_source"
TABLES = {
    "users": {"primary_key": "id"},
    "orders": {
        "primary_key": "id",
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
    },
    "notes": {"primary_key": "id"},
}


@pytest.fixture
def schema(spark: SparkSession, tmp_path: Path) -> Iterator[str]:
    """A schema with a Parquet table, a view of it, and a Delta table."""
    spark.sql(f"CREATE SCHEMA {SCHEMA} LOCATION '{tmp_path}/schema'")
    spark.sql(
        f"CREATE TABLE {SCHEMA}.users USING PARQUET AS SELECT id, id % 7 AS age, concat('a', id % 3) AS kind "
        "FROM range(60)"
    )
    spark.sql(
        f"CREATE VIEW {SCHEMA}.orders AS SELECT id * 3 + n AS id, id AS user_id, age * n AS amount "
        f"FROM {SCHEMA}.users LATERAL VIEW explode(sequence(0, 2)) AS n"
    )
    spark.sql(f"CREATE TABLE {SCHEMA}.notes USING DELTA AS SELECT id, id % 5 AS stars FROM range(40)")
    yield SCHEMA
    spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")


@pytest.mark.slow
def test_views_and_tables_of_other_formats_are_learnt_and_pinned_by_their_rows(
    spark: SparkSession, schema: str, tmp_path: Path
) -> None:
    config = config_file(tmp_path, TABLES, source={"path": None, "schema": schema}, evaluate={"fail_under": 0})
    done = run_job(cli.pipeline, "--config", config)
    assert (done.code, done.line["tables"]) == (0, {"users": 60, "orders": 180, "notes": 40}), done.err
    said = {line["source"] for line in done.events("source_without_versions")}
    assert said == {f"`{schema}`.`users`", f"`{schema}`.`orders`"}
    report = json.loads(Path(done.line["report"]).with_suffix(".json").read_text())
    assert report["run"]["source_versions"]["notes"] == 0
    spark.sql(f"INSERT INTO {schema}.users VALUES (1000, 1, 'new')")
    again = run_job(cli.evaluate, "--config", config)
    assert again.code == 3, again.err
    assert f"`{schema}`.`users` has no versions, and its rows are not those that were learnt" in again.line["error"]


def test_what_has_no_versions_has_none_of_a_time(spark: SparkSession, schema: str) -> None:
    io = AnySource(spark)
    assert io.version(f"{schema}.notes", "2100-01-01") == 0
    assert io.version(f"{schema}.orders") == AnySource(spark).version(f"{schema}.orders")
    assert io.version(f"{schema}.nothing") is None
    with pytest.raises(SourceDataError, match="is no Delta table, so it has no version of 2100-01-01"):
        io.version(f"{schema}.orders", "2100-01-01")
