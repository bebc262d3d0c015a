"""Kills at random moments: a run that is resumed ends with the rows of one that nobody disturbed.

KILLS and SEED choose how many and which: ``KILLS=40 SEED=7 pytest tests/failure/test_kills.py -s``. Each line that is
printed says who was killed, when, and how the run went on.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.lakes import write_lake

from .shop import PATIENCE, Shop, seven_tables

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(0)]
KILLS, SEED = int(os.environ.get("KILLS", "10")), int(os.environ.get("SEED", "1"))
PER_RUN = 3  # kills of one run at most
MOMENTS = {  # what the log says, and what the run is about to do then
    "source_checked": "planning",
    "tables_to_train": "training",
    "training_task_submitted": "training",
    "table_trained": "between",
    "tables_to_generate": "between",
    "stage_start": "in a write",
    "stage_written": "after a commit before its record",
    "table_released_from_memory": "evaluation or the next write",
}
VICTIMS = ("driver", "driver", "worker", "executor")


def descendants(root: int) -> list[tuple[int, str]]:
    """Processes below one, with their command lines."""
    below, found = {root}, list[tuple[int, str]]()
    for _ in range(6):
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                number, parent = int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])
                words = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (OSError, IndexError, ValueError):
                continue
            if parent in below and number not in below:
                below.add(number)
                found.append((number, words))
    return found


def kill(job: subprocess.Popen[str], victim: str, rng: random.Random) -> str:
    """Kill a process of a job for good; who it was in the end."""
    signs = {"worker": "pyspark.worker", "executor": "CoarseGrainedExecutorBackend"}
    below = [(n, words) for n, words in descendants(job.pid) if signs.get(victim, "\0") in words]
    if victim == "driver" or not below:
        os.killpg(job.pid, signal.SIGKILL)
        return "driver"
    os.kill(rng.choice(below)[0], signal.SIGKILL)
    return victim


def run_id_of(lines: Sequence[str]) -> str | None:
    named = [json.loads(x)["run_id"] for x in lines if x.startswith('{"') and '"run_id": "t-' in x]
    return named[-1] if named else None


def disturbed(shop: Shop, name: str, rng: random.Random, kills: int) -> list[dict[str, Any]]:
    """A run that is killed so often, each time resumed, and then left alone until it is complete."""
    told, run_id, left = list[dict[str, Any]](), None, kills
    for _ in range(kills + 3):
        victim = rng.choice(VICTIMS)
        master = "local-cluster[2,1,1024]" if victim == "executor" else "local[2,4]"
        job = shop.start(name, master, *(("--resume", run_id) if run_id else ()))
        event, delay, lines = rng.choice(list(MOMENTS)), rng.random() * 2, list[str]()
        assert job.stderr is not None
        struck = False
        for line in job.stderr:
            lines.append(line)
            if left and not struck and f'"event": "{event}"' in line:
                time.sleep(delay)
                told.append({"moment": MOMENTS[event], "event": event, "victim": kill(job, victim, rng)})
                struck, left = True, left - 1
        out, _ = job.communicate(timeout=PATIENCE)
        begun = any('"event": "tables_to_train"' in x or '"event": "tables_to_generate"' in x for x in lines)
        run_id = run_id or (run_id_of(lines) if begun else None)
        if job.returncode == 0:
            if not left or not struck:
                return told
        elif not struck:
            raise AssertionError("".join(lines[-30:]) + out)
    raise AssertionError(f"{name} was never complete: {told}")


@pytest.mark.parametrize("model", ["ctgan", "autoregressive"])
def test_kills_at_random_moments_change_no_row(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, model: str
) -> None:
    folder = tmp_path_factory.mktemp(model)
    write_lake(spark, folder / "source", seven_tables())
    shop, rng = Shop(spark, folder, model), random.Random(f"{SEED} {model}")
    whole = shop.start("whole", "local[2,4]")
    out, err = whole.communicate(timeout=PATIENCE)
    assert whole.returncode == 0, err[-3000:] + out
    wanted, left, moments = shop.hashes("whole"), KILLS // 2, Counter[tuple[str, str]]()
    turn = 0
    while left > 0:
        turn += 1
        told = disturbed(shop, f"run{turn}", rng, min(PER_RUN, left))
        left -= max(1, len(told))
        same = shop.hashes(f"run{turn}") == wanted
        moments.update((t["moment"], t["victim"]) for t in told)
        print(json.dumps({"model": model, "run": turn, "same": same, "kills": told}), flush=True)
        assert same
        assert shop.faults(f"run{turn}") == []
    for (moment, victim), count in sorted(moments.items()):
        print(f"| {model} | {moment} | {victim} | {count} |", flush=True)
