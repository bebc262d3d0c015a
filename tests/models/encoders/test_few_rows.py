"""Too few rows to know more of them than a magnitude: values in range, of the column's kind, and nobody's."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.models.encoders import Encoded, Limits, TableSpec, analyze_table, decode_table, reduce_table
from synthohive_spark.models.encoders.table import encode_table
from synthohive_spark.privacy.coarse import FEW, coarse_days, coarse_numbers, coarse_times, few_rows


def spec_of(values: list[Any], limits: Limits | None = None) -> TableSpec:
    spec = reduce_table([analyze_table(pd.DataFrame({"x": pd.Series(values)}))], limits or Limits())
    return TableSpec.from_json(spec.to_json())


def drawn(spec: TableSpec, rows: int, rank: float = 0.0, code: int = 0) -> list[Any]:
    """What a model that has learnt nothing but one rank makes."""
    encoded = Encoded(np.full(rows, code, dtype=np.int64), np.full(rows, rank))
    return decode_table(spec, [encoded], rows)["x"].tolist()


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([7], 1, 9),
        ([4120, 4999], 4000, 5000),
        ([-35, 12], -40, 20),
        ([9.99, 49.95], 9, 50),
        ([Decimal("9.99"), Decimal("49.95")], Decimal("9"), Decimal("50")),
        ([dt.date(1987, 3, 4), dt.date(1991, 12, 1)], dt.date(1987, 1, 1), dt.date(1991, 12, 31)),
        ([pd.Timestamp("2019-05-06 07:08:09")], pd.Timestamp("2019-01-01"), pd.Timestamp("2019-12-31 23:59:59")),
    ],
)
@pytest.mark.parametrize("modes", [0, 10])
def test_field_11_and_12_one_or_two_rows_give_values_in_range(
    values: list[Any], low: Any, high: Any, modes: int
) -> None:
    spec = spec_of(values, Limits(modes=modes))
    made = drawn(spec, 40)
    assert low <= min(made)
    assert max(made) <= high
    assert len(set(made)) >= min(9, 40)
    assert sum(v in values for v in made) <= 40 / 9 + 1, "no more often than by chance"
    kind = type(values[0])
    assert all(isinstance(v, kind) for v in made)
    if kind is Decimal:
        assert {v.as_tuple().exponent for v in made} == {-2}
    if kind is pd.Timestamp:
        assert all(v == v.floor("s") for v in made), "the resolution stays"


def test_field_11_a_column_set_on_two_of_300_rows_stays_null_nearly_everywhere() -> None:
    frame = pd.DataFrame({"x": [dt.date(2020, 5, 5), dt.date(2020, 8, 1), *[None] * 298]})
    spec = reduce_table([analyze_table(frame)], Limits())
    (encoded,) = encode_table(spec, frame, np.random.default_rng(0))
    made = decode_table(spec, [encoded], 300)["x"]
    assert made.notna().sum() == 2
    assert {v.year for v in made.dropna()} == {2020}


@pytest.mark.parametrize("rows", [3, 5, 11])
def test_field_13_a_lookup_table_keeps_no_exact_statistic_and_repeats_no_value(rows: int) -> None:
    prices = [Decimal(v).scaleb(-2) for v in (999, 1499, 2350, 4999, 3120, 780, 5015, 1210, 2790, 3333, 4104)[:rows]]
    spec = spec_of(prices)
    made = drawn(spec, rows, rank=0.3)
    assert len(set(made)) == rows
    text = str(spec.to_json())
    mean = sum(prices) / rows
    for known in (min(prices), max(prices), mean.quantize(Decimal("0.01"))):
        assert str(int(known * 100)) not in text
    assert not set(made) & {min(prices), max(prices), mean}


def test_from_twelve_rows_on_quantiles_are_kept_and_one_subject_hides_nothing() -> None:
    assert few_rows(3) == 2 * FEW
    assert few_rows(1) == 0
    values = [float(v) + 0.25 for v in range(few_rows(3))]
    assert set(drawn(spec_of(values), 50)) == {6.25}, "the middle of the ranks, as a model of many rows has it"
    assert drawn(spec_of([7.25], Limits(min_count=1)), 3) == [7.25] * 3


def test_a_model_that_repeats_a_rank_gives_other_values_for_other_ranks() -> None:
    spec = spec_of([120, 480])
    assert drawn(spec, 5, 0.1) != drawn(spec, 5, 0.2)
    assert drawn(spec, 5, 0.1) == drawn(spec, 5, 0.1)


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=1, max_size=8))
def test_a_range_holds_its_numbers_and_no_digit_more(numbers: list[int]) -> None:
    low, high = coarse_numbers(min(numbers), max(numbers))
    assert low <= min(numbers) <= max(numbers) <= high
    assert low < high
    most = max(abs(n) for n in (*numbers, 1))
    assert max(len(str(abs(low))), len(str(abs(high)))) <= len(str(most))
    for bits in (7, 15, 31, 63):
        if all(-(2**bits) <= n < 2**bits for n in numbers):
            assert -(2**bits) <= low <= high < 2**bits
            break


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_a_range_of_floats_holds_its_numbers(numbers: list[float]) -> None:
    low, high = coarse_numbers(min(numbers), max(numbers))
    assert low <= min(numbers) <= max(numbers) <= high
    assert np.isfinite([low, high]).all()


@given(st.lists(st.dates(), min_size=1, max_size=5))
def test_a_range_of_days_is_whole_years(days: list[dt.date]) -> None:
    epoch = dt.date(1970, 1, 1).toordinal()
    low, high = coarse_days(min(days).toordinal() - epoch, max(days).toordinal() - epoch)
    assert dt.date.fromordinal(low + epoch) == dt.date(min(days).year, 1, 1)
    assert dt.date.fromordinal(high + epoch) == dt.date(max(days).year, 12, 31)
    assert coarse_times(low * 86_400, high * 86_400, 1) == (low * 86_400, (high + 1) * 86_400 - 1)
