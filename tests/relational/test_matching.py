"""Labels of parents: by attributes where these tell them, else by degree, so that each has the rows it should have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthohive_spark.relational.features import Features
from synthohive_spark.relational.matching import Labels

DEGREE = "carrier:#"


def learnt(own: pd.DataFrame, labels: np.ndarray) -> Labels:
    return Labels.learn(own, labels.astype(np.int64), Features.fit(own, 1), seed=1)


def test_few_parents_of_whom_only_the_degree_is_known_keep_the_rows_of_each_label() -> None:
    degree = np.array(
        [32, 342, 601, 685, 714, 3260, 5162, 12275, 18460, 20536, 26397, 32729, 48110, 54173, 54635, 58665]
    )
    of_parent = np.random.default_rng(1).permutation(16) % 12
    own = pd.DataFrame({DEGREE: degree})
    law = learnt(own, of_parent)
    order = np.random.default_rng(2).permutation(16)  # new parents with the same degrees, in another order
    made = law.draw(own.iloc[order].reset_index(drop=True), np.arange(16), 16)
    rows = np.bincount(made, weights=degree[order], minlength=12)
    assert rows.tolist() == np.bincount(of_parent, weights=degree, minlength=12).tolist()


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
