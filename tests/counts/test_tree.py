"""A tree over the columns that it looks at finds the leaves that it finds over all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from synthohive_spark.counts.features import Features
from synthohive_spark.counts.tree import Tree

RNG = np.random.default_rng(5)
N = 600
FRAME = pd.DataFrame(
    {
        "idle": RNG.normal(size=N),
        "colour": RNG.choice(["red", "green", "blue"], N),
        "noise": RNG.choice(["a", "b", "c", "d"], N),
        "size": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(size=N)),
    }
)


@pytest.mark.parametrize(
    ("labels", "looked_at", "texts"),
    [
        ((FRAME["colour"] == "blue") & (FRAME["size"] > 0.5), ["colour", "size"], ["blue"]),
        (FRAME["size"].isna(), ["size"], []),
        (pd.Series(np.zeros(N, bool)), [], []),
    ],
)
def test_a_narrowed_tree_finds_the_same_leaves(labels: pd.Series, looked_at: list[str], texts: list[str]) -> None:
    features = Features.fit(FRAME, 3)
    whole = Tree.of(DecisionTreeClassifier(max_leaf_nodes=3, random_state=0).fit(features.matrix(FRAME), labels))
    own, tree = whole.narrowed(features)
    assert list(own.columns) == looked_at
    assert [t for c in own.columns.values() for t in c.get("texts", [])] == texts
    others = FRAME.iloc[::-1].reset_index(drop=True)
    assert (tree.apply(own.matrix(others[looked_at])) == whole.apply(features.matrix(others))).all()
    assert tree.leaves == whole.leaves


def test_a_chain_asks_for_one_text_after_the_other() -> None:
    features = Features.fit(FRAME, 3)
    (colours, noises), x = features.texts(), features.matrix(FRAME)
    assert x[:, noises].sum() == N
    leaf = Tree.chain(colours).apply(x)
    assert dict(zip(FRAME["colour"], leaf.tolist(), strict=True)) == {"blue": 1, "green": 2, "red": 3}
    own, tree = Tree.chain(colours[:3]).narrowed(features)
    assert tree.apply(own.matrix(FRAME)).tolist() == leaf.tolist()
    assert tree.leaves == 4
