"""Order: found where rows keep it and chance would not, turned into where a value lies between its bounds, and back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.rules.evidence import Column, Sample
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.bounds import Bound, Ordered, OrderedLater
from synthohive_spark.rules.kinds.order import Order, bounding
from synthohive_spark.schema.rule import RulesPlan

N = 400
RNG = np.random.default_rng(11)
DAY = 86_400_000_000
START = RNG.integers(10_000, 10_700, N).astype(float)


def laws(kinds: str | dict[str, str] = "date", **columns: Any) -> dict[tuple[str, str], Law]:
    """The strictest law of each (column, other) by name; names that begin with ``parents`` are context."""
    ids = {n: f"{'c' if n.startswith('parents') else 'v'}{i}" for i, n in enumerate(columns)}
    names = {i: n for n, i in ids.items()}
    own = [n for n in columns if not n.startswith("parents")]
    types = dict.fromkeys(columns, kinds) if isinstance(kinds, str) else kinds
    made = (Column(ids[n], types[n], np.asarray(v, float), n in own, n in own) for n, v in columns.items())
    found = Order().search(Sample(tuple(made), len(next(iter(columns.values())))))
    return {(names[law.target], names[law.inputs[0]]): law for law in found}


def pairs(kinds: str | dict[str, str] = "date", **columns: Any) -> set[tuple[str, str]]:
    """(column, what it is never before)."""
    return {pair for pair, law in laws(kinds, **columns).items() if law.facts["side"] > 0}


def test_an_order_that_every_row_keeps_is_found() -> None:
    shipped = START + RNG.integers(0, 40, N)
    shipped[::7] = np.nan
    assert pairs(ordered=START, shipped=shipped) == {("shipped", "ordered")}
    assert pairs(parents_signup=START, ordered=START + RNG.integers(0, 400, N)) == {("ordered", "parents_signup")}
    assert pairs("timestamp", begun=START * DAY, ended=START * DAY + RNG.integers(0, 9 * DAY, N)) == {
        ("ended", "begun")
    }


@pytest.mark.parametrize("case", ["one row breaks it", "years apart", "independent", "few parents"])
def test_what_is_no_order_is_not_taken_for_one(case: str) -> None:
    first, later = START.copy(), START + RNG.integers(0, 40, N)
    if case == "one row breaks it":
        later[5] = START[5] - 1
    if case == "years apart":
        later = RNG.integers(12_000, 12_700, N).astype(float)
    if case == "independent":
        later = RNG.integers(10_000, 10_700, N).astype(float)
    if case == "few parents":  # 400 rows in order, but of six parents
        first, later = (10_000 + np.arange(N) % 6 * 20).astype(float), RNG.integers(10_100, 10_700, N).astype(float)
    found = laws(parents_first=first, later=later) if case == "few parents" else laws(first=first, later=later)
    assert found == {}


def test_amounts_that_all_lie_above_all_discounts_are_not_bounded_by_them() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):  # a few small amounts are nobody's evidence, whichever rows they stand in
        discount = rng.choice([0, 0.05, 0.1, 0.15, 0.2], 1_600)
        held = rng.gamma(2, 100, 1_600) + 1
        amount = np.round(np.where(rng.random(1_600) < 0.5, rng.uniform(1, held), held), 2)
        assert laws("double", discount=discount, amount=amount) == {}


def test_a_null_and_what_means_no_end_bound_nothing() -> None:
    later, first = START + RNG.integers(0, 40, N), START.copy()
    later[RNG.random(N) < 0.3] = 2_932_896.0  # 9999-12-31
    first[9] = np.nan
    found = laws(first=first, later=later)
    assert {pair: law.facts["open"] for pair, law in found.items()} == {
        ("later", "first"): 2_932_896,
        ("first", "later"): None,
    }
    assert found["later", "first"].facts["missing"]


def test_a_time_of_a_day_is_bounded_by_dates_and_dates_by_times() -> None:
    kinds = {"parents_birth": "date", "parents_death": "date", "seen": "timestamp"}
    birth = RNG.integers(-9_000, 9_000, N).astype(float)
    death = birth + RNG.integers(0, 9_000, N)
    seen = birth * DAY + RNG.random(N) * (death + 1 - birth) * (DAY - 1)
    seen = np.floor(seen)
    seen[:50] = death[:50] * DAY + RNG.integers(1, DAY, 50)
    seen[50:99] = birth[50:99] * DAY + RNG.integers(1, DAY, 49)
    found = laws(kinds, parents_birth=birth, parents_death=np.where(RNG.random(N) < 0.4, np.nan, death), seen=seen)
    assert set(found) == {("seen", "parents_birth"), ("seen", "parents_death")}
    upper = found["seen", "parents_death"].facts
    assert (upper["side"], upper["late"]) == (-1, True), "the day of the death is part of the life"
    assert found["seen", "parents_birth"].facts["late"] is False
    found = laws({"parents_at": "timestamp", "day": "date"}, parents_at=seen, day=np.floor(seen / DAY))
    assert set(found) == {("day", "parents_at")}


def test_numbers_are_in_order_and_the_one_that_follows_less_is_bounded() -> None:
    total = np.round(RNG.lognormal(5, 1, N), 2)
    covered = np.where(RNG.random(N) < 0.7, 0, np.round(total * RNG.random(N), 2))
    found = laws("decimal(12,2)", total=total, covered=covered)
    assert found["covered", "total"].facts["score"] < found["total", "covered"].facts["score"]
    assert found["covered", "total"].facts["ways"] == {"upper": "share"}


def test_bases_come_first_and_only_the_last_of_a_chain_counts() -> None:
    def after(target: str, base: str, **facts: Any) -> Law:
        known = {"side": 1, "score": 0.0, "missing": False, "strict": False, "late": False}
        return Law("order", target, (base,), "{0}", facts={**known, **facts})

    def bases(laws: list[Law], ready: set[str], targets: set[str]) -> list[tuple[str, tuple[str, ...]]]:
        return [(t, tuple(law.inputs[0] for law in own)) for t, own in bounding(laws, ready, targets).items()]

    laws = [after("v2", "v1"), after("v2", "v0"), after("v1", "v0"), after("v0", "c3"), after("v1", "c3")]
    every = {"v0", "v1", "v2", "c3"}
    assert bases(laws, every, {"v0", "v1", "v2"}) == [("v0", ("c3",)), ("v1", ("v0",)), ("v2", ("v1",))]
    assert bases(laws, every - {"v1"}, {"v2"}) == [("v2", ("v0",))], "what is computed later is no base"
    assert bases([after("v0", "v1"), after("v1", "v0")], every, every) == [], "they are equal"
    assert bases([after("v0", "v1"), after("v0", "v1", side=-1)], every, every) == [], "they are equal"
    circle = [after("v0", "v1"), after("v1", "v2"), after("v2", "v0", side=-1, score=0.5)]
    assert bases(circle, every, every) == [("v1", ("v2",)), ("v0", ("v1",))], "no column is bounded by itself"
    mutual = [after("v0", "v1", score=0.5), after("v1", "v0", side=-1, score=0.2)]
    assert bases(mutual, every, every) == [("v1", ("v0",))], "the one that follows less is bounded"
    loose = [after("v2", "v1", missing=True), after("v2", "v0"), after("v1", "v0")]
    assert dict(bases(loose, every, every))["v2"] == ("v0", "v1"), "the one between may be null"


def test_a_time_on_whole_days_stays_on_them_after_one_that_does_not() -> None:
    begun = pd.Series(pd.to_datetime(["2024-03-01 09:30:05", "2024-03-02 00:00:00", None]).as_unit("us"))
    due = pd.Series(pd.to_datetime(["2024-03-04", "2024-03-02", None]).as_unit("us"))
    rule = Ordered(column="due", lower=(Bound(name="begun"),), unit="micro", step=DAY)
    data, none = pd.DataFrame({"begun": begun, "due": due}), pd.DataFrame(index=range(3))
    passed = rule.encode(data, none, data, 1)
    assert passed["due"].tolist()[:2] == [pd.Timestamp("1970-01-03"), pd.Timestamp("1970-01-01")]
    pd.testing.assert_frame_equal(rule.decode(passed, none), data)


dates = st.none() | st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1))


@given(st.lists(st.tuples(dates, dates, dates), min_size=1, max_size=20), st.booleans())
def test_what_has_passed_gives_the_times_again(rows: list[tuple[dt.date | None, ...]], together: bool) -> None:
    columns = [pd.Series(values, dtype=object) for values in zip(*rows, strict=True)]
    context = pd.DataFrame({"parent.since": columns[0]})
    data = pd.DataFrame({"a": columns[1], "b": columns[2]})
    since = Bound(name="parent.since", above=True)
    since_birth = Ordered(column="a", lower=(since,), together=together)
    rules = RulesPlan(each=(since_birth, Ordered(column="b", lower=(Bound(name="a"), since), together=together)))
    again = rules.decode(rules.encode(data, context, lambda nth: nth), context)
    for (since_, a, b), made in zip(rows, again.itertuples(index=False), strict=True):
        lawful = a is not None and since_ is not None and a >= since_
        if lawful or (since_ is None and not together):
            assert made.a == a
        if lawful and b is not None and a is not None and b >= a:
            assert made.b == b
        if made.a is not None and since_ is not None:
            assert made.a >= since_
        if made.b is not None and made.a is not None:
            assert made.b >= made.a
        if since_ is None and together:
            assert made.a is None


def test_the_end_of_the_calendar_is_not_passed() -> None:
    data = pd.DataFrame({"a": [dt.date(9999, 12, 1)], "b": [dt.date(1971, 1, 1)]}, dtype=object)
    made = Ordered(column="b", lower=(Bound(name="a"),)).decode(data, pd.DataFrame(index=[0]))
    assert made["b"].tolist() == [dt.date(9999, 12, 31)]


WAYS = ("after", "before", "share", "own")
KINDS = ("int", "decimal", "rounded", "double", "time", "date")


def column(kind: str, values: Any, null: Any) -> pd.Series[Any]:
    """Whole numbers as a column of a kind; of decimals and rounded floats they are cents."""
    made: list[Any] = [int(v) for v in values]
    if kind == "int":
        return pd.Series(made, dtype="Int64").mask(null)
    if kind == "time":
        return pd.Series(np.array(made) * 1_000_000).astype("datetime64[us]").mask(null)
    if kind == "date":
        return pd.Series([dt.date(2000, 1, 1) + dt.timedelta(v) for v in made], dtype=object).mask(null, None)
    if kind == "decimal":
        return pd.Series([Decimal(v) / 100 for v in made], dtype=object).mask(null, None)
    return pd.Series([v / 100 if kind == "rounded" else v / 7 for v in made]).mask(null)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_whatever_a_model_draws_lies_within_the_bounds(way: Any, kind: str) -> None:
    rng = np.random.default_rng(5)
    low = rng.integers(0, 900, N)
    high = low + rng.integers(0, 300, N)
    own = low + np.floor((high - low + 1) * rng.random(N)).astype(int)
    nulls = [rng.random(N) < share for share in (0.1, 0.1, 0.2)]
    data = pd.DataFrame({"low": column(kind, low, nulls[0]), "own": column(kind, own, nulls[1])})
    context = pd.DataFrame({"high": column(kind, high, nulls[2])})
    unit: Any = {"time": "micro", "date": "day"}.get(kind, "number")
    step = {"time": 1_000_000, "double": 0}.get(kind, 1)
    scale = 2 if kind in ("decimal", "rounded") else 0
    bounds = {"lower": (Bound(name="low"),), "upper": (Bound(name="high", above=True),)}
    rule = Ordered(column="own", **bounds, way=way, unit=unit, step=step, scale=scale, usual=(100, 200))
    coded = rule.encode(data, context, data, 1)
    again = rule.decode(coded, context)
    free = data["own"].notna() & (low < high if way == "share" else True)
    kept = free & (~(nulls[0] | nulls[2]) if way == "share" else True)
    same = again["own"][kept] == data["own"][kept]
    if kind in ("double", "rounded", "decimal"):
        same = np.isclose(again["own"][kept].astype(float), data["own"][kept].astype(float), rtol=1e-12)
    assert same.all()
    shuffled = coded.assign(own=coded["own"].sample(frac=1, random_state=1).to_numpy())
    wild = shuffled.assign(own=pd.Series(shuffled["own"], dtype=coded["own"].dtype))
    for strict in (False, True):
        bounds = {
            "lower": (Bound(name="low", strict=strict),),
            "upper": (Bound(name="high", above=True),),
        }
        made = rule.model_copy(update=bounds).decode(wild, context)["own"]
        number = (lambda c: c.astype(float)) if unit == "number" else (lambda c: c)
        under, over = made.notna() & data["low"].notna(), made.notna() & context["high"].notna()
        apart = under & over & (number(data["low"]) >= number(context["high"])) if strict else made.isna()
        assert made.isna().tolist() == wild["own"].isna().tolist()
        below = (
            number(made[under]) > number(data["low"][under])
            if strict
            else number(made[under]) >= number(data["low"][under])
        )
        assert below.all()
        over &= ~apart
        assert (number(made[over]) <= number(context["high"][over])).all()


def test_what_is_bounded_by_computed_columns_is_moved_to_them_by_spark() -> None:
    def sql(**fields: Any) -> str | None:
        return OrderedLater(column="a", **fields).sql

    cost, strict = Bound(name="cost"), Bound(name="cost", strict=True)
    assert sql(upper=(cost,), unit="number", scale=2) == "if(`a` is null, null, least(`a`, floor(`cost`, 2)))"
    assert sql(upper=(strict,), unit="number") == "if(`a` is null, null, least(`a`, ceil(`cost`, 0) + -1))"
    assert (
        sql(lower=(strict,), unit="number", scale=1) == "if(`a` is null, null, greatest(`a`, floor(`cost`, 1) + 0.1))"
    )
    assert sql(lower=(cost,), unit="number", step=0) == "if(`a` is null, null, greatest(`a`, `cost`))"
    assert sql(lower=(strict,)) == "if(`a` is null, null, greatest(`a`, date_add(`cost`, 1)))"
    both = sql(lower=(Bound(name="b"),), upper=(cost,), unit="micro")
    assert both == "if(`a` is null, null, greatest(least(`a`, `cost`), `b`))"


def test_times_that_a_model_gives_as_objects_are_times() -> None:
    drawn = pd.Series([pd.Timestamp("1970-01-01 00:45:00"), None], dtype=object)
    begun = pd.Series([pd.Timestamp("2024-03-01 09:30:00"), pd.Timestamp("2024-03-01")], dtype=object)
    rule = Ordered(column="due", lower=(Bound(name="begun", strict=True),), unit="micro", step=60_000_000)
    made = rule.decode(pd.DataFrame({"begun": begun, "due": drawn}), pd.DataFrame(index=range(2)))["due"]
    assert made.tolist() == [pd.Timestamp("2024-03-01 10:15:00"), pd.NaT]


def test_a_copy_is_asked_whether_it_keeps_the_order() -> None:
    born, gone = Bound(name="client:born", above=True), Bound(name="client:gone", above=True, late=True)
    rule = Ordered(column="at", lower=(born, Bound(name="since", strict=True)), upper=(gone,), unit="micro")
    assert rule.check({}) == (
        "coalesce(`at` >= `#synthohive:client:born`, true) and coalesce(`at` > `since`, true)"
        " and coalesce(cast(`at` as date) <= cast(`#synthohive:client:gone` as date), true)"
    )
    assert Ordered(column="day", lower=(Bound(name="at"),)).check({}) == (
        "coalesce(cast(`day` as date) >= cast(`at` as date), true)"
    )
    assert Ordered(column="day", lower=(Bound(name="at"),), open=2_932_896).check({}) is None


def test_a_time_that_is_never_far_from_its_parents_is_learnt_by_how_far() -> None:
    begun, born = START * DAY, RNG.integers(-20_000, 5_000, N).astype(float)
    seen = begun + np.floor(RNG.normal(0, 5, N) * DAY)  # before it and after it: in no order
    kinds = {"parents_begun": "timestamp", "parents_born": "date", "seen": "timestamp"}
    found = laws(kinds, parents_begun=begun, parents_born=born, seen=seen)
    assert {pair for pair, law in found.items() if law.facts["side"] == 0} == {("seen", "parents_begun")}
    wide = begun + np.floor(RNG.normal(0, 400, N) * DAY)
    assert all(law.facts["side"] for law in laws(kinds, parents_begun=begun, parents_born=born, seen=wide).values())
    rule = Ordered(
        column="seen",
        lower=(Bound(name="born", above=True, strict=True),),
        way="near",
        near=Bound(name="begun", above=True),
        unit="micro",
        step=1,
        usual=(float(START[0] * DAY), 0),
    )
    context = pd.DataFrame(
        {"begun": begun.astype("datetime64[us]"), "born": born.astype("datetime64[D]").astype(object)}
    )
    data = pd.DataFrame({"seen": seen.astype("datetime64[us]")})
    drawn = rule.encode(data, context, data, 1)
    far = drawn["seen"].to_numpy("datetime64[us]").astype(np.int64)
    assert np.abs(far).max() < 30 * DAY, "what is learnt is how far it is"
    assert rule.decode(drawn, context)["seen"].equals(data["seen"])
    late = context.assign(born=(START + 100).astype("datetime64[D]").astype(object))
    made = rule.decode(drawn, late)["seen"].to_numpy("datetime64[us]").astype(np.int64)
    assert (made > (START + 100) * DAY - 1).all(), "bounds hold all the same"


def test_a_distance_that_varies_more_than_the_value_is_not_what_is_learnt() -> None:
    licensed = RNG.integers(-5_000, 10_400, N).astype(float)  # half a century of licences, two years of contracts
    begun = np.maximum(licensed, START)
    begun[: N // 20] = licensed[: N // 20] = START[: N // 20]  # some begin on the day of the licence
    (law,) = (w for w in laws(parents_licensed=licensed, begun=begun).values() if w.facts["side"] > 0)
    assert law.facts["ways"] == {"lower": "own"}
