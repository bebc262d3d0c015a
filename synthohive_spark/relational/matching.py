"""Which of several parents go together: learnt on the sample, applied when slots are dealt to the rows of a unit.

The parents behind a dealt key are clustered by the rows that refer to them (their other parents' attributes, on
average). A tree over a parent's own attributes and degree says how likely each cluster is, so that a synthetic parent
gets a cluster that fits what it is; another tree groups rows by their other parents. How often groups of rows meet
clusters is kept as a table of counts; dealing fits that table to the rows and slots at hand by iterative proportional
fitting (Deming and Stephan, 1940). Degrees are untouched: slots are only dealt in another order.
Clusters of parents follow ClavaDDPM's idea of a latent shared by parent and child (Pang et al., arXiv 2405.17724).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.randomness import Ints
from synthohive_spark.relational.features import Features
from synthohive_spark.relational.plan import TablePlan
from synthohive_spark.relational.tree import Tree

CLUSTERS = 32  # clusters of parents; the best of ClavaDDPM's own ablation is 20, more only dilutes small tables
LEAVES = 64
LABEL = "~"  # the name under which context holds the cluster of a dealt parent
SMOOTH = 1e-3  # share of a uniform table in the fitted one, so that no margin is impossible
Floats = npt.NDArray[np.float64]


class Matcher:
    """What is known of one dealt key: how rows group, which clusters its parents fall into, how these meet.

    Attributes:
        rows, row_tree: features of a row's other parents, and its group.
        parents, parent_tree: features of the dealt parent, and its leaf.
        clusters: share of each cluster in each leaf, shape (leaves, clusters).
        joint: how often each group of rows meets each cluster, shape (groups, clusters).
    """

    def __init__(
        self, rows: Features, row_tree: Tree, parents: Features, parent_tree: Tree, clusters: Floats, joint: Floats
    ) -> None:
        self.rows, self.row_tree, self.parents, self.parent_tree = rows, row_tree, parents, parent_tree
        self.clusters, self.joint = clusters, joint

    def groups(self, context: pd.DataFrame) -> Ints:
        """The group of each row, from the context of its other parents."""
        return self.row_tree.apply(self.rows.matrix(context))

    def cluster(self, context: pd.DataFrame, rank: Ints) -> Ints:
        """The cluster of each dealt parent, a function of its attributes and its rank in its table."""
        leaf = self.parent_tree.apply(self.parents.matrix(context))
        even = (rank.astype(np.float64) * 0.6180339887498949) % 1.0
        ends = np.cumsum(self.clusters, axis=1)
        found: Ints = (even[:, None] >= ends[leaf]).sum(axis=1).astype(np.int64)
        last: Ints = np.minimum(found, self.clusters.shape[1] - 1)
        return last

    def deal(self, groups: Ints, clusters: Ints, rng: np.random.Generator) -> Ints:
        """For each row the slot it gets, shape (rows,): groups meet clusters as in the source.

        Args:
            groups: group of each row.
            clusters: cluster of each slot; as many as rows.
            rng: deals within a cell.
        """
        rows = [rng.permutation(np.flatnonzero(groups == g)) for g in range(self.joint.shape[0])]
        slots = [rng.permutation(np.flatnonzero(clusters == c)) for c in range(self.joint.shape[1])]
        cells = _fitted(self.joint, np.array([len(r) for r in rows]), np.array([len(s) for s in slots]))
        dealt = np.full(len(groups), -1, np.int64)
        row_at, slot_at = np.zeros(len(rows), np.int64), np.zeros(len(slots), np.int64)
        for g, c in np.argwhere(cells > 0).tolist():
            n = int(cells[g, c])
            dealt[rows[g][row_at[g] : row_at[g] + n]] = slots[c][slot_at[c] : slot_at[c] + n]
            row_at[g] += n
            slot_at[c] += n
        left = np.flatnonzero(dealt < 0)
        free = np.setdiff1d(np.arange(len(clusters)), dealt[dealt >= 0])
        dealt[left] = rng.permutation(free)[: len(left)]
        return dealt

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "rows": self.rows.to_dict(),
            "row_tree": self.row_tree.to_dict(),
            "parents": self.parents.to_dict(),
            "parent_tree": self.parent_tree.to_dict(),
            "clusters": self.clusters.tolist(),
            "joint": self.joint.tolist(),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Matcher:
        """The inverse of ``to_dict``."""
        return cls(
            Features.from_dict(state["rows"]),
            Tree.from_dict(state["row_tree"]),
            Features.from_dict(state["parents"]),
            Tree.from_dict(state["parent_tree"]),
            np.asarray(state["clusters"], np.float64),
            np.asarray(state["joint"], np.float64),
        )


def learn(
    plan: TablePlan, context: pd.DataFrame, parents: Mapping[int, Ints], min_subjects: int, seed: int
) -> tuple[dict[int, Matcher], pd.DataFrame]:
    """Learn a matcher for each drawn key, one after the other: each sees the parents before it.

    Args:
        plan: the table.
        context: what the sample's rows see of their parents, by the plan's names.
        parents: for each drawn key, by position, the identity of each row's parent, shape (rows,); -1 for none.
        min_subjects: rows that must hold a text before a feature may name it.
        seed: the training seed.

    Returns:
        {position: matcher}, and the context with a cluster column per matcher.
    """
    matchers: dict[int, Matcher] = {}
    seen = [c.name for c in plan.context if plan.driving is not None and c.path[0] == plan.driving.position]
    for fk in plan.dealt:
        own = [c.name for c in plan.context if c.path[0] == fk.position]
        if fk.role == "drawn" and seen and own and fk.position in parents:
            known = parents[fk.position] >= 0
            found = _learn_one(
                context.loc[known, seen], context.loc[known, own], parents[fk.position][known], min_subjects, seed
            )
            if found is not None:
                matchers[fk.position], cluster = found
                name = label_name(fk.columns)
                column = np.full(len(context), None, dtype=object)
                column[known] = [str(c) for c in cluster]
                context = context.assign(**{name: column})
                own = [*own, name]
        seen = [*seen, *own]
    return matchers, context


def label_name(columns: tuple[str, ...]) -> str:
    """The context column that holds the cluster of the parent behind a key."""
    return f"{'+'.join(columns)}:{LABEL}"


def _learn_one(
    rows: pd.DataFrame, own: pd.DataFrame, parent: Ints, min_subjects: int, seed: int
) -> tuple[Matcher, Ints] | None:
    from sklearn.cluster import KMeans
    from sklearn.tree import DecisionTreeClassifier
    from threadpoolctl import threadpool_limits

    row_features, own_features = Features.fit(rows, min_subjects), Features.fit(own, min_subjects)
    if not len(rows) or not row_features.width or not own_features.width:
        return None
    x = row_features.matrix(rows)
    spread = x.std(axis=0)
    x_scaled = np.where(spread > 0, (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1), 0.0)
    _, first, code, counts = np.unique(parent, return_index=True, return_inverse=True, return_counts=True)
    means = np.zeros((len(first), x.shape[1]))
    np.add.at(means, code, x_scaled)
    means /= counts[:, None]
    k = min(CLUSTERS, len(np.unique(means.round(9), axis=0)))
    if k < 2:
        return None
    with threadpool_limits(1):
        fitted = KMeans(k, n_init=3, random_state=seed % 2**31).fit(means, sample_weight=counts.astype(np.float64))
    of_parent = fitted.labels_.astype(np.int64)
    leaf_rows = max(2, len(rows) // 500)
    row_tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=leaf_rows, random_state=seed % 2**31).fit(
        x, of_parent[code]
    )
    p = own_features.matrix(own.iloc[first])
    parent_tree = DecisionTreeClassifier(
        max_leaf_nodes=LEAVES, min_samples_leaf=max(5, len(first) // 100), random_state=seed % 2**31
    ).fit(p, of_parent)
    row_leaf, parent_leaf = Tree.of(row_tree), Tree.of(parent_tree)
    joint = np.zeros((row_leaf.leaves, k))
    np.add.at(joint, (row_leaf.apply(x), of_parent[code]), 1.0)
    clusters = np.zeros((parent_leaf.leaves, k))
    np.add.at(clusters, (parent_leaf.apply(p), of_parent), 1.0)
    clusters /= np.maximum(clusters.sum(axis=1, keepdims=True), 1.0)
    return Matcher(row_features, row_leaf, own_features, parent_leaf, clusters, joint), of_parent[code]


def _fitted(joint: Floats, rows: Ints, slots: Ints) -> Ints:
    """Whole-number cells near the joint table scaled to the margins; what rounding leaves over is dealt at random."""
    n = max(int(rows.sum()), 1)
    cells = joint / max(joint.sum(), 1.0) * n
    cells = cells + SMOOTH * np.outer(rows, slots) / n
    for _ in range(50):
        cells *= (rows / np.maximum(cells.sum(axis=1), 1e-12))[:, None]
        cells *= (slots / np.maximum(cells.sum(axis=0), 1e-12))[None, :]
    whole: Ints = np.floor(cells + 1e-9).astype(np.int64)
    spare_rows, spare_slots = rows - whole.sum(axis=1), slots - whole.sum(axis=0)
    rest = cells - whole
    for g, c in zip(*np.unravel_index(np.argsort(-rest, axis=None, kind="stable"), rest.shape), strict=True):
        if spare_rows[g] > 0 and spare_slots[c] > 0 and rest[g, c] > 0:
            whole[g, c] += 1
            spare_rows[g] -= 1
            spare_slots[c] -= 1
    return whole


def pack(matchers: Mapping[int, Matcher]) -> str:
    """Matchers as JSON text."""
    return json.dumps({str(i): m.to_dict() for i, m in matchers.items()})


def unpack(text: str) -> dict[int, Matcher]:
    """The inverse of ``pack``."""
    return {int(i): Matcher.from_dict(state) for i, state in json.loads(text or "{}").items()}
