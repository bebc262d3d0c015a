"""What the events of a run say, which commit a table's rows come from, and what differs from the start. No Spark."""

from __future__ import annotations

from typing import Any

import pytest

from synthohive_spark.errors import ConfigError, SerializationError
from synthohive_spark.lake.commits import Commit, marked, source_of_rows
from synthohive_spark.manifest import BEFORE, CLEANED, EXACT, ROWS, STARTED, TRAINED, Before, Complete, RunState
from synthohive_spark.registry import Event

START: dict[str, Any] = {
    "shaping": {"train": {"seed": 1}, "metadata": {"users": "a1"}},
    "package": {"version": "1", "code": "c"},
}


def wrote(table: str, version: int, event: str = ROWS) -> Event:
    return Event(event, table, {"version": version, "rows": 3, "content": f"h{version}"})


EVENTS = [
    Event(STARTED, None, START),
    Event(TRAINED, None, {}),
    Event(BEFORE, None, {"target": "/t", "tables": {"users": [4, 1000], "orders": None}}),
    wrote("users", 6),
    wrote("orders", 1),
    wrote("users", 7, EXACT),
]


def test_the_last_word_on_a_table_counts() -> None:
    state = RunState.of("r", EVENTS)
    assert (state.trained, state.target) == (True, "/t")
    assert state.before == {"users": Before(4, 1000), "orders": None}
    assert state.complete == {"users": Complete(7, 3, "h7"), "orders": Complete(1, 3, "h1")}
    assert state.exact == {"users"}
    again = RunState.of("r", [*EVENTS, wrote("users", 9)])
    assert (again.complete["users"].version, again.exact) == (9, frozenset())
    cleaned = RunState.of("r", [*EVENTS, Event(CLEANED, None, {"left": []})])
    assert (cleaned.complete, cleaned.exact, cleaned.before) == ({}, frozenset(), state.before)


def test_what_differs_is_shown_with_its_place() -> None:
    state = RunState.of("r", EVENTS)
    state.check_same(START)
    other = {"shaping": {"train": {"seed": 2}, "metadata": {"users": "b2"}}, "package": {"version": "1", "code": "d"}}
    with pytest.raises(ConfigError) as raised:
        state.check_same(other)
    for said in ("train.seed: 1 then, 2 now", "metadata.users: a1 then, b2 now", "package.code: c then, d now"):
        assert said in str(raised.value)
    with pytest.raises(ConfigError, match="only looked at another's work"):
        RunState.of("r", [Event("evaluated", None, {})]).check_same(START)


@pytest.mark.parametrize("payload", [{}, {"target": "/t", "tables": {"users": [1]}}, {"target": "/t", "tables": 5}])
def test_a_manifest_that_is_damaged_is_said_to_be(payload: dict[str, Any]) -> None:
    with pytest.raises(SerializationError, match="was written by another version, or is damaged"):
        RunState.of("r", [Event(BEFORE, None, payload)])


def history(*done: tuple[str, dict[str, str], int | None]) -> list[Commit]:
    """Commits, the newest first."""
    made = [Commit(v, op, v, said, 1, back) for v, (op, said, back) in enumerate(done)]
    return made[::-1]


def test_rows_come_from_the_last_commit_that_changed_any() -> None:
    mine, other = {"run_id": "r", "step": "rows"}, {"run_id": "s"}
    past = history(
        ("CREATE TABLE", {}, None), ("WRITE", mine, None), ("OPTIMIZE", {}, None), ("SET TBLPROPERTIES", {}, None)
    )
    last = source_of_rows(past)
    assert last is not None
    assert (last.version, last.owner) == (1, "run r")
    assert marked(past, '{"run_id": "r", "step": "rows"}') == last
    assert marked(past, '{"run_id": "r", "step": "exact"}') is None
    assert marked(past, None) is None
    made = history(("CREATE TABLE", mine, None))
    assert marked(made, '{"run_id": "r", "step": "rows"}') is None, "it has no rows yet"
    overwritten = [Commit(4, "WRITE", 4, other), *past]
    assert marked(overwritten, '{"run_id": "r", "step": "rows"}') is None
    back = [Commit(5, "RESTORE", 5, {}, 0, 1), *overwritten]
    assert source_of_rows(back) == last
    assert source_of_rows([Commit(0, "MERGE", 0)]) == Commit(0, "MERGE", 0)
    assert Commit(0, "MERGE", 0).owner == "somebody's MERGE"
    assert source_of_rows([]) is None
