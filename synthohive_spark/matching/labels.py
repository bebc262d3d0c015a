"""Clusters of parents: which cluster a synthetic parent belongs to, from what it is or how many children it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.counts.features import Features
from synthohive_spark.counts.tree import LEAVES, Tree
from synthohive_spark.randomness import Floats, Ints, scatter

FEW = 3  # parents that share a stretch of degrees at least, if ``min_subjects`` asks for no more
FEW_OF_LEAF = 20  # parents of a leaf at least: a leaf of fewer would tell who they are
SHARE_OF_LEAF = 100  # and of many parents one in so many, so that leaves do not follow chance


class Labels:
    """Labels of parents that the source knows and a synthetic parent lacks: drawn by what the parent is.

    Attributes:
        features, tree: of those of the parent's own attributes that the tree looks at, and its leaf.
        shares: share of each label in each leaf, shape (leaves, labels).
    """

    def __init__(self, features: Features, tree: Tree, shares: Floats) -> None:
        self.features, self.tree, self.shares = features, tree, shares

    @property
    def needed(self) -> tuple[str, ...]:
        """Attributes that it looks at."""
        return tuple(self.features.columns)

    @classmethod
    def learn(cls, own: pd.DataFrame, labels: Ints, features: Features, seed: int, known: bool = False) -> Labels:
        """Learn the shares.

        Args:
            own: attributes of each parent, shape (n, k).
            labels: label of each, shape (n,).
            features: of such attributes.
            seed: the training seed.
            known: the copy has the same parents, so that a leaf may be one of them.
        """
        from sklearn.tree import DecisionTreeClassifier

        x = features.matrix(own) if features.width else np.zeros((len(own), 1))
        few = 1 if known else max(FEW_OF_LEAF, len(own) // SHARE_OF_LEAF)
        fitted = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=few, random_state=seed % 2**31)
        tree = Tree.of(fitted.fit(x, labels))
        shares = np.zeros((tree.leaves, int(labels.max()) + 1))
        np.add.at(shares, (tree.apply(x), labels), 1.0)
        return cls(*tree.narrowed(features), shares / np.maximum(shares.sum(axis=1, keepdims=True), 1.0))

    def draw(self, own: pd.DataFrame, place: Ints, parents: int) -> Ints:
        """The label of each parent, a function of its attributes and its place among ``parents``; shape (n,)."""
        x = self.features.matrix(own) if self.features.width else np.zeros((len(own), 1))
        return _evenly(self.shares[self.tree.apply(x)], place, parents)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"features": self.features.to_dict(), "tree": self.tree.to_dict(), "shares": self.shares.tolist()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Labels:
        """The inverse of ``to_dict``."""
        shares = np.asarray(state["shares"], np.float64)
        return cls(Features.from_dict(state["features"]), Tree.from_dict(state["tree"]), shares)


class RankedLabels:
    """Labels of parents of whom nothing is known but how many children they have: drawn by their rank.

    Places on a law of children ascend with these, so a place says whose labels a parent shares: those of source parents
    of about its rank. Labels are even within each stretch of ranks; so about as many rows meet each as in the source,
    although the busiest of few parents have most of the rows. Rows see of such a parent its label and the mean of its
    stretch: the number itself would tell one source parent from the others, and another one than the label does.

    Attributes:
        busy: share of all parents that have children.
        ends: where stretches of ranks end, the busiest first, as shares of those with children; shape (stretches,).
        means: children of the parents of each stretch, on average; shape (stretches,).
        shares: share of each label in each stretch, shape (stretches, labels).
    """

    needed: tuple[str, ...] = ()

    def __init__(self, busy: float, ends: Floats, means: Ints, shares: Floats) -> None:
        self.busy, self.ends, self.means, self.shares = busy, ends, means, shares

    @classmethod
    def learn(cls, degree: Ints, labels: Ints, busy: float, min_subjects: int) -> tuple[RankedLabels, Ints]:
        """Learn the shares; and what rows see of the number of each parent's children, shape (n,).

        Args:
            degree: children of each parent that has any, shape (n,).
            labels: label of each, shape (n,).
            busy: share of all parents that have children.
            min_subjects: parents that a stretch must hold.
        """
        order = np.argsort(-degree, kind="stable")
        few, rows = max(FEW, min_subjects), np.cumsum(degree[order])
        ends = [0]
        while len(order) - ends[-1] >= 2 * few:
            before = rows[ends[-1] - 1] if ends[-1] else 0
            enough = int(np.searchsorted(rows, before + rows[-1] / LEAVES)) + 1
            end = max(ends[-1] + few, enough)
            if len(order) - end < few:
                break
            ends.append(end)
        ends = [*ends[1:], len(order)]
        stretch = np.searchsorted(ends, np.arange(len(order)), side="right")
        means = np.rint(np.bincount(stretch, weights=degree[order]) / np.bincount(stretch)).astype(np.int64)
        shares = np.zeros((len(ends), int(labels.max()) + 1))
        np.add.at(shares, (stretch, labels[order]), 1.0)
        shown = np.empty_like(order)
        shown[order] = means[stretch]
        return cls(busy, np.array(ends) / len(order), means, shares / shares.sum(axis=1, keepdims=True)), shown

    def draw(self, own: pd.DataFrame, place: Ints, parents: int) -> Ints:
        """The label of each parent, a function of its place among ``parents``; shape (n,)."""
        stretch, ends = self._stretch(place, parents)
        rank, first = parents - 1 - place, np.r_[0, ends[:-1]]
        labels = np.zeros(len(place), np.int64)
        for i in np.unique(stretch).tolist():
            here, size = stretch == i, max(1, int(ends[i] - first[i]))
            labels[here] = _evenly(self.shares[[i] * int(here.sum())], (rank[here] - first[i]) % size, size)
        return labels

    def shown(self, place: Ints, parents: int) -> Ints:
        """What rows see of the number of each parent's children: the mean of its stretch in the source; shape (n,)."""
        return self.means[self._stretch(place, parents)[0]]

    def _stretch(self, place: Ints, parents: int) -> tuple[Ints, Ints]:
        """The stretch of each place, and where stretches end."""
        ends = np.rint(self.ends * max(1, round(self.busy * parents))).astype(np.int64)
        found = np.searchsorted(ends, parents - 1 - place, side="right")
        last: Ints = np.minimum(found, len(ends) - 1)
        return last, ends

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        lists = {"ends": self.ends.tolist(), "means": self.means.tolist(), "shares": self.shares.tolist()}
        return {"busy": self.busy, **lists}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> RankedLabels:
        """The inverse of ``to_dict``."""
        ends, shares = np.asarray(state["ends"], np.float64), np.asarray(state["shares"], np.float64)
        return cls(state["busy"], ends, np.asarray(state["means"], np.int64), shares)


def _evenly(shares: Floats, place: Ints, places: int) -> Ints:
    """A label of each row under its own (n, labels) shares, even over the places; shape (n,)."""
    even = (scatter(place, places) + 0.5) / places
    found: Ints = (even[:, None] >= np.cumsum(shares, axis=1)).sum(axis=1).astype(np.int64)
    last: Ints = np.minimum(found, shares.shape[1] - 1)
    return last


def labels_of(state: Mapping[str, Any]) -> Labels | RankedLabels:
    """Labels of either kind from their ``to_dict``."""
    return Labels.from_dict(state) if "tree" in state else RankedLabels.from_dict(state)
