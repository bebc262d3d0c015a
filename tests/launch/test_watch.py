"""A job in a process of its own: its result on stdout, whole lines on stderr, a screen at a terminal, signals."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synthohive_spark.launch.lines import CONTEXT, MARK, PROCESS, Reader, is_job
from synthohive_spark.launch.screen import Screen
from tests.terminals import read_terminal

WATCH = "import os, sys; from synthohive_spark.launch.watch import {how}; sys.exit({how}(sys.argv[1:], os.environ))"
RESULT = '{"status": "complete"}'
SPEAKS = f"""
import json, os, sys
print('{MARK}{PROCESS}%d' % os.getpid(), flush=True)
print(':: loading settings :: file', flush=True)
print('26/11/30 02:03:32 WARN Utils: a name', file=sys.stderr, flush=True)
def say(event, **more):
    print(json.dumps({{'event': event, 'run_id': None, 'phase': None, 'table': None, **more}}), flush=True)
say('first')
say('tables_to_train', run_id='r1', phase='train', rows={{'orders': 30, 'items': 70}})
sys.stderr.write('{{"event": "in_a_worker", "table": "orders"}}{{"event": "glued"}} and more' + chr(10))
print('\\tfound org.slf4j#slf4j-api;2.0.13 in central', flush=True)
say('training_task_submitted', table='orders', phase='train')
say('table_trained', table='orders', rows=30, phase='train')
say('stage_written', table='orders', rows=31, phase='generate')
"""


def run(program: str, how: str = "watch") -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", WATCH.format(how=how), sys.executable, "-c", program]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)


def test_the_result_is_alone_and_each_line_is_whole_json_with_run_phase_and_table() -> None:
    done = run(f"{SPEAKS}\nprint('{MARK}{RESULT}')")
    assert (done.returncode, done.stdout) == (0, f"{RESULT}\n")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(set(CONTEXT) <= set(e) for e in events)
    names = [e["event"] for e in events]
    assert {"first", "in_a_worker", "glued", "stage_written"} <= set(names)
    assert next(e for e in events if e["event"] == "stage_written")["run_id"] == "r1"
    assert "loading settings" not in done.stderr
    said = {e["message"].strip(): e["level"] for e in events if e["event"] == "said"}
    assert said == {"26/11/30 02:03:32 WARN Utils: a name": "warning", "and more": "info"}


def test_who_fails_before_the_first_line_is_heard_in_full() -> None:
    done = run("print(':: loading settings ::'); print('unresolved dependency'); raise SystemExit(1)")
    assert done.returncode == 1
    assert [json.loads(line)["message"] for line in done.stderr.splitlines()] == [
        ":: loading settings ::",
        "unresolved dependency",
    ]
    line = json.loads(done.stdout)
    assert (line["status"], line["tables"]) == ("failed", {})
    assert "code 1" in line["error"]


def test_the_exit_code_is_the_jobs_and_what_is_written_is_told() -> None:
    done = run(f"{SPEAKS}\nos.kill(os.getpid(), 9)")
    assert done.returncode == 128 + 9
    assert {k: json.loads(done.stdout)[k] for k in ("run_id", "tables")} == {"run_id": "r1", "tables": {"orders": 31}}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_job_which_says_the_last_word(number: signal.Signals) -> None:
    program = f"""{SPEAKS}
import signal, time
def stop(number, frame):
    print('{MARK}' + json.dumps({{'stopped': number}}), flush=True); os._exit(128 + number)
signal.signal(signal.SIGINT, stop); signal.signal(signal.SIGTERM, stop)
say('ready'); time.sleep(60)"""
    words = [sys.executable, "-c", WATCH.format(how="watch"), sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stderr is not None
        for line in job.stderr:
            if "ready" in line:
                break
        job.send_signal(number)
        out, _ = job.communicate(timeout=30)
    assert job.returncode == 128 + number
    assert json.loads(out) == {"stopped": int(number)}


@pytest.mark.parametrize(("says", "ended"), [("table_restored", False), ("anything", True)])
def test_a_job_that_brings_tables_back_after_a_signal_is_left_to_it(says: str, ended: bool) -> None:
    program = f"""{SPEAKS}
import signal, time
def stop(number, frame):
    for _ in range(5):
        time.sleep(1); say('{says}', table='orders')
    print('{MARK}' + json.dumps({{'stopped': number}}), flush=True); os._exit(128 + number)
signal.signal(signal.SIGTERM, stop)
say('ready'); time.sleep(60)"""
    watching = "import synthohive_spark.launch.watch as w; w.PATIENCE = 3.0; " + WATCH.format(how="watch")
    words = [sys.executable, "-c", watching, sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stderr is not None
        for line in job.stderr:
            if "ready" in line:
                break
        job.send_signal(signal.SIGTERM)
        out, _ = job.communicate(timeout=30)
    assert job.returncode == 128 + signal.SIGTERM
    assert ("stopped" in json.loads(out)) is not ended


@pytest.mark.skipif(sys.platform != "linux", reason="a promise of Linux")
def test_a_job_ends_with_the_one_who_watches_it(tmp_path: Path) -> None:
    program = f"import os, time; open('{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(60)"
    words = [sys.executable, "-c", WATCH.format(how="watch"), sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as job:
        pid = _when(lambda: (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else "")
        job.kill()
    _when(lambda: not _runs(int(pid)))


def test_another_script_keeps_its_stdout() -> None:
    done = run("print(':: loading settings :: file'); print('a line'); raise SystemExit(3)", "pass_on")
    assert (done.returncode, done.stdout, done.stderr) == (3, "a line\n", ":: loading settings :: file\n")


def test_at_a_terminal_there_is_a_line_per_table_and_one_that_moves() -> None:
    terminal, inside = pty.openpty()
    program = f"{SPEAKS}\nimport time; time.sleep(0.6); print('{MARK}{RESULT}')"
    words = [sys.executable, "-c", WATCH.format(how="watch"), sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=inside, stderr=inside) as job:
        os.close(inside)
        shown = read_terminal(terminal)
    assert job.returncode == 0
    lines = [line.rpartition("\r\x1b[2K")[2] for line in shown.replace("\r\n", "\n").split("\n")]
    told = [line for line in lines if line.strip()]
    assert [line.split()[0] for line in told] == ["start", "train", "generate", '{"status":']
    assert "█" * 20 in told[1]
    assert "30 rows" in told[1]
    assert "1/2 tables" in shown  # the line that moves
    assert "eta" in shown
    assert "loading settings" not in shown


def test_a_failure_at_a_terminal_says_why() -> None:
    stream = io.StringIO()
    screen = Screen(stream, clock=lambda: 0.0)
    reader = Reader()
    for line in ('{"event": "job_failed", "level": "error"}', "error: no such file", "  - and another"):
        for event in reader.read(line):
            screen.show(event)
    screen.close(failed=True)
    assert "error: no such file\n" in stream.getvalue()
    assert "  - and another\n" in stream.getvalue()


def test_tables_of_a_large_database_share_a_line() -> None:
    stream = io.StringIO()
    screen = Screen(stream, clock=lambda: 0.0)
    rows = {f"t{i}": 10 for i in range(50)}
    screen.show({"event": "tables_to_train", "phase": "train", "rows": rows})
    for table in rows:
        screen.show({"event": "table_trained", "phase": "train", "table": table, "rows": 10})
    screen.close(failed=False)
    assert stream.getvalue().count("\n") == 2
    assert "50 tables" in stream.getvalue()


@pytest.mark.parametrize(("words", "job"), [(["/x/jobs/train.py"], True), (["train.py"], False), ([], False)])
def test_what_a_job_is(words: list[str], job: bool) -> None:
    assert is_job(words) is job


def _when(true: object) -> str:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert callable(true)
        if found := true():
            return str(found)
        time.sleep(0.05)
    pytest.fail("it did not happen")


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
