"""What the manifest says of a run, and whether the target still is as it says: what is complete, what is to be redone.

The manifest is the one truth of a run. Before a table of the target is touched it holds what was there; a table counts
as complete once it holds the version and the hash of its rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from synthohive_spark.errors import ConfigError, SerializationError, WriteError
from synthohive_spark.lake.commits import OWNER, Commit, commits, source_of_rows
from synthohive_spark.lake.content import content_hash
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location
from synthohive_spark.logs import get_logger
from synthohive_spark.parallel import side_by_side
from synthohive_spark.registry import Event
from synthohive_spark.untrusted import MALFORMED

log = get_logger(__name__)
STARTED, TRAINED, BEFORE, ROWS, EXACT, CLEANED = (
    "run_started",
    "training_complete",
    "target_before",
    "stage_written",
    "aggregates_written",
    "target_restored",
)
FAILED = "run_failed"
SHAPING, PACKAGE = "shaping", "package"  # of what a run is started with: what makes its rows
SHOWN = 5  # differences that a message names


@dataclass(frozen=True)
class Before:
    """What a table of the target was before the run began: its version, and when that was made."""

    version: int
    at: int


@dataclass(frozen=True)
class Complete:
    """A table that the run completed: the version, its rows and their hash."""

    version: int
    rows: int
    content: str


@dataclass(frozen=True)
class RunState:
    """What a run did so far.

    Attributes:
        run_id: its id.
        started: what it was started with; empty where nothing is known of that.
        target: where it writes, in words; None before it did.
        before: {table of the target: what it was; None for one that was not there}.
        complete: {table: how it was completed}.
        trained: whether every table has its model.
        exact: tables whose columns that follow from children are exact.
    """

    run_id: str
    started: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    before: Mapping[str, Before | None] = field(default_factory=dict)
    complete: Mapping[str, Complete] = field(default_factory=dict)
    exact: frozenset[str] = frozenset()
    trained: bool = False

    @classmethod
    def of(cls, run_id: str, events: Iterable[Event]) -> RunState:
        """The state that the events of a run tell.

        Raises:
            SerializationError: they are not what this version writes.
        """
        started: dict[str, Any] = {}
        target, trained, before = None, False, dict[str, Before | None]()
        complete, exact = dict[str, Complete](), set[str]()
        try:
            for event in events:
                said, table = event.payload, f"{event.table}"
                if event.event == STARTED and not started:
                    started = said
                elif event.event == BEFORE and target is None:
                    target = str(said["target"])
                    before = {t: None if b is None else Before(int(b[0]), int(b[1])) for t, b in said["tables"].items()}
                elif event.event in (ROWS, EXACT):
                    complete[table] = Complete(int(said["version"]), int(said["rows"]), str(said["content"]))
                    exact = exact | {table} if event.event == EXACT else exact - {table}
                elif event.event == CLEANED:
                    complete, exact = {}, set()
                trained = trained or event.event == TRAINED
        except MALFORMED as e:
            raise SerializationError(
                f"the manifest of run {run_id!r} was written by another version, or is damaged ({type(e).__name__}); "
                "start a new run"
            ) from e
        return cls(run_id, started, target, before, complete, frozenset(exact), trained)

    def check_same(self, now: Mapping[str, Any]) -> None:
        """Refuse to go on with something else than the run was started with.

        Args:
            now: what it would be started with today, in the form of ``started``.

        Raises:
            ConfigError: showing what differs.
        """
        if not self.started:
            raise ConfigError(f"run {self.run_id} only looked at another's work; resume a run of train or pipeline")
        then = {**(self.started.get(SHAPING) or {}), PACKAGE: self.started.get(PACKAGE)}
        found = list(_differences(then, {**now[SHAPING], PACKAGE: now[PACKAGE]}))
        if found:
            more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise ConfigError(
                f"run {self.run_id} was started with another configuration: {'; '.join(found[:SHOWN])}{more}; "
                "resume it with the same package, file and --set, or start a new run"
            )

    def verified(self, io: DeltaIO, target: Location, start_over: bool = False) -> RunState:
        """The state as the target has it: what is still as it was completed; everything else is to be made again.

        Args:
            io: reads the target.
            target: where the run writes.
            start_over: make every table again, also where somebody else wrote since.

        Raises:
            ConfigError: the run wrote to another target.
            WriteError: somebody else wrote to a table since, naming who did.
        """
        if self.target is not None and self.target != str(target):
            raise ConfigError(
                f"run {self.run_id} writes to {self.target}, and target is {target}; resume it with its own target, "
                "or give the other one to generate --run"
            )
        if start_over:
            return replace(self, complete={}, exact=frozenset())
        history = side_by_side(lambda t: commits(io.spark, target.table(t)), self.before)
        foreign = [line for t, past in history.items() for line in self._foreign(t, past)]
        if foreign:
            raise WriteError(
                "\n  - ".join([f"since run {self.run_id} began, others wrote to its target:", *foreign])
                + "\nstart a new run, or let this one make all its tables again with --resume RUN_ID --start-over"
            )
        kept = side_by_side(lambda t: self._kept(io, target, t, history[t]), self.complete)
        gone = sorted(t for t, there in kept.items() if not there)
        if gone:
            log.warning("tables_to_redo", tables=gone, why="they are not as this run completed them")
        complete = {t: done for t, done in self.complete.items() if kept[t]}
        return replace(self, complete=complete, exact=self.exact & {*complete})

    def _foreign(self, table: str, past: Collection[Commit]) -> Iterator[str]:
        """Who else wrote to a table since the run began, in words."""
        before, last = self.before[table], source_of_rows([*past])
        if last is None or last.said.get(OWNER) == self.run_id:
            return
        same = [c for c in past if before is not None and (c.version, c.at) == (before.version, before.at)]
        if not same or before is None or last.version > before.version:
            yield f"{table}: {last.owner}, version {last.version}"

    def _kept(self, io: DeltaIO, target: Location, table: str, past: Collection[Commit]) -> bool:
        """Whether a table that was completed still is as it was: the rows come from the same version, and are there."""
        done, last = self.complete[table], source_of_rows([*past])
        if last is None or last.version != done.version:
            return False
        try:
            return content_hash(io.read_dataset(target.table(table), done.version)) == done.content
        except Exception as e:  # whatever it is, the table is made again
            log.warning("table_not_readable", table=table, cause=type(e).__name__)
            return False


def state_before(io: DeltaIO, target: Location, tables: Iterable[str]) -> dict[str, Before | None]:
    """What the tables of a target are now, before a run begins to write them."""

    def newest(table: str) -> Before | None:
        past = commits(io.spark, target.table(table))
        return Before(past[0].version, past[0].at) if past else None

    return side_by_side(newest, tables)


def _differences(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """Every value that differs between two trees, with its place."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in sorted({*then, *now}):
            yield from _differences(then.get(key), now.get(key), f"{place}.{key}" if place else key)
    elif then != now:
        yield f"{place}: {then} then, {now} now"
