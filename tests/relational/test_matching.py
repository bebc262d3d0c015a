"""Labels of parents: by attributes where these tell them, else by degree, so that each has the rows it should have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthohive_spark.relational.features import Features
from synthohive_spark.relational.matching import Labels

DEGREE = "carrier:#"


def learnt(own: pd.DataFrame, labels: np.ndarray, min_subjects: int = 3) -> Labels:
    return Labels.learn(own, labels.astype(np.int64), Features.fit(own, 1), min_subjects, seed=1)


def test_few_parents_of_whom_only_the_degree_is_known_nearly_keep_the_rows_of_each_label() -> None:
    degree = 2 ** np.arange(15)
    of_parent = np.random.default_rng(1).permutation(15)
    own = pd.DataFrame({DEGREE: degree})
    law = learnt(own, of_parent)
    source = {label: rank for rank, label in enumerate(of_parent.tolist())}
    ranks = np.array([source[label] for label in law.draw(own, np.arange(15), 15).tolist()])
    assert np.abs(ranks - np.arange(15)).max() < 6  # among those of like degree; at random up to 14
    assert np.corrcoef(ranks, np.arange(15))[0, 1] > 0.9


@pytest.mark.parametrize("min_subjects", [3, 7])
@pytest.mark.parametrize("told", [True, False])
def test_no_leaf_holds_fewer_parents_than_may_be_learnt_from(min_subjects: int, told: bool) -> None:
    rng = np.random.default_rng(6)
    kind = rng.integers(0, 4, 60)
    labels = kind if told else rng.integers(0, 30, 60)
    own = pd.DataFrame({"carrier:kind": kind.astype(float), DEGREE: rng.permutation(60) ** 2})
    law = learnt(own, labels, min_subjects)
    leaf = law.tree.apply(law.features.matrix(own))
    assert law.tree.leaves > 1
    assert np.bincount(leaf).min() >= min_subjects


def test_attributes_that_say_nothing_give_way_to_the_degree() -> None:
    rng = np.random.default_rng(3)
    own = pd.DataFrame({"carrier:size": rng.normal(size=40), DEGREE: rng.permutation(40) ** 2})
    assert list(learnt(own, rng.integers(0, 8, 40)).features.columns) == [DEGREE]


def test_attributes_that_tell_the_label_are_used() -> None:
    rng = np.random.default_rng(4)
    kind = rng.integers(0, 5, 60)
    own = pd.DataFrame({"carrier:kind": [f"kind {k}" for k in kind], DEGREE: rng.integers(1, 900, 60)})
    law = learnt(own, (kind * 3) % 5)
    assert (law.draw(own, np.arange(60), 60) == (kind * 3) % 5).all()
