"""Bins of the pictures: few, round, ascending, and holding the range. No Spark."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.evaluation import bins

KINDS = ("integer", "number", "date", "timestamp")
finite = st.floats(-1e12, 1e12, allow_nan=False)


@settings(max_examples=300, deadline=None)
@given(finite, st.floats(0, 1e12), st.sampled_from(KINDS))
def test_edges_are_few_and_ascending(low: float, width: float, kind: str) -> None:
    inner = bins.edges(low, low + width, kind)
    assert 1 <= len(inner) <= bins.MOST_BINS - 1
    assert (np.diff(inner) > 0).all()
    assert len(bins.labels(inner, kind)) == len(inner) + 1


@pytest.mark.parametrize(
    ("low", "high", "kind", "labels"),
    [
        (0, 2, "integer", ("≤ 0", "1", "≥ 2")),
        (3, 3, "integer", ("≤ 2", "3", "≥ 4")),
        (18262, 18264, "date", ("< 2020-01-02", "2020-01-02 to 2020-01-03", "≥ 2020-01-03")),
    ],
)
def test_labels(low: float, high: float, kind: str, labels: tuple[str, ...]) -> None:
    assert bins.labels(bins.edges(low, high, kind), kind) == labels


def test_edges_are_round() -> None:
    assert all(float(x) == round(float(x), 1) for x in bins.edges(0.0173, 5.913, "number"))


def test_a_year_of_hours_is_cut_by_the_calendar() -> None:
    inner = bins.edges(0, 365 * 86400, "timestamp")
    assert set(np.diff(inner)) == {14 * 86400.0}
    assert bins.labels(inner, "timestamp")[1].startswith("1970-01-15 to ")


def test_values_out_of_the_calendar_still_have_a_name() -> None:
    assert len(bins.labels(bins.edges(-1e9, 1e9, "date"), "date")) > 2


def test_an_infinite_range_has_one_bin() -> None:
    assert bins.labels(bins.edges(float("-inf"), 1, "number"), "number") == ("all",)
