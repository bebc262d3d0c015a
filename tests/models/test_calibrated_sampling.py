"""Rows of a whole small table: shares as the real ones, dependence kept, no dependence made."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark import CTGAN, AutoregressiveModel, ConditionalGenerativeModel
from synthohive_spark.models.common.calibrated_sampling import draw_evenly, even_ranks, spread

ROWS = 600


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(0, 2**31), st.integers(2, 400))
def test_spread_numbers_are_even_over_any_neighbours(seed: int, rows: int) -> None:
    expected = torch.rand(rows, generator=generator(seed), dtype=torch.float64)
    numbers = spread(expected, generator(seed))[torch.argsort(expected)].numpy()
    for first in range(0, rows, 50):
        part = np.sort(numbers[first : first + 50])
        gap = np.abs(part - (np.arange(len(part)) + 0.5) / len(part)).max()
        assert gap < 4.0 / len(part)  # 4 of the rows; independent numbers are off by their square root


@given(st.integers(0, 2**31), st.integers(2, 12), st.integers(50, 500))
def test_codes_of_like_rows_come_in_their_shares(seed: int, codes: int, rows: int) -> None:
    logits = torch.randn(codes, generator=generator(seed)).expand(rows, codes)
    shares = torch.rand(codes, generator=generator(seed + 1)) + 0.05
    shares /= shares.sum()
    drawn = torch.bincount(draw_evenly(logits, shares, generator(seed)), minlength=codes)
    assert (drawn - shares * rows).abs().max() < 4.0


def test_codes_of_unlike_rows_are_nearer_to_their_shares_than_chance() -> None:
    rows, codes, shares = 400, 4, torch.tensor([0.4, 0.3, 0.2, 0.1])
    even, chance = [], []
    for seed in range(30):
        logits = torch.randn(rows, codes, generator=generator(seed))
        drawn = torch.bincount(draw_evenly(logits, shares, generator(seed)), minlength=codes)
        even.append(float((drawn / rows - shares).abs().max()))
        chance.append(np.abs(np.random.default_rng(seed).multinomial(rows, shares) / rows - shares.numpy()).max())
    assert np.mean(even) < 0.2 * np.mean(chance)


@pytest.mark.parametrize(("rows", "codes"), [(91, 21), (1000, 64), (3000, 200)])
def test_counts_are_met_and_rows_are_as_likely_as_independent_draws(rows: int, codes: int) -> None:
    off, surplus = [], []
    for seed in range(20):
        rng = generator(seed)
        logits = 1.5 * torch.randn(rows, codes, generator=rng) + 1.5 * torch.randn(codes, generator=rng)
        known, wanted = logits.log_softmax(dim=1), logits.softmax(dim=1).mean(dim=0)
        drawn = draw_evenly(logits, wanted, rng)
        off.append(float((torch.bincount(drawn, minlength=codes) - rows * wanted).abs().mean()))
        own, expected = known[torch.arange(rows), drawn], (known.exp() * known).sum(dim=1)
        surplus.append(float((own - expected).mean()))
    assert np.mean(off) < 0.75  # rows of a code; independent draws are off by 1.3 to 2.4
    assert abs(np.mean(surplus)) < 0.05  # nats; weights that are the ratios, not their roots, give .1


def test_a_share_of_nothing_is_drawn_never_and_a_constant_always() -> None:
    logits = torch.zeros(300, 3)
    drawn = draw_evenly(logits, torch.tensor([0.0, 1.0, 0.0]), generator(1))
    assert (drawn == 1).float().mean() > 0.99


def test_what_the_logits_say_of_a_row_is_kept() -> None:
    group = torch.arange(ROWS) % 2
    logits = torch.stack([torch.where(group == 0, 3.0, -3.0), torch.where(group == 0, -3.0, 3.0)], dim=1)
    drawn = draw_evenly(logits, torch.tensor([0.5, 0.5]), generator(2))
    assert (drawn == group).float().mean() > 0.9


def test_columns_that_have_nothing_to_do_with_each_other_stay_so() -> None:
    rng, logits = generator(3), torch.zeros(20_000, 2)
    pairs = torch.stack([draw_evenly(logits, None, rng) for _ in range(4)]).double()
    assert (torch.corrcoef(pairs) - torch.eye(4)).abs().max() < 0.05


def test_ranks_are_even_among_the_rows_in_use_and_keep_their_order() -> None:
    scalars, used = torch.randn(ROWS, 1, generator=generator(4)), torch.zeros(ROWS, 1)
    used[: ROWS // 3] = 1.0
    ranks = even_ranks(scalars, used, generator(5))[:, 0]
    inside = ranks[: ROWS // 3]
    assert (torch.sort(inside).values - torch.linspace(-1, 1, len(inside))).abs().max() < 0.02
    assert torch.equal(torch.argsort(inside), torch.argsort(scalars[: ROWS // 3, 0]))
    assert not ranks[ROWS // 3 :].any()


def planted(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    region = rng.choice(["north", "south"], ROWS, p=[0.7, 0.3])
    price = np.where(region == "north", rng.gamma(2.0, 10.0, ROWS), 200 + rng.gamma(2.0, 10.0, ROWS))
    colour = rng.choice(["red", "green", "blue"], ROWS, p=[0.6, 0.3, 0.1])
    price[rng.random(ROWS) < 0.1] = np.nan
    return pd.DataFrame({"price": price, "colour": colour}), pd.DataFrame({"region": region})


@pytest.mark.parametrize("model", [CTGAN, AutoregressiveModel])
def test_a_whole_table_has_the_shares_of_the_real_one_for_parents_of_other_shares(
    model: type[ConditionalGenerativeModel],
) -> None:
    data, context = planted(1)
    fitted = model(max_seconds=4.0, epochs=None).fit(data, context, seed=1)
    others = pd.DataFrame({"region": np.random.default_rng(2).choice(["north", "south"], ROWS, p=[0.65, 0.35])})
    made = fitted.sample_table(ROWS, context=others, seed=3)
    pd.testing.assert_frame_equal(made, fitted.sample_table(ROWS, context=others, seed=3))
    shares = made["colour"].value_counts(normalize=True)
    assert np.abs(shares - data["colour"].value_counts(normalize=True)).max() < 0.015
    assert abs(made["price"].isna().mean() - data["price"].isna().mean()) < 0.015
    levels = np.linspace(0.05, 0.95, 19)
    wanted = data["price"].dropna()
    found = np.array([(made["price"].dropna() <= q).mean() for q in wanted.quantile(levels)])
    assert np.abs(found - levels).max() < 0.03
    south = others["region"] == "south"
    assert made["price"][south].mean() > made["price"][~south].mean() + 50
