"""One run at a time on a place: who comes second is told who is there; whoever is gone is followed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from pyspark.sql import SparkSession

from synthohive_spark import lease
from synthohive_spark.errors import WriteError
from synthohive_spark.lease import MARK, NAME, Holder, leased
from synthohive_spark.location import Location

pytestmark = pytest.mark.spark


def places(folder: Path) -> dict[str, Location]:
    return {name: Location(path=str(folder / name)) for name in ("workspace", "target")}


def left_by(spark: SparkSession, folder: Path, said: Mapping[str, str]) -> None:
    """A lease whose holder says so of itself."""
    words = ", ".join(f"'{MARK}{k}' = '{v}'" for k, v in said.items())
    spark.sql(f"CREATE TABLE delta.`{folder}/target/{NAME}` (nothing string) USING DELTA TBLPROPERTIES ({words})")


def test_of_two_at_once_one_stops_and_names_the_other(spark: SparkSession, tmp_path: Path) -> None:
    both = Barrier(2)

    def one(name: str) -> str:
        both.wait()
        try:
            with leased(spark, name, places(tmp_path)):
                both.wait(60)
        except WriteError as e:
            both.wait(60)
            return str(e)
        return name

    with ThreadPoolExecutor(2) as pool:
        ends = [f.result() for f in [pool.submit(one, name) for name in ("run-a", "run-b")]]
    (won,) = [e for e in ends if e in ("run-a", "run-b")]
    (lost,) = [e for e in ends if e != won]
    assert f"run {won} is writing to the workspace ({tmp_path}/workspace)" in lost
    assert not list(tmp_path.iterdir()), "nothing of it stays"
    with leased(spark, "run-c", places(tmp_path)):
        pass


def test_a_lease_whose_process_is_gone_is_taken_over(spark: SparkSession, tmp_path: Path) -> None:
    here, mine = Holder("x"), lease._process(os.getpid())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    said = {"run_id": "dead", "attempt": "t", "machine": here.machine, "process": f"{ended.pid} 1", "beat": "9e9"}
    left_by(spark, tmp_path, said)
    with leased(spark, "next", places(tmp_path)):
        shown = spark.sql(f"SHOW TBLPROPERTIES delta.`{tmp_path}/target/{NAME}`").collect()
        now = Holder.read({r["key"]: r["value"] for r in shown})
        assert (now.run_id, now.process) == ("next", mine)
        # on another machine only time can tell
        assert Holder("a", machine="elsewhere", beat=now.beat - lease.PATIENCE - 1).gone()
        assert not Holder("a", machine="elsewhere", beat=now.beat).gone()
        assert not Holder("a").gone()


def test_a_lease_is_no_table_of_the_target(spark: SparkSession, tmp_path: Path) -> None:
    said = {"run_id": "far", "attempt": "t", "machine": "elsewhere", "process": "1", "beat": "9e9"}
    left_by(spark, tmp_path, said)
    with pytest.raises(WriteError, match="run far is writing to the target"), leased(spark, "b", places(tmp_path)):
        pytest.fail("it was held by somebody else")
    assert not (tmp_path / "workspace" / NAME).exists(), "what was held already is given back"
    (tmp_path / "a file").write_text("no folder")
    wrong = {"target": Location(path=str(tmp_path / "a file" / "lake"))}
    with pytest.raises(WriteError, match="cannot be written to"), leased(spark, "b", wrong):
        pytest.fail("it cannot be written")
