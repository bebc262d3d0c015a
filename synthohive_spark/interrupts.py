"""Ctrl-C and SIGTERM: what runs on the cluster is cancelled, then the last things are done where nothing disturbs them.

A signal strikes the main thread anywhere, also while it waits for Spark's answer. That answer is never read then, so
that nothing may be asked of Spark from this thread any more: what still has to be done runs in a thread of its own.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGAIN = 0.3  # seconds until what other threads have begun meanwhile is cancelled too
_cancellers: list[_Canceller] = []
_struck: list[int] = []
_stop = threading.Event()
_whole: list[None] = []  # one for each block that the main thread is in, and that is not to be broken off
_last = ContextVar("last", default=False)  # whether this is one of the last things, which begin whatever has struck


class _AsEver(logging.Handler):
    """What libraries log where nobody takes it, as ever, but for what py4j tells of answers that do not come.

    It raises an error then, from which the job tells its cause; or it was a signal, and nobody waits for the answer.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if logging.lastResort is not None and "py4j" not in record.pathname:
            logging.lastResort.handle(record)


class _Canceller:
    """Cancels what runs, again and again, until it is told that the last things begin."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel, self._over = cancel, threading.Event()
        self._thread = threading.Thread(target=self._run, name="cancel", daemon=True)

    def _run(self) -> None:
        while True:
            with suppress(Exception):  # Spark may be gone
                self._cancel()
            if self._over.wait(AGAIN):
                return

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def interruptible(cancel: Callable[[], object]) -> Iterator[None]:
    """While the block runs, SIGINT and SIGTERM cancel what runs and raise ``KeyboardInterrupt`` with their number.

    Args:
        cancel: cancels all that this program runs on the cluster.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def struck(number: int, frame: FrameType | None) -> None:
        _struck.append(number)
        _stop.set()
        canceller = _Canceller(cancel)
        _cancellers.append(canceller)
        canceller.start()
        if not _whole:
            raise KeyboardInterrupt(number)

    _struck.clear()
    _stop.clear()
    root, handler = logging.getLogger(), _AsEver(logging.WARNING)
    if not root.handlers:
        root.addHandler(handler)
    before = {number: signal.signal(number, struck) for number in SIGNALS}
    try:
        yield
    except Exception as e:  # what was cancelled failed before the signal was heard
        if not _struck:
            raise
        raise ended_by(_struck[0], e) from e
    finally:
        undisturbed()
        for number, earlier in before.items():
            signal.signal(number, earlier)
        root.removeHandler(handler)
        _struck.clear()


@contextmanager
def in_one_piece() -> Iterator[None]:
    """A signal does not break off this block of the main thread; it is heard when the block ends."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _whole.append(None)
    try:
        yield
    finally:
        _whole.pop()
    if not _whole:
        begin()


def begin() -> None:
    """Begin nothing new once a signal has struck, but the last things.

    Raises:
        KeyboardInterrupt: with the signal's number.
    """
    if _struck and not _last.get():
        raise KeyboardInterrupt(_struck[0])


def interrupted() -> bool:
    """Whether a signal has struck: whatever fails then, fails by it."""
    return bool(_struck)


def pause(seconds: float) -> None:
    """Wait, unless a signal strikes."""
    _stop.wait(seconds)


def ended_by(number: int, error: BaseException) -> KeyboardInterrupt:
    """The end by a signal in place of another error, of which it keeps what was done before."""
    end = KeyboardInterrupt(number)
    vars(end).update({name: getattr(error, name, None) for name in ("summary", "left")})
    return end


def undisturbed() -> None:
    """Cancel nothing any more."""
    while _cancellers:
        _cancellers.pop().stop()


def last_things(work: Callable[[], Any]) -> Any:
    """Do what must still be done after a failure or a signal: nothing of it is cancelled.

    Args:
        work: what to do; the main thread only waits for it.

    Returns:
        Its result.

    Raises:
        Exception: what it raises.
    """
    undisturbed()
    if threading.current_thread() is not threading.main_thread():
        return work()
    ended: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        _last.set(True)  # in the copy of the context
        try:
            ended.append(work())
        except BaseException as e:
            failed.append(e)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="last", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return ended[0]
