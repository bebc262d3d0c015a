"""Families are held out whole, and few long ones lose more of their context."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.models.common.held_out import CONTEXT_DROPOUT, context_dropout, family_of_rows, held_out


@given(st.lists(st.integers(1, 60), min_size=20, max_size=300), st.integers(0, 2**40))
@settings(max_examples=40, deadline=None)
def test_no_family_is_split(sizes: list[int], seed: int) -> None:
    hashes = np.repeat(np.arange(len(sizes), dtype=np.uint64) * np.uint64(7919), sizes)
    families = family_of_rows(hashes)
    masks = held_out(families, seed)
    assert masks
    for mask in masks:
        assert len(np.intersect1d(families[mask], families[~mask])) == 0
    assert [mask.tolist() for mask in masks] == [mask.tolist() for mask in held_out(families, seed)]


@pytest.mark.parametrize(("rows", "folds"), [(1, 0), (11, 0), (12, 3), (188, 3), (7999, 3), (8000, 1), (200_000, 1)])
def test_small_tables_have_folds_and_large_ones_a_fixed_share(rows: int, folds: int) -> None:
    masks = held_out(np.arange(rows), 1)
    assert len(masks) == folds
    if folds == 3:
        assert (sum(mask.astype(int) for mask in masks) == 1).all()
        assert max(mask.mean() for mask in masks) < 0.4
    if folds == 1:
        assert masks[0].sum() == min(rows // 10, 10_000)


def test_rows_stand_alone_where_the_context_tells_few_families_apart() -> None:
    few = np.repeat(np.arange(3, dtype=np.uint64), 50)
    assert len(np.unique(family_of_rows(few))) == 150
    assert len(np.unique(family_of_rows(np.zeros(40, dtype=np.uint64)))) == 40


def test_few_long_families_lose_more_context() -> None:
    def share(families: int, length: int) -> float:
        return context_dropout(np.repeat(np.arange(families, dtype=np.uint64), length))

    assert share(3, 5000) == share(5000, 2) == share(2000, 50) == CONTEXT_DROPOUT
    assert CONTEXT_DROPOUT < share(500, 100) < share(30, 100) < 0.5
