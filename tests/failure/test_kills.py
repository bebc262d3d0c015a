"""Kills at random moments: a run that is resumed ends with the rows of one that nobody disturbed.

Each case is one run of seven tables that is killed four times, in the order in which its moments come, and resumed each
time; there are five of them for either model, some minutes each. ``-k autoregressive-3`` runs one, SEED chooses others.
Each line that is printed says who was killed, when, and how that attempt ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from synthohive_spark.launch.lines import Reader
from tests.lakes import write_lake

from .shop import PATIENCE, Shop, seven_tables

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(0)]
SEED = int(os.environ.get("SEED", "1"))
MODELS, RUNS, KILLS = ("ctgan", "autoregressive"), 5, 4
MOMENTS = (  # in the order of a run: what it is about, after what its log says, and how many seconds at most after that
    ("planning", "source_checked", 2.0),
    ("training", "training_task_submitted", 2.0),
    ("between training and generation", "tables_to_generate", 0.5),
    ("in a write", "stage_start", 2.0),
    ("after a commit, before its record", "stage_written", 0.05),
    ("evaluation", "table_evaluated", 2.0),
)
EVENTS = {event: place for place, (_, event, _) in enumerate(MOMENTS)}
VICTIMS = ("driver", "driver", "worker", "executor")
ENDS = (4, 5, -signal.SIGKILL)  # of attempts that were killed: training, writing, and the driver itself
JAVA_ENDS = {"training": 4, "in a write": 5, "evaluation": 3}  # where Spark's own process is killed: by phase
MOST = KILLS + 3  # attempts: a kill may come before there is anything to resume


@dataclass(frozen=True)
class Kill:
    """Who is to be killed, at which moment or the next one that comes, and how late in it."""

    place: int
    victim: str
    late: float


@dataclass(frozen=True)
class Process:
    """A process of this machine."""

    number: int
    parent: int
    words: str


def descendants(root: int) -> list[Process]:
    """Processes below one."""
    there = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            words = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, IndexError, ValueError):
            continue
        there.append(Process(int(stat.parent.name), parent, words))
    below, found = {root}, list[Process]()
    while new := [p for p in there if p.parent in below and p.number not in below]:
        below |= {p.number for p in new}
        found += new
    return found


def strike(job: subprocess.Popen[str], victim: str, rng: random.Random) -> str:
    """Kill a process of a job for good; who it was in the end: where there is no such process, the driver."""
    below = descendants(job.pid)
    daemons = {p.number for p in below if "pyspark.daemon" in p.words}
    able = {
        "worker": [p.number for p in below if p.parent in daemons],
        "executor": [p.number for p in below if "CoarseGrainedExecutorBackend" in p.words],
        "java": [p.number for p in below if "org.apache.spark.deploy.SparkSubmit" in p.words],
    }.get(victim)
    if able:
        os.kill(rng.choice(able), signal.SIGKILL)
        return victim
    os.killpg(job.pid, signal.SIGKILL)
    return "driver"


def attempt(
    shop: Shop, name: str, run_id: str | None, kills: list[Kill], rng: random.Random
) -> tuple[int, str | None, list[str]]:
    """One attempt of a run; the kills that came are taken from the list. How it ended, its run, what it said."""
    master = "local-cluster[2,1,1024]" if kills and kills[0].victim == "executor" else "local[2,4]"
    job = shop.start(name, master, *(("--resume", run_id) if run_id else ()))
    assert job.stderr is not None
    lines, struck, gone, reader = list[str](), list[str](), False, Reader()  # two processes may share a line
    for line in job.stderr:
        lines.append(line)
        for said in reader.read(line):
            if said["event"] in ("tables_to_train", "tables_to_generate"):
                run_id = said["run_id"]
            place = EVENTS.get(said["event"], -1)
            if kills and place >= kills[0].place and not gone:  # what it said before it was killed may come later
                now = kills.pop(0)
                time.sleep(now.late * MOMENTS[place][2])
                who = strike(job, now.victim, rng)
                gone = who == "driver"
                struck.append(f"{MOMENTS[place][0]}: {who}")
    out, _ = job.communicate(timeout=PATIENCE)
    print(json.dumps({"run": name, "master": master, "killed": struck, "code": job.returncode}), flush=True)
    if job.returncode and not struck:
        raise AssertionError("".join([line for line in lines if not line.startswith("\tat ")][-80:]) + out)
    return job.returncode, run_id, lines


@pytest.fixture(scope="module", params=MODELS)
def undisturbed(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Shop, dict[str, str]]:
    """A shop, and the hashes of a copy of it that nobody disturbed."""
    folder = tmp_path_factory.mktemp(request.param)
    write_lake(spark, folder / "source", seven_tables())
    shop = Shop(spark, folder, request.param)
    out, err = (whole := shop.start("whole", "local[2,4]")).communicate(timeout=PATIENCE)
    assert whole.returncode == 0, err[-3000:] + out
    return shop, shop.hashes("whole")


@pytest.mark.parametrize("run", range(RUNS))
def test_kills_at_random_moments_change_no_row(undisturbed: tuple[Shop, dict[str, str]], run: int) -> None:
    shop, wanted = undisturbed
    rng, name = random.Random(f"{SEED} {shop.model} {run}"), f"run{run}"
    kills = [Kill(rng.randrange(len(MOMENTS)), rng.choice(VICTIMS), rng.random()) for _ in range(KILLS)]
    kills.sort(key=lambda k: k.place)
    run_id, codes = None, list[int]()
    while not codes or codes[-1]:
        assert len(codes) < MOST, codes
        code, run_id, _ = attempt(shop, name, run_id, kills, rng)
        codes.append(code)
    assert set(codes[:-1]) <= {*ENDS}
    assert kills == []
    assert shop.hashes(name) == wanted
    assert shop.faults(name) == []


def test_a_job_whose_java_is_killed_ends_with_its_line_and_is_resumed(undisturbed: tuple[Shop, dict[str, str]]) -> None:
    shop, wanted = undisturbed
    kills = [Kill(place, "java", 0.5) for place, (about, _, _) in enumerate(MOMENTS) if about in JAVA_ENDS]
    run_id, codes = None, list[int]()
    while not codes or codes[-1]:
        assert len(codes) < MOST, codes
        code, run_id, lines = attempt(shop, "java", run_id, kills, random.Random(SEED))
        codes.append(code)
        assert not any('"event": "job_crashed"' in line for line in lines)
        assert not code or any("Spark's own process ended" in line for line in lines)
    assert codes == [*JAVA_ENDS.values(), 0]
    assert shop.hashes("java") == wanted
    assert shop.faults("java") == []
