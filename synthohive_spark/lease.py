"""One run at a time on a target and on a workspace: who writes there holds a lease, which lies there.

A lease is a Delta table without rows; its properties say who holds it. Of two runs that create it Delta lets one
succeed, also on object stores, and so of two that take over one whose holder is gone. It is removed when the run ends.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from synthohive_spark.errors import WriteError
from synthohive_spark.interrupts import last_things
from synthohive_spark.lake.causes import cause_of, failing_as
from synthohive_spark.lake.folders import clear_rest, file_system
from synthohive_spark.lake.io import FIRST_COMMIT, DeltaIO
from synthohive_spark.location import LOG, Address, Location, TableRef
from synthohive_spark.logs import get_logger
from synthohive_spark.sql import text_literal

log = get_logger(__name__)
NAME = "_synthohive_lease"  # the underscore hides it from those who list a folder's tables
MARK = "synthohive.lease."
BEAT = 60.0  # seconds between two signs of life, each a commit of a few hundred milliseconds
PATIENCE = 5 * BEAT  # without one the holder is gone, if nobody can look for its process


def _machine() -> str:
    """This machine, since it was started."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot}".strip()


def _process(number: int) -> str:
    """A process: its number, and when it began where that can be known; empty where there is none."""
    if number <= 0:
        return ""
    try:
        os.kill(number, 0)
        about = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except ProcessLookupError:
        return ""
    except OSError:
        return str(number)
    return "" if about[0] == "Z" else f"{number} {about[19]}"  # one that has ended and that nobody has asked after


@dataclass(frozen=True)
class Holder:
    """Who holds a lease.

    Attributes:
        run_id: its run.
        attempt: of the run, of which each has another one. Spark hides the values of names that hold `token`.
        machine: where its process is.
        process: its number and when it began.
        beat: seconds since 1970 of its last sign of life.
    """

    run_id: str
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex)
    machine: str = field(default_factory=_machine)
    process: str = field(default_factory=lambda: _process(os.getpid()))
    beat: float = field(default_factory=time.time)

    @classmethod
    def read(cls, properties: Mapping[str, str]) -> Holder:
        """The holder that the properties of a lease name."""
        found = {k.removeprefix(MARK): v for k, v in properties.items() if k.startswith(MARK)}
        beat = float(found.pop("beat", "0") or 0)
        return cls(**{k: found.get(k, "") for k in ("run_id", "attempt", "machine", "process")}, beat=beat)

    @property
    def properties(self) -> str:
        """Itself as properties, in SQL."""
        said = {MARK + k: str(v) for k, v in vars(self).items()}
        return ", ".join(f"{text_literal(k)} = {text_literal(v)}" for k, v in said.items())

    def gone(self) -> bool:
        """Whether it will not go on: its process has ended, or has given no sign for long."""
        if self.machine == _machine():
            return _process(int(self.process.partition(" ")[0] or 0)) != self.process
        return time.time() - self.beat > PATIENCE


@contextmanager
def leased(spark: SparkSession, run_id: str, places: Mapping[str, Location]) -> Iterator[None]:
    """Hold the places for the block.

    Args:
        spark: the session.
        run_id: the run that writes there.
        places: by what for: ``target``, ``workspace``.

    Raises:
        WriteError: another run holds one of them, which is named; nothing is held then.
    """
    mine, refs = Holder(run_id), {name: place.table(NAME) for name, place in places.items()}
    held, signs, over = list[TableRef](), [mine.beat], threading.Event()
    absent = [folder for ref in refs.values() if (folder := _folder(ref)) is not None and not folder.exists()]
    beats = threading.Thread(target=_beat, args=(spark, held, signs, over), name="lease", daemon=True)
    try:
        for name, ref in refs.items():
            _take(spark, ref, mine, f"the {name} ({places[name]})")
            held.append(ref)
        beats.start()
        yield
    finally:
        over.set()
        if beats.ident is not None:
            beats.join()
        for ref in held:
            last_things(partial(_release, spark, ref, mine, signs[-1]))
        for folder in absent:
            with suppress(OSError):  # there is more in it by now than the lease
                folder.rmdir()


def _folder(ref: TableRef) -> Path | None:
    """The folder of this machine that a lease lies in; None for other stores."""
    address = None if ref.path is None else Address.parse(ref.path)
    return Path(address.path).parent if address is not None and not address.scheme else None


def _take(spark: SparkSession, ref: TableRef, mine: Holder, place: str) -> None:
    with failing_as(f"{place} cannot be written to", WriteError):
        statement = f"CREATE TABLE {ref.sql} (nothing string) USING DELTA TBLPROPERTIES ({mine.properties})"
        failed = _tried(spark, statement)
        if failed is not None and clear_rest(ref, BEAT):  # who was taking it was killed
            failed = _tried(spark, statement)
        if failed is None:  # Delta lets one of those succeed who create the same table
            return
        there = _holder(spark, ref)
        if there is None:
            raise failed
        if there.attempt != mine.attempt and there.gone():
            log.warning("lease_taken_over", place=place, holder=there.run_id)
            _tried(spark, f"ALTER TABLE {ref.sql} SET TBLPROPERTIES ({mine.properties})")
            there = _holder(spark, ref) or there
    if there.attempt != mine.attempt:
        raise WriteError(
            f"run {there.run_id} is writing to {place}; wait until it has ended, or stop it. If its machine is gone, "
            f"its lease ends {PATIENCE:.0f} s after its last sign of life"
        )


def _removed_here(ref: TableRef, mine: Holder) -> bool:
    """Remove a lease that this run created, in its folder, without asking Spark; whether that could be done."""
    if ref.path is None:
        return False
    try:
        system, folder = file_system(ref.path)
        with system.open_input_stream(f"{folder}/{LOG}/{FIRST_COMMIT}") as commit:
            created = mine.attempt.encode() in commit.read()
        if created:
            system.delete_dir(folder)
    except (OSError, ValueError):
        return False
    return created


def _tried(spark: SparkSession, statement: str) -> Exception | None:
    """Run a statement that another run may have been quicker with: what it raised, which the lease explains."""
    try:
        spark.sql(statement)
    except Exception as e:
        cause = cause_of(e)
        if cause is not None and cause.kind in ("denied", "disk", "store"):
            raise
        return e
    return None


def _holder(spark: SparkSession, ref: TableRef) -> Holder | None:
    try:
        return Holder.read({r["key"]: r["value"] for r in spark.sql(f"SHOW TBLPROPERTIES {ref.sql}").collect()})
    except AnalysisException:
        return None


def _beat(spark: SparkSession, held: list[TableRef], signs: list[float], over: threading.Event) -> None:
    """Give a sign of life now and then, until it is over."""
    while not over.wait(BEAT):
        now = time.time()
        with suppress(Exception):  # the next one may succeed; five of them are missed before anybody takes over
            for ref in held:
                spark.sql(f"ALTER TABLE {ref.sql} SET TBLPROPERTIES ({text_literal(f'{MARK}beat')} = '{now}')")
            signs.append(now)


def _release(spark: SparkSession, ref: TableRef, mine: Holder, last: float) -> None:
    """Remove a lease that is still one's own.

    Args:
        spark: the session.
        ref: the lease.
        mine: who held it.
        last: when it gave its last sign of life; until long after that nobody else takes it.
    """
    try:
        if time.time() - last < PATIENCE / 2 and _removed_here(ref, mine):
            return
        there = _holder(spark, ref)
        if there is not None and there.attempt == mine.attempt:
            DeltaIO(spark).remove(ref)
    except Exception as e:  # the run is over, however it went; the next one sees that this process is gone
        log.warning("lease_left", place=ref.sql, cause=type(e).__name__)
