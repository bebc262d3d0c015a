from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from pyspark.sql import SparkSession

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, object]:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def locked(root: Path) -> list[Requirement]:
    lines = (root / "requirements.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def _pins(locked: list[Requirement], python: str) -> dict[str, Version]:
    environment = {"python_version": python, "sys_platform": "linux"}
    chosen = [r for r in locked if r.marker is None or r.marker.evaluate(environment)]
    names = [_name(r.name) for r in chosen]
    assert len(names) == len(set(names)), "a package is pinned twice"
    return {_name(r.name): Version(str(r.specifier).removeprefix("==")) for r in chosen}


def test_spark_and_delta_have_the_agreed_ranges_in_an_extra(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    assert extras["local"] == ["pyspark>=4.0.0,<5.0.0", "delta-spark>=4.0.0,<5.0.0,!=4.4.1"]
    assert not any("spark" in r for r in project["dependencies"])  # a platform's own Spark is left alone
    assert "synthohive-spark[local,connect,java,demo]" in extras["dev"]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_the_lock_pins_every_dependency_within_its_range(
    project: dict[str, Any], locked: list[Requirement], python: str
) -> None:
    pins = _pins(locked, python)
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *extras["local"],
        *extras["connect"],
        *extras["java"],
        *extras["demo"],
        *extras["dev"],
    ]
    for requirement in map(Requirement, wanted):
        if requirement.name != "synthohive-spark":
            assert requirement.specifier.contains(pins[_name(requirement.name)]), requirement


def test_the_lock_names_no_place(root: Path) -> None:
    text = (root / "requirements.lock").read_text()
    assert "//" not in text
    assert "--" not in text
    assert " @ " not in text


def test_the_installed_set_is_the_locked_one(locked: list[Requirement]) -> None:
    pins = _pins(locked, f"3.{sys.version_info.minor}")
    for name in ("pyspark", "delta-spark", "torch", "pandas", "pyarrow", "numpy"):
        found = Version(Version(metadata.version(name)).public)  # torch's build for CPUs is 2.15.0+cpu
        assert found == pins[name], f"{name}: run make venv"


@pytest.mark.spark
def test_the_installed_pair_writes_and_reads_delta(spark: SparkSession, tmp_path: Path) -> None:
    place = str(tmp_path / "t")
    spark.range(100).write.format("delta").save(place)
    spark.range(7).write.format("delta").mode("append").save(place)
    assert spark.read.format("delta").load(place).count() == 107
    assert spark.sql(f"SELECT * FROM delta.`{place}` VERSION AS OF 0").count() == 100
