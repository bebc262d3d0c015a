"""A signal that strikes while threads begin: nobody goes on behind the back of those who clean up. No Spark."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from synthohive_spark.interrupts import interrupted, interruptible, last_things
from synthohive_spark.parallel import side_by_side


def alive() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("table")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_has_begun_is_waited_for_and_nobody_else_begins(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    begun, ended, cancelled = list[str](), list[str](), list[bool]()
    start = threading.Thread.start

    def struck(self: threading.Thread) -> None:
        start(self)
        if self.name.startswith("table") and not interrupted():
            while not begun:
                time.sleep(0.01)
            os.kill(os.getpid(), number)  # before the pool knows of the thread
            time.sleep(0.05)

    def work(table: str) -> None:
        begun.append(table)
        time.sleep(0.5)
        ended.append(table)

    monkeypatch.setattr(threading.Thread, "start", struck)
    with pytest.raises(KeyboardInterrupt) as raised, interruptible(lambda: cancelled.append(True)):
        side_by_side(work, ["a", "b", "c"], at_once=2)
    assert raised.value.args == (number,)
    assert alive() == []
    assert (begun, ended) == (["a"], ["a"])
    assert cancelled
    assert not interrupted(), "the next job of this process begins as any other"
    monkeypatch.undo()
    assert side_by_side(str.upper, ["d"]) == {"d": "D"}


def test_the_last_things_begin_side_by_side_whatever_has_struck() -> None:
    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            assert last_things(lambda: side_by_side(str.upper, ["a", "b"])) == {"a": "A", "b": "B"}
            side_by_side(began.append, ["c"])

    began = list[str]()
    with pytest.raises(KeyboardInterrupt), interruptible(lambda: None):
        work()
    assert began == []
