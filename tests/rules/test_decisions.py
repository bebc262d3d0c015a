"""Decisions on planted samples: what follows from thresholds and categories is found, what nearly does is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from synthohive_spark.rules.branches import Branch, case, from_json, leaves, to_json
from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.kind import KINDS, Law
from synthohive_spark.rules.kinds import load
from synthohive_spark.rules.literals import between, literal
from tests.rules.test_search import spark_type

load()
N = 2_000
RNG = np.random.default_rng(11)
DAY = dt.date(2020, 1, 1)


def found(
    columns: Mapping[str, Any],
    kind: str,
    context: tuple[str, ...] = (),
    closed: tuple[str, ...] = (),
    keys: tuple[str, ...] = (),
) -> dict[str, list[str]]:
    """{column: its decisions of a kind, as SQL over names}; columns that are closed follow from nothing."""
    arrays = {n: v if isinstance(v, pa.Array) else pa.array(v) for n, v in columns.items()}
    own = [n for n in arrays if n not in context]
    ids = {n: f"v{i}" for i, n in enumerate(own)} | {n: f"c{i}" for i, n in enumerate(context)}
    types = {ids[n]: spark_type(a.type) for n, a in arrays.items()}
    table = pa.table({ids[n]: a for n, a in arrays.items()})
    used = {i for n, i in ids.items() if n not in keys}
    sample = Sample.of(table, types, {ids[n] for n in own if n not in closed + keys}, used)
    sample = replace(sample, paths={ids[n]: "(0,)" for n in context}, least=3)
    names, laws = {i: n for n, i in ids.items()}, dict[str, list[str]]()
    for law in KINDS[kind].search(sample):
        laws.setdefault(names[law.target], []).append(said(law, names))
    return laws


def said(law: Law, names: Mapping[str, str]) -> str:
    """A decision with its values as the sample has them; ``...`` where others may be there too."""
    way = from_json(law.data)
    return case(
        way,
        names,
        lambda _, value: value,
        lambda leaf: "|".join(sorted(f"{v}" for v, _ in leaf.values)) + ("..." if leaf.open else ""),
    )


def dates(days: Any) -> list[dt.date]:
    return [DAY + dt.timedelta(int(d)) for d in days]


def test_a_status_follows_from_the_threshold_of_a_date() -> None:
    day = RNG.integers(0, 900, N)
    status = np.where(day > 400, "open", "closed")
    laws = found({"on": dates(day), "noise": RNG.normal(size=N), "status": status}, "decision")
    assert laws == {"status": ["case when on <= 18662.0 then closed else open end"]}  # days since 1970
    status[::67] = "open"
    assert found({"on": dates(day), "status": status}, "decision") == {}, "a near-law"


def test_a_class_of_many_ranges_and_categories_with_thresholds() -> None:
    amount = RNG.integers(0, 10_000, N) / 10
    size = np.select([amount < 50, amount < 200, amount < 500, amount < 800], ["XS", "S", "M", "L"], "XL")
    laws = found({"amount": amount, "size": size}, "decision")["size"]
    assert sorted(leaves_of(laws[0])) == ["L", "M", "S", "XL", "XS"]
    kind = RNG.choice(["a", "b", "c", "d"], N)
    free = np.where(np.isin(kind, ["a", "c"]) | (amount >= 500), "yes", "no")
    laws = found({"kind": kind, "amount": amount, "free": free}, "decision")["free"]
    assert any("kind in (a, c) then yes" in sql for sql in laws)


def leaves_of(sql: str) -> list[str]:
    parts = [part.split()[0] for part in sql.replace(" else ", " then ").split(" then ")[1:]]
    return [part for part in parts if part != "case"]


def test_a_dictionary_is_no_decision() -> None:
    code = RNG.integers(0, 6, N)
    rate = np.array([3.5, 12.25, 17.0, 40.0, 41.5, 77.0])[code]
    laws = found({"rate": rate, "code": [f"c{c}" for c in code]}, "decision")
    assert "code" not in laws, "thresholds between the few rates would name the codes"


def test_what_lies_before_what_and_what_is_null_or_the_same() -> None:
    due, paid = RNG.integers(0, 300, N), pa.array(RNG.integers(0, 300, N), mask=RNG.random(N) < 0.3)
    paid_days = [None if v is None else DAY + dt.timedelta(v) for v in paid.to_pylist()]
    due_days = dates(due)
    late = [p is not None and p > d for p, d in zip(paid_days, due_days, strict=True)]
    at = [None if p is None else dt.datetime(p.year, p.month, p.day, 9, tzinfo=dt.timezone.utc) for p in paid_days]
    times = {"due": due_days, "at": pa.array(at, pa.timestamp("us", "UTC"))}
    laws = found(
        {**times, "over": [a is not None and a.date() >= d for a, d in zip(at, due_days, strict=True)]}, "decision"
    )
    assert "case when due < at then 1.0 else 0.0 end" in laws["over"], "a day is before its hours"
    state = ["unpaid" if p is None else "paid" for p in paid_days]
    laws = found({"due": due_days, "paid": paid_days, "late": late, "state": state}, "decision")
    assert any("due < paid" in sql for sql in laws["late"])
    assert laws["state"][0] == "case when paid is null then unpaid else paid end"
    city = RNG.choice([f"c{i}" for i in range(30)], N)
    bill = np.where(RNG.random(N) < 0.5, city, RNG.choice([f"c{i}" for i in range(30)], N))
    laws = found({"city": city, "bill": bill, "same": city == bill}, "decision")
    assert laws["same"][0] == "case when city = bill then 1.0 else 0.0 end"


def test_parts_of_times_decide() -> None:
    day = RNG.integers(0, 900, N)
    free = [d.weekday() >= 5 for d in dates(day)]
    laws = found({"on": dates(day), "free": free}, "decision")
    assert "case when weekday(on) <= 4 then 0.0 else 1.0 end" in laws["free"]
    minute = RNG.integers(0, 600_000, N)
    at = [dt.datetime(2021, 3, 1, tzinfo=dt.timezone.utc) + dt.timedelta(minutes=int(m)) for m in minute]
    shift = ["early" if t.hour < 8 else "late" if t.hour < 16 else "night" for t in at]
    laws = found({"at": pa.array(at, pa.timestamp("us", "UTC")), "shift": shift}, "decision")
    assert sorted(leaves_of(laws["shift"][0])) == ["early", "late", "night"]
    assert "hour(at) <= 7" in laws["shift"][0]


def test_what_ancestors_decide_counts_by_ancestor() -> None:
    many, few = RNG.integers(0, 500, N), RNG.integers(0, 6, N)
    level, chosen = RNG.integers(0, 100, 500), RNG.random(6)
    status = np.where(level[many] < 30, "low", "high")
    assert "status" in found({"status": status, "level": level[many]}, "decision", ("level",))
    odd = np.where(chosen[few] < np.median(chosen), "low", "high")
    assert found({"odd": odd, "level": chosen[few]}, "decision", ("level",)) == {}, "six ancestors are no evidence"


def test_values_that_some_rows_may_not_have() -> None:
    day, coin = RNG.integers(0, 900, N), RNG.random(N) < 0.5
    flag = np.where(day > 400, "N", np.where(coin, "R", "A"))
    laws = found({"on": dates(day), "flag": flag}, "one_of", closed=("on",))
    assert laws == {"flag": ["case when on <= 18662.0 then A|R else N end"]}
    gender = np.where(coin, "M", "F")
    title = np.where(
        RNG.random(N) < 0.2, None, np.where(coin, "Mr.", np.where(RNG.random(N) < 0.5, "Mrs.", "Ms."))
    ).tolist()
    laws = found({"gender": gender, "title": title}, "one_of", closed=("gender",))
    assert laws == {"title": ["case when gender = F then Mrs.|Ms.|None else Mr.|None end"]}
    mostly = np.where(RNG.random(N) < 0.03, np.where(gender == "M", "F", "M"), gender)
    assert found({"gender": gender, "mostly": mostly}, "one_of") == {}, "a near-law"


def test_values_of_few_rows_that_a_second_group_of_one_column_tells_apart() -> None:
    rng = np.random.default_rng(9)
    for _ in range(10):
        sex = rng.choice(["F", "M"], 300)
        able = {"F": ["Mrs.", "Ms.", "Dr."], "M": ["Mr.", "Dr."]}
        title = [str(rng.choice(able[s])) for s in sex]
        others = {f"other{i}": rng.normal(0, 1, 300) for i in range(20)}
        [law] = found({"title": title, "sex": sex, **others}, "one_of", closed=("title",))["sex"]
        inner = "case when title = Mr. then M else F|M... end"
        assert law == f"case when title in (Dr., Mr.) then {inner} else F end"


def test_values_that_go_with_a_key() -> None:
    code = RNG.choice([f"c{i:02d}" for i in range(40)], N)
    key = pa.array(RNG.integers(0, 99, N), mask=np.isin(code, ["c03", "c17"]))
    laws = found({"code": code, "key": key}, "one_of", keys=("key",))
    shown = laws["code"][0]
    assert shown.startswith("case when key is null then c03|c17 else ")
    assert shown.endswith("... end")
    near = pa.array(RNG.integers(0, 99, N), mask=np.isin(code, ["c03", "c17"]) ^ (RNG.random(N) < 0.03))
    assert found({"code": code, "key": near}, "one_of", keys=("key",)) == {}


def test_null_exactly_where_and_at_least_where() -> None:
    kind, some = RNG.choice(["cash", "card", "bank"], N), RNG.random(N) < 0.4
    number = pa.array(RNG.integers(0, 10_000, N), mask=kind == "cash")
    note = pa.array(RNG.integers(0, 10_000, N), mask=(kind == "cash") | some)
    laws = found({"kind": kind, "number": number, "note": note}, "null_decision")
    assert "case when kind = cash then None else set end" in laws["number"]
    assert laws["note"] == ["case when kind = cash then None else None|set... end"]
    person = pa.array(RNG.integers(0, 10_000, N), mask=some)
    company = pa.array(RNG.integers(0, 10_000, N), mask=~some)
    laws = found({"person": person, "company": company}, "null_decision")
    assert laws["company"] == ["case when person is null then set else None end"], "one of both, exactly"
    near = pa.array(RNG.integers(0, 10_000, N), mask=(kind == "cash") ^ (RNG.random(N) < 0.03))
    assert found({"kind": kind, "near": near}, "null_decision") == {}


@pytest.mark.parametrize("rows", [60, 200, 1_000])
def test_accidents_are_no_decisions(rows: int) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        columns: dict[str, Any] = {f"n{i}": rng.normal(size=rows) for i in range(8)}
        columns |= {f"k{i}": rng.choice(["a", "b", "c", "d"], rows) for i in range(6)}
        columns |= {f"x{i}": pa.array(rng.integers(0, 99, rows), mask=rng.random(rows) < 0.2) for i in range(4)}
        columns["rare"] = np.where(np.arange(rows) % (rows // 7) == 1, "yes", "no")
        assert [found(columns, kind) for kind in ("decision", "one_of", "null_decision")] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("kind", "low", "high", "bound"),
    [
        ("double", 24.7, 25.3, ("below", "25")),
        ("double", 99.99, 100.0, ("below", "100")),
        ("int", 17, 18, ("at most", "17")),
        ("int", 99, 100, ("below", "100")),
        ("bigint", 0, 1, ("at most", "0")),
        ("decimal(10,2)", 0.04, 0.06, ("below", "0.05")),
        ("date", 9298, 9299, ("at most", "date'1995-06-17'")),
        ("date", 9125, 9140, ("below", "date'1995-01-01'")),
        ("timestamp", 1.0e15, 1.0e15 + 4e9, ("below", "timestamp'2001-09-09 02:00:00Z'")),
        ("double", float("-inf"), 3.0, None),
    ],
)
def test_the_roundest_threshold_of_a_gap(kind: str, low: float, high: float, bound: tuple[str, str] | None) -> None:
    assert between(kind, low, high) == bound


def test_literals() -> None:
    assert literal("boolean", 1.0) == "true"
    assert literal("timestamp_ntz", 0.0) == "timestamp_ntz'1970-01-01 00:00:00'"
    assert literal("double", 0.1) == "0.1"


def test_a_tree_survives_json() -> None:
    on = [True, False] * (N // 2)
    laws = KINDS["decision"].search(_sample(on))
    way = from_json(laws[0].data)
    assert isinstance(way, Branch)
    assert from_json(to_json(way)) == way
    assert len(leaves(way)) == 2


def _sample(on: list[bool]) -> Sample:
    table = pa.table({"v0": on, "v1": ["yes" if o else "no" for o in on]})
    return Sample.of(table, {"v0": "boolean", "v1": "string"}, {"v1"}, {"v0", "v1"})


def test_classes_follow_from_how_far_dates_and_times_are_apart() -> None:
    born, seen = RNG.integers(-20_000, -2_000, N), RNG.integers(0, 900, N)
    years = [
        b.year - a.year - ((b.month, b.day) < (a.month, a.day)) for a, b in zip(dates(born), dates(seen), strict=True)
    ]
    columns = {"born": dates(born), "seen": dates(seen), "noise": RNG.normal(size=N)}
    group = np.where(np.array(years) < 25, "young", "old")
    month = "(year(seen) - year(born)) * 12 + month(seen) - month(born) - if(day(seen) < day(born), 1, 0)"
    assert found({**columns, "group": group}, "decision")["group"][0] == (
        f"case when ({month}) <= 299 then young else old end"
    )
    late = np.where(seen - born < 9_131, "young", "old")
    assert any("datediff(seen, born) <= 91" in law for law in found({**columns, "group": late}, "decision")["group"])
    waits = RNG.exponential(20_000, N).astype(int)
    start = [dt.datetime(2024, 1, 1) + dt.timedelta(seconds=int(s)) for s in RNG.integers(0, 10_000_000, N)]
    end = [s + dt.timedelta(seconds=int(w)) for s, w in zip(start, waits, strict=True)]
    times = {n: pa.array(v, pa.timestamp("us", "UTC")) for n, v in (("start", start), ("end", end))}
    (law,) = found({**times, "breach": np.where(waits > 14_400, "yes", "no")}, "decision")["breach"][:1]
    assert law.startswith("case when cast(floor((unix_micros(cast(end as timestamp)) - unix_micros(cast(start as")


def test_what_follows_from_a_column_does_not_hide_what_it_follows_from() -> None:
    year, noise = RNG.integers(2000, 2024, N), RNG.normal(size=N)
    fuel = np.where((year > 2014) & (RNG.random(N) < 0.4), "electric", RNG.choice(["petrol", "diesel"], N))
    engine = [None if f == "electric" else float(e) for f, e in zip(fuel, RNG.choice([1.0, 1.4, 2.0], N), strict=True)]
    laws = found({"year": year, "fuel": fuel, "engine": engine, "noise": noise}, "one_of")["fuel"]
    assert laws[0].startswith("case when engine is null then electric")
    assert "case when year <= 2014.0 then diesel|petrol else diesel|electric|petrol... end" in laws


def test_a_state_that_says_where_a_date_is_null_is_drawn_and_the_date_follows() -> None:
    start, noise = RNG.integers(0, 900, N), RNG.normal(size=N)
    past = np.where(RNG.random(N) < 0.2, "cancelled", "expired")
    state = np.where(start > 600, "active", past)
    days = dates(RNG.integers(1_000, 2_000, N))
    gone = [d if s == "cancelled" else None for d, s in zip(days, state, strict=True)]
    columns = {"start": dates(start), "state": state, "gone": pa.array(gone, pa.date32()), "noise": noise}
    assert "state" not in found(columns, "decision")
    assert "case when state = cancelled then set else None end" in found(columns, "null_decision")["gone"]
    assert any(
        law.startswith("case when start <= 18862.0 then cancelled|expired") for law in found(columns, "one_of")["state"]
    )


def test_what_one_column_decides_alone_is_a_dictionary() -> None:
    grade = RNG.choice(["head", "senior", "junior"], N)
    boss = [None if g == "head" else 1.0 for g in grade]
    pay = np.where(grade == "head", 12.5, np.where(grade == "senior", 10.0, 7.5))
    laws = found({"grade": grade, "boss": boss, "pay": pay}, "decision", keys=("boss",))["pay"]
    assert all("boss" not in law or "grade" not in law for law in laws)
