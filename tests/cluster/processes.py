"""The processes of a run as /proc shows them: Python workers, executors, their peak memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def command(pid: int) -> str:
    """A process's command line; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def parent(pid: int) -> int:
    """The process that started this one; 0 when it has ended."""
    return _status(pid, "PPid")


def peak_mib(pid: int) -> float:
    """Peak resident memory in MiB."""
    return _status(pid, "VmHWM") / 1024


def children_of(root: int) -> list[int]:
    """All processes below one."""
    parents = {int(p.name): parent(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()}
    found, front = [], [root]
    while front:
        front = [pid for pid, up in parents.items() if up in front]
        found += front
    return found


def python_workers(root: int | None = None) -> list[int]:
    """Spark's Python workers below a process: what a daemon has forked."""
    below = children_of(os.getpid() if root is None else root)
    return [p for p in below if "pyspark.daemon" in command(p) and "pyspark.daemon" in command(parent(p))]


def executors(root: int) -> list[int]:
    """Executors (JVMs) below a process."""
    return [p for p in children_of(root) if "CoarseGrainedExecutorBackend" in command(p) and "java" in command(p)]


@contextmanager
def worker_peaks(every: float = 0.1) -> Iterator[Callable[[], float]]:
    """Watches the Python workers of this process's session; the result gives the largest peak so far, in MiB."""
    largest, over = 0.0, threading.Event()
    for pid in python_workers():  # what these did before does not count
        _forget_peak(pid)

    def watch() -> None:
        nonlocal largest
        while not over.wait(every):
            largest = max([largest, *(peak_mib(p) for p in python_workers())])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: largest
    finally:
        over.set()
        thread.join()


def _forget_peak(pid: int) -> None:
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, key: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), 0)
