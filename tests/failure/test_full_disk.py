"""A full disk under target, workspace or Spark's scratch: said so, and resumed once there is room."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.lakes import write_lake

from .shop import PATIENCE, Shop, seven_tables

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(0)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few kilobytes."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("full", ["target", "workspace", "scratch"])
def test_room_is_made_and_the_run_goes_on(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, small: Path, full: str
) -> None:
    folder = tmp_path_factory.mktemp(full)
    write_lake(spark, folder / "source", seven_tables())
    shop = Shop(spark, folder, "ctgan")
    place = ["--conf", f"spark.local.dir={small}"] if full == "scratch" else ["--set", f"{full}.path={small}/{full}"]
    job = shop.start("run", "local[2,4]", *place)
    out, err = job.communicate(timeout=PATIENCE)
    last = json.loads(out.splitlines()[-1].lstrip("\x1e"))
    print(json.dumps({"full": full, "code": job.returncode, "error": last.get("error")}), flush=True)
    assert job.returncode in (3, 4, 5), err[-3000:]
    assert "the disk is full" in last["error"]
    assert "Traceback" not in err
    begun = '"event": "tables_to_train"' in err
    subprocess.run(["mount", "-o", "remount,size=512m", str(small)], check=True)
    again = shop.start("run", "local[2,4]", *place, *(["--resume", last["run_id"]] if begun else []))
    out, err = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, err[-3000:] + out
