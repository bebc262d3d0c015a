"""Round trips of every column kind: what is kept comes back, what is rare does not."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.errors import TrainingError
from synthohive_spark.models.encoders import (
    RARE_TOKEN,
    Encoded,
    Limits,
    TableSpec,
    analyze_table,
    decode_table,
    encode_table,
    reduce_table,
)

from ..frames import every_kind

FAST = settings(max_examples=25, deadline=None)


def round_trip(values: pd.Series[Any], limits: Limits | None = None) -> tuple[pd.Series[Any], Encoded, TableSpec]:
    frame = pd.DataFrame({"x": values})
    spec = reduce_table([analyze_table(frame)], limits or Limits())
    spec = TableSpec.from_json(spec.to_json())
    (encoded,) = encode_table(spec, frame, np.random.default_rng(0))
    (column,) = spec.specs
    assert encoded.codes.min(initial=0) >= 0
    assert encoded.codes.max(initial=0) < max(1, column.cardinality)
    if encoded.ranks is not None:
        assert np.abs(encoded.ranks).max(initial=0) <= 1
    return decode_table(spec, [encoded], len(frame))["x"], encoded, spec


def held(values: list[Any], times: int = 3) -> list[Any]:
    """Each value in so many rows that none is rare."""
    return values * times


def with_nulls(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.one_of(st.none(), elements), min_size=1, max_size=30)


EXACT = {
    "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda text: text != RARE_TOKEN),
    "boolean": st.booleans(),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, width=64),
    "decimal": st.decimals(-(10**20) + 1, 10**20 - 1, places=18, allow_nan=False),
    "date": st.dates(),
    "datetime": st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)),
}


@pytest.mark.parametrize("kind", sorted(EXACT))
@given(source=st.data())
@FAST
def test_values_held_by_three_rows_come_back_exactly(kind: str, source: st.DataObject) -> None:
    values = held(source.draw(with_nulls(EXACT[kind])))
    series = pd.Series(values, dtype="Int64" if kind == "integer" else object)
    decoded, _, _ = round_trip(series)
    for wanted, found in zip(values, decoded, strict=True):
        assert pd.isna(found) if wanted is None else found == wanted


@given(st.lists(st.floats(-1e9, 1e9), min_size=120, max_size=200, unique=True))
@FAST
def test_continuous_floats_come_back_within_their_bin(values: list[float]) -> None:
    ordered = np.sort(values)
    decoded, encoded, spec = round_trip(pd.Series(values))
    assert encoded.ranks is not None
    knots = np.asarray(spec.specs[0].to_json()["scale"]["levels"])
    assert decoded.between(ordered[2], ordered[-3]).all()
    clipped = np.clip(values, knots[0], knots[-1])
    place = np.clip(np.searchsorted(knots, clipped, side="right") - 1, 0, len(knots) - 2)
    assert (decoded.to_numpy() >= knots[place] - 1e-6 * np.abs(knots[place]) - 1e-9).all()
    assert (decoded.to_numpy() <= knots[place + 1] + 1e-6 * np.abs(knots[place + 1]) + 1e-9).all()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=60, max_size=120, unique=True))
@FAST
def test_wide_integers_stay_between_the_third_lowest_and_highest(values: list[int]) -> None:
    decoded, _, _ = round_trip(pd.Series(values, dtype="int64"))
    ordered = sorted(values)
    assert decoded.dtype == np.dtype("int64")
    assert ordered[2] <= int(decoded.min())
    assert int(decoded.max()) <= ordered[-3]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=300),
    st.lists(st.booleans(), min_size=1, max_size=20),
    st.integers(1, 7),
)
@FAST
def test_statistics_do_not_depend_on_the_partitioning(numbers: list[int], flags: list[bool], parts: int) -> None:
    rows = len(numbers)
    frame = pd.DataFrame(
        {
            "n": numbers,
            "f": [number / 8 for number in numbers],
            "t": [f"t{number % 60}" if number % 9 else None for number in numbers],
            "b": [flags[row % len(flags)] for row in range(rows)],
            "d": [datetime.date(2020, 1, 1) + datetime.timedelta(number) for number in numbers],
            "m": [Decimal(number).scaleb(-(number % 3)) for number in numbers],
            "s": [pd.Timestamp("2020-01-01") + pd.Timedelta(number, "min") for number in numbers],
        }
    )
    order = np.random.default_rng(0).permutation(rows)
    chunks = [frame.iloc[part] for part in np.array_split(order, parts) if len(part)]
    whole = reduce_table([analyze_table(frame)], Limits())
    assert reduce_table([analyze_table(chunk) for chunk in chunks], Limits()) == whole


def test_large_tables_are_summed_up_by_a_sample_that_partitions_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthohive_spark.models.encoders.sample.SAMPLE_ROWS", 500)
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=5000)})
    whole = reduce_table([analyze_table(frame)], Limits())
    parts = [analyze_table(frame.iloc[start::7]) for start in range(7)]
    assert reduce_table(parts, Limits()) == reduce_table([analyze_table(frame, alone=True)], Limits()) == whole
    assert len(whole.specs[0].to_json()["scale"]["levels"]) < 500


def test_rare_categories_share_a_state_that_is_never_written() -> None:
    decoded, encoded, spec = round_trip(pd.Series(["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d"]))
    assert encoded.codes.tolist() == [0] * 5 + [1] * 3 + [2] * 3
    assert spec.specs[0].closed_code == 2
    assert set(decoded) == {"a", "b"}
    _, _, spec = round_trip(pd.Series(["a"] * 5 + ["b"] * 3))
    assert spec.specs[0].cardinality == 2


def test_of_categories_beyond_the_cap_frequent_ones_are_drawn_and_of_rare_ones_words_are_made() -> None:
    values = pd.Series([f"v{number}" for number in range(100_000)] + ["often"] * 9 + ["also"] * 8 + ["third"] * 7)
    decoded, _, spec = round_trip(values, Limits(max_categories=2))
    assert spec.specs[0].cardinality == 3
    assert decoded.iloc[-24:-7].tolist() == ["often"] * 9 + ["also"] * 8
    assert spec.specs[0].closed_code is None
    assert set(decoded.iloc[:-24]).isdisjoint({RARE_TOKEN, *values}), "most rows are rare: words are made"
    assert decoded.str.fullmatch(r"(often|also|[a-z]{6})").all()
    decoded, _, spec = round_trip(values.iloc[-24:], Limits(max_categories=1))
    assert set(decoded.iloc[9:]) == {"also", "third"}


def test_extremes_and_rare_integers_are_not_published() -> None:
    salaries = pd.Series([*np.random.default_rng(0).normal(50, 5, 500), 1e6, 2e6, -3e6])
    decoded, _, _ = round_trip(salaries)
    assert decoded.max() < 100
    assert decoded.min() > 0
    grades, _, _ = round_trip(pd.Series([1] * 10 + [2] * 10 + [9]))
    assert set(grades) == {1, 2}


@pytest.mark.parametrize("value", [7, 3.25, "name", datetime.date(2020, 5, 5), Decimal("1.50")])
def test_a_single_row_is_never_repeated(value: Any) -> None:
    decoded, _, _ = round_trip(pd.Series([value]))
    assert isinstance(decoded.iloc[0], type(value) | np.generic)
    assert decoded.iloc[0] != value


def test_dtypes_and_null_shares_come_back() -> None:
    frame = every_kind()
    spec = TableSpec.from_json(reduce_table([analyze_table(frame)], Limits()).to_json())
    decoded = decode_table(spec, encode_table(spec, frame, np.random.default_rng(0)), len(frame))
    assert decoded.dtypes.to_dict() == frame.dtypes.to_dict()
    pd.testing.assert_frame_equal(decoded.isna(), frame.isna())


def test_unsigned_and_object_strings_keep_their_dtype() -> None:
    numbers, _, _ = round_trip(pd.Series(held([2**64 - 1, 5]), dtype="uint64"))
    assert numbers.dtype == np.dtype("uint64")
    assert numbers.iloc[0] == 2**64 - 1
    strings, _, _ = round_trip(pd.Series(held(["a", None]), dtype=object))
    assert strings.dtype == np.dtype(object)


@pytest.mark.parametrize(
    ("freq", "whole"), [("D", "D"), ("h", "h"), ("min", "min"), ("s", "s"), ("ms", "ms"), ("us", "us")]
)
def test_timestamps_keep_their_resolution(freq: str, whole: str) -> None:
    stamps = pd.Series(pd.date_range("2020-01-01", periods=200, freq=f"7{freq}"))
    decoded, encoded, _ = round_trip(stamps)
    assert encoded.ranks is not None
    assert (decoded.dt.floor(whole) == decoded).all()
    assert decoded.dtype == stamps.dtype


def test_local_midnights_stay_midnights() -> None:
    stamps = pd.Series(pd.date_range("2020-01-01", periods=300, freq="D", tz="Europe/Berlin"))
    decoded, _, _ = round_trip(stamps)
    assert decoded.dtype == stamps.dtype
    assert (decoded.dt.normalize() == decoded).all()


def test_floats_keep_their_decimals_and_decimals_their_scale() -> None:
    rng = np.random.default_rng(0)
    decoded, _, _ = round_trip(pd.Series(rng.normal(100, 30, 400).round(2)))
    assert (decoded.round(2) == decoded).all()
    money, _, _ = round_trip(pd.Series([Decimal(int(cents)).scaleb(-2) for cents in rng.integers(0, 10**6, 400)]))
    assert {value.as_tuple().exponent for value in money} == {-2}


def test_atoms_are_states_of_their_own() -> None:
    rng = np.random.default_rng(0)
    values = pd.Series(np.concatenate([np.zeros(300), rng.normal(100, 10, 700)]))
    decoded, encoded, spec = round_trip(values)
    assert (decoded.iloc[:300] == 0).all()
    assert (decoded.iloc[300:] != 0).all()
    assert spec.specs[0].cardinality == 2
    assert encoded.ranks is not None
    assert (encoded.ranks[:300] == 0).all()


def test_repeated_values_are_snapped_to() -> None:
    values = pd.Series(np.random.default_rng(0).integers(0, 300, 5000) * 3)
    decoded, encoded, _ = round_trip(values)
    assert decoded.tolist() == values.tolist()
    assert encoded.ranks is not None
    assert np.abs(np.quantile(encoded.ranks, [0.25, 0.5, 0.75]) - [-0.5, 0, 0.5]).max() < 0.03


def test_infinities_and_unknown_values_are_encoded() -> None:
    values = pd.Series([*np.random.default_rng(0).normal(size=200), np.inf, -np.inf])
    decoded, _, _ = round_trip(values)
    assert np.isfinite(decoded).all()
    spec = reduce_table([analyze_table(pd.DataFrame({"x": ["a"] * 4 + ["b"] * 3}))], Limits())
    (encoded,) = encode_table(spec, pd.DataFrame({"x": ["a", "new", None]}), None)
    assert encoded.codes.tolist() == [0, 0, 0]


def test_chunks_of_nulls_take_the_type_of_the_others() -> None:
    null, text = pd.DataFrame({"x": pd.Series([None] * 4, dtype=object)}), pd.DataFrame({"x": ["a"] * 4})
    spec = reduce_table([analyze_table(null), analyze_table(text)], Limits())
    assert spec.specs[0].kind == "categorical"
    assert spec.specs[0].null_share == 0.5


def test_unknown_types_are_refused_by_name() -> None:
    with pytest.raises(TrainingError, match="'x' holds values of type list"):
        analyze_table(pd.DataFrame({"x": [None, [1, 2], [2]]}))
    chunks = [analyze_table(pd.DataFrame({"x": [1]})), analyze_table(pd.DataFrame({"x": ["a"]}))]
    with pytest.raises(TrainingError, match="'x' is categorical and integer"):
        reduce_table(chunks, Limits())
