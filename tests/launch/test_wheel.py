"""The wheel in an environment of its own: what a user has who installed it, without this checkout."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.terminals import read_terminal

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


@pytest.mark.timeout(1800)
def test_the_example_of_the_readme_from_an_empty_folder(environment: Environment, root: Path, tmp_path: Path) -> None:
    """README's block, word by word, at a terminal; then what a script sees of the same, and an end by Ctrl-C."""
    programs = environment()
    block = (root / "README.md").read_text(encoding="utf-8").partition("```sh\n")[2].partition("```")[0]
    assert "synthohive-pipeline" in block
    code, shown = at_a_terminal(block, programs, tmp_path)
    assert code == 0, shown
    lines = [line.rpartition("\r\x1b[2K")[2] for line in shown.replace("\r\n", "\n").split("\n")]
    told = [line for line in lines if line.strip()]
    assert len(told) < 40, shown
    result = json.loads(told[-1])
    assert result["status"] == "complete"
    assert set(result["tables"]) == {"customers", "products", "orders", "order_items", "reviews"}
    assert Path(tmp_path, result["report"]).is_file()
    assert "tables  " in shown  # the line that moves
    assert "█" * 20 in shown
    assert not any(noise in shown for noise in ("WARN", "Ivy", '{"event', "epoch_end"))

    words = (programs / "synthohive-plan", "--config", "shop/shop.yaml", "--conf", "spark.sql.shuffle.partitions=3")
    done = run(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    check_plan(line, result["tables"])
    said = [json.loads(text) for text in done.stderr.splitlines()]
    assert {event["run_id"] for event in said} == {line["run_id"]}
    assert "order_items: 2,785 rows" in next(event["text"] for event in said if event["event"] == "planned")

    done = run(programs / "synthohive-doctor", "--config", "shop/shop.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    looked = [event["text"] for event in map(json.loads, done.stderr.splitlines()) if event["event"] == "looked_at"]
    assert all(text.strip().startswith("ok") for text in looked)
    assert {"Java", "Delta", "torch", "Spark", "workers", "target"} <= {text.split()[1].rstrip(":") for text in looked}

    stopped(programs, tmp_path)


def check_plan(line: dict[str, Any], rows: dict[str, int]) -> None:
    """What the plan says is what the run did, and what the shop's rules are."""
    plan = line["plan"]
    assert set(plan["tables"]) == set(rows)
    assert abs(plan["tables"]["orders"]["wanted"] - rows["orders"]) <= 0.05 * rows["orders"]
    assert plan["tables"]["customers"]["columns"]["masked, declared pii"] == ["name", "email"]
    assert "order_id" in plan["tables"]["orders"]["columns"]["key, from the row's position"]
    ruled = {rule["column"] for rule in plan["tables"]["order_items"]["rules"]}
    assert {"unit_price", "amount"} <= ruled
    assert plan["costs"]["minutes"] > 0
    assert plan["warnings"] == []


def stopped(programs: Path, folder: Path) -> None:
    """A pipeline that is ended by Ctrl-C while it trains says so in its JSON line, and leaves no process behind."""
    words = [str(programs / "synthohive-pipeline"), "--config", "shop/shop.yaml", "--set", "train.epochs=100000"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stderr is not None
        heard = []
        for text in job.stderr:
            heard.append(json.loads(text))
            if heard[-1]["event"] == "training_task_submitted":
                time.sleep(5)
                break
        job.send_signal(signal.SIGINT)
        out, _ = job.communicate(timeout=120)
    assert job.returncode == 130, (out, heard)
    line = json.loads(out)
    assert (line["status"], line["run_id"]) == ("failed", heard[-1]["run_id"])
    assert "SIGINT" in line["error"]


def at_a_terminal(block: str, programs: Path, folder: Path) -> tuple[int, str]:
    """Run commands as a person does who has activated the environment: exit code, and what the terminal was sent."""
    terminal, inside = pty.openpty()
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    with subprocess.Popen(
        ["sh", "-ec", block], cwd=folder, env=env, stdin=inside, stdout=inside, stderr=inside
    ) as shell:
        os.close(inside)
        said = read_terminal(terminal)
    return shell.returncode, said


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
