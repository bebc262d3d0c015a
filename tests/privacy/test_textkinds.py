"""Kinds of text: what is made of a kind is of that kind, and what is rare in a column of a kind is written as it."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.models.encoders import Limits, analyze_table, reduce_table
from synthohive_spark.models.encoders.table import TableSpec, decode_table, encode_table
from synthohive_spark.privacy.masks import Mask
from synthohive_spark.privacy.textkinds import ANY, KINDS, TextKind, kind_of_texts
from synthohive_spark.privacy.textmasks import disjoint


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.pattern[-40:])
@given(salt=st.integers(0, 2**40))
@settings(max_examples=3, deadline=None)
def test_values_of_a_kind_are_of_it_and_differ(kind: TextKind, salt: int) -> None:
    mask = kind.mask(1.0, "1987-01-01", "2012-12-31")
    made = mask.strings(np.arange(min(mask.capacity, 300)), salt).tolist()
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(kind.pattern, text) for text in made)
    assert all(re.fullmatch(ANY, text) for text in made), "the fast test lets all of them pass"


def test_dates_lie_in_the_years_of_the_source() -> None:
    mask = kind_of_texts({f"20{10 + i % 4}-0{1 + i % 9}-1{i % 9}": 1 for i in range(50)})
    assert mask is not None
    made = [dt.date.fromisoformat(text) for text in mask.strings(np.arange(200), 3)]
    assert {d.year for d in made} == {2010, 2011, 2012, 2013}


def round_trip(values: list[str]) -> pd.Series:
    frame = pd.DataFrame({"x": values})
    spec = TableSpec.from_json(reduce_table([analyze_table(frame)], Limits()).to_json())
    return decode_table(spec, encode_table(spec, frame, np.random.default_rng(0)), len(frame))["x"]


def test_field_19_a_rare_time_is_written_as_a_time() -> None:
    often = [f"{8 + i % 9:02d}:{15 * (i % 4):02d}" for i in range(379)]
    made = round_trip([*often, *(f"23:{i:02d}" for i in range(21))])
    assert made[:379].tolist() == often
    assert all(dt.time.fromisoformat(text) for text in made[379:])
    assert made[379:].nunique() > 10


def test_rare_words_of_no_kind_are_none_of_the_copy() -> None:
    assert set(round_trip([*["a"] * 5, "12:30", "noon", "midnight"])) == {"a"}


def test_letters_of_its_own_count_through_a_mask() -> None:
    own = {"capital": ("Δ", "Λ"), "letter": ("δ", "λ", "π")}
    mask = Mask(tokens=("capital", "letter", "letter"), share=1.0, own=own)
    assert mask.capacity == 18
    assert set(mask.strings(np.arange(18), 5)) == {a + b + c for a in "ΔΛ" for b in "δλπ" for c in "δλπ"}


@pytest.mark.parametrize(("times", "left"), [(0.9, "sixty"), (0.1, "digit")])
def test_a_shape_that_also_makes_values_of_a_kind_gives_way_to_the_commoner(times: float, left: str) -> None:
    kind = next(k for k in KINDS if k.tokens == ("hour", ":", "sixty"))
    shape = Mask(tokens=("digit", "digit", ":", "digit", "digit"), share=1 - times)
    other = Mask(tokens=("n", "/", "a"), share=0.0)
    kept = disjoint([(kind, kind.mask(times, "", ""))], [shape, other])
    assert [m.tokens[-1] for m in kept] == [left, "a"]
