"""Whether a run can work here: Java, Spark with Delta, torch, places to write to, the workers' Python."""

from __future__ import annotations

import importlib.util
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from synthohive_spark.config import Config
from synthohive_spark.errors import ConfigError
from synthohive_spark.launch import delta
from synthohive_spark.launch.java import java_home, probe

NEEDED = ("torch", "pandas", "pyarrow", "sklearn", "safetensors")


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it will do, and what was found or is to be done."""

    what: str
    fine: bool
    text: str


def examine(config: Config | None, start: Callable[[], SparkSession]) -> Iterator[Finding]:
    """Look at one thing after the other; Spark last, which takes seconds.

    Args:
        config: a run whose places are tried; None for none.
        start: gives the session.
    """
    yield _told("Python", platform.python_version)
    yield _told("Java", _java)
    yield _told("Delta", lambda: delta.coordinate(delta.pyspark_version()))
    yield _told("torch", _torch)
    for place, path in _places(config).items():
        yield _told(place, partial(_writable, path))
    try:
        spark = start()
    except Exception as e:
        yield Finding("Spark", False, f"does not start: {e}".splitlines()[0])
        return
    yield _told("Spark", partial(_delta_table, spark))
    yield _told("workers", partial(_workers, spark))


def _told(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except Exception as e:
        return Finding(what, False, f"{e}".splitlines()[0] if f"{e}" else type(e).__name__)


def _java() -> str:
    java = probe(java_home() / "bin" / "java")
    if java is None:
        raise ConfigError("the Java that was found does not start; set JAVA_HOME to a Java 17 or 21")
    return f"{java.major}, {java.home}"


def _torch() -> str:
    import torch

    return f"{torch.__version__}, {'GPU ' + torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'}"


def _places(config: Config | None) -> Mapping[str, str]:
    named = {"temporary files": tempfile.gettempdir()}
    for name in ("target", "workspace") if config is not None else ():
        path = config.places[name].path if config is not None else None
        if path is not None and ":" not in path:
            named[name] = path
    return named


def _writable(path: str) -> str:
    folder = Path(path)
    there = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    with tempfile.TemporaryFile(dir=there):
        return f"{there} can be written to"


def _delta_table(spark: SparkSession) -> str:
    """Write a small table and read it."""
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/table"
        spark.range(3).write.format("delta").save(place)
        rows = spark.read.format("delta").load(place).count()
    if rows != 3:
        raise ConfigError("a Delta table of 3 rows came back with others; driver and workers do not share their disks")
    return f"{spark.version}, a Delta table was written and read"


def _workers(spark: SparkSession) -> str:
    """What a Python worker is: the driver's Python, with the packages that training needs."""
    frame = spark.range(1).repartition(1).mapInArrow(_report, "python string, missing string")
    row = frame.collect()[0]  # one row
    if row["missing"]:
        raise ConfigError(
            f"the workers' Python lacks {row['missing']}; install the package there, or set PYSPARK_PYTHON"
        )
    own = ".".join(map(str, sys.version_info[:2]))
    if row["python"].rpartition(".")[0] != own:
        raise ConfigError(f"workers run Python {row['python']}, the driver {own}; set PYSPARK_PYTHON to the same one")
    return f"Python {row['python']} with {', '.join(NEEDED)}"


def _report(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.num_rows:
            missing = ", ".join(name for name in NEEDED if importlib.util.find_spec(name) is None)
            yield pa.RecordBatch.from_pydict({"python": [platform.python_version()], "missing": [missing]})
