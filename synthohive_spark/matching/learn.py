"""Which of several parents go together: learnt on the sample, applied when parents are dealt to the rows of a batch.

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

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.counts.features import Features
from synthohive_spark.matching.labels import Labels, RankedLabels
from synthohive_spark.matching.matching import Matcher, Matching, label_name
from synthohive_spark.matching.meeting import Meeting
from synthohive_spark.randomness import Floats, Ints
from synthohive_spark.schema.context import DEGREE, ContextPlan, degree_name
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan

CLUSTERS = 32  # clusters of parents; the best of ClavaDDPM's own ablation is 20, more only dilutes small tables
GROUP = 500  # a group of rows holds one row in so many at least: smaller groups meet clusters by chance
NULL_ROWS = 20  # rows in a group at least, of those that tell which keys a row has
DRIVERS, DRIVER_ROWS = 256, 8  # driving parents that are clustered: so many at most, with so many rows on average
CLUSTER_ROWS = 100  # rows of a cluster on average, at least, from which on the model of the rows sees it
PARENTS_AT_ONCE = 16_384  # whom the rows of drivers refer to: so many columns of a matrix, 32 MB at most
AXES = 16  # dimensions in which they are clustered


@dataclass(frozen=True)
class MatchingLearner:
    """Learns a matcher for each drawn key of a table, one after the other: each sees the parents before it.

    Attributes:
        keys: the table's.
        seen: what its rows see of their ancestors.
        parents: for the driving and each assigned key, by position, the identity of each row's parent, shape (rows,);
            -1 for none.
        min_subjects: rows that must hold a text before a feature may name it.
        seed: the training seed.
    """

    keys: KeysPlan
    seen: ContextPlan
    parents: Mapping[int, Ints]
    min_subjects: int
    seed: int

    def __call__(self, context: pd.DataFrame) -> tuple[Matching, pd.DataFrame]:
        """What is known, and the context with the clusters that the model sees.

        Args:
            context: what the sample's rows see of their parents, by the plan's names.

        Returns:
            The matching; and one column more of the context per matcher, and for the driving parents where they are
            shown.
        """
        matchers, nulls, driving = dict[int, Matcher](), None, self.keys.driving
        seen = [c.name for c in self.seen.shown if driving is not None and c.path[0] == driving.position]
        drivers, context = self._drivers(context, seen)
        if driving is not None and not isinstance(drivers, RankedLabels):
            context = _with_stretches(context, driving)
        if drivers is not None and driving is not None:
            seen.append(label_name(driving.columns))
        for i, fk in enumerate(self.keys.dealt):
            if i == self.keys.first_null:
                nulls = self._nulls(context[seen])
            own, degrees = [c.name for c in self.seen.shown if c.path[0] == fk.position], None
            if fk.role == "drawn" and own and fk.position in self.parents:
                known = self.parents[fk.position] >= 0
                found = self._matcher(fk, context.loc[known, seen], context.loc[known, own])
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
        if drivers is not None and driving is not None and not learned.shown:
            context = context.drop(columns=label_name(driving.columns))
        return learned, context

    def _nulls(self, seen: pd.DataFrame) -> Meeting | None:
        """Which keys rows with a driving parent have, by the parents that were assigned before."""
        driving = self.keys.driving
        owned = self.parents[driving.position] >= 0 if driving is not None else np.ones(len(seen), bool)
        there = np.column_stack([self.parents[fk.position] >= 0 for fk in self.keys.dealt])
        pattern = np.full(len(seen), -1, np.int64)
        for i, known in enumerate(self.keys.patterns):
            pattern[(there == np.array(known.set_keys)).all(axis=1) & owned] = i
        rows = seen[pattern >= 0]
        features = Features.fit(rows, self.min_subjects)
        if not len(rows) or not features.width:
            return None
        few = max(NULL_ROWS, len(rows) // GROUP)
        found = Meeting.learn(rows, pattern[pattern >= 0], len(self.keys.patterns), features, few, self.seed)
        return found if found.row_tree.leaves > 1 else None

    def _drivers(self, context: pd.DataFrame, above: list[str]) -> tuple[Labels | RankedLabels | None, pd.DataFrame]:
        """Clusters of driving parents by whom their rows refer to, and the context with the cluster of each row's.

        Only where they are few and have many rows each; else the clusters would be those of chance. Where their
        attributes do not tell their clusters, their rank by the number of their rows does.
        """
        driving, dealt = self.keys.driving, self.keys.dealt
        met = [self.parents[fk.position] for fk in dealt if fk.role == "drawn" and fk.position in self.parents]
        if driving is None or driving.position not in self.parents or not met:
            return None, context
        driver = self.parents[driving.position]
        _, first, code = np.unique(driver, return_index=True, return_inverse=True)
        if not 1 < len(first) <= DRIVERS or len(driver) < DRIVER_ROWS * len(first) or (driver < 0).any():
            return None, context
        alike = np.add.reduce([_affinity(code[there >= 0], there[there >= 0], len(first)) for there in met])
        strength, axes = np.linalg.eigh(alike)
        place = axes[:, -AXES:] * np.sqrt(np.maximum(strength[-AXES:], 0.0))
        found = self._clusters(place, np.bincount(code).astype(float))
        if found is None:
            return None, context
        of_driver, clusters = found
        own, features = context[above].iloc[first], Features.fit(context[above], self.min_subjects)
        labels: Labels | RankedLabels = Labels.learn(own, of_driver, features, self.seed, self._known(driving))
        degree, law = degree_name(driving.columns), LinkageModel.from_dict(driving.distribution)
        bound = any(fk.role == "bound" for fk in dealt)  # then not all parents have places on the law
        known = degree in above and law.leaves is None and not bound
        if known and not labels.needed and len(driver) >= CLUSTER_ROWS * clusters:
            degrees = own[degree].to_numpy(np.int64)
            labels, shown = RankedLabels.learn(degrees, of_driver, law.busy, self.min_subjects)
            context = context.assign(**{degree: shown[code]})
        return labels, context.assign(**{label_name(driving.columns): of_driver[code].astype(str).astype(object)})

    def _matcher(
        self, fk: ForeignKeyPlan, rows: pd.DataFrame, own: pd.DataFrame
    ) -> tuple[Matcher, Ints, Ints | None] | None:
        """A matcher, the cluster of each row's parent, and what the row sees of its degree if that is not the number.

        Args:
            fk: the key.
            rows: what is known of each row that has it, shape (n, k).
            own: attributes of its parent.
        """
        parent = self.parents[fk.position][self.parents[fk.position] >= 0]
        row_features, own_features = Features.fit(rows, self.min_subjects), Features.fit(own, self.min_subjects)
        if not len(rows) or not row_features.width or not own_features.width:
            return None
        x = row_features.matrix(rows)
        spread = x.std(axis=0)
        x_scaled = np.where(spread > 0, (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1), 0.0)
        _, first, code, counts = np.unique(parent, return_index=True, return_inverse=True, return_counts=True)
        means = np.zeros((len(first), x.shape[1]))
        np.add.at(means, code, x_scaled)
        means /= counts[:, None]
        found = self._clusters(means, counts.astype(np.float64))
        if found is None:
            return None
        (of_parent, clusters), few = found, max(2, len(rows) // GROUP)
        meeting = Meeting.learn(rows, of_parent[code], clusters, row_features, few, self.seed)
        if any(c.column != DEGREE for c in self.seen.shown if c.path[0] == fk.position):
            tree = Labels.learn(own.iloc[first], of_parent, own_features, self.seed, self._known(fk))
            return Matcher(meeting, tree), of_parent[code], None
        busy, degrees = LinkageModel.from_dict(fk.distribution).busy, own.iloc[first, 0].to_numpy(np.int64)
        ranked, shown = RankedLabels.learn(degrees, of_parent, busy, self.min_subjects)
        return Matcher(meeting, ranked), of_parent[code], shown[code]

    def _known(self, fk: ForeignKeyPlan) -> bool:
        """Whether the parents behind a key are those of a reference table, so that the copy has the same."""
        own = [c for c in self.seen.shown if c.path == (fk.position,) and c.column != DEGREE]
        return bool(own) and all(c.verbatim for c in own)

    def _clusters(self, points: Floats, weights: Floats) -> tuple[Ints, int] | None:
        """The cluster of each point, shape (n,), and how many there are; None where all points are one."""
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        k = min(CLUSTERS, len(np.unique(points.round(9), axis=0)))
        if k < 2:
            return None
        with threadpool_limits(1):
            fitted = KMeans(k, n_init=3, random_state=self.seed % 2**31).fit(points, sample_weight=weights)
        return fitted.labels_.astype(np.int64), k


def _with_stretches(context: pd.DataFrame, fk: ForeignKeyPlan) -> pd.DataFrame:
    """The context with what rows see of the number of children of the parent behind a key."""
    name = degree_name(fk.columns)
    if name not in context:
        return context
    degree, law = context[name], LinkageModel.from_dict(fk.distribution)
    return context.assign(**{name: degree.where(degree.isna(), law.shown(degree.fillna(0).to_numpy(np.int64)))})


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
