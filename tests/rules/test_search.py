"""The search on planted samples: each kind of law is found, what nearly holds is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.kind import KINDS, Law
from synthohive_spark.rules.search import search

N = 1_200
RNG = np.random.default_rng(3)
SPARK = {
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.date32(): "date",
    pa.string(): "string",
    pa.bool_(): "boolean",
}


def found(columns: Mapping[str, Any], context: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """{column: its laws, as SQL over names}; dictionaries have none before Spark writes them."""
    arrays = {n: v if isinstance(v, pa.Array) else pa.array(v) for n, v in columns.items()}
    own = [n for n in arrays if n not in context]
    ids = {n: f"v{i}" for i, n in enumerate(own)} | {n: f"c{i}" for i, n in enumerate(context)}
    types = {ids[n]: spark_type(a.type) for n, a in arrays.items()}
    table = pa.table({ids[n]: a for n, a in arrays.items()})
    mine = {ids[n] for n in own}
    laws: dict[str, list[str]] = {}
    names = {i: n for n, i in ids.items()}
    for law in search(Sample.of(table, types, mine, mine)):
        if law.data or law.kind == "order" or KINDS[law.kind].tabled:
            continue  # decisions, bounds and dictionaries have tests of their own
        laws.setdefault(names[law.target], []).append(law.expression(names, types))
    return laws


def spark_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return "timestamp" if pa.types.is_timestamp(kind) else SPARK[kind]


def ints(low: int, high: int) -> Any:
    return RNG.integers(low, high, N)


def test_field_03_times_at_the_ends_of_the_calendar() -> None:
    last = dt.datetime(9999, 12, 31, 23, 59, 59)
    times = [
        last if i % 2 else dt.datetime(2020, 1, 1) + dt.timedelta(hours=int(h)) for i, h in enumerate(ints(0, 9999))
    ]
    times[:2] = [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)]
    laws = found({"t": pa.array(times, pa.timestamp("us", "UTC")), "y": [t.year for t in times]})
    assert laws["y"] == ["year(t)"]


def test_a_column_of_an_ancestor_with_nan_is_not_copied() -> None:
    numbers = [float("nan") if i == 3 else i / 2 for i in ints(0, 40)]
    assert "a" in found({"a": numbers, "b": numbers})
    assert "a" not in found({"a": numbers, "up": numbers}, context=("up",))
    whole = [i / 2 for i in ints(0, 40)]
    assert found({"a": whole, "up": whole}, context=("up",))["a"] == ["up"]


def test_copies_of_any_type_and_none_across_types() -> None:
    text = [f"t{i}" for i in ints(0, 9)]
    flag = [bool(i) for i in ints(0, 2)]
    laws = found({"a": text, "b": text, "c": flag, "d": flag, "e": [int(f) for f in flag]})
    assert laws["b"] == ["a"]
    assert laws["d"] == ["c"]
    assert "e" not in laws


def test_a_line_with_a_structural_factor() -> None:
    metres, celsius = ints(-900, 900), RNG.integers(-200, 400, N) / 10
    laws = found({"m": metres, "cm": metres * 100, "f": celsius * 1.8 + 32, "c": celsius, "odd": metres * 1.2345})
    assert laws["cm"] == ["try_multiply(m, 100)"]
    assert "m" in laws
    assert laws["m"][0] == "cm div 100"
    assert any("1.8D, 32)" in sql for sql in laws["f"])
    assert "odd" not in laws


def test_digits_of_negative_numbers_too() -> None:
    n = ints(-5000, 5000)
    laws = found({"n": n, "low": n % 100, "trunc": np.trunc(n / 100).astype("int64"), "floor": n // 100})
    assert "pmod(n, 100)" in laws["low"]
    assert "n div 100" in laws["trunc"]
    assert "try_subtract(n, pmod(n, 100)) div 100" in laws["floor"]


def test_sums_differences_and_products_with_nulls_and_decimals() -> None:
    a, b = ints(-50, 50), ints(0, 70)
    price = [None if i % 7 == 0 else Decimal(int(p)).scaleb(-2) for i, p in enumerate(ints(1, 9000))]
    total = [None if p is None else p * int(q) for p, q in zip(price, b, strict=True)]
    decimals = {n: pa.array(v, pa.decimal128(10, 2)) for n, v in {"price": price, "total": total}.items()}
    laws = found({"a": a, "b": b, "plus": a + b, "minus": a - b, "times": a * b, **decimals})
    assert "try_add(a, b)" in laws["plus"]
    assert "try_subtract(a, b)" in laws["minus"]
    assert "try_multiply(a, b)" in laws["times"]
    assert "try_cast(round(try_multiply(b, price), 2) as decimal(10,2))" in laws["total"]


def test_a_product_that_is_rounded() -> None:
    a, rate = ints(1, 2000), RNG.integers(1, 100, N) / 100
    laws = found({"a": a, "rate": rate, "tax": np.floor(a * rate * 10 + 0.5) / 10})
    assert "round(try_multiply(a, rate), 1)" in laws["tax"]


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Auckland"]
)
def test_parts_of_times_near_a_change_of_the_clocks(zone: str) -> None:
    times = [dt.datetime(2024, 3, 8, tzinfo=dt.timezone.utc) + dt.timedelta(minutes=37 * i) for i in range(N)]
    local = pa.array(times, pa.timestamp("us", "UTC")).to_pandas().dt.tz_convert(zone)
    parts = {"hour": local.dt.hour, "day": local.dt.day, "month": local.dt.month, "year": local.dt.year}
    data = {"at": pa.array(times, pa.timestamp("us", "UTC")), **{n: p.to_numpy("int64") for n, p in parts.items()}}
    laws = found(
        {**data, "on": local.dt.date.tolist(), "hhmm": (local.dt.hour * 100 + local.dt.minute).to_numpy("int64")}
    )
    at = f"from_utc_timestamp(at, '{zone}')"
    assert [sql for sql in laws["hour"] if "at" in sql.replace("date", "")][:1] == [f"hour({at})"]
    for column in ("day", "month", "year"):
        assert f"{column}({at})" in laws[column]
    assert f"to_date({at})" in laws["on"]
    assert f"100 * hour({at}) + minute({at})" in laws["hhmm"]


def test_what_lies_between_dates_and_times() -> None:
    days, wait = ints(0, 3000), ints(1, 30)
    start = [dt.date(1965, 1, 1) + dt.timedelta(int(d)) for d in days]
    end = [d + dt.timedelta(int(w)) for d, w in zip(start, wait, strict=True)]
    due = [d + dt.timedelta(14) for d in start]
    begun = [
        dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(minutes=17 * int(d), seconds=int(w))
        for d, w in zip(days, wait, strict=True)
    ]
    done = [t + dt.timedelta(minutes=int(w)) for t, w in zip(begun, wait, strict=True)]
    stamps = {n: pa.array(v, pa.timestamp("us", "UTC")) for n, v in {"begun": begun, "done": done}.items()}
    laws = found({"start": start, "end": end, "due": due, "wait": wait, **stamps})
    assert "date_add(start, try_cast(wait as int))" in laws["end"]
    assert "date_add(start, 14)" in laws["due"]
    assert "datediff(end, start)" in laws["wait"]
    assert "timestamp_micros(try_add(unix_micros(begun), try_multiply(wait, 60000000)))" in laws["done"]


def test_clocks_run_around_midnight_and_the_later_one_follows() -> None:
    planned, delay = ints(0, 1440), ints(-20, 900)
    real = (planned + delay) % 1440
    hhmm = [100 * (m // 60) + m % 60 for m in (planned, real)]
    cancelled = RNG.random(N) < 0.2
    laws = found(
        {"planned": hhmm[0], "real": pa.array(hhmm[1], mask=cancelled), "delay": pa.array(delay, mask=cancelled)}
    )
    assert any(sql.startswith("100 * (pmod(try_add(") for sql in laws["real"])
    assert not [sql for sql in laws["delay"] if "1440" in sql], "a delay of 900 minutes cannot be told from clocks"


def test_numbers_put_together_from_digits() -> None:
    hour, minute = ints(0, 24), ints(0, 60)
    laws = found({"hour": hour, "minute": minute, "clock": hour * 100 + minute})
    assert laws["clock"] == ["try_add(try_multiply(hour, 100), minute)"]
    assert "clock div 100" in laws["hour"]


def test_a_law_may_leave_out_rows() -> None:
    a, b = ints(0, 999), ints(0, 999)
    unknown, absent = RNG.random(N) < 0.3, RNG.random(N) < 0.3
    laws = found({"a": a, "b": pa.array(b, mask=unknown), "own": a + b, "few": pa.array(a + b, mask=absent)})
    assert "coalesce(try_add(a, b), own)" in laws["own"]
    assert "if(few is null, null, coalesce(try_add(a, b), few))" in laws["few"]


def test_null_wherever_another_is_but_not_by_chance() -> None:
    gone, late = RNG.random(N) < 0.2, RNG.random(N) < 0.2
    rare = np.arange(N) != 5
    laws = found(
        {
            "a": pa.array(ints(0, 99), mask=gone),
            "b": pa.array(ints(0, 99), mask=gone | late),
            "c": pa.array(ints(0, 99), mask=rare),
            "d": pa.array(ints(0, 99), mask=np.arange(N) < 3),
        }
    )
    assert laws == {"b": ["if(a is null, null, b)"]}


def test_what_nearly_holds_or_holds_by_chance_is_no_law() -> None:
    a, b = ints(0, 99), ints(0, 99)
    near = a + b
    near[:: N // 2] += 1
    assert found({"a": a, "b": b, "near": near}) == {}
    assert found({"a": a[:20], "b": a[:20]}) == {}, "too few rows"
    assert found({"a": np.zeros(N, "int64"), "b": np.zeros(N, "int64")}) == {}, "constants"
    mostly = (np.arange(N) % 400 == 0).astype("int64")
    assert found({"a": mostly, "b": mostly.copy()}) == {}, "three rows that differ from the rest are no evidence"
    flags = ints(0, 2)
    assert found({"a": a, "flag": mostly, "b": a + mostly}) == {}, "the flag matters on three rows"
    assert found({"x": flags, "y": RNG.integers(0, 2, N), "z": RNG.integers(0, 2, N)}) == {}


def test_what_a_parent_says_is_copied() -> None:
    price = [f"p{i}" for i in ints(0, 50)]
    assert found({"own": price, "seen": price, "other": ints(0, 9)}, ("seen",)) == {"own": ["seen"]}


def test_extremes_and_empty_columns_stop_nothing() -> None:
    huge = pa.array([2**63 - 1, -(2**63), None] * (N // 3))
    odd = pa.array([float("nan"), float("inf"), -0.0] * (N // 3))
    dates = pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1970, 1, 1)] * (N // 3))
    nothing = pa.array([None] * N, pa.int64())
    found({"huge": huge, "odd": odd, "dates": dates, "nothing": nothing, "text": pa.array([None] * N, pa.string())})


def test_a_law_survives_json() -> None:
    law = Law("sum", "v1", ("v0", "v2"), "try_add({0}, {1})", "fill", "UTC", 7)
    assert Law.from_dict(law.to_dict()) == law
