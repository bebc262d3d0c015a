"""Which of several parents go together: learnt on the sample, applied when slots are dealt to the rows of a unit.

The parents behind a dealt key are clustered by the rows that refer to them (their other parents' attributes, on
average). A tree over a parent's own attributes and degree says how likely each cluster is, so that a synthetic parent
gets a cluster that fits what it is; where its degree is all that is known, its rank does so. Another tree groups rows
by their other parents. How often groups meet clusters is kept as a table of counts; dealing fits that table to the
rows and slots at hand by iterative proportional fitting (Deming and Stephan, 1940). Degrees are untouched: slots are
only dealt in another order.
Where few driving parents have many rows each, their attributes may say too little (each has a name of its own): then
they too are clustered, by whom their rows refer to, and the cluster is a feature of the row. Where nothing tells it
but how many rows a parent has, the model of the rows sees it too.
Clusters of parents follow ClavaDDPM's idea of a latent shared by parent and child (Pang et al., arXiv 2405.17724).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Floats, Ints, scatter
from synthohive_spark.relational.features import Features
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.margins import fit_margins
from synthohive_spark.relational.plan import DEGREE, ForeignKeyPlan, TablePlan, degree_name
from synthohive_spark.relational.tree import Tree
from synthohive_spark.relational.values import Values

FEW = 3  # parents that share a stretch of degrees at least, if ``min_subjects`` asks for no more
CLUSTERS = 32  # clusters of parents; the best of ClavaDDPM's own ablation is 20, more only dilutes small tables
LEAVES = 64
LABEL = "~"  # the name under which context holds the cluster of a parent
NULL_ROWS = 20  # rows in a group at least, of those that tell which keys a row has
DRIVERS, DRIVER_ROWS = 256, 8  # driving parents that are clustered: so many at most, with so many rows on average
CLUSTER_ROWS = 100  # rows of a cluster on average, at least, from which on the model of the rows sees it
PARENTS_AT_ONCE = 16_384  # whom the rows of drivers refer to: so many columns of a matrix, 32 MB at most
AXES = 16  # dimensions in which they are clustered


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
    def learn(cls, own: pd.DataFrame, labels: Ints, features: Features, seed: int) -> Labels:
        """Learn the shares.

        Args:
            own: attributes of each parent, shape (n, k).
            labels: label of each, shape (n,).
            features: of such attributes.
            seed: the training seed.
        """
        from sklearn.tree import DecisionTreeClassifier

        x = features.matrix(own) if features.width else np.zeros((len(own), 1))
        few = max(20, len(own) // 100)
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


def _labels(state: Mapping[str, Any]) -> Labels | RankedLabels:
    return Labels.from_dict(state) if "tree" in state else RankedLabels.from_dict(state)


@dataclass(frozen=True)
class Matcher:
    """What is known of one dealt key: how rows group, which clusters its parents fall into, how these meet.

    Attributes:
        meeting: of rows and clusters.
        parents: clusters of the dealt parents.
    """

    meeting: Meeting
    parents: Labels | RankedLabels

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"meeting": self.meeting.to_dict(), "parents": self.parents.to_dict()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Matcher:
        """The inverse of ``to_dict``."""
        return cls(Meeting.from_dict(state["meeting"]), _labels(state["parents"]))


@dataclass(frozen=True)
class Matching:
    """What is known of who goes with whom.

    Attributes:
        matchers: of the drawn keys, by position.
        drivers: clusters of the driving parents; None where attributes have to do.
        nulls: of rows and null patterns (``TablePlan.patterns``); None where nothing tells which keys a row has.
    """

    matchers: dict[int, Matcher] = field(default_factory=dict)
    drivers: Labels | RankedLabels | None = None
    nulls: Meeting | None = None

    @property
    def shown(self) -> bool:
        """Whether the model sees the cluster of the driving parent."""
        return isinstance(self.drivers, RankedLabels)

    def pack(self) -> str:
        """As JSON text."""
        drivers, nulls = (part.to_dict() if part is not None else None for part in (self.drivers, self.nulls))
        matchers = {str(i): m.to_dict() for i, m in self.matchers.items()}
        return json.dumps({"matchers": matchers, "drivers": drivers, "nulls": nulls})

    @classmethod
    def unpack(cls, text: str) -> Matching:
        """The inverse of ``pack``; nothing is known where there is no text.

        Raises:
            KeyError: the text is of another version.
        """
        if not text:
            return cls()
        state = json.loads(text)
        drivers = _labels(state["drivers"]) if state["drivers"] is not None else None
        nulls = Meeting.from_dict(state["nulls"]) if state["nulls"] is not None else None
        return cls({int(i): Matcher.from_dict(m) for i, m in state["matchers"].items()}, drivers, nulls)


def learn(
    plan: TablePlan, context: pd.DataFrame, parents: Mapping[int, Ints], min_subjects: int, seed: int
) -> tuple[Matching, pd.DataFrame]:
    """Learn a matcher for each drawn key, one after the other: each sees the parents before it.

    Args:
        plan: the table.
        context: what the sample's rows see of their parents, by the plan's names.
        parents: for the driving and each drawn key, by position, the identity of each row's parent, shape (rows,); -1
            for none.
        min_subjects: rows that must hold a text before a feature may name it.
        seed: the training seed.

    Returns:
        What is known, and the context with the clusters that the model sees: one column per matcher, and that of the
        driving parents where it is shown.
    """
    matchers, nulls = dict[int, Matcher](), None
    seen = [c.name for c in plan.shown if plan.driving is not None and c.path[0] == plan.driving.position]
    drivers, context = _learn_drivers(plan, context, seen, parents, min_subjects, seed)
    if plan.driving is not None and not isinstance(drivers, RankedLabels):
        context = _with_stretches(context, plan.driving)
    if drivers is not None and plan.driving is not None:
        seen.append(label_name(plan.driving.columns))
    for i, fk in enumerate(plan.dealt):
        if i == plan.first_null:
            nulls = _learn_nulls(plan, context[seen], parents, min_subjects, seed)
        own, degrees = [c.name for c in plan.shown if c.path[0] == fk.position], None
        if fk.role == "drawn" and own and fk.position in parents:
            known = parents[fk.position] >= 0
            rows, parent = context.loc[known, seen], parents[fk.position][known]
            ranked = all(c.column == DEGREE for c in plan.shown if c.path[0] == fk.position)
            busy = LinkageModel.from_dict(fk.law).busy if ranked else None
            found = _learn_one(rows, context.loc[known, own], parent, busy, min_subjects, seed)
            if found is not None:
                matchers[fk.position], clusters, degrees = found
                name = label_name(fk.columns)
                context = context.assign(**{name: None})
                context.loc[known, name] = [str(c) for c in clusters]
                if degrees is not None:
                    context.loc[known, own[0]] = degrees
                own = [*own, name]
        context = context if degrees is not None else _with_stretches(context, fk)
        seen = [*seen, *own]
    learned = Matching(matchers, drivers, nulls)
    if drivers is not None and plan.driving is not None and not learned.shown:
        context = context.drop(columns=label_name(plan.driving.columns))
    return learned, context


def _with_stretches(context: pd.DataFrame, fk: ForeignKeyPlan) -> pd.DataFrame:
    """The context with what rows see of the number of children of the parent behind a key."""
    name = degree_name(fk.columns)
    if name not in context:
        return context
    degree, law = context[name], LinkageModel.from_dict(fk.law)
    return context.assign(**{name: degree.where(degree.isna(), law.shown(degree.fillna(0).to_numpy(np.int64)))})


def label_name(columns: tuple[str, ...]) -> str:
    """The context column that holds the cluster of the parent behind a key."""
    return f"{'+'.join(columns)}:{LABEL}"


def _learn_nulls(
    plan: TablePlan, seen: pd.DataFrame, parents: Mapping[int, Ints], min_subjects: int, seed: int
) -> Meeting | None:
    """Which keys rows with a driving parent have, by the parents that were dealt before."""
    owned = parents[plan.driving.position] >= 0 if plan.driving is not None else np.ones(len(seen), bool)
    there = np.column_stack([parents[fk.position] >= 0 for fk in plan.dealt])
    pattern = np.full(len(seen), -1, np.int64)
    for i, known in enumerate(plan.patterns):
        pattern[(there == np.array(known.set_keys)).all(axis=1) & owned] = i
    rows = seen[pattern >= 0]
    features = Features.fit(rows, min_subjects)
    if not len(rows) or not features.width:
        return None
    few = max(NULL_ROWS, len(rows) // 500)
    found = Meeting.learn(rows, pattern[pattern >= 0], len(plan.patterns), features, few, seed)
    return found if found.row_tree.leaves > 1 else None


def _learn_drivers(
    plan: TablePlan,
    context: pd.DataFrame,
    above: list[str],
    parents: Mapping[int, Ints],
    min_subjects: int,
    seed: int,
) -> tuple[Labels | RankedLabels | None, pd.DataFrame]:
    """Clusters of driving parents by whom their rows refer to, and the context with the cluster of each row's.

    Only where they are few and have many rows each; else the clusters would be those of chance. Where their attributes
    do not tell their clusters, their rank by the number of their rows does.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    met = [parents[fk.position] for fk in plan.dealt if fk.role == "drawn" and fk.position in parents]
    if plan.driving is None or plan.driving.position not in parents or not met:
        return None, context
    driver = parents[plan.driving.position]
    _, first, code = np.unique(driver, return_index=True, return_inverse=True)
    if not 1 < len(first) <= DRIVERS or len(driver) < DRIVER_ROWS * len(first) or (driver < 0).any():
        return None, context
    alike = np.add.reduce([_affinity(code[there >= 0], there[there >= 0], len(first)) for there in met])
    strength, axes = np.linalg.eigh(alike)
    place = axes[:, -AXES:] * np.sqrt(np.maximum(strength[-AXES:], 0.0))
    k = min(CLUSTERS, len(np.unique(place.round(9), axis=0)))
    if k < 2:
        return None, context
    with threadpool_limits(1):
        fitted = KMeans(k, n_init=3, random_state=seed % 2**31).fit(
            place, sample_weight=np.bincount(code).astype(float)
        )
    of_driver, own = fitted.labels_.astype(np.int64), context[above].iloc[first]
    labels: Labels | RankedLabels = Labels.learn(own, of_driver, Features.fit(context[above], min_subjects), seed)
    degree, law = degree_name(plan.driving.columns), LinkageModel.from_dict(plan.driving.law)
    bound = any(fk.role == "bound" for fk in plan.dealt)  # then not all parents have places on the law
    known = degree in above and law.leaves is None and not bound
    if known and not labels.needed and len(driver) >= CLUSTER_ROWS * k:
        labels, shown = RankedLabels.learn(own[degree].to_numpy(np.int64), of_driver, law.busy, min_subjects)
        context = context.assign(**{degree: shown[code]})
    return labels, context.assign(**{label_name(plan.driving.columns): of_driver[code].astype(str).astype(object)})


def _affinity(row: Ints, parent: Ints, drivers: int) -> Floats:
    """Bhattacharyya's coefficients of whom the rows of each driving parent refer to, shape (drivers, drivers)."""
    rows, last = np.bincount(row, minlength=drivers), int(parent.max(initial=0)) + 1
    alike = np.zeros((drivers, drivers))
    for first in range(0, last, PARENTS_AT_ONCE):
        here = (parent >= first) & (parent < first + PARENTS_AT_ONCE)
        met = np.zeros((drivers, min(PARENTS_AT_ONCE, last - first)))
        np.add.at(met, (row[here], parent[here] - first), 1.0)
        shape = np.sqrt(met / np.maximum(rows, 1)[:, None])
        alike += shape @ shape.T
    return alike


def _learn_one(
    rows: pd.DataFrame,
    own: pd.DataFrame,
    parent: Ints,
    busy: float | None,
    min_subjects: int,
    seed: int,
) -> tuple[Matcher, Ints, Ints | None] | None:
    """A matcher, the cluster of each row's parent, and what the row sees of its degree if that is not the number.

    Args:
        rows: what is known of each row, shape (n, k).
        own: attributes of its parent.
        parent: identity of its parent, shape (n,).
        busy: share of all parents that have children, where only their number is known of a parent.
        min_subjects: rows that must hold a text before a feature may name it.
        seed: the training seed.
    """
    from sklearn.cluster import KMeans
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
    meeting = Meeting.learn(rows, of_parent[code], k, row_features, max(2, len(rows) // 500), seed)
    if busy is None:
        tree = Labels.learn(own.iloc[first], of_parent, own_features, seed)
        return Matcher(meeting, tree), of_parent[code], None
    ranked, shown = RankedLabels.learn(own.iloc[first, 0].to_numpy(np.int64), of_parent, busy, min_subjects)
    return Matcher(meeting, ranked), of_parent[code], shown[code]
