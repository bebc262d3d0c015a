"""Counting without counting: what a unit works out by itself agrees with what the whole table would show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.counts.ipf import fit_margins, fit_sums
from synthohive_spark.generation.batch_parents import AssignedKey, Dealer
from synthohive_spark.generation.null_patterns import Patterns
from synthohive_spark.randomness import scatter, scattered_below, stride
from synthohive_spark.schema.keys import NullPattern


@given(st.integers(1, 400), st.data())
def test_scattered_numbers_below_a_bound_are_counted(n: int, data: st.DataObject) -> None:
    first, bound = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    assert scattered_below(first, n, bound) == (scatter(np.arange(first), n) < bound).sum()


@given(st.integers(1, 2**62), st.integers(0, 2**63 - 1), st.data())
def test_scatter_is_exact_at_any_size(n: int, offset: int, data: st.DataObject) -> None:
    index = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20, unique=True))
    made = scatter(np.array(index, np.int64), n, offset).tolist()
    assert made == [(i * stride(n) + offset % n) % n for i in index]


def test_positions_beyond_what_is_exact_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 2"):
        scatter(np.arange(2), 2**62 + 1)


def test_numbers_beyond_a_float_are_counted_exactly() -> None:
    n = 2**31 - 1
    whole = [scattered_below(n, n, bound) for bound in (0, 1, 12_345_678, n)]
    assert whole == [0, 1, 12_345_678, n]


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(0, 40), st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=1))
def test_set_rows_are_counted_as_they_are_set(owned: int, free: int, parts: list[tuple[bool, int]]) -> None:
    whole = sum(weight for _, weight in parts)
    shares = [NullPattern(set_keys=(flag,), share=weight / whole) for flag, weight in parts]
    patterns = Patterns(shares, shares[::-1], owned, owned + free)
    there = patterns.are_set(0, patterns.which(np.arange(owned), False), False).tolist()
    if free:
        there += patterns.are_set(0, patterns.which(np.arange(owned, owned + free), True), True).tolist()
    counted = [patterns.set_before(0, rows) for rows in range(owned + free + 1)]
    assert counted == [sum(there[:rows]) for rows in range(owned + free + 1)]


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_fitted_tables_have_exactly_the_margins(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    joint = np.exp(rng.normal(scale=4, size=(rows, columns))) * (rng.random((rows, columns)) < 0.6)
    wanted = rng.multinomial(rng.integers(0, 5000), rng.dirichlet(np.full(columns, 0.3)))
    sums = rng.multinomial(wanted.sum(), rng.dirichlet(np.full(rows, 0.3)))
    made = fit_margins(joint, sums, wanted)
    assert (made >= 0).all()
    assert (made.sum(axis=1).tolist(), made.sum(axis=0).tolist()) == (sums.tolist(), wanted.tolist())


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_swaps_bring_sums_nearer_and_keep_the_margins(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.integers(1, 9, columns)) - 1
    cells = rng.multinomial(rng.integers(0, 300), rng.dirichlet(np.full(rows * columns, 0.5))).reshape(rows, columns)
    sums = rng.dirichlet(np.full(rows, 2.0)) * (cells @ values).sum()
    made = fit_sums(cells, values, sums)
    assert (made >= 0).all()
    assert (made.sum(axis=1).tolist(), made.sum(axis=0).tolist()) == (
        cells.sum(axis=1).tolist(),
        cells.sum(axis=0).tolist(),
    )
    assert abs(made @ values - sums).max() <= abs(cells @ values - sums).max() + 1e-9


def test_swaps_find_sums_that_there_are() -> None:
    rng = np.random.default_rng(4)
    values, cells = np.arange(30), rng.poisson(1.0, (8, 30))
    order = rng.permutation(np.repeat(values, cells.sum(axis=0)))
    ends = np.cumsum(cells.sum(axis=1))
    dealt = np.array([np.bincount(part, minlength=30) for part in np.split(order, ends[:-1])])
    wanted = (cells @ values).astype(np.float64)
    assert abs(dealt @ values - wanted).max() > 20
    assert abs(fit_sums(dealt, values, wanted) @ values - wanted).max() <= 3


@settings(max_examples=30)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=30), st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_all_units_together_deal_each_parent_its_children(counts: list[int], sizes: list[int]) -> None:
    wanted = sum(sizes)
    law = LinkageModel().fit(counts)
    always = Patterns((NullPattern(set_keys=(True,), share=1.0),), (), wanted, wanted)
    dealer = Dealer((AssignedKey(law.to_dict(), len(counts), wanted, 7, True),), always)
    ends = np.cumsum(sizes)
    units = [
        SimpleNamespace(block=i, slice=0, batch_rows=size, offset=int(end - size))
        for i, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]
    dealt = pd.concat([share for unit in units for share in dealer.shares(unit)])
    assert dealt.groupby("block")["copies"].sum().tolist() == sizes
    together = dealt.groupby("who")["copies"].sum().reindex(range(len(counts)), fill_value=0)
    assert together.tolist() == law.at(np.arange(len(counts)), len(counts), wanted).tolist()
