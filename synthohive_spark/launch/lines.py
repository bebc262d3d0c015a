"""What a job and its Spark say, line by line: the job's result, its log in JSON, and what others write in between."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from synthohive_spark.logs import CONTEXT

Event = dict[str, Any]
MARK_VARIABLE = "SYNTHOHIVE_RESULT_MARK"
MARK = "\x1e"  # before a line of the job's stdout that is not for its log: its result, or who it is
PROCESS = "process "  # after the mark: the process that works, which signals are for
JOBS = ("ingest.py", "train.py", "generate.py", "evaluate.py", "pipeline.py", "plan.py", "doctor.py")
IVY_NOISE = ":: loading settings ::"
# What Java's start and Ivy say, which resolves Delta's jars; and what may be theirs before the job's first line.
_IVY = re.compile(
    r"WARNING: Using incubator|:: |Ivy Default Cache|The jars for the packages|downloading "
    r"|\S+#\S+ added as a dependency|\t(confs: |found |:: |-|\||\[|\S+#\S+;|\d+ artifacts copied)"
)
_START = re.compile(rf"{_IVY.pattern}|:+ |\s|[-|]|\[")
_JVM = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (WARN|ERROR|INFO) ")
_LEVELS = {"WARN": "warning", "ERROR": "error"}
_decode = json.JSONDecoder().raw_decode


def is_job(words: Sequence[str]) -> bool:
    """Whether a command line starts one of the jobs."""
    return any(PurePath(w).parent.name == "jobs" and PurePath(w).name in JOBS for w in words)


class Reader:
    """Makes events of lines: each has run_id, phase and table, also those of others than the job.

    Lines before the job's first one are held back: of these Ivy's are worth reading only if the job never began.

    Attributes:
        context: the run and phase as last heard.
    """

    def __init__(self) -> None:
        self.context: dict[str, Any] = dict.fromkeys(CONTEXT)
        self._held: list[str] | None = []

    def read(self, line: str) -> list[Event]:
        """The events of a line."""
        made: list[Event] = []
        for part in _parts(line.rstrip("\n")):
            if isinstance(part, dict):
                found = {k: part[k] for k in ("run_id", "phase") if part.get(k) is not None}
                self.context.update(found)
                made += [*self._release(_START), self._filled(part)]
            elif self._held is not None:
                self._held.append(part)
            elif not _IVY.match(part):  # the other stream was read first
                made.append(self._said(part))
        return made

    def end(self) -> list[Event]:
        """What is held back still, when nothing more will be said."""
        return self._release(None)

    def _release(self, noise: re.Pattern[str] | None) -> list[Event]:
        held, self._held = self._held or [], None
        return [self._said(line) for line in held if noise is None or not noise.match(line)]

    def _filled(self, event: Event) -> Event:
        return {**event, **{k: event.get(k) if event.get(k) is not None else v for k, v in self.context.items()}}

    def _said(self, line: str) -> Event:
        jvm = _JVM.match(line)
        level = _LEVELS.get(jvm[1], "info") if jvm else "info"
        return self._filled({"event": "said", "message": line, "level": level})


def _parts(line: str) -> Iterator[Event | str]:
    """The log entries in a line, and the texts around them: those who share a stream may share a line."""
    start = 0
    for match in re.finditer(r'\{"', line):
        if match.start() < start:
            continue
        try:
            entry, end = _decode(line, match.start())
        except ValueError:
            continue
        if isinstance(entry, dict) and "event" in entry:
            yield from filter(str.strip, [line[start : match.start()]])
            yield entry
            start = end
    yield from filter(str.strip, [line[start:]])
