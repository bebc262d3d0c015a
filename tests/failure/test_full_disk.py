"""A full disk, or a read-only one, under target, workspace or scratch: said so, and resumed when that is over."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthohive_spark.errors import WriteError
from synthohive_spark.lake.io import DeltaIO
from tests.lakes import write_lake

from .shop import PATIENCE, Shop, seven_tables

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(0)]
LITTLE = "96k"  # the lease and a table or two
BALLAST = "ballast"


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("disk")
    write_lake(spark, folder / "source", seven_tables())
    return Shop(spark, folder, "ctgan")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of a few kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LITTLE}", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def changed(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave no room."""
    with (disk / BALLAST).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**16))
        except OSError:
            return


def attempt(shop: Shop, name: str, *more: str, at: Callable[[], None] | None = None) -> tuple[int, dict[str, Any], str]:
    """A pipeline: its code, its line, what it said. ``at`` is called when its source has been checked."""
    job = shop.start(name, "local[2,4]", *more)
    assert job.stderr is not None
    lines = list[str]()
    for line in job.stderr:
        lines.append(line)
        if at is not None and '"event": "source_checked"' in line:
            at()
            at = None
    out, _ = job.communicate(timeout=PATIENCE)
    last: dict[str, Any] = json.loads(out.splitlines()[-1].lstrip("\x1e"))
    print(json.dumps({"run": name, "code": job.returncode, "error": last.get("error")}), flush=True)
    return job.returncode, last, "".join(lines)


def resumed(last: dict[str, Any], err: str) -> list[str]:
    """How to go on after an attempt."""
    return ["--resume", last["run_id"]] if '"event": "tables_to_train"' in err else []


@pytest.mark.parametrize("full", ["target", "workspace"])
def test_room_is_made_and_the_run_goes_on(shop: Shop, disk: Path, full: str) -> None:
    place = ["--set", f"{full}.path={disk}/{full}"]
    code, last, err = attempt(shop, full, *place)
    assert code in (4, 5), err[-3000:]
    assert "the disk is full" in last["error"]
    assert "Traceback" not in err
    changed(disk, "size=512m")
    code, _, err = attempt(shop, full, *place, *resumed(last, err))
    assert code == 0, err[-3000:]


@pytest.mark.parametrize("kilobytes", range(4, 28, 4))
def test_a_table_is_made_after_the_disk_was_full_at_any_point_of_it(
    spark: SparkSession, disk: Path, kilobytes: int
) -> None:
    changed(disk, f"size={kilobytes}k")
    io, rows = DeltaIO(spark), spark.range(60).coalesce(1)
    with pytest.raises(WriteError, match="the disk is full"):
        io.write_dataset(rows, str(disk / "t"))
    changed(disk, "size=64m")
    assert io.write_dataset(rows, str(disk / "t")) == (1, 60)
    assert io.read_dataset(str(disk / "t")).count() == 60


def test_room_is_made_in_spark_s_own_scratch_and_the_run_goes_on(shop: Shop, disk: Path) -> None:
    changed(disk, "size=256m")  # Spark itself starts
    place = ["--conf", f"spark.local.dir={disk}"]
    code, last, err = attempt(shop, "scratch", *place, at=lambda: fill(disk))
    assert code in (3, 4, 5), err[-3000:]
    assert "the disk is full" in last["error"]
    assert "Traceback" not in err
    (disk / BALLAST).unlink()
    code, _, err = attempt(shop, "scratch", *place, *resumed(last, err))
    assert code == 0, err[-3000:]


def test_spark_does_not_start_without_scratch(shop: Shop, disk: Path) -> None:
    code, last, err = attempt(shop, "start", "--conf", f"spark.local.dir={disk}")
    assert code == 2, err[-3000:]
    assert "Spark cannot be started: the disk is full" in last["error"]
    assert "Traceback" not in err


def test_a_target_that_may_not_be_written_to_is_refused_before_training(shop: Shop, disk: Path) -> None:
    place = ["--set", f"target.path={disk}/target"]
    changed(disk, "ro")
    code, last, err = attempt(shop, "readonly", *place)
    assert code == 5, err[-3000:]
    assert "writing or reading is not allowed" in last["error"]
    assert "Traceback" not in err
    assert '"event": "tables_to_train"' not in err
    changed(disk, "rw,size=512m")
    code, _, err = attempt(shop, "readonly", *place)
    assert code == 0, err[-3000:]
