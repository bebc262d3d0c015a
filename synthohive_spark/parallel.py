"""Spark work on several tables side by side: from threads of the driver, which only wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

from synthohive_spark.interrupts import begin, in_one_piece

T = TypeVar("T")
SIDE_BY_SIDE = 4  # queries of small tables leave most of a cluster idle; large ones queue for its slots


def side_by_side(
    work: Callable[[str], T],
    tables: Iterable[str],
    at_once: int = SIDE_BY_SIDE,
    done: Callable[[], object] = lambda: None,
) -> dict[str, T]:
    """``work`` on each table, in threads that keep the log's context.

    Args:
        work: from a table's name.
        tables: names.
        at_once: threads.
        done: called after each table, from its thread.

    Returns:
        {table: result}, in the order given.

    Raises:
        Exception: that of the first table that failed; tables that have begun are finished, others never start.
    """

    def one(table: str) -> T:
        begin()
        result = work(table)
        done()
        return result

    with ThreadPoolExecutor(max(1, at_once), thread_name_prefix="table") as pool:
        with in_one_piece():  # a thread whose start is broken off runs, and the pool does not know of it
            running = {t: pool.submit(copy_context().run, one, t) for t in tables}
        try:
            finished, waiting = wait(running.values(), return_when=FIRST_EXCEPTION)
        except BaseException:  # somebody ended the program
            for future in running.values():
                future.cancel()
            raise
        for future in waiting:
            future.cancel()
        for future in running.values():
            if future in finished:
                future.result()
        return {t: f.result() for t, f in running.items()}
