"""Decision trees as plain arrays: fitted by scikit-learn, kept as JSON, applied without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synthohive_spark.counts.features import Features
from synthohive_spark.randomness import Floats, Ints

LEAVES = 64  # of a tree at most: more would follow single parents, and each is a branch of Spark's SQL


class Tree:
    """A decision tree as arrays: features, thresholds, children; leaves are numbered 0, 1, ..."""

    def __init__(self, feature: Ints, threshold: Floats, left: Ints, right: Ints, leaf: Ints) -> None:
        self.feature, self.threshold, self.left, self.right, self.leaf = feature, threshold, left, right, leaf

    @classmethod
    def of(cls, tree: Any) -> Tree:
        """From a fitted scikit-learn tree."""
        t = tree.tree_
        leaf = np.full(t.node_count, -1, np.int64)
        ends = np.flatnonzero(t.children_left < 0)
        leaf[ends] = np.arange(len(ends))
        return cls(
            t.feature.astype(np.int64),
            t.threshold.astype(np.float64),
            t.children_left.astype(np.int64),
            t.children_right.astype(np.int64),
            leaf,
        )

    @classmethod
    def chain(cls, flags: Ints) -> Tree:
        """Asks one flag after the other: leaf i where the i-th is the first that is set, the last where none is."""
        n = len(flags)  # the i-th question is node 2 * i, its leaf the node behind it
        feature, left, right, leaf = (np.full(2 * n + 1, -1, np.int64) for _ in range(4))
        asked = 2 * np.arange(n)
        feature[asked], left[asked], right[asked] = flags, asked + 2, asked + 1
        leaf[asked + 1], leaf[2 * n] = np.arange(n), n
        return cls(feature, np.where(feature < 0, 0.0, 0.5), left, right, leaf)

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return int(self.leaf.max()) + 1

    def apply(self, x: Floats) -> Ints:
        """The leaf of each row, shape (n,)."""
        node = np.zeros(len(x), np.int64)
        while (inner := self.left[node] >= 0).any():
            at = node[inner]
            low = x[inner, self.feature[at]].astype(np.float32) <= self.threshold[at]
            node[inner] = np.where(low, self.left[at], self.right[at])
        return self.leaf[node]

    def narrowed(self, features: Features) -> tuple[Features, Tree]:
        """What the tree looks at, and the tree over these features alone: it finds the same leaves."""
        inner = self.left >= 0
        kept, places = features.narrowed(self.feature[inner])
        feature = self.feature.copy()
        feature[inner] = places
        return kept, Tree(feature, self.threshold, self.left, self.right, self.leaf)

    def sql(self, features: Sequence[str]) -> str:
        """Spark SQL of the leaf, from that of each feature."""

        def leaf(node: int) -> str:
            if self.left[node] < 0:
                return str(int(self.leaf[node]))
            low, high = leaf(int(self.left[node])), leaf(int(self.right[node]))
            return f"if({features[self.feature[node]]} <= {float(self.threshold[node])!r}D, {low}, {high})"

        return leaf(0)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {k: v.tolist() for k, v in vars(self).items()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Tree:
        """The inverse of ``to_dict``.

        Raises:
            ValueError: the arrays are no tree whose nodes stand before what follows from them.
        """
        whole = {k: np.asarray(state[k], np.int64) for k in ("feature", "left", "right", "leaf")}
        made = cls(threshold=np.asarray(state["threshold"], np.float64), **whole)
        nodes, count = np.arange(len(made.leaf)), len(made.leaf)
        inner = made.left >= 0
        ahead = all(((side > nodes) & (side < count))[inner].all() for side in (made.left, made.right))
        alike = all(part.shape == (count,) for part in vars(made).values())
        if not (count and alike and ahead and (made.feature[inner] >= 0).all() and (made.leaf[~inner] >= 0).all()):
            raise ValueError("the arrays of a tree do not fit each other")
        return made
