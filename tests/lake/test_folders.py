"""Folders where a table's creation was broken off."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from synthohive_spark.errors import WriteError
from synthohive_spark.lake.folders import clear_rest
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location


def broken_off(folder: Path) -> Path:
    """A log without a commit, as a full disk leaves it."""
    log = folder / "_delta_log"
    log.mkdir(parents=True)
    (log / ".00000000000000000000.json.0f2c.tmp").touch()
    return log


@pytest.mark.parametrize(
    "more", ["t/rows.csv", "t/_delta_log/00000000000000000007.json", "t/_delta_log/_last_checkpoint"]
)
def test_what_may_be_somebodys_stays(tmp_path: Path, more: str) -> None:
    log = broken_off(tmp_path / "t")
    (tmp_path / more).touch()
    assert not clear_rest(Location(path=str(tmp_path)).table("t"))
    assert (tmp_path / more).exists()
    assert log.exists()


def test_a_log_that_is_being_written_stays_for_a_while(tmp_path: Path) -> None:
    place, log = Location(path=str(tmp_path)).table("t"), broken_off(tmp_path / "t")
    assert not clear_rest(place, 60)
    for path in (*log.iterdir(), log):
        os.utime(path, (time.time() - 100,) * 2)
    assert clear_rest(place, 60)
    assert not log.exists()
    assert not clear_rest(place)


@pytest.mark.spark
def test_a_table_is_made_where_its_creation_was_broken_off(spark: SparkSession, tmp_path: Path) -> None:
    io, rows = DeltaIO(spark), spark.range(3).coalesce(1)
    for name in ("a", "b", "c"):
        broken_off(tmp_path / name)
    assert io.write_dataset(rows, str(tmp_path / "a")) == (1, 3)
    io.create(str(tmp_path / "b"), rows.schema)
    assert io.version(str(tmp_path / "b")) == 0
    (tmp_path / "c" / "rows.csv").touch()
    with pytest.raises(WriteError, match="ALREADY_EXISTS"):
        io.write_dataset(rows, str(tmp_path / "c"))
