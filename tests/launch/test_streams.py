"""The result of a job stays on stdout, its logs go to stderr."""

from __future__ import annotations

import subprocess
import sys

import pytest

from synthohive_spark.launch.streams import MARK, is_job

LINES = f':: loading settings :: file\n{{"event": "a log line"}}\n{MARK}{{"status": "complete"}}\n'


def sort(*words: str) -> tuple[str, str]:
    program = [sys.executable, "-m", "synthohive_spark.launch.streams", *words]
    done = subprocess.run(program, input=LINES, capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_a_job_keeps_its_result_alone() -> None:
    out, err = sort("--master", "local[1]", "jobs/pipeline.py", "--config", "x.yaml")
    assert out == '{"status": "complete"}\n'
    assert err == ':: loading settings :: file\n{"event": "a log line"}\n'


def test_another_script_keeps_its_stdout() -> None:
    out, err = sort("benchmarks/bench_scale.py")
    assert out == '{"event": "a log line"}\n{"status": "complete"}\n'
    assert err == ":: loading settings :: file\n"


@pytest.mark.parametrize(("words", "job"), [(["/x/jobs/train.py"], True), (["train.py"], False), ([], False)])
def test_what_a_job_is(words: list[str], job: bool) -> None:
    assert is_job(words) is job
