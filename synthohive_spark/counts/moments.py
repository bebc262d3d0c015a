"""A negative binomial by its moments, as a table of parents by their number of children."""

from __future__ import annotations

import math

import numpy as np

from synthohive_spark.randomness import Ints

PARENTS = 100_000  # by which a fitted law is tabulated


def negative_binomial(values: Ints, parents: Ints) -> tuple[Ints, Ints]:
    """The law with the mean and the variance of a histogram, cut at its largest value; one of no variance is itself.

    Args:
        values: numbers of children, ascending, shape (n,).
        parents: parents that have them, shape (n,).

    Returns:
        Numbers of children, and how many of ``PARENTS`` parents have them.
    """
    total = parents.sum()
    mean = float((values * parents).sum() / total)
    variance = float((parents * (values - mean) ** 2).sum() / total)
    support = np.arange(int(values.max()) + 1, dtype=np.int64)
    if mean == 0:
        return values, parents
    if variance <= mean:  # not over-dispersed: the limit is a Poisson law
        log_pmf = support * math.log(mean) - mean - np.array([math.lgamma(k + 1) for k in support])
    else:
        r, p = mean * mean / (variance - mean), mean / variance
        shape = np.array([math.lgamma(k + r) - math.lgamma(k + 1) - math.lgamma(r) for k in support])
        log_pmf = shape + r * math.log(p) + support * math.log1p(-p)
    pmf = np.exp(log_pmf)
    weights = np.diff(np.round(np.concatenate([[0.0], np.cumsum(pmf / pmf.sum())]) * PARENTS)).astype(np.int64)
    return support[weights > 0], weights[weights > 0]
