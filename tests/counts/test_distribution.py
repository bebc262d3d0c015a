from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.errors import ConfigError, GenerationError, TrainingError

COUNTS = [0] * 40 + [1] * 30 + [2] * 20 + [7] * 9 + [100]
histograms = st.dictionaries(st.integers(0, 300), st.integers(1, 50), min_size=1, max_size=8)


def histogram(counts: np.ndarray) -> dict[int, int]:
    values, parents = np.unique(counts, return_counts=True)
    return dict(zip(values.tolist(), parents.tolist(), strict=True))


def test_at_the_size_of_the_source_the_counts_are_those_of_the_source() -> None:
    drawn = LinkageModel().fit(COUNTS).sample(len(COUNTS), seed=3)
    assert histogram(drawn) == histogram(np.array(COUNTS))


def test_counts_are_scattered_over_the_parents_by_the_seed() -> None:
    model = LinkageModel().fit(COUNTS)
    first, again, other = (model.sample(100, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[:40] > 0).any(), "parents without children are not the first ones"


@pytest.mark.parametrize("scale", [0.1, 0.5, 2, 3.7])
def test_totals_follow_the_scale(scale: float) -> None:
    model, parents = LinkageModel().fit(COUNTS), round(100 * scale)
    drawn = model.sample(parents, seed=1)
    assert drawn.sum() == model.total(parents)
    assert drawn.sum() == pytest.approx(sum(COUNTS) * scale, abs=1)
    assert drawn.max() <= max(COUNTS)
    assert (drawn == 0).mean() == pytest.approx(0.4, abs=0.02 + 1 / parents)


@given(histograms, st.integers(1, 2000), st.integers(0, 2**31))
def test_the_total_is_exact_and_no_count_is_above_the_largest(law: dict[int, int], parents: int, seed: int) -> None:
    model = LinkageModel().fit(law)
    drawn = model.sample(parents, seed)
    assert len(drawn) == parents
    assert drawn.min() >= 0
    assert drawn.sum() == model.total(parents)
    assert drawn.max() <= max(law) + (parents % sum(law.values()) != 0)
    if parents == sum(law.values()):
        assert histogram(drawn) == {v: n for v, n in law.items() if n}


@given(histograms, st.integers(2, 500))
def test_parts_of_the_parents_get_what_they_get_in_the_whole(law: dict[int, int], parents: int) -> None:
    model, ranks = LinkageModel().fit(law), np.arange(parents)[::-2].copy()
    np.testing.assert_array_equal(model.sample(parents, 5, ranks), model.sample(parents, 5)[ranks])


def test_parents_without_children_only() -> None:
    model = LinkageModel().fit([0, 0, 0])
    assert model.total(10) == 0
    assert model.sample(10).tolist() == [0] * 10


def test_one_parent_owns_all() -> None:
    model = LinkageModel().fit({5000: 1})
    assert model.total(3) == 15_000
    assert model.sample(3).tolist() == [5000] * 3


def test_negbinom_keeps_mean_spread_and_maximum() -> None:
    rng = np.random.default_rng(0)
    counts = rng.negative_binomial(2, 0.2, 5000)
    model = LinkageModel("negbinom").fit(counts)
    drawn = model.sample(5000, seed=1)
    assert drawn.mean() == pytest.approx(counts.mean(), rel=0.02)
    assert drawn.var() == pytest.approx(counts.var(), rel=0.1)
    assert drawn.max() <= counts.max()
    assert (drawn == 0).mean() == pytest.approx((counts == 0).mean(), abs=0.02)


@pytest.mark.parametrize("counts", [[2] * 50, [0, 0, 0], [1, 2] * 30])
def test_negbinom_without_overdispersion(counts: list[int]) -> None:
    drawn = LinkageModel("negbinom").fit(counts).sample(1000, seed=1)
    assert drawn.mean() == pytest.approx(np.mean(counts), rel=0.4)
    assert drawn.max() <= max(counts)


def test_the_law_survives_json() -> None:
    model = LinkageModel().fit(COUNTS)
    back = LinkageModel.from_dict(json.loads(json.dumps(model.to_dict())))
    np.testing.assert_array_equal(back.sample(77, 4), model.sample(77, 4))
    assert back.mean == model.mean == np.mean(COUNTS)


def test_wrong_use_is_named() -> None:
    with pytest.raises(ConfigError, match="choose empirical, negbinom"):
        LinkageModel("poisson")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="no rows"):
        LinkageModel().fit([])
    with pytest.raises(GenerationError, match="call fit first"):
        LinkageModel().sample(3)


def test_a_conditional_law_follows_the_parents_attributes() -> None:
    rng = np.random.default_rng(0)
    size = rng.choice(["small", "large"], 1000)
    counts = np.where(size == "large", rng.integers(8, 12, 1000), rng.integers(0, 3, 1000))
    law = LinkageModel("conditional").fit(counts, context=pd.DataFrame({"size": size}))
    parents = pd.DataFrame({"size": ["small"] * 300 + ["large"] * 100})
    drawn = law.sample(400, seed=1, context=parents)
    assert drawn[:300].max() <= 2
    assert drawn[300:].min() >= 8
    assert abs(drawn[300:].mean() - counts[size == "large"].mean()) < 0.1
