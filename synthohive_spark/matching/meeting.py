"""How often groups of rows meet classes of parents, and the deal that keeps it so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.counts.features import Features
from synthohive_spark.counts.ipf import fit_margins
from synthohive_spark.counts.tree import LEAVES, Tree
from synthohive_spark.randomness import Floats, Ints
from synthohive_spark.schema.conversion import Values


class Meeting:
    """How rows group, and how often each group meets each of some classes.

    Attributes:
        rows, row_tree: features of a row's other parents, those that the tree looks at, and its group.
        joint: how often each group of rows meets each class, shape (groups, classes).
    """

    def __init__(self, rows: Features, row_tree: Tree, joint: Floats) -> None:
        self.rows, self.row_tree, self.joint = rows, row_tree, joint

    @classmethod
    def learn(cls, rows: pd.DataFrame, met: Ints, classes: int, features: Features, few: int, seed: int) -> Meeting:
        """Learn groups that tell the classes of rows.

        Args:
            rows: what is known of each row, shape (n, k).
            met: class of each, shape (n,).
            classes: how many there are.
            features: of what is known.
            few: rows that a group must hold.
            seed: the training seed.
        """
        from sklearn.tree import DecisionTreeClassifier

        x = features.matrix(rows)
        fitted = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=few, random_state=seed % 2**31)
        tree = Tree.of(fitted.fit(x, met))
        joint = np.zeros((tree.leaves, classes))
        np.add.at(joint, (tree.apply(x), met), 1.0)
        return cls(*tree.narrowed(features), joint)

    def groups(self, shown: Mapping[str, Values], wanted: Ints) -> Ints:
        """The group of each wanted row, from what is known of its other parents; shape (wanted,)."""
        seen = pd.DataFrame({n: shown[n].array[wanted] for n in self.rows.columns}, index=range(len(wanted)))
        return self.row_tree.apply(self.rows.matrix(seen))

    def deal(self, groups: Ints, clusters: Ints, rng: np.random.Generator) -> Ints:
        """For each row the slot it gets, shape (rows,): groups meet clusters as in the source.

        Args:
            groups: group of each row.
            clusters: cluster of each slot; as many as rows.
            rng: deals within a cell.
        """
        rows = [rng.permutation(np.flatnonzero(groups == g)) for g in range(self.joint.shape[0])]
        slots = [rng.permutation(np.flatnonzero(clusters == c)) for c in range(self.joint.shape[1])]
        cells = fit_margins(self.joint, np.array([len(r) for r in rows]), np.array([len(s) for s in slots]))
        dealt = np.full(len(groups), -1, np.int64)
        row_at, slot_at = np.zeros(len(rows), np.int64), np.zeros(len(slots), np.int64)
        for g, c in np.argwhere(cells > 0).tolist():
            n = int(cells[g, c])
            dealt[rows[g][row_at[g] : row_at[g] + n]] = slots[c][slot_at[c] : slot_at[c] + n]
            row_at[g] += n
            slot_at[c] += n
        return dealt

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"rows": self.rows.to_dict(), "row_tree": self.row_tree.to_dict(), "joint": self.joint.tolist()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Meeting:
        """The inverse of ``to_dict``."""
        joint = np.asarray(state["joint"], np.float64)
        return cls(Features.from_dict(state["rows"]), Tree.from_dict(state["row_tree"]), joint)
