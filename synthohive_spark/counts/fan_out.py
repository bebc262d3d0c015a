"""Parents for rows inside a group: how often each candidate is taken, so that no bucket takes one too often.

The candidates of a group are put on classes of fan-out, learnt from the source. A bucket of rows asks each class for a
share of its candidates, rounded so that the shares of all buckets are met as well (``rounding.py``); what all buckets
ask of a class is one line of positions, and position p takes the candidate p modulo the size of
the class. So the candidates of a class are taken equally often, and a bucket that asks a class of k candidates for k or
fewer takes nobody twice. All of it is a function of sizes and positions: no task needs to see a whole group.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from synthohive_spark.counts.rounding import rounded_together
from synthohive_spark.randomness import Floats, Ints
from synthohive_spark.strict import Strict

CLASSES = 64  # classes of fan-out that a law keeps: their quantiles differ from the source's by 1/64 at most
FITTING = 100  # rounds of proportional fitting; shares change by less than a thousandth after some twenty
NOTHING = 1e-9  # weight of a class that nobody takes while others have room


class FanOut(Strict):
    """How often the candidates of a group are taken, relative to their mean: classes from rare to frequent.

    Attributes:
        shares: share of the candidates in each class; they sum to 1.
        weights: rows per candidate of each class, in units of the group's mean.
    """

    shares: tuple[float, ...] = (1.0,)
    weights: tuple[float, ...] = (1.0,)

    @classmethod
    def learn(
        cls, relative: Mapping[float, int], density: float = 0.0, sizes: Mapping[float, int] | None = None
    ) -> FanOut:
        """Learn the classes.

        Args:
            relative: {rows of a candidate in units of its group's mean: candidates}.
            density: share of all pairs (bucket, candidate) that there are in the source; 0 where pairs may repeat.
            sizes: {rows of a bucket in units of the mean: buckets}; with ``density`` it corrects the weights for what
                large buckets and frequent candidates lose because no pair repeats.
        """
        shares, means = _classes(relative)
        if sizes and density > 0:
            means = _without_repeats(shares, means, density, sizes)
        return cls(shares=tuple(shares.tolist()), weights=tuple(means.tolist()))

    def bounds(self, candidates: Ints, offset: Floats) -> Ints:
        """Where each class begins among the candidates of groups, in the order of their rank.

        Args:
            candidates: how many each group has, shape (n,).
            offset: in [0, 1) per group: where its candidates lie between two quantiles, shape (n,).

        Returns:
            First rank of each class and the end of the last, shape (n, classes + 1).
        """
        ends = np.cumsum(self.shares)[None, :-1] * candidates[:, None] - offset[:, None]
        inner = np.clip(np.ceil(ends - 1e-9), 0, candidates[:, None]).astype(np.int64)
        return np.column_stack([np.zeros_like(candidates), inner, candidates])

    def split(self, rows: Ints, bounds: Ints, luck: Floats, run: Ints, repeats: Ints | None = None) -> Ints:
        """How many of a bucket's rows take a candidate of each class.

        Args:
            rows: of each bucket, shape (n,).
            bounds: of the classes in its group, shape (n, classes + 1).
            luck: in [0, 1), rounds, shape (n,).
            run: names the buckets of one group that are rounded together, shape (n,); equal ones are neighbours.
            repeats: how often a bucket may take one candidate, shape (n,); None for any number of times. With it
                ``rows`` is at most ``repeats`` times the candidates.

        Returns:
            Rows by class, shape (n, classes); they sum to ``rows``.
        """
        held = np.diff(bounds, axis=1)
        weight = held * np.maximum(self.weights, NOTHING)[None, :]
        room = None if repeats is None else held * repeats[:, None].astype(np.float64)
        wanted = _capped(weight, rows.astype(np.float64), room)
        limit: Ints = held * (rows[:, None] if repeats is None else repeats[:, None])
        return rounded_together(wanted, rows, limit, luck, run)


def _capped(weight: Floats, rows: Floats, room: Floats | None) -> Floats:
    """Rows in proportion to weights, at most ``room`` in each class; shape (n, classes)."""
    total = np.maximum(weight.sum(axis=1), 1e-300)
    if room is None:
        capped: Floats = weight * (rows / total)[:, None]
        return capped
    scale = rows / total
    full = np.zeros_like(weight, dtype=bool)
    for _ in range(weight.shape[1]):  # classes fill up from the most frequent one on, at least one a round
        wanted = weight * scale[:, None]
        more = (wanted > room) & ~full
        if not more.any():
            break
        full |= more
        left = rows - np.where(full, room, 0.0).sum(axis=1)
        free = np.where(full, 0.0, weight).sum(axis=1)
        scale = np.where(free > 0, np.maximum(left, 0.0) / np.maximum(free, 1e-300), scale)
    return np.where(full, room, weight * scale[:, None])


def _classes(relative: Mapping[float, int]) -> tuple[Floats, Floats]:
    """At most ``CLASSES`` classes of neighbouring values, each at its mean; shares and means, shape (k,)."""
    pairs = sorted((float(v), int(n)) for v, n in relative.items() if n > 0)
    value, count = np.array([v for v, _ in pairs]), np.array([n for _, n in pairs], np.float64)
    if not len(value):
        return np.ones(1), np.ones(1)
    which = np.arange(len(value))
    if len(value) > CLASSES:
        middle = (np.cumsum(count) - count / 2) / count.sum()
        which = np.unique((middle * CLASSES).astype(np.int64), return_inverse=True)[1]
    held = np.bincount(which, count)
    means = np.bincount(which, value * count) / held
    return held / held.sum(), means if means.sum() else np.ones_like(means)


def _without_repeats(shares: Floats, means: Floats, density: float, sizes: Mapping[float, int]) -> Floats:
    """Weights under which candidates are taken as often as their means ask for, though no bucket takes one twice.

    Proportional fitting of the table of inclusion probabilities (bucket size by class) with a ceiling of 1.
    """
    held, size = _classes(sizes)
    wanted = np.minimum(means * density, 1.0)  # share of all buckets that take a candidate of the class
    taken = np.minimum(size * density, 1.0)  # share of all candidates that a bucket takes
    weights = means.copy()
    for _ in range(FITTING):
        weight = np.tile(shares * np.maximum(weights, NOTHING), (len(size), 1))
        table = _capped(weight, taken, np.tile(shares, (len(size), 1)))
        got = (table * held[:, None]).sum(axis=0) / shares
        factor = np.where(got > 0, wanted / np.maximum(got, 1e-12), 1.0)
        if np.abs(factor - 1).max() < 1e-4:
            break
        weights = weights * np.clip(factor, 0.1, 10.0)
    mean: float = float((weights * shares).sum())
    return weights / mean if mean > 0 else means


def walk(first: Ints, candidates: Ints, before: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """The candidates that rows of one class take: consecutive ones, from where the rows before them stopped.

    Args:
        first: rank of the class's first candidate, for each bucket, shape (n,).
        candidates: in the class, shape (n,).
        before: rows of earlier buckets in the class, shape (n,).
        rows: of the bucket in the class, shape (n,).

    Returns:
        For each row its bucket's place in the arguments and the rank of its candidate, shape (rows.sum(),).
    """
    owner = np.repeat(np.arange(len(rows)), rows)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(rows) - rows, rows)
    rank: Ints = first[owner] + (before[owner] + nth) % np.maximum(candidates[owner], 1)
    return owner, rank
