"""What the rows of one parent have together: found on whole families, kept whatever a model draws. No Spark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthohive_spark.profiling.counters import nats
from synthohive_spark.rules.kin.find import OWNER, SiblingSearcher
from synthohive_spark.rules.kinds.anchored import AnchoredInFamily
from synthohive_spark.rules.kinds.extreme import ExtremeOfFamily
from synthohive_spark.rules.kinds.first import FirstOfFamily
from synthohive_spark.rules.kinds.handed_down import HandedDown
from synthohive_spark.rules.kinds.once import OnceInFamily
from synthohive_spark.rules.kinds.present import PresentInFamily
from synthohive_spark.rules.kinds.running import RunningSum
from synthohive_spark.rules.kinds.siblings import AmongSiblings
from synthohive_spark.rules.kinds.stepped import SteppedInFamily
from synthohive_spark.schema.rule import Rule, Siblings

SIZES = np.random.default_rng(5).integers(1, 9, 120)
OWNERS = np.repeat(np.arange(len(SIZES)), SIZES)
SEQ = np.concatenate([np.arange(n) + 1 for n in SIZES])
PLACE = {"family": ("of",), "by": "seq"}


def found(types: Mapping[str, str], **columns: Any) -> dict[str, Rule]:
    """{name of a rule: the first one of that name}, of columns beside a counter; those with a colon are a parent's."""
    ids = {n: f"c{i}" if ":" in n else f"v{i}" for i, n in enumerate(columns)}
    table = pa.table({OWNER: OWNERS, "v99": SEQ, **{ids[n]: pa.array(v) for n, v in columns.items()}})
    searcher = SiblingSearcher(
        types={"v99": "int", **{ids[n]: types[n] for n in columns}},
        names={"v99": "seq", **{i: n for n, i in ids.items()}},
        family=("of",),
        orders=("seq",),
        counted=frozenset({"seq"}),
        drawn=frozenset(n for n in columns if ":" not in n),
        least=5,
    )
    rules: dict[str, Rule] = {}
    for rule in searcher.found(table):
        rules.setdefault(rule.name, rule)
    return rules


def texts(rng: np.random.Generator, values: list[str | None]) -> pd.Series[Any]:
    made: list[Any] = [values[i] for i in rng.integers(0, len(values), len(SEQ))]
    return pd.Series(made, dtype=object)


def walk(rng: np.random.Generator) -> tuple[list[str], list[float], list[float]]:
    """Kinds, amounts and balances of accounts that are never overdrawn."""
    kinds, amounts, balances, held = list[str](), list[float](), list[float](), 0.0
    for n in SEQ:
        held = 0.0 if n == 1 else held
        takes = n > 1 and held > 10 and rng.random() < 0.6
        amounts.append(round(float(rng.uniform(1, held)) if takes else float(rng.gamma(2, 50)), 2))
        kinds.append(str(rng.choice(["OUT", "CARD"])) if takes else "IN")
        held = round(held - amounts[-1] if takes else held + amounts[-1], 2)
        balances.append(held)
    return kinds, amounts, balances


def test_a_running_sum_is_found_with_the_category_that_tells_its_sign() -> None:
    kinds, amounts, balances = walk(np.random.default_rng(1))
    rules = found({"kind": "string", "sum": "double", "held": "double"}, kind=kinds, sum=amounts, held=balances)
    rule = rules["running.held"]
    assert isinstance(rule, RunningSum)
    assert (rule.category, rule.negative, rule.positive) == ("kind", ("CARD", "OUT"), ("IN",)) or set(
        rule.negative
    ) == {"OUT", "CARD"}
    assert "running sum by `seq`: + if(" in rule.text(dict[str, str]().__getitem__), "no ancestor is asked for"
    assert rule.start == "zero"
    assert rule.floor
    assert rule.added == ("sum",)
    first = rules["first.kind"]
    assert isinstance(first, FirstOfFamily)
    assert first.values == ("IN",)


def test_a_running_sum_is_found_behind_many_other_numbers() -> None:
    rng = np.random.default_rng(1)
    kinds, amounts, balances = walk(rng)
    others = {f"other{i}": rng.gamma(2, 50, len(amounts)).round(2).tolist() for i in range(20)}
    rules = found(
        {"kind": "string", **dict.fromkeys(others, "double"), "sum": "double", "held": "double"},
        **{"kind": kinds, **others, "sum": amounts, "held": balances},
    )
    assert isinstance(rules["running.held"], RunningSum)


def test_what_nearly_holds_is_no_rule() -> None:
    rng = np.random.default_rng(2)
    _kinds, amounts, balances = walk(rng)
    off = [b + (0.5 if rng.random() < 0.03 else 0) for b in balances]
    bad = rng.random(len(SIZES)) < 0.03
    first = np.where((SEQ == 1) & ~bad[OWNERS], "new", rng.choice(["old", "kept"], len(SEQ)))
    once = np.where((SEQ == 1) & ~bad[OWNERS], "main", "other")
    when = np.where(bad[OWNERS], -SEQ, SEQ) * 1.5
    rules = found(
        {"kind": "string", "sum": "double", "held": "double", "first": "string", "once": "string", "at": "double"},
        kind=["IN"] * len(SEQ),
        sum=amounts,
        held=off,
        first=first.tolist(),
        once=once.tolist(),
        at=when.tolist(),
    )
    each = {n: rule.each for n, rule in rules.items() if isinstance(rule, OnceInFamily)}
    assert each == {"once.first": (), "once.once": ()}, "a family has at most one of them, which is true"
    assert {*rules} == {*each}


def test_chance_is_no_rule() -> None:
    rng = np.random.default_rng(3)
    rules = found(
        {"kind": "string", "sum": "double", "rare": "boolean"},
        kind=rng.choice(["a", "b", "c"], len(SEQ)).tolist(),
        sum=rng.normal(size=len(SEQ)).tolist(),
        rare=[i in (3, 90, 200) for i in range(len(SEQ))],
    )
    assert rules == {}


def test_numbers_that_rise_and_days_that_begin_at_the_parents_are_found() -> None:
    rng = np.random.default_rng(4)
    start = rng.integers(10_000, 19_000, len(SIZES))
    day = start[OWNERS] + np.where(SEQ == 1, 0, SEQ * 7 + rng.integers(0, 5, len(SEQ)))
    days = pa.array(day.astype(np.int32)).cast(pa.date32())
    opened = pa.array(start[OWNERS].astype(np.int32)).cast(pa.date32())
    rules = found({"day": "date", "of:opened": "date"}, day=days, **{"of:opened": opened})
    least, rising = rules["least.day"], rules["siblings.day"]
    assert isinstance(least, ExtremeOfFamily)
    assert least.source == "of:opened"
    assert not least.last
    assert isinstance(rising, AmongSiblings)
    assert rising.other == "seq"
    assert rising.strict


@pytest.mark.parametrize("last", [False, True])
def test_the_state_of_the_last_row_is_found_to_be_the_parents_and_given_to_it(last: bool) -> None:
    rng = np.random.default_rng(9)
    state = rng.choice(["gold", "silver", "basic"], len(SEQ))
    end = np.append(OWNERS[1:] != OWNERS[:-1], True) if last else SEQ == 1
    theirs = state[end][OWNERS].tolist()
    types = {"state": "string", "of:state": "string", "of:other": "string"}
    others = {"of:state": theirs, "of:other": rng.choice(["gold", "basic"], len(SIZES))[OWNERS].tolist()}
    rule = found(types, state=state.tolist(), **others)["handed.state"]
    assert isinstance(rule, HandedDown)
    assert (rule.source, rule.by, rule.last) == ("of:state", "seq", last)
    drawn = {"state": texts(rng, ["gold", "silver", "basic", None]), "seq": pd.Series(SEQ)}
    given = pd.Series(rng.choice(["gold", "basic"], len(SIZES))[OWNERS])
    made = rule.among(drawn, Siblings.whole(OWNERS, {"of:state": given}))["state"]
    assert made[end].tolist() == given[end].tolist()
    assert made[~end].equals(drawn["state"][~end].astype(object))
    cut = Siblings(OWNERS, *[np.ones(len(SIZES), bool)] * 2, {"of:state": given}, np.arange(len(SEQ)))
    assert rule.among(drawn, cut)["state"].equals(drawn["state"].astype(object)), "the row at the end is elsewhere"


def log_of_orders(rng: np.random.Generator) -> tuple[list[str], Any, Any, Any]:
    """Kinds and times of events, and when the order of each was picked up and, if it was, delivered."""
    ends = np.append(OWNERS[1:] != OWNERS[:-1], True)
    done = (rng.random(len(SIZES)) < 0.6) & (SIZES > 2)
    kind = np.where(SEQ == 1, "booked", rng.choice(["scan", "delay"], len(SEQ))).astype(object)
    kind[SEQ == 2] = "picked"
    kind[ends & done[OWNERS]] = "delivered"
    times = np.cumsum(rng.integers(1, 900, len(SEQ))) * 1_000_000
    picked, delivered = np.zeros(len(SIZES), np.int64), np.zeros(len(SIZES), np.int64)
    picked[OWNERS[SEQ == 2]], delivered[OWNERS[ends]] = times[SEQ == 2], times[ends]
    return kind.tolist(), times, pd.Series(picked).mask(SIZES < 2), pd.Series(delivered).mask(~done)


def stamps(values: Any) -> Any:
    return pa.array(values, pa.int64(), from_pandas=True).cast(pa.timestamp("us"))


def test_events_are_there_by_what_their_parent_is_and_when_it_says() -> None:
    rng = np.random.default_rng(10)
    kind, times, picked, delivered = log_of_orders(rng)
    types = {"kind": "string", "at": "timestamp_ntz", "of:picked": "timestamp_ntz", "of:done": "timestamp_ntz"}
    known = {"of:picked": stamps(picked[OWNERS].to_numpy()), "of:done": stamps(delivered[OWNERS].to_numpy())}
    rules = found(types, kind=kind, at=stamps(times), **known)
    present, anchored = rules["present.kind"], rules["anchored.at"]
    assert isinstance(present, PresentInFamily)
    assert isinstance(anchored, AnchoredInFamily)
    assert {(g.value, g.source, g.states, g.place) for g in present.given} == {
        ("delivered", "of:done", None, -1),
        ("picked", "of:picked", None, 1),
    }
    assert {*present.others} == {"scan", "delay"}
    assert {(a.value, a.source) for a in anchored.anchors} == {("picked", "of:picked"), ("delivered", "of:done")}
    assert anchored.by == "seq"

    drawn = {"kind": texts(rng, ["booked", "scan", "delay", "picked", "delivered"]), "seq": pd.Series(SEQ)}
    drawn["kind"][SEQ == 1] = "booked"
    begin = rng.integers(0, 10**9, len(SIZES))
    drawn["at"] = pd.Series((begin[OWNERS] + SEQ * 1000) * 1_000_000).astype("datetime64[us]")
    given = {
        "of:picked": pd.Series(((begin + 1_500) * 1_000_000)[OWNERS]).astype("datetime64[us]"),
        "of:done": pd.Series(((begin + 7_200) * 1_000_000)[OWNERS])
        .astype("datetime64[us]")
        .mask(((rng.random(len(SIZES)) < 0.5) | (SIZES < 3))[OWNERS]),
    }
    siblings = Siblings.whole(OWNERS, given)
    drawn |= present.among(drawn, siblings)
    made = pd.DataFrame({**drawn, **anchored.among(drawn, siblings), "of": OWNERS, "done": given["of:done"]})
    ends = np.append(OWNERS[1:] != OWNERS[:-1], True)
    assert ((made["kind"] == "delivered") == (made["done"].notna() & ends)).all()
    assert ((made["kind"] == "picked") == (SEQ == 2)).all()
    assert (made["at"] == made["done"])[made["kind"] == "delivered"].all()
    assert (made["at"] == given["of:picked"])[made["kind"] == "picked"].all()
    assert (made.groupby("of")["at"].diff().dropna() >= pd.Timedelta(0)).all(), "what rose rises"


def test_consecutive_values_are_told_from_chance_by_the_sizes_of_families() -> None:
    assert nats({1: 10_000}) == 0
    assert nats({2: 10}) == pytest.approx(10 * np.log(2))
    assert nats({2: 44}) > 30 > nats({2: 43})


@pytest.mark.parametrize("start", ["zero", "own", "parent"])
@pytest.mark.parametrize("by_category", [True, False])
def test_no_sum_falls_below_zero_and_each_is_that_of_the_row_before(start: Any, by_category: bool) -> None:
    rng = np.random.default_rng(6)
    columns = {
        "seq": pd.Series(SEQ),
        "kind": texts(rng, ["IN", "OUT"]),
        "sum": pd.Series(rng.gamma(2, 50, len(SEQ)).round(2)),
        "less": pd.Series(rng.gamma(2, 60, len(SEQ)).round(2)),
        "held": pd.Series(rng.normal(100, 80, len(SEQ)).round(2)),
    }
    told = {"category": "kind", "negative": ("OUT",), "positive": ("IN",)} if by_category else {"taken": ("less",)}
    source = "of:begin" if start == "parent" else None
    rule = RunningSum(column="held", added=("sum",), start=start, source=source, floor=True, scale=2, **told, **PLACE)
    begin = pd.Series(np.repeat(rng.gamma(2, 30, len(SIZES)).round(2), SIZES))
    made = pd.DataFrame(columns | rule.among(columns, Siblings.whole(OWNERS, {"of:begin": begin})))
    sign = np.where(made["kind"] == "OUT", -1, 1) if by_category else 1
    step = (sign * made["sum"] - (0 if by_category else made["less"])).astype(float)
    before = made["held"].groupby(OWNERS).shift().astype(float)
    known = {"zero": 0.0, "own": np.nan, "parent": begin}[start]
    error = made["held"].astype(float) - before.fillna(pd.Series(known, index=made.index)) - step
    assert error.abs().max() < 1e-6
    assert (made["held"] >= 0).all()
    assert (made[["sum", "less"]] >= 0).all(axis=None)
    again = rule.among(columns, Siblings.whole(OWNERS, {"of:begin": begin}))
    assert all(again[c].equals(made[c].astype(again[c].dtype)) for c in again), "one seed, one lake"


@pytest.mark.parametrize("last", [False, True])
def test_exactly_one_row_of_a_family_has_a_value(last: bool) -> None:
    rng = np.random.default_rng(7)
    role = texts(rng, ["main", "guest", "other", "lead"])
    columns = {"role": role, "seq": pd.Series(SEQ)}
    rule = OnceInFamily(column="role", family=("of",), each=("main",), most=("lead",), by="seq", last=last)
    made = rule.among(columns, Siblings.whole(OWNERS))["role"]
    counts = pd.crosstab(OWNERS, made)
    assert (counts["main"] == 1).all()
    assert (counts["lead"] <= 1).all()
    held = (role == "main").groupby(OWNERS).transform("any")
    place = pd.Series(SEQ).where(role == "main").groupby(OWNERS).transform("max" if last else "min")
    assert (made[held & (place == SEQ)] == "main").all(), "the first one, or the last, keeps it"


@pytest.mark.parametrize("swaps", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_the_first_row_or_the_last_has_one_of_some_values(swaps: bool, last: bool) -> None:
    rng = np.random.default_rng(8)
    columns = {
        "kind": texts(rng, ["IN", "OUT", None]),
        "at": pd.Series(rng.permutation(len(SEQ)).astype("datetime64[us]")),
    }
    rule = FirstOfFamily(column="kind", family=("of",), by="at", values=("IN", None), last=last, swaps=swaps)
    made = pd.DataFrame({**columns, **rule.among(columns, Siblings.whole(OWNERS)), "of": OWNERS})
    ends = made.sort_values("at").drop_duplicates("of", keep="last" if last else "first")
    assert (ends["kind"].isna() | (ends["kind"] == "IN")).all()
    assert sorted(made["at"]) == sorted(columns["at"])
    if swaps:
        there = (columns["kind"] != "OUT").groupby(OWNERS).transform("any")
        assert made["kind"][there].equals(columns["kind"][there]), "rows take each other's places instead"


@pytest.mark.parametrize("last", [False, True])
def test_the_nearest_row_gets_the_parents_day(last: bool) -> None:
    rng = np.random.default_rng(9)
    day = pd.Series(rng.integers(0, 400, len(SEQ)).astype("datetime64[D]").astype("datetime64[us]"))
    opened = pd.Series(
        np.repeat(rng.integers(150, 250, len(SIZES)), SIZES).astype("datetime64[D]").astype("datetime64[us]")
    )
    rule = ExtremeOfFamily(column="day", family=("of",), source="of:opened", last=last, unit="micro")
    made = rule.among({"day": day}, Siblings.whole(OWNERS, {"of:opened": opened}))["day"]
    assert made.groupby(OWNERS).agg("max" if last else "min").equals(opened.groupby(OWNERS).first())


def test_slices_of_a_family_know_what_they_are() -> None:
    owner = np.zeros(6, np.int64)
    cut = Siblings(owner, np.array([True]), np.array([False]), {}, np.arange(6))
    columns = {"role": pd.Series(["main", "a", "main", "b", "a", "b"], dtype=object), "seq": pd.Series(range(7, 13))}
    once = OnceInFamily(column="role", family=("of",), each=("main",)).among(columns, cut)["role"]
    assert "main" not in once.tolist(), "the slice that begins the family has it"
    first = FirstOfFamily(column="role", family=("of",), by="seq", values=("b",), counted=True).among(columns, cut)
    assert first["role"].equals(columns["role"])


def test_at_most_one_flag_is_set_in_a_family() -> None:
    rng = np.random.default_rng(10)
    at = np.array([rng.integers(1, n + 1) for n in SIZES])[OWNERS]
    away = (at == SEQ) & (rng.random(len(SIZES)) < 0.95)[OWNERS]
    rule = found({"away": "boolean"}, away=away.tolist())["once.away"]
    assert isinstance(rule, OnceInFamily)
    assert (rule.each, rule.most) == ((), (True,))
    drawn = pd.Series(rng.random(len(SEQ)) < 0.4).astype("boolean")
    made = rule.among({"away": drawn, "seq": pd.Series(SEQ)}, Siblings.whole(OWNERS))["away"].astype(bool)
    assert made.groupby(OWNERS).sum().equals(drawn.groupby(OWNERS).any().astype(int))


def in_steps(first: list[Any], size: Any) -> list[Any]:
    """Values that many steps behind the first one of their family."""
    return [first[of] + (n - 1) * size for of, n in zip(OWNERS, SEQ, strict=True)]


def test_even_steps_are_found_and_kept() -> None:
    rng = np.random.default_rng(8)
    days = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 900, len(SIZES))]
    times = [dt.datetime(2024, 1, 1) + dt.timedelta(minutes=int(m)) for m in rng.integers(0, 90_000, len(SIZES))]
    months = [
        (pd.Timestamp(days[of]) + pd.DateOffset(months=3 * int(n - 1))).date()
        for of, n in zip(OWNERS, SEQ, strict=True)
    ]
    columns = {
        "quarter": months,
        "week": in_steps(days, dt.timedelta(7)),
        "hour": in_steps(times, dt.timedelta(hours=1)),
        "line": in_steps(rng.integers(1, 900, len(SIZES)).tolist(), 10),
        "loose": [d + dt.timedelta(int(n)) for d, n in zip(months, rng.integers(0, 2, len(SEQ)), strict=True)],
    }
    types = {"quarter": "date", "week": "date", "hour": "timestamp_ntz", "line": "bigint", "loose": "date"}
    rules = found(types, **columns)
    sizes = {n: (r.size, r.months) for n, r in rules.items() if isinstance(r, SteppedInFamily)}
    assert sizes == {
        "stepped.quarter": (3, True),
        "stepped.week": (7, False),
        "stepped.hour": (3_600_000_000, False),
        "stepped.line": (10, False),
    }
    rule = rules["stepped.quarter"].model_copy(update={"along": ("paid",)})
    drawn = pd.Series(
        [days[of] + dt.timedelta(int(d)) for of, d in zip(OWNERS, rng.integers(0, 400, len(SEQ)), strict=True)]
    )
    paid = pd.Series([d + dt.timedelta(5) for d in drawn])
    made = rule.among({"quarter": drawn, "paid": paid}, Siblings.whole(OWNERS))
    for _, family in pd.DataFrame({"of": OWNERS, "q": made["quarter"]}).groupby("of"):
        dates = sorted(family["q"])
        assert dates == [(pd.Timestamp(dates[0]) + pd.DateOffset(months=3 * n)).date() for n in range(len(dates))]
    assert all(p - q == dt.timedelta(5) for p, q in zip(made["paid"], made["quarter"], strict=True))
    assert drawn.groupby(OWNERS).min().tolist() == made["quarter"].groupby(OWNERS).min().tolist()
