"""Constants that a category tells, and dates whole months apart: found where they are planted, and nowhere else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from synthohive_spark.rules.evidence import TEXT_OF, Sample
from synthohive_spark.rules.search import search
from tests.rules.test_search import spark_type

N = 1_200
RNG = np.random.default_rng(29)
COUNTRY = RNG.choice(["Germany", "France", "Côte d'Ivoire", "{x}"], N)
RATES = {"Germany": 0.19, "France": 0.2, "Côte d'Ivoire": 0.18, "{x}": 0.0}
RATE = np.array([RATES[c] for c in COUNTRY])
NET, QUANTITY = RNG.integers(100, 90_000, N) / 100, RNG.integers(1, 30, N)
FIRST = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in RNG.integers(0, 900, N)]
PLAN, PEOPLE = RNG.choice(["monthly", "yearly"], N), RNG.integers(1, 5, N)


def found(columns: Mapping[str, Any], target: str, least: int = 1) -> list[str]:
    """The laws of one column, as SQL over names, of formulas and of constants by category."""
    arrays = {n: pa.array(v) for n, v in columns.items()}
    ids = {n: f"v{i}" for i, n in enumerate(arrays)}
    held = {ids[n]: a for n, a in arrays.items()}
    held |= {ids[n] + TEXT_OF: a for n, a in arrays.items() if pa.types.is_string(a.type)}
    types, names = {ids[n]: spark_type(a.type) for n, a in arrays.items()}, {i: n for n, i in ids.items()}
    sample = Sample.of(pa.table(held), types, {ids[target]}, {*types})
    every = search(Sample(**{**sample.__dict__, "least": least}))
    return [law.expression(names, types) for law in every if law.kind in ("rated", "months", "affine", "factors")]


def months(day: dt.date, n: int) -> dt.date:
    """So many months later, the last of the month where it is too short."""
    month = day.year * 12 + day.month - 1 + n
    last = (dt.date((month + 1) // 12, (month + 1) % 12 + 1, 1) - dt.timedelta(1)).day
    return dt.date(month // 12, month % 12 + 1, min(day.day, last))


def test_tax_by_country() -> None:
    tax = np.floor(NET * RATE * 100 + 0.5 + 1e-9) / 100
    (law,) = found({"country": COUNTRY, "net": NET, "tax": tax}, "tax")
    assert law.startswith("round(try_multiply(net, case country when ")
    for name, rate in RATES.items():
        assert f"when '{name}' then {rate:g}".replace("Côte d'", "Côte d\\'") in law.replace("''", "\\'")


def test_a_product_with_a_rate_and_a_sum_with_a_fee() -> None:
    line = np.floor(NET * QUANTITY * (1 + RATE) * 100 + 0.5 + 1e-6) / 100
    (law,) = found({"country": COUNTRY, "net": NET, "quantity": QUANTITY, "line": line}, "line")
    assert law.startswith("round(try_multiply(try_multiply(net, quantity), case country when ")
    fee = np.round(NET + 30 * RATE, 2)
    assert found({"country": COUNTRY, "net": NET, "total": fee}, "total")[0].startswith("round(try_add(net, case")


def test_days_and_months_by_category_and_by_number() -> None:
    due = [f + dt.timedelta(30 if p == "monthly" else 14) for f, p in zip(FIRST, PLAN, strict=True)]
    assert found({"plan": PLAN, "first": FIRST, "due": due}, "due") == [
        "date_add(first, case plan when 'monthly' then 30 when 'yearly' then 14 end)"
    ]
    end = [months(f, 1 if p == "monthly" else 12) for f, p in zip(FIRST, PLAN, strict=True)]
    assert found({"plan": PLAN, "first": FIRST, "end": end}, "end") == [
        "add_months(first, case plan when 'monthly' then 1 when 'yearly' then 12 end)"
    ]
    later = [months(f, 3) for f in FIRST]
    assert found({"first": FIRST, "end": later}, "end") == ["add_months(first, 3)"]
    term = [months(f, 12 * int(n)) for f, n in zip(FIRST, PEOPLE, strict=True)]
    assert "add_months(first, try_cast(try_multiply(years, 12) as int))" in found(
        {"first": FIRST, "years": PEOPLE, "end": term}, "end"
    )


def test_a_period_that_names_its_last_day() -> None:
    def last(days: list[dt.date]) -> list[dt.date]:
        return [day - dt.timedelta(1) for day in days]

    end = last([months(f, 1 if p == "monthly" else 12) for f, p in zip(FIRST, PLAN, strict=True)])
    cases = "case plan when 'monthly' then 1 when 'yearly' then 12 end"
    assert found({"first": FIRST, "plan": PLAN, "end": end}, "end") == [f"date_sub(add_months(first, {cases}), 1)"]
    year = last([months(f, 12) for f in FIRST])
    assert "date_sub(add_months(first, 12), 1)" in found({"first": FIRST, "end": year}, "end")
    term = last([months(f, 12 * int(n)) for f, n in zip(FIRST, PEOPLE, strict=True)])
    assert "date_sub(add_months(first, try_cast(try_multiply(years, 12) as int)), 1)" in found(
        {"first": FIRST, "years": PEOPLE, "end": term}, "end"
    )


def test_each_row_is_due_so_much_later_than_the_one_before() -> None:
    number = RNG.integers(1, 13, N)
    due = [months(f, int(n) - 1) for f, n in zip(FIRST, number, strict=True)]
    assert found({"n": number, "first": FIRST, "due": due}, "due")[0] == (
        "add_months(first, try_cast(try_multiply(try_subtract(n, 1), 1) as int))"
    )
    weekly = [f + dt.timedelta(7 * int(n)) for f, n in zip(FIRST, number, strict=True)]
    assert found({"n": number, "first": FIRST, "due": weekly}, "due")[0] == (
        "date_add(first, try_cast(try_multiply(n, 7) as int))"
    )
    again = [f + dt.timedelta(21 * int(n) - 14) for f, n in zip(FIRST, number, strict=True)]
    assert found({"n": number, "first": FIRST, "due": again}, "due")[0] == (
        "date_add(first, try_cast(try_add(try_multiply(n, 21), -14) as int))"
    )
    step = {"monthly": 1, "yearly": 12}
    due = [months(f, (int(n) - 1) * step[p]) for f, n, p in zip(FIRST, number, PLAN, strict=True)]
    assert found({"plan": PLAN, "n": number, "first": FIRST, "due": due}, "due") == [
        "add_months(first, try_cast(try_multiply(try_subtract(n, 1), "
        "case plan when 'monthly' then 1 when 'yearly' then 12 end) as int))"
    ]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_none_is_not_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = {f"word{i}": rng.choice([f"a{j}" for j in range(int(rng.integers(2, 30)))], N) for i in range(4)}
    numbers = {f"n{i}": rng.integers(0, int(10 ** rng.integers(1, 6)), N) / rng.choice([1, 10, 100]) for i in range(4)}
    near = np.where(rng.random(N) < 0.99, np.round(NET * RATE, 2), np.round(NET * 0.11, 2))
    columns = {**words, **numbers, "country": COUNTRY, "net": NET, "tax": near, "first": FIRST}
    dates = [f + dt.timedelta(int(d)) for f, d in zip(FIRST, rng.integers(0, 60, N), strict=True)]
    for target in (*numbers, "tax"):
        assert found(columns, target) == []
    assert found({**columns, "second": dates}, "second") == []


def test_a_category_of_few_people_has_no_constant() -> None:
    rare = np.where(np.arange(N) < 4, "Andorra", COUNTRY)
    tax = np.floor(NET * np.where(np.arange(N) < 4, 0.045, RATE) * 100 + 0.5 + 1e-9) / 100
    (law,) = found({"country": rare, "net": NET, "tax": tax}, "tax", least=5)
    assert "Andorra" not in law
    assert law.startswith("coalesce(")
    assert law.endswith(", tax)"), "the model draws what the rule does not say"
    assert "Andorra" in found({"country": rare, "net": NET, "tax": tax}, "tax", least=3)[0]
