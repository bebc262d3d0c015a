"""Logs: structlog on stderr, JSON lines unless a person watches. A line names places and counts, never a data value."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from synthohive_spark.errors import ConfigError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LEVEL_VARIABLE = "SYNTHOHIVE_LOG_LEVEL"
CONTEXT = ("run_id", "phase", "table")


def configure(level: str | None = None, stream: TextIO | None = None) -> None:
    """Send the logs of this process to stderr.

    Args:
        level: DEBUG, INFO, WARNING or ERROR; by default that of the variable SYNTHOHIVE_LOG_LEVEL, else INFO.
        stream: where to write instead of stderr.

    Raises:
        ConfigError: the level is not one of these.
    """
    name = (level or os.environ.get(LEVEL_VARIABLE) or "INFO").upper()
    if name not in LEVELS:
        raise ConfigError(f"log level {name!r} is unknown (--log-level or {LEVEL_VARIABLE}); use {', '.join(LEVELS)}")
    _configure(name, stream)


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module. Also in a Spark worker, where nobody has called ``configure``."""
    if not structlog.is_configured():
        found = os.environ.get(LEVEL_VARIABLE, "INFO").upper()
        _configure(found if found in LEVELS else "INFO", None)
    logger: FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def bind(**context: str | None) -> None:
    """Put run_id, phase or table on every line from here on; None takes one off again."""
    structlog.contextvars.bind_contextvars(**{k: v for k, v in context.items() if v is not None})
    structlog.contextvars.unbind_contextvars(*(k for k, v in context.items() if v is None))


@contextmanager
def bound(**context: str) -> Iterator[None]:
    """Put run_id, phase or table on every line inside the ``with`` block."""
    with structlog.contextvars.bound_contextvars(**context):
        yield


def current(key: str) -> str | None:
    """What is bound to run_id, phase or table."""
    value = structlog.contextvars.get_contextvars().get(key)
    return None if value is None else str(value)


def bound_context() -> dict[str, str]:
    """What is bound to run_id and phase: for a worker to bind, whose lines then say whose they are."""
    return {key: value for key in ("run_id", "phase") if (value := current(key)) is not None}


def _configure(level: str, stream: TextIO | None) -> None:
    pretty = (stream or sys.stderr).isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if pretty
        else [_with_context, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )

    def writer(*_: object) -> structlog.PrintLogger:
        return structlog.PrintLogger(stream or sys.stderr)  # as it is now: tests and notebooks exchange it

    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=writer,
        cache_logger_on_first_use=False,
    )


def _with_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Every line has run_id, phase and table, so that a query over logs needs no test for their presence."""
    return {**dict.fromkeys(CONTEXT), **event}
