"""The claims on encoders, at their ends: widest decimals, negative zero, first and last dates, unicode, 1e5 strings."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.models.encoders import (
    RARE_TOKEN,
    Limits,
    TableSpec,
    analyze_table,
    decode_table,
    encode_table,
    reduce_table,
)
from synthohive_spark.models.encoders.table import KINDS
from synthohive_spark.privacy.coarse import coarse_numbers, few_rows

from ..frames import every_kind

FIRST, LAST = datetime.date(1, 1, 1), datetime.date(9999, 12, 31)
WIDEST = Decimal(10**38 - 1).scaleb(-18)


def round_trip(values: pd.Series[Any], limits: Limits | None = None) -> pd.Series[Any]:
    frame = pd.DataFrame({"x": values})
    spec = TableSpec.from_json(reduce_table([analyze_table(frame)], limits or Limits()).to_json())
    return decode_table(spec, encode_table(spec, frame, np.random.default_rng(0)), len(frame))["x"]


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=1, max_size=60, unique=True))
@settings(max_examples=25, deadline=None)
def test_widest_decimals_keep_every_digit_and_their_scale(unscaled: list[int]) -> None:
    import decimal

    with decimal.localcontext(prec=40):
        values = [Decimal(number).scaleb(-18) for number in unscaled]
        kept = round_trip(pd.Series(values * 3, dtype=object))
        assert kept.tolist() == values * 3
        assert {value.as_tuple().exponent for value in kept} == {-18}
        loose = round_trip(pd.Series(values, dtype=object))
        low, high = min(unscaled), max(unscaled)
        if len(values) < few_rows(Limits().min_count):  # too few to keep their ends: the range of magnitude around them
            low, high = coarse_numbers(low, high)
        assert Decimal(low).scaleb(-18) <= loose.min()
        assert loose.max() <= Decimal(high).scaleb(-18)
        assert {value.as_tuple().exponent for value in loose} <= {-18}


def test_the_widest_decimal_itself() -> None:
    import decimal

    with decimal.localcontext(prec=40):
        values = [WIDEST, -WIDEST, Decimal("0E-18")] * 3
        assert round_trip(pd.Series(values, dtype=object)).tolist() == values


@pytest.mark.parametrize("others", [[], [1.5], [0.0]])
def test_negative_zero_equals_zero_and_breaks_nothing(others: list[float]) -> None:
    values = pd.Series([-0.0, *others] * 4)
    decoded = round_trip(values)
    assert (decoded == values).all()
    assert not decoded.isna().any()
    if 0.0 not in others:
        assert all(math.copysign(1, value) < 0 for value in decoded[values == 0])


@given(st.lists(st.dates(FIRST, LAST), min_size=1, max_size=80))
@settings(max_examples=25, deadline=None)
def test_dates_from_year_1_to_9999(dates: list[datetime.date]) -> None:
    values = [FIRST, LAST, *dates, None]
    decoded = round_trip(pd.Series(values * 3, dtype=object))
    assert [None if pd.isna(value) else value for value in decoded] == values * 3
    stamps = [None if value is None else datetime.datetime(value.year, value.month, value.day, 23) for value in values]
    again = round_trip(pd.Series(stamps * 3, dtype=object))
    assert [None if pd.isna(value) else value for value in again] == stamps * 3


def test_dates_on_a_scale_stay_between_year_1_and_9999() -> None:
    days = np.linspace(FIRST.toordinal(), LAST.toordinal(), 700).round()
    values = pd.Series([datetime.date.fromordinal(int(day)) for day in days], dtype=object)
    decoded = round_trip(values)
    assert decoded.map(type).eq(datetime.date).all()
    assert decoded.min().year < 100
    assert decoded.max().year > 9900


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=40, unique=True))
@settings(max_examples=40, deadline=None)
def test_strings_come_back_code_point_by_code_point(drawn: list[str]) -> None:
    fixed = ["", " ", "\x00", "é", "e\u0301", "ﬁ", "👩‍👩‍👧", "İ", "\u202eabc", "NULL", "None", "nan"]
    values = [text for text in dict.fromkeys(fixed + drawn) if text != RARE_TOKEN] * 3
    assert round_trip(pd.Series(values, dtype=object)).tolist() == values
    assert round_trip(pd.Series(values, dtype="str")).tolist() == values


def test_a_hundred_thousand_strings_of_which_each_is_frequent() -> None:
    values = pd.Series(np.repeat([f"v{number:05d}" for number in range(100_000)], 3))
    decoded = round_trip(values, Limits(max_categories=100_000))
    assert (decoded == values).all()
    capped = round_trip(values, Limits(max_categories=1000))
    assert (capped[:3000] == values[:3000]).all()
    assert set(capped) <= set(values), "beyond the cap another frequent string is drawn"
    assert capped.nunique() == 6_000


def test_statistics_of_seven_partitions_are_those_of_one_for_every_kind() -> None:
    frame = every_kind(2100)
    whole = reduce_table([analyze_table(frame)], Limits())
    order = np.random.default_rng(1).permutation(len(frame))
    parts = [analyze_table(frame.iloc[part]) for part in np.array_split(order, 7)]
    assert reduce_table(parts, Limits()).to_json() == whole.to_json()
    assert reduce_table([analyze_table(frame, alone=True)], Limits()).to_json() == whole.to_json()
    for (name, spec), share in zip(whole.columns, frame.isna().mean(), strict=True):
        assert spec.null_share == pytest.approx(share, abs=1e-9), name


def test_encoding_distinct_values_once_is_encoding_every_row() -> None:
    frame = every_kind(400)
    spec = reduce_table([analyze_table(frame)], Limits())
    frame.loc[7, ["text", "large", "float"]] = ["new", 5 * 10**12, np.inf]  # what the specs have not seen
    again = pd.concat([frame, frame.iloc[::-1]], ignore_index=True)
    for (name, column), encoded in zip(spec.columns, encode_table(spec, again, None), strict=True):
        whole = KINDS[column.kind].encode(column, again[name], None)
        assert (encoded.codes == whole.codes).all(), name
        assert (encoded.ranks is None) == (whole.ranks is None)
        assert encoded.ranks is None or (encoded.ranks == whole.ranks).all(), name
