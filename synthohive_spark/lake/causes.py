"""Why Spark, Java or a disk failed: the cause in one line without values, the way out, and whether it may pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

from pyspark.errors import (
    AnalysisException,
    PySparkAttributeError,
    PySparkException,
    PySparkTypeError,
    PySparkValueError,
)

from synthohive_spark.errors import ConfigError, SynthoHiveError, WriteError, error_names
from synthohive_spark.masking import GONE, masked, message_of

OWN = re.compile(rf"\b({'|'.join(sorted(error_names()))}): ")
RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Iteration)(: |$)")  # the last line of a traceback
FOREIGN = ("py4j", "grpc", "pyarrow")  # packages whose errors tell of Spark, its connection or a store
MISUSED = (PySparkTypeError, PySparkValueError, PySparkAttributeError)  # an API called wrongly: a bug of ours
DEEPEST = 20  # causes of causes that are followed
LENGTH = 500  # of a line that quotes somebody else


@dataclass(frozen=True)
class Cause:
    """A kind of failure.

    Attributes:
        kind: its name.
        signs: what its messages hold, in Java, Python or Spark's conditions.
        said: what happened.
        remedy: the way out.
        passes: whether the same attempt may succeed later.
        detailed: whether the message itself is worth quoting.
    """

    kind: str
    signs: re.Pattern[str]
    said: str
    remedy: str
    passes: bool = False
    detailed: bool = True


def _cause(kind: str, signs: str, said: str, remedy: str, passes: bool = False, detailed: bool = True) -> Cause:
    return Cause(kind, re.compile(signs, re.IGNORECASE), said, remedy, passes, detailed)


# The first that fits counts: a full disk also loses executors, a worker that was killed also loses its connection.
CAUSES = (
    _cause(
        "cancelled",
        r"\bcancell?ed\b|OPERATION_CANCELED|SparkContext (was|has been) (shut down|stopped)",
        "the work was cancelled",
        "start it again with --resume",
        detailed=False,
    ),
    _cause(
        "store",
        r"ClassNotFoundException: Class \S*(FileSystem|fs\.\S+) not found|No FileSystem for scheme",
        "Spark has no driver for this kind of address",
        "add its jar with --packages, such as org.apache.hadoop:hadoop-aws:VERSION for s3a, in the version of Spark's "
        "own Hadoop, or give a folder of another kind",
    ),
    _cause(
        "disk",
        r"No space left on device|\bdisk is full\b|Disk quota exceeded",
        "the disk is full",
        "make room where it writes (target, workspace, or spark.local.dir), then go on with --resume",
        passes=True,
    ),
    _cause(
        "denied",
        r"Permission denied|AccessControlException|Access ?Denied|Read-only file system|\b403\b.*Forbidden"
        r"|Mkdirs failed|DELTA_CANNOT_CREATE_LOG_PATH",
        "writing or reading is not allowed",
        "give the job's user the right to, or name another place",
    ),
    _cause(
        "memory",
        r"OutOfMemoryError|Java heap space|GC overhead limit|MemoryError|Cannot allocate memory|out of memory"
        r"|OOMKilled|exit(ed)?( with)?( code| status)?:? 137\b|killed by YARN for exceeding",
        "memory ran out",
        "give executors more (spark.executor.memory, spark.executor.memoryOverhead), let fewer tasks run side by side "
        "(spark.task.cpus), or lower train.sample_rows",
        detailed=False,
    ),
    _cause(
        "worker",
        r"Python worker exited unexpectedly|Python worker.{0,40}(crashed|died)|EOFException.{0,200}PythonRunner",
        "a Python worker died: it was killed, most often for want of memory, or crashed",
        "look into the executor's log and the system's; give executors more spark.executor.memoryOverhead, or let "
        "fewer tasks run side by side (spark.task.cpus)",
        passes=True,
        detailed=False,
    ),
    _cause(
        "executor",
        r"ExecutorLostFailure|Executor heartbeat timed out|executor \S+ exited|Lost (executor|worker)|Worker lost"
        r"|FetchFailed",
        "an executor was lost",
        "look why in the cluster's log (machines taken away, memory), then go on with --resume",
        passes=True,
        detailed=False,
    ),
    _cause(
        "conflict",
        r"DELTA_CONCURRENT|Concurrent(Append|Transaction|Delete\w*|Write)Exception|(Metadata|Protocol)ChangedException"
        r"|DELTA_(METADATA|PROTOCOL)_CHANGED",
        "somebody else wrote to the same table at the same time",
        "let one run write at a time, then go on with --resume",
        passes=True,
        detailed=False,
    ),
    _cause(
        "log",
        r"DELTA_(TRUNCATED_TRANSACTION_LOG|STATE_RECOVER|LOG_FILE|VERSIONS_NOT_CONTIGUOUS|VERSION_NOT_CONTIGUOUS"
        r"|INVALID_PROTOCOL|NO_START|CHECKPOINT|ADD_FILE|METADATA_ABSENT)|com\.fasterxml\.jackson|Json(Parse|EOF|Mapping)"
        r"Exception|Malformed|missing (from the log|checkpoint)",
        "the table's Delta log is damaged",
        "restore its _delta_log from a copy, or make the table again",
        detailed=False,
    ),
    _cause(
        "files",
        r"FAILED_READ_FILE|FileNotFoundException|FILE_NOT_EXIST|DELTA_FILE_NOT_FOUND|is not a Parquet file"
        r"|(File|Path) does not exist",
        "files of the table are gone or damaged: VACUUM removes those of old versions",
        "name a version that is whole (source.versions), or restore the files",
        detailed=False,
    ),
    _cause(
        "gone",
        r"Py4JNetworkError|Answer from Java side is empty|Error while obtaining a new communication channel"
        rf"|Py4JError: An error occurred while calling [\w.]+(\n|$)|does not exist in the JVM|{GONE}",
        "Spark's own process ended",
        "look into its log (killed for want of memory: spark.driver.memory), then go on with --resume",
        detailed=False,
    ),
    _cause(
        "network",
        r"UnknownHostException|ConnectException|Connection (was )?(reset|refused|lost)|SocketTimeout|SocketException"
        r"|\btimed out\b|TimeoutException|SlowDown|\bUNAVAILABLE\b",
        "a connection failed",
        "try again with --resume; check the network and the store",
        passes=True,
    ),
)


def cause_of(error: BaseException) -> Cause | None:
    """The kind of a failure; None where it is none that is known."""
    text = "\n".join(_told(error))
    return next((c for c in CAUSES if c.signs.search(text)), None)


def why(error: BaseException) -> str:
    """What failed and the way out, in one line without values."""
    cause = cause_of(error)
    if cause is None:
        return first_line(error)
    detail = f" ({first_line(error)})" if cause.detailed else ""
    return f"{cause.said}{detail}; {cause.remedy}"


def may_pass(error: BaseException) -> bool:
    """Whether the same attempt may succeed later: never where the same rows would fail in the same way."""
    if isinstance(error, SynthoHiveError):
        inner = error.__cause__
        return isinstance(error, WriteError) and inner is not None and may_pass(inner)
    cause = cause_of(error)
    if cause is not None:
        return cause.passes
    bugs = (AnalysisException, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError)
    return not isinstance(error, bugs) and not any(RAISED.search(line) for line in _worker_lines(error))


def from_outside(error: BaseException) -> bool:
    """Whether an error tells of Spark, a store or the system, and not of a bug in this package."""
    if isinstance(error, MISUSED):
        return False
    known = isinstance(error, PySparkException | OSError | MemoryError)
    return known or type(error).__module__.partition(".")[0] in FOREIGN


@contextmanager
def failing_as(what: str, kind: type[SynthoHiveError]) -> Iterator[None]:
    """Raise what Spark, a store or the system raises in the block as an error of ours; bugs pass as they are.

    Args:
        what: what was done, or where.
        kind: the error's class; an address that Spark cannot read is one of configuration.
    """
    try:
        yield
    except SynthoHiveError:
        raise
    except Exception as e:
        if not from_outside(e):
            raise
        cause = cause_of(e)
        raise (ConfigError if cause is not None and cause.kind == "store" else kind)(f"{what}: {why(e)}") from e


def first_line(error: BaseException) -> str:
    """The cause of a Spark error in one line, without its Java stack and without values; our own errors hold none."""
    *_, text = ["", *(t for t in _messages(error) if t and t != "None")]
    raised = _worker_lines(error)
    lines = [
        line.strip()
        for line in text.splitlines()
        if line.strip() and not line.startswith(("\tat", "  File", "Traceback"))
    ]
    named = [line for line in lines if "Error: " in line]  # what a Python worker raised
    line = (raised or named or lines or [type(error).__name__])[-1 if raised else 0]
    own = isinstance(error, SynthoHiveError) or OWN.search(line)
    return (line if own else masked(line))[:LENGTH]


def condition(error: Exception) -> str:
    """The name of a Spark error's kind, which holds no value of the data."""
    named = error.getCondition() if isinstance(error, PySparkException) else None
    found = re.search(r"\[([A-Z][A-Z0-9_.]+)\]", message_of(error))
    return named or (found[1] if found else type(error).__name__)


def _worker_lines(error: BaseException) -> list[str]:
    """What a Python worker raised: the last lines of the tracebacks that a message holds."""
    found = []
    for text in _messages(error):
        parts = text.split("Traceback (most recent call last):")[1:]
        for part in parts:
            said = [line.strip() for line in part.splitlines() if line[:1].strip() and RAISED.match(line)]
            found += said[:1]
    return found


def _java(error: BaseException) -> Any:
    """The Java error behind one of classic Spark's; None elsewhere."""
    return getattr(error, "java_exception", None)


def _messages(error: BaseException) -> Iterator[str]:
    """What an error says, then what its Java causes say."""
    java, depth = _java(error), 0
    if java is None:
        yield message_of(error).strip()
    while java is not None and depth < DEEPEST:
        try:
            said, java = java.getMessage(), java.getCause()
        except Exception:  # Java is gone
            return
        yield str(said or "").strip()
        depth += 1


def _told(error: BaseException) -> Iterator[str]:
    """All that an error, its causes and their Java causes say, with the names of their classes."""
    seen = 0
    current: BaseException | None = error
    while current is not None and seen < DEEPEST:
        yield f"{type(current).__name__}: {message_of(current)}"
        if isinstance(current, OSError) and _of_py4j(current):
            yield GONE
        java = _java(current) or getattr(current, "_origin", None)
        for _ in range(DEEPEST):
            if java is None:
                break
            try:
                yield str(java.toString())
                java = java.getCause()
            except Exception:  # Java is gone
                break
        current, seen = current.__cause__, seen + 1


def _of_py4j(error: BaseException) -> bool:
    """Whether py4j raised an error: whom it asks is Spark's own process, on this machine."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return bool(frames) and str(frames[-1].f_globals.get("__name__")).startswith("py4j")
