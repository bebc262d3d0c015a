from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.errors import GenerationError
from synthohive_spark.generation.uniqueness import distinct, sequence_values
from synthohive_spark.schema.key_format import KeyFormat
from synthohive_spark.schema.keys import SequencePlan


def families(totals: list[int], cut: int | None = None) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Families of these sizes; with ``cut``, only the rows from that position on."""
    rows = np.array(totals) if cut is None else np.maximum(np.array(totals) - cut, 0)
    frame = pd.DataFrame({"rank": np.arange(len(totals)), "total": totals})
    owner = np.repeat(np.arange(len(totals)), rows)
    at = np.concatenate([np.arange(n) + (cut or 0) for n in rows]) if len(rows) else np.zeros(0, np.int64)
    return frame, owner, at


@given(st.lists(st.integers(1, 60), min_size=1, max_size=10), st.integers(1, 80), st.booleans(), st.integers(0, 2**62))
def test_a_sequence_does_not_repeat_in_a_family(totals: list[int], size: int, consecutive: bool, seed: int) -> None:
    form = KeyFormat(kind="integer", start=100, step=5)
    plan = SequencePlan(column="n", format=form, size=size, consecutive=consecutive, starts=(0, 2))
    frame, owner, at = families(totals)
    values = sequence_values(plan, frame, owner, at, seed)
    for family, total in enumerate(totals):
        own = values[owner == family]
        assert own.is_unique
        assert own.is_monotonic_increasing
        if total <= size:
            assert own.between(100, 100 + 5 * (size - 1)).all(), "within the domain of the source"
        if consecutive:
            assert own.diff().dropna().eq(5).all()


def test_a_slice_of_a_family_continues_it() -> None:
    plan = SequencePlan(column="n", format=KeyFormat(kind="integer"), size=1000, consecutive=False)
    whole = sequence_values(plan, *families([50, 80]), seed=3)
    _, owner, at = families([50, 80])
    rest = sequence_values(plan, *families([50, 80], cut=30), seed=3)
    assert rest.tolist() == whole[at >= 30].tolist()
    assert owner[at >= 30].tolist() == families([50, 80], cut=30)[1].tolist()


KINDS: list[tuple[str, list[Any]]] = [
    ("int", [1, 1, 1, 2, 2]),
    ("date", [dt.date(2020, 1, 1)] * 4 + [dt.date(2020, 1, 2)]),
    ("time", [dt.datetime(2020, 1, 1)] * 5),
    ("decimal", [Decimal("1.50")] * 5),
    ("float", [0.5] * 5),
    ("nulls", [None, None, 3, 3, None]),
]


@pytest.mark.parametrize("values", [v for _, v in KINDS], ids=[k for k, _ in KINDS])
def test_repeats_take_unused_neighbours(values: list[Any]) -> None:
    group = np.zeros(5, np.int64)
    made = distinct(group, pd.Series(values, dtype=object), None, 0, 1, "t.c")
    assert made.is_unique
    assert made.notna().all()
    assert len(made) == 5
    assert {type(v) for v in made} == {type(v) for v in values if v is not None}


def test_values_that_do_not_repeat_are_left_alone() -> None:
    value = pd.Series([3, 1, 3, 1])
    assert distinct(np.array([0, 0, 1, 1]), value, None, 0, 1, "t.c").tolist() == [3, 1, 3, 1]


def test_the_model_is_asked_again_before_neighbours_are_taken() -> None:
    asked = []

    def redraw(places: np.ndarray) -> pd.Series:
        asked.append(places.tolist())
        return pd.Series([6, 100, 101, 6, 7, 8])  # 6 and 101 would repeat what right rows have

    made = distinct(np.zeros(5, np.int64), pd.Series([5, 5, 5, 6, 101]), redraw, 0, 1, "t.c")
    assert asked == [[1, 2] * 3]
    assert made.tolist() == [5, 7, 100, 6, 101]
    assert made.is_unique


def test_text_takes_other_seen_values_and_ends_where_there_are_none() -> None:
    made = distinct(np.array([0, 0, 1]), pd.Series(["a", "a", "b"], dtype=object), None, 0, 1, "t.c")
    assert made.tolist() == ["a", "b", "b"]
    with pytest.raises(GenerationError, match=r"t\.c: no unused value is left .* declare a wider key"):
        distinct(np.zeros(3, np.int64), pd.Series(["a", "b", "a"], dtype=object), None, 0, 1, "t.c")


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_slices_of_one_group_never_meet(values: list[int]) -> None:
    group = np.zeros(len(values), np.int64)
    made = [distinct(group, pd.Series(values), None, cut, 3, "t.c").tolist() for cut in range(3)]
    together = [v for part in made for v in part]
    assert len(set(together)) == len(together) == 3 * len(values)


def test_slices_of_one_group_never_meet_in_text() -> None:
    words = pd.Series([f"{a}{b}" for a in "abcdefgh" for b in "uvwxyz"], dtype=object)

    def redraw(places: np.ndarray) -> pd.Series:
        return words.sample(len(places), replace=True, random_state=1).reset_index(drop=True)

    made = [distinct(np.zeros(2, np.int64), words.iloc[:2], redraw, cut, 3, "t.c").tolist() for cut in range(3)]
    assert len({v for part in made for v in part}) == 6


@given(st.lists(st.integers(-500, 8500), min_size=2, max_size=60, unique=True), st.integers(2, 12), st.data())
def test_a_number_of_a_slice_stays_near_what_was_drawn_with_its_row(
    values: list[int], slices: int, data: st.DataObject
) -> None:
    cut, drawn = data.draw(st.integers(0, slices - 1)), pd.Series(values, dtype="Int64")
    made = distinct(np.arange(len(values)), drawn, None, cut, slices, "t.c").to_numpy(np.int64)
    assert (made % slices == cut).all()
    assert np.abs(made - np.array(values)).max() <= slices
    if max(values) - min(values) >= 2 * slices:
        assert min(values) <= made.min()
        assert made.max() <= max(values)
