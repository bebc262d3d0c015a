"""What a person at a terminal sees of a job: a line per phase and table, and one that moves."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from synthohive_spark.launch.lines import Event

BAR = 20
MOST_LINES = 12  # tables of a phase that get a line of their own; of more only the phase has one
EXPECTED = ("tables_to_train", "tables_to_generate", "tables_to_ingest")
DONE = ("table_trained", "stage_written", "table_ingested", "table_profiled")
COUNTED = {"source_checked": "check", "rule_found": "rules"}
BEGUN = "training_task_submitted"
FAILED = ("job_failed", "job_crashed")
HIDDEN = ("event", "level", "timestamp", "module", "run_id", "phase", "table")


class Screen:
    """Draws the course of a job.

    Args:
        stream: the terminal.
        clock: seconds that only grow.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.full, self.empty = "█░" if "utf" in (stream.encoding or "").lower() else "#."
        self.failed = False
        self._phase, self._since = "start", clock()
        self._work: dict[str, float] = {}
        self._begun: dict[str, float] = {}
        self._done: dict[str, int] = {}
        self._counted: dict[str, int] = {}
        self._said: list[str] = []

    def show(self, event: Event) -> None:
        """Draw what an event changes."""
        name, table = event["event"], event.get("table") or ""
        if name == "said":
            self._hear(event["message"])
            return
        if "text" in event:
            self._print(event["text"])
            return
        if event.get("phase") and event["phase"] != self._phase:
            self._enter(event["phase"])
        if name in COUNTED:
            self._counted[COUNTED[name]] = self._counted.get(COUNTED[name], 0) + 1
        elif name in EXPECTED:
            self._tell_counts()
            self._work = {t: math.sqrt(rows) for t, rows in event["rows"].items()}  # large tables take less time a row
            self._done, self._since = {}, self.clock()
        elif name == BEGUN:
            self._begun[table] = self.clock()
        elif name in DONE:
            self._finish(table, int(event.get("rows") or 0))
        elif name == "evaluated":
            self._line(self._phase, _figures(event), self._age())
        elif name in FAILED:
            self.failed = True
        elif event.get("level") in ("warning", "error", "debug"):
            said = ", ".join(f"{k}={v}" for k, v in event.items() if k not in HIDDEN)
            self._print(f"  {'.' if event['level'] == 'debug' else '!'} {table and table + ': '}{name} {said}")
        self.tick()

    def tick(self) -> None:
        """Draw the line that moves."""
        parts = [f"  {self._phase:<8}"]
        if self._work:
            share = sum(self._work.get(t, 0.0) for t in self._done) / max(1.0, sum(self._work.values()))
            parts.append(f"{self._bar(share)} {len(self._done)}/{len(self._work)} tables")
            parts.append(f"{self._age():.0f} s")
            parts += [f"eta {self._age() * (1 - share) / share:.0f} s"] if share else []
            parts += [", ".join(t for t in self._begun if t not in self._done)]
        else:
            parts += [f"{n} {what}" for what, n in self._counted.items()] + [f"{self._age():.0f} s"]
        self._draw("  ".join(p for p in parts if p))

    def close(self, failed: bool) -> None:
        """Take the moving line off; after a failure show what others than the job said last."""
        if not failed:
            self._tell_counts()
            self._leave()
        self._draw("")
        if failed and not self.failed:
            self.stream.writelines(f"{line}\n" for line in self._said[-30:])
        self.stream.flush()

    def _enter(self, phase: str) -> None:
        self._tell_counts()
        self._leave()
        self._phase, self._since = phase, self.clock()
        self._work, self._begun, self._done = {}, {}, {}

    def _leave(self) -> None:
        if self._phase == "start":
            self._line("start", "Spark is there", self._age())
        elif len(self._done) > MOST_LINES:
            self._line(self._phase, f"{self._bar(1)} {len(self._done)} tables", self._age())

    def _tell_counts(self) -> None:
        if self._counted:
            told = [
                f"{n} tables of the source" if what == "check" else f"{n} {what} found"
                for what, n in self._counted.items()
            ]
            self._line("check", ", ".join(told), self._age())
            self._counted = {}

    def _finish(self, table: str, rows: int) -> None:
        self._done[table] = rows
        if max(len(self._work), len(self._done)) <= MOST_LINES:
            seconds = self.clock() - self._begun.get(table, self._since)
            self._line(self._phase, f"{self._bar(1)} {table:<18} {rows:>11,} rows", seconds)

    def _hear(self, text: str) -> None:
        """What others say is shown where it explains a failure."""
        self._said = [*self._said[-200:], text]
        if self.failed:
            self._print(text)

    def _age(self) -> float:
        return self.clock() - self._since

    def _bar(self, share: float) -> str:
        full = round(share * BAR)
        return self.full * full + self.empty * (BAR - full)

    def _line(self, phase: str, text: str, seconds: float) -> None:
        self._print(f"  {phase:<9} {text:<56} {seconds:>7.1f} s")

    def _print(self, text: str) -> None:
        self._draw("")
        self.stream.write(f"{text}\n")

    def _draw(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self.stream.write(f"\r\x1b[2K{text[:width]}")
        self.stream.flush()


def _figures(event: Mapping[str, Any]) -> str:
    """The figures of an evaluation, and what the gate asks of each."""
    gate = event["fail_under"]
    least = gate if isinstance(gate, Mapping) else dict.fromkeys(event["figures"], gate)
    told = [
        f"{name} {score:.3f}{f' (at least {least[name]:g})' if name in least else ''}"
        for name, score in event["figures"].items()
    ]
    return ", ".join(told) or "nothing could be judged"
