"""Order among times: found where rows keep it and chance would not, turned into time that passes, and back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.rules.evidence import Column, Sample
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.temporal_order import NeverBefore, TemporalOrder, last_before
from synthohive_spark.schema.rule import RulesPlan

N = 400
RNG = np.random.default_rng(11)
DAY = 86_400_000_000
START = RNG.integers(10_000, 10_700, N).astype(float)


def pairs(kind: str = "date", **columns: Any) -> set[tuple[str, str]]:
    """(time, what it is never before) by name; names that begin with ``parents`` are context."""
    ids = {n: f"{'c' if n.startswith('parents') else 'v'}{i}" for i, n in enumerate(columns)}
    names = {i: n for n, i in ids.items()}
    own = [n for n in columns if not n.startswith("parents")]
    made = (Column(ids[n], kind, np.asarray(v, float), n in own, n in own) for n, v in columns.items())
    return {(names[law.target], names[law.inputs[0]]) for law in TemporalOrder().search(Sample(tuple(made), N))}


def test_an_order_that_every_row_keeps_is_found() -> None:
    shipped = START + RNG.integers(0, 40, N)
    shipped[::7] = np.nan
    assert pairs(ordered=START, shipped=shipped) == {("shipped", "ordered")}
    assert pairs(parents_signup=START, ordered=START + RNG.integers(0, 400, N)) == {("ordered", "parents_signup")}
    assert pairs("timestamp", begun=START * DAY, ended=START * DAY + RNG.integers(0, 9 * DAY, N)) == {
        ("ended", "begun")
    }


@pytest.mark.parametrize("case", ["one row breaks it", "years apart", "unknown before", "open ends", "independent"])
def test_what_is_no_order_is_not_taken_for_one(case: str) -> None:
    later = START + RNG.integers(0, 40, N)
    if case == "one row breaks it":
        later[5] = START[5] - 1
    if case == "years apart":
        later = RNG.integers(12_000, 12_700, N).astype(float)
    if case == "open ends":
        later[RNG.random(N) < 0.3] = 2_932_896.0  # 9999-12-31
    if case == "independent":
        later = RNG.integers(10_000, 10_700, N).astype(float)
    first = START.copy()
    if case == "unknown before":
        first[9] = np.nan
    assert pairs(first=first, later=later) == set()


def test_bases_come_first_and_only_the_last_of_a_chain_counts() -> None:
    def after(target: str, base: str) -> Law:
        return Law("temporal_order", target, (base,), "{0}")

    laws = [after("v2", "v1"), after("v2", "v0"), after("v1", "v0"), after("v0", "c3"), after("v1", "c3")]
    every = {"v0", "v1", "v2", "c3"}
    assert list(last_before(laws, every, {"v0", "v1", "v2"}).items()) == [
        ("v0", ("c3",)),
        ("v1", ("v0",)),
        ("v2", ("v1",)),
    ]
    assert last_before(laws, every - {"v1"}, {"v2"}) == {"v2": ("v0",)}, "what is computed later is no base"
    assert last_before([after("v0", "v1"), after("v1", "v0")], every, every) == {}, "they are equal"


def test_a_time_on_whole_days_stays_on_them_after_one_that_does_not() -> None:
    begun = pd.Series(pd.to_datetime(["2024-03-01 09:30:05", "2024-03-02 00:00:00", None]).as_unit("us"))
    due = pd.Series(pd.to_datetime(["2024-03-04", "2024-03-02", None]).as_unit("us"))
    rule = NeverBefore(column="due", own=("begun",), step=DAY)
    data, none = pd.DataFrame({"begun": begun, "due": due}), pd.DataFrame(index=range(3))
    passed = rule.encode(data, none, data, 1)
    assert passed["due"].tolist()[:2] == [pd.Timestamp("1970-01-03"), pd.Timestamp("1970-01-01")]
    pd.testing.assert_frame_equal(rule.decode(passed, none), data)


dates = st.none() | st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1))


@given(st.lists(st.tuples(dates, dates, dates), min_size=1, max_size=20))
def test_what_has_passed_gives_the_times_again(rows: list[tuple[dt.date | None, ...]]) -> None:
    columns = [pd.Series(values, dtype=object) for values in zip(*rows, strict=True)]
    context = pd.DataFrame({"parent.since": columns[0]})
    data = pd.DataFrame({"a": columns[1], "b": columns[2]})
    since_birth = NeverBefore(column="a", ancestors=("parent.since",))
    rules = RulesPlan(each=(since_birth, NeverBefore(column="b", own=("a",), ancestors=("parent.since",))))
    again = rules.decode(rules.encode(data, context, lambda nth: nth), context)
    for (since, a, b), made in zip(rows, again.itertuples(index=False), strict=True):
        lawful = a is not None and since is not None and a >= since
        if lawful:
            assert made.a == a
        if lawful and b is not None and a is not None and b >= a:
            assert made.b == b
        if made.a is not None and since is not None:
            assert made.a >= since
        if made.b is not None and made.a is not None:
            assert made.b >= made.a


def test_the_end_of_the_calendar_is_not_passed() -> None:
    data = pd.DataFrame({"a": [dt.date(9999, 12, 1)], "b": [dt.date(1971, 1, 1)]}, dtype=object)
    assert NeverBefore(column="b", own=("a",)).decode(data, pd.DataFrame(index=[0]))["b"].tolist() == [
        dt.date(9999, 12, 31)
    ]
