"""Shares rounded to whole numbers: rows and columns keep their sums, and chance favours no class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.counts.rounding import rounded_together


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_rows_keep_their_sums_and_limits(rows: int, classes: int, runs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    limit = rng.integers(0, 6, (rows, classes)) + np.eye(classes, dtype=int)[rng.integers(0, classes, rows)]
    has = rng.integers(0, limit.sum(axis=1) + 1)
    wanted = limit * (has / limit.sum(axis=1))[:, None]
    run = np.sort(rng.integers(0, runs, rows))
    parts = rounded_together(wanted, has, limit, rng.random(rows), run)
    assert (parts.sum(axis=1) == has).all()
    assert (parts >= 0).all()
    assert (parts <= limit).all()


@given(st.integers(2, 200), st.integers(0, 2**32 - 1))
def test_a_run_takes_of_each_class_what_it_asked_for(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    held = rng.integers(5, 40, 6)
    has = rng.integers(1, 5, rows)  # few of many candidates, so that no limit is near
    wanted = has[:, None] * (held / held.sum())[None, :]
    parts = rounded_together(wanted, has, np.tile(held, (rows, 1)), rng.random(rows), np.zeros(rows, np.int64))
    assert np.abs(parts.sum(axis=0) - wanted.sum(axis=0)).max() < 2


def test_whole_sums_are_met_exactly() -> None:
    rng = np.random.default_rng(1)
    has = np.repeat([3, 1], 60)
    wanted = np.outer(has, [0.25, 0.35, 0.4])  # 240 rows ask for 60, 84 and 96
    parts = rounded_together(wanted, has, np.full(wanted.shape, 2), rng.random(120), np.zeros(120, np.int64))
    assert parts.sum(axis=0).tolist() == [60, 84, 96]


def test_groups_of_one_bucket_favour_no_class() -> None:
    rows, shares = 200_000, np.array([0.05, 0.3, 0.65])
    luck = np.random.default_rng(2).random(rows)
    one = np.ones(rows, np.int64)
    parts = rounded_together(np.tile(shares, (rows, 1)), one, np.ones((rows, 3), np.int64), luck, np.arange(rows))
    assert parts.mean(axis=0) == pytest.approx(shares, abs=0.005)  # four standard deviations


def test_a_class_that_nobody_asks_for_gets_nothing() -> None:
    rng = np.random.default_rng(3)
    has = np.repeat([2, 3], 2000)
    wanted = _to_limit(np.tile([1e-9, 0.2, 0.9, 0.95, 0.6], (4000, 1)), has)
    parts = rounded_together(wanted, has, np.ones((4000, 5), np.int64), rng.random(4000), np.zeros(4000, np.int64))
    assert np.abs(parts.sum(axis=0) - wanted.sum(axis=0)).max() < 2


def _to_limit(weight: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Shares in proportion to weights that sum to ``rows``, none above 1."""
    shares = weight.copy()
    for _ in range(200):
        shares = np.minimum(shares * (rows / shares.sum(axis=1))[:, None], 1.0)
    return shares
