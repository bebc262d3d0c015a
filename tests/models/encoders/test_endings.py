"""Digit preference: shares of last digits are those of the data, and numbers stay where their ranks put them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthohive_spark.models.encoders import TableSpec, analyze_table, decode_table, encode_table, reduce_table
from synthohive_spark.models.encoders.endings import find_endings
from synthohive_spark.models.encoders.spec import Encoded, Limits
from tests.models.frames import sampled

ROWS = 20_000


def drawn(values: pd.Series[Any], min_count: int = 10) -> tuple[pd.Series[Any], TableSpec]:
    """As many values as are given, from ranks that are uniform."""
    spec = reduce_table([analyze_table(pd.DataFrame({"x": values}))], Limits(min_count=min_count, max_numbers=0))
    spec = TableSpec.from_json(spec.to_json())
    code = spec.specs[0].continuous_code
    assert code is not None
    ranks = np.random.default_rng(1).uniform(-1, 1, len(values))
    return decode_table(spec, [Encoded(np.full(len(values), code), ranks)], len(values))["x"], spec


def prices() -> NDArray[np.int64]:
    """Cents: half of the prices end in 00, a fifth in 99, the others anyhow."""
    rng = np.random.default_rng(0)
    cents = np.rint(100 * rng.lognormal(6, 1, ROWS)).astype(np.int64)
    kind = rng.random(ROWS)
    cents = np.where(kind < 0.5, cents // 100 * 100, cents)
    return np.where(kind > 0.8, cents // 100 * 100 + 99, cents)


def salaries() -> NDArray[np.int64]:
    """Most in thousands or five thousands, one in ten anyhow."""
    rng = np.random.default_rng(0)
    exact = np.rint(rng.lognormal(11, 0.5, ROWS)).astype(np.int64)
    kind = rng.random(ROWS)
    return np.where(kind < 0.5, exact // 5000 * 5000, np.where(kind < 0.9, exact // 1000 * 1000, exact))


@pytest.mark.parametrize("as_values", [lambda c: c / 100, lambda c: [Decimal(int(v)).scaleb(-2) for v in c]])
def test_prices_end_as_often_in_00_and_99(as_values: Any) -> None:
    cents = prices()[:4000]  # of which most differ: no steps
    made, _ = drawn(pd.Series(as_values(cents)))
    found = np.rint(made.astype(float).to_numpy() * 100).astype(np.int64)
    for digits, modulus in ((0, 100), (99, 100), (0, 10)):
        real = (cents % modulus == digits).mean()
        assert abs((found % modulus == digits).mean() - real) < 0.1 * real + 0.01, digits
    assert np.abs(np.quantile(found, [0.1, 0.5, 0.9]) / np.quantile(cents, [0.1, 0.5, 0.9]) - 1).max() < 0.03


def test_digits_as_by_chance_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    _, spec = drawn(pd.Series(rng.normal(1000, 300, ROWS).round(2)))
    assert spec.specs[0].to_json()["scale"]["endings"] is None


def test_longer_endings_are_found_within_shorter_ones() -> None:
    found = find_endings(sampled(salaries()), np.quantile(salaries(), np.linspace(0, 1, 65)), 0, 10)
    assert found is not None
    assert (1000, 0) in set(zip(found.moduli, found.remainders, strict=True))
    assert sum(found.shares) == pytest.approx(1.0)
    assert max(found.moduli) <= 10_000  # a tenth of a million would move them by too much


def test_an_ending_of_few_numbers_does_not_count() -> None:
    """Seven whole prices among eighty are seven people's."""
    cents = np.arange(80) * 137 + 1001
    cents[::12] = cents[::12] // 1000 * 1000
    assert find_endings(sampled(cents), np.sort(cents)[::10], 0, 10) is None


@given(st.lists(st.integers(-3000, 3000), min_size=200, max_size=300, unique=True), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_numbers_stay_within_their_bin(numbers: list[int], decimals: int) -> None:
    values = np.asarray([n * 10 if place % 3 else n for place, n in enumerate(numbers)]) / 10**decimals
    made, spec = drawn(pd.Series(values), 3)
    knots = np.asarray(spec.specs[0].to_json()["scale"]["levels"])
    ranks = np.random.default_rng(1).uniform(-1, 1, len(values))
    place = np.minimum(((ranks + 1) / 2 * (len(knots) - 1)).astype(int), len(knots) - 2)
    assert (made.to_numpy() >= knots[place] - 0.5 / 10**decimals - 1e-9).all()
    assert (made.to_numpy() <= knots[place + 1] + 0.5 / 10**decimals + 1e-9).all()
    assert (made.round(decimals) == made).all()


def test_the_same_value_ends_the_same_everywhere() -> None:
    values = pd.Series(prices()[:4000] / 100)
    _, spec = drawn(values)
    (encoded,) = encode_table(spec, pd.DataFrame({"x": values}), None)
    whole = decode_table(spec, [encoded], len(values))["x"]
    assert encoded.ranks is not None
    part = Encoded(encoded.codes[100:200], encoded.ranks[100:200])
    assert decode_table(spec, [part], 100)["x"].tolist() == whole.iloc[100:200].tolist()
