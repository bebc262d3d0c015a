"""Cycles of tables: a key that closes one needs the rows of its parent before that is made, which ties would change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.key_design import foreseen, unsupported
from tests.lakes import fitted, key_faults, write_lake


def fk(column: str, parent: str, **more: Any) -> dict[str, Any]:
    return {"columns": [column], "references": parent, "referenced_columns": ["id"], **more}


def table(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"primary_key": ["id"], "foreign_keys": list(keys)}


TABLES = {
    "owner": table(fk("last_visit", "visit", nullable=True)),
    "place": table(fk("owner_id", "owner")),
    "deal": table(fk("owner_id", "owner"), fk("place_id", "place")),
    "visit": table(fk("deal_id", "deal")),
    # two rows that agree by chance in what their parents refer to, through the key that closes the cycle
    "head": table(fk("pair_id", "pair", nullable=True)),
    "pair": table(fk("one_id", "head"), fk("two_id", "head")),
}
ROWS = {"owner": 6, "place": 4, "deal": 8, "visit": 8, "head": 4, "pair": 2}


def test_rows_that_a_cycle_needs_early() -> None:
    assert foreseen(Metadata.load({"tables": TABLES}).tables, ROWS) == {"visit", "deal", "owner", "pair", "head"}


def test_overlapping_keys_in_a_cycle_are_refused_before_anything_is_learnt() -> None:
    wide = {"columns": ["owner_id", "place_id"], "references": "place", "referenced_columns": ["owner_id", "id"]}
    place = {"primary_key": ["owner_id", "id"], "foreign_keys": [fk("owner_id", "owner")]}
    deal = table(fk("owner_id", "owner", driving=True), wide)
    tables = Metadata.load({"tables": {**TABLES, "place": place, "deal": deal}}).tables
    [problem] = [line for line in unsupported("deal", tables, ROWS) if "cycle" in line]
    assert problem.startswith("deal.foreign_keys(owner_id, place_id): shares columns with the driving key")
    assert problem.endswith("leave the key out")


@pytest.mark.slow
@pytest.mark.spark
def test_a_diamond_in_a_cycle_gives_valid_keys(spark: SparkSession, tmp_path: Path) -> None:
    data = {
        "owner": pd.DataFrame({"id": range(1, 7), "last_visit": pd.array([1, 3, None, 8, None, 5], "Int64")}),
        "place": pd.DataFrame({"id": range(1, 5), "owner_id": [1, 2, 3, 4], "v": [0, 1, 1, 0]}),
        "deal": pd.DataFrame({"id": range(1, 9), "owner_id": [1, 2, 3, 4] * 2, "place_id": [1, 2, 3, 4] * 2}),
        "visit": pd.DataFrame({"id": range(1, 9), "deal_id": range(1, 9), "v": [0, 1] * 4}),
        "head": pd.DataFrame({"id": range(1, 5), "pair_id": pd.array([2, 2, None, 1], "Int64"), "v": [0, 1, 0, 1]}),
        "pair": pd.DataFrame({"id": [1, 2], "one_id": [4, 1], "two_id": [4, 2]}),
    }
    metadata = Metadata.load({"tables": TABLES})
    made = fitted(spark, metadata, write_lake(spark, tmp_path / "source", data))
    made.generate({}, str(tmp_path / "target"))
    frames = {t: made.io.read_dataset(str(tmp_path / "target" / t)) for t in TABLES}
    assert key_faults(metadata, frames) == []
    assert {t: frame.count() for t, frame in frames.items()} == ROWS
