"""Columns that are unique in the source without a key: which are, by what evidence, and numbers that stay apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.profiling.unique_columns import CHANCE, MOVED, Numbers, counts_through
from synthohive_spark.schema.unique_numbers import Apart, apart

DAY, HOUR = 86_400 * 10**6, 3_600 * 10**6


def numbers(values: object, bins: int = 20) -> Numbers:
    array = np.sort(np.asarray(values))
    q = np.quantile(array, np.linspace(0, 1, bins + 1), method="nearest")
    return Numbers(len(array), len(array), tuple(int(v) for v in q))


def test_field_31_running_numbers_cannot_be_unique_by_chance() -> None:
    assert numbers(range(43_659, 43_659 + 1000)).repeats > CHANCE
    assert numbers(range(43_659, 43_659 + 1000)).moved > MOVED, "a remainder would scatter them: they are counted"


def test_field_31_account_numbers_lie_so_widely_that_a_remainder_moves_none_far() -> None:
    wide = numbers(np.random.default_rng(0).choice(10**9, 1000, replace=False))
    assert wide.repeats < CHANCE
    assert wide.moved <= MOVED


def test_prices_that_happen_to_differ_are_the_models() -> None:
    dear = numbers(np.random.default_rng(0).choice(np.arange(10, 4000), 40, replace=False), bins=4)
    assert dear.repeats < CHANCE
    assert dear.moved > MOVED


@given(st.integers(1, 400), st.integers(1, 6), st.integers(-(10**6), 10**6), st.data())
def test_numbers_apart_are_distinct_and_near_those_of_the_model(
    rows: int, times: int, low: int, data: st.DataObject
) -> None:
    total = rows * times
    drawn = data.draw(st.lists(st.integers(low, low + 10**7), min_size=rows, max_size=rows))
    index = np.arange(rows, dtype=np.int64) * times
    made = apart(Apart(low=low, most=2**62), pd.Series(drawn), index, total)
    assert made.is_unique
    assert (made >= low).all()
    assert np.abs(made.to_numpy(np.int64) - np.array(drawn)).max() < total


@pytest.mark.parametrize("bits", [7, 15, 31, 63])
def test_numbers_apart_stay_within_their_type(bits: int) -> None:
    most = 2**bits - 1
    drawn = pd.Series([most] * 6 + [None, 0], dtype=object)
    made = apart(Apart(low=0, most=most), drawn, np.arange(8), 8)
    assert made.isna().tolist() == [False] * 6 + [True, False]
    assert made.dropna().is_unique
    assert made.max() <= most
    assert made.min() >= 0


def test_a_day_of_each_row_counts_and_a_moment_does_not() -> None:
    assert counts_through(numbers(range(19_000, 19_500)), date=True)
    assert not counts_through(numbers(range(10_000, 20_000, 50)), date=True)
    assert counts_through(numbers(range(0, 500 * HOUR, HOUR)), date=False)
    moments = np.random.default_rng(0).choice(500 * DAY, 400, replace=False)
    assert not counts_through(numbers(moments), date=False)
