"""A job over Spark Connect, and the bytes of its client's largest message: ``messages.py FILE JOB words...``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

ASKED = ("ExecutePlan", "AnalyzePlan")
largest = dict.fromkeys(ASKED, 0)


def weighed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A call of the client that takes note of how large its request is."""

    def weigh(request: Any, *more: Any, **named: Any) -> Any:
        largest[name] = max(largest[name], request.ByteSize())
        return call(request, *more, **named)

    return weigh


def watched() -> None:
    """Take note of every request from now on."""
    made = SparkConnectServiceStub.__init__

    def make(self: Any, channel: Any) -> None:
        made(self, channel)
        for name in ASKED:
            setattr(self, name, weighed(name, getattr(self, name)))

    setattr(SparkConnectServiceStub, "__init__", make)  # noqa: B010


if __name__ == "__main__":
    from synthohive_spark import cli

    watched()
    file, job, *words = sys.argv[1:]
    getattr(cli, job)(words)
    Path(file).write_text(str(max(largest.values())))
