"""Runs a job in a process of its own and says what it says: its result on stdout, one JSON line a time on stderr.

spark-submit joins the stderr of the Python program that it starts with its stdout, and lines of several processes reach
a terminal in one stream. So a job writes to pipes; who started it reads them, draws a screen where a person watches,
and hands signals on. A job that is ended from outside has a result too.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import IO, Any

from synthohive_spark.launch.lines import IVY_NOISE, MARK, MARK_VARIABLE, PROCESS, Event, Reader
from synthohive_spark.launch.screen import Screen
from synthohive_spark.launch.tied import tied
from synthohive_spark.logs import LEVEL_VARIABLE

PATIENCE = (
    20.0  # seconds that a job has to end after a signal, and after each table that it brings back; then it is ended
)
CLEANING = ("table_restored", "table_removed", "table_left")
LINGER = 2.0  # seconds that its streams may stay open after it, if a process of it has not noticed yet
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def watch(words: Sequence[str], env: Mapping[str, str], level: str | None = None) -> int:
    """Run a job until it ends.

    Args:
        words: its command.
        env: its environment.
        level: of its log, and of that of its workers.

    Returns:
        The code to exit with.
    """
    more = {MARK_VARIABLE: MARK, **({LEVEL_VARIABLE: level} if level else {})}
    return _Watch(words, {**env, **more}).run()


def pass_on(words: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a script that is no job of ours: it keeps its stdout, less what Ivy writes there."""
    child = subprocess.Popen(tied(words), env=dict(env), stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal gives it to the script too
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    for line in child.stdout or ():
        stream = sys.stderr if line.startswith(IVY_NOISE) else sys.stdout
        stream.write(line)
        stream.flush()
    return _code(child.wait())


class _Watch:
    def __init__(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        self.started, self.reader = time.monotonic(), Reader()
        self.screen = Screen(sys.stderr) if sys.stderr.isatty() else None
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.signal: int | None = None
        self.deadline = float("inf")
        self.result, self.rows = False, dict[str, int]()
        self.child = subprocess.Popen(
            tied(words),
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # the terminal's signals reach the job through this process alone
        )
        self.worker: int | None = None

    def run(self) -> int:
        before = {number: signal.signal(number, self._signalled) for number in SIGNALS}
        try:
            self._read()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        code = _code(self.child.wait())
        if code and self.signal is not None and not self.result:  # whoever had to be killed was ended by the signal too
            code = 128 + self.signal
        for event in self.reader.end() if code else ():
            self._tell(event)
        if self.screen and not self.result:
            self.screen.close(failed=bool(code))
        if code and not self.result:
            print(self._last_words(code), flush=True)
        return code

    def _read(self) -> None:
        for stream in (self.child.stdout, self.child.stderr):
            threading.Thread(target=self._pump, args=(stream,), daemon=True).start()
        open_streams, ended = 2, 0.0
        while open_streams:
            try:
                line = self.lines.get(timeout=0.25)
            except queue.Empty:
                now = time.monotonic()
                ended = ended or (now if self.child.poll() is not None else 0.0)
                if ended and (self.result or now - ended > LINGER):  # it has said its last word
                    return
                if now > self.deadline:
                    self._end(signal.SIGKILL)
                if self.screen and not self.result:
                    self.screen.tick()
            else:
                open_streams -= line is None
                self._handle(line or "")

    def _pump(self, stream: IO[bytes] | None) -> None:
        for line in stream or ():
            self.lines.put(line.decode("utf-8", errors="replace"))
        self.lines.put(None)

    def _handle(self, line: str) -> None:
        if line.startswith(MARK + PROCESS):
            self.worker = int(line.removeprefix(MARK + PROCESS))
        elif line.startswith(MARK):
            self.result = True
            if self.screen:
                self.screen.close(failed=False)
            sys.stdout.write(line.removeprefix(MARK))
            sys.stdout.flush()
        else:
            for event in self.reader.read(line):
                self._tell(event)

    def _tell(self, event: Event) -> None:
        if event["event"] == "stage_written":
            self.rows[event["table"]] = event["rows"]
        if self.signal is not None and event["event"] in CLEANING:
            self.deadline = time.monotonic() + PATIENCE
        if self.screen:
            if not self.result:  # the result is the last word
                self.screen.show(event)
        else:
            print(json.dumps(event), file=sys.stderr, flush=True)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        """The first signal asks the job to end, the second one ends it."""
        again, self.signal = self.signal is not None, number
        self.deadline = time.monotonic() + PATIENCE
        if again:
            self._end(signal.SIGKILL)
        elif self.worker is None:
            self._end(signal.SIGTERM)
        else:
            try:
                os.kill(self.worker, number)
            except ProcessLookupError:
                self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            return

    def _last_words(self, code: int) -> str:
        """The JSON line of a job that could not write one."""
        how = f"ended by {signal.Signals(self.signal).name}" if self.signal else f"ended with code {code}"
        seconds, why = time.monotonic() - self.started, f"{how} before it had a result; stderr has what it said last"
        status = "interrupted" if self.signal else "failed"
        return failed_line(self.reader.context["run_id"], self.rows, seconds, why, status)


def failed_line(
    run_id: str | None, tables: Mapping[str, int], seconds: float, error: str, status: str = "failed"
) -> str:
    """The JSON line of a job that could not write one itself.

    Args:
        run_id: of the run, if it had one.
        tables: {table that is written: rows}.
        seconds: since it began.
        error: what happened.
        status: ``failed``, or ``interrupted`` by a signal.
    """
    line: dict[str, Any] = {"run_id": run_id, "status": status, "tables": dict(tables), "report": None}
    return json.dumps({**line, "seconds": round(seconds, 3), "error": error})


def _code(returned: int) -> int:
    return 128 - returned if returned < 0 else returned
