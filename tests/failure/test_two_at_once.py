"""Two pipelines started together: one finishes, the other one stops as said, and the rows are those of a single run."""

from __future__ import annotations

import json
import os

import pytest
from pyspark.sql import SparkSession

from tests.lakes import write_lake

from .shop import PATIENCE, TABLES, Shop, seven_tables

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(0)]
ROUNDS = int(os.environ.get("ROUNDS", "2"))  # of each kind


def test_of_two_pipelines_at_once_one_finishes(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("two")
    write_lake(spark, folder / "source", seven_tables())
    shop = Shop(spark, folder, "ctgan")
    single = shop.start("single", "local[2]")
    out, err = single.communicate(timeout=PATIENCE)
    assert single.returncode == 0, err[-2000:] + out
    wanted = shop.hashes("single")
    for turn in range(ROUNDS):
        for shared in ("target", "workspace"):
            names = [f"{shared}{turn}{i}" for i in "ab"]
            place = f"{shared}.path={folder / names[0] / shared}"
            both = [shop.start(name, "local[2]", "--set", place) for name in names]
            ends = [(job.communicate(timeout=PATIENCE), job.returncode) for job in both]
            lines = [json.loads(streams[0].lstrip("\x1e").splitlines()[-1].lstrip("\x1e")) for streams, _ in ends]
            print(json.dumps({"turn": turn, "shared": shared, "codes": [code for _, code in ends]}), flush=True)
            assert sorted(code for _, code in ends) == [0, 5], [line.get("error") for line in lines]
            winner = next(i for i, (_, code) in enumerate(ends) if code == 0)
            assert f"run {lines[winner]['run_id']} is writing to the {shared}" in lines[1 - winner]["error"]
            target = names[0] if shared == "target" else names[winner]
            assert shop.hashes(target) == wanted
            assert sorted(p.name for p in (folder / target / "target").iterdir()) == sorted(TABLES)
