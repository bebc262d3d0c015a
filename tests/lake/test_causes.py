"""Why something failed, in our words: the cause, the way out, and whether it may pass."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from synthohive_spark.errors import ConfigError, GenerationError, WriteError
from synthohive_spark.lake.causes import cause_of, failing_as, from_outside, may_pass, why
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.launch.java import java_home
from synthohive_spark.masking import masked_traceback


@pytest.mark.parametrize(
    ("text", "kind", "passes"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", "memory", False),
        (
            "ExecutorLostFailure (executor 1 exited) Reason: Command exited with code 137",
            "memory",
            False,
        ),
        ("org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)", "worker", True),
        ("ExecutorLostFailure (executor 3 exited unrelated to the running tasks)", "executor", True),
        ("java.io.IOException: No space left on device", "disk", True),
        (
            "ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found",
            "store",
            False,
        ),
        ("io.delta.exceptions.ConcurrentAppendException: [DELTA_CONCURRENT_APPEND]", "conflict", True),
        ("java.net.SocketTimeoutException: Read timed out", "network", True),
        ("org.apache.hadoop.security.AccessControlException: Permission denied: user=x", "denied", False),
        ("[DELTA_CANNOT_CREATE_LOG_PATH] Cannot create file:/lake/t/_delta_log", "denied", False),
        ("[FAILED_READ_FILE.FILE_NOT_EXIST] Encountered error while reading file", "files", False),
        ("py4j.protocol.Py4JError: An error occurred while calling o7221.getResult", "gone", False),
        ("py4j.protocol.Py4JError: PythonUtils does not exist in the JVM", "gone", False),
        ("Job 7 cancelled because SparkContext was shut down", "cancelled", False),
    ],
)
def test_a_cause_is_known_by_its_signs(text: str, kind: str, passes: bool) -> None:
    error = OSError(text)
    cause = cause_of(error)
    assert cause is not None
    assert (cause.kind, may_pass(error)) == (kind, passes)
    assert cause.said in why(error)
    assert cause.remedy in why(error)


@pytest.mark.parametrize("error", [ValueError("x"), AnalysisException("x"), GenerationError("x"), KeyError("x")])
def test_what_is_deterministic_does_not_pass(error: Exception) -> None:
    assert not may_pass(error)
    assert may_pass(OSError("something else"))


def test_bugs_are_not_said_to_be_anything_else() -> None:
    assert not from_outside(KeyError("x"))
    with pytest.raises(KeyError), failing_as("a place", WriteError):
        raise KeyError("x")
    with pytest.raises(ConfigError, match="Spark has no driver"), failing_as("a place", WriteError):
        raise OSError("No FileSystem for scheme gs")


@pytest.mark.spark
def test_line_09_a_dead_worker_and_want_of_memory_are_said(spark: SparkSession, tmp_path: Path) -> None:
    def dies(batches: Any) -> Iterator[Any]:
        os._exit(9)
        yield from batches

    def starves(batches: Any) -> Iterator[Any]:
        raise MemoryError
        yield from batches

    io, rows = DeltaIO(spark), spark.range(1).repartition(1)
    with pytest.raises(WriteError, match=r"a Python worker died: .*spark\.executor\.memoryOverhead"):
        io.write_dataset(rows.mapInPandas(dies, "id bigint"), str(tmp_path / "a"))
    with pytest.raises(WriteError, match="memory ran out; give executors more") as raised:
        io.write_dataset(rows.mapInPandas(starves, "id bigint"), str(tmp_path / "b"))
    assert "None" not in str(raised.value)
    assert "stack trace" not in str(raised.value)


@pytest.mark.spark
def test_an_error_of_java_is_told_when_java_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home()))
    gateway: Any = launch_gateway()
    with pytest.raises(Py4JJavaError) as raised:
        gateway.jvm.java.lang.Integer.parseInt("x")
    gateway.proc.kill()
    gateway.proc.wait()
    cause = cause_of(raised.value)
    assert cause is not None
    assert cause.kind == "gone"
    assert "Spark's own process ended" in why(raised.value)
    assert "Py4JJavaError: Java is gone" in masked_traceback(raised.value)
    with pytest.raises((OSError, Py4JError)) as later:
        gateway.jvm.java.lang.Integer.parseInt("1")
    assert "Spark's own process ended" in why(later.value)
