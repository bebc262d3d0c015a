"""Heads of wide tables see the sub-columns that say most about theirs."""

from __future__ import annotations

import numpy as np

from synthohive_spark.models.autoregressive.feature_selection import MOST_PARENTS, choose_parents


def test_narrow_tables_see_everything_before() -> None:
    assert choose_parents(np.zeros((5, 3), dtype=np.int16), [2, 2, 2]) == ((), (0,), (0, 1))


def test_wide_tables_see_the_informative_and_the_last_one() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 30, (3000, 80)).astype(np.int16)
    codes[:, 79] = codes[:, 11]
    parents = choose_parents(codes, [30] * 80)
    assert 11 in parents[79]
    assert all(place - 1 in parents[place] for place in range(1, 80))
    assert max(map(len, parents)) == MOST_PARENTS
    assert all(list(seen) == sorted(set(seen)) and max(seen, default=-1) < place for place, seen in enumerate(parents))
