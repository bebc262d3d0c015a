"""The wheel in an environment of its own: what a user has who installed it, without this checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SPARK = ("pyspark", "py4j", "delta")
Environment = Callable[..., Path]


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, copy)
    shutil.copytree(root / "synthohive_spark", copy / "synthohive_spark", ignore=shutil.ignore_patterns("__pycache__"))
    program = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(copy / "dist"), str(copy)]
    subprocess.run(program, check=True, capture_output=True)
    return next((copy / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Makes an empty environment with the wheel, and beside it the packages of ours less those left out."""

    def make(without: Sequence[str] = ()) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        venv.create(folder, with_pip=False, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
        subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
        beside = folder / "beside"
        beside.mkdir()
        for package in Path(sysconfig.get_path("purelib")).iterdir():
            known = package.name.partition("-")[0].partition(".")[0]
            if known not in ("synthohive_spark", "__editable__", *without) and package.suffix != ".pth":
                (beside / package.name).symlink_to(package)
        site = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        Path(site, "beside.pth").write_text(f"{beside}\n")
        return folder / "bin"

    return make


def run(program: Path, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {"HOME": os.environ.get("HOME", str(folder)), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    command = [str(program), *map(str, words)]
    return subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True)


def test_without_spark_it_says_which_extra_to_install(environment: Environment, tmp_path: Path) -> None:
    programs = environment(without=SPARK)
    done = run(programs / "synthohive-train", "--config", "c.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "synthohive-spark[local]" in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr
    done = run(programs / "python", "-c", "from synthohive_spark import Synthesizer", folder=tmp_path)
    assert "ImportError: pyspark is not installed" in done.stderr
    assert "synthohive-spark[local]" in done.stderr
    assert run(programs / "python", "-c", "from synthohive_spark import Metadata", folder=tmp_path).returncode == 0


def test_it_needs_nothing_of_the_checkout(environment: Environment, tmp_path: Path) -> None:
    programs = environment()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "T.csv").write_text("id,x\n1,2\n2,3\n")
    places = "\n".join(f"{p}: {{path: lake/{p}}}" for p in ("source", "target", "workspace"))
    (tmp_path / "c.yaml").write_text(f"{places}\nmetadata: {{tables: {{T: {{primary_key: id}}}}}}\n")
    words = ("--config", "c.yaml", "--from", "in", "--master", "local[1]", "--conf", "spark.ui.enabled=false")
    done = run(programs / "synthohive-ingest", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tables"] == {"T": 2}
    shown = (
        "from synthohive_spark.session import get_session; spark = get_session('t', 'local[1]', {'spark.x': '1'})\n"
        "for key in ('spark.sql.shuffle.partitions', 'spark.driver.memory', 'spark.x'): print(spark.conf.get(key))"
    )
    done = run(programs / "python", "-c", shown, folder=tmp_path)
    assert done.stdout.split() == ["8", "4g", "1"], done.stderr  # as in the checkout
