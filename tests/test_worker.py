"""Archives on the path of a worker: forgotten between tasks, and found again by who imports from them."""

from __future__ import annotations

import importlib
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from zipimport import zipimporter

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.worker import forget_archives


def archives() -> list[str]:
    return [place for place, importer in sys.path_importer_cache.items() if isinstance(importer, zipimporter)]


def test_forgotten_archives_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("first_in_archive.py", "value = 1")
        file.writestr("second_in_archive.py", "value = 2")
    monkeypatch.syspath_prepend(str(archive))
    assert importlib.import_module("first_in_archive").value == 1
    assert str(archive) in archives()
    forget_archives()
    assert archives() == []
    assert importlib.import_module("second_in_archive").value == 2


def found_at_start(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    found = len(archives())
    forget_archives()
    for _ in batches:
        yield pa.record_batch({"worker": pa.array([os.getpid()], pa.int64()), "found": pa.array([found], pa.int64())})


@pytest.mark.spark
def test_the_next_task_of_a_worker_reads_none(spark: SparkSession) -> None:
    seen: dict[int, list[int]] = {}
    for _ in range(200):  # the session's workers take turns, as many as its largest stage left waiting
        row = spark.range(1).coalesce(1).mapInArrow(found_at_start, "worker long, found long").collect()[0]
        seen.setdefault(row["worker"], []).append(row["found"])
        if len(seen[row["worker"]]) == 4:
            break
    assert all(first > 0 for first, *_ in seen.values())  # else Spark puts no archives on the path: the module can go
    later = [found for visits in seen.values() for found in visits[2:]]  # the first may still import something after it
    assert len(later) >= 2, f"no worker took a third task: {seen}"
    assert not any(later)
