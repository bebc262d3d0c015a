"""Which earlier sub-columns a head sees: all of them, or in wide tables those that say most about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEES_ALL = 40  # sub-columns up to which a head sees all before it: its cost grows with their number
MOST_PARENTS = 24  # that it sees in wider tables
STATES = 6  # of a sub-column, by which pairs are compared: 36 cells need few rows
JUDGED_ROWS = 2000  # by which they are: a chi-square of more rows ranks pairs alike


def choose_parents(codes: NDArray[np.int16], cardinalities: list[int]) -> tuple[tuple[int, ...], ...]:
    """Returns the earlier sub-columns that each of S sub-columns is given, ascending.

    In tables of more than ``SEES_ALL`` sub-columns it is the ``MOST_PARENTS`` of the highest chi-square per row with
    it, over coarse states; the one just before it is always among them, since pieces follow their bin.

    Args:
        codes: (n, S) codes.
        cardinalities: (S,) codes of each sub-column.
    """
    count = len(cardinalities)
    if count <= SEES_ALL:
        return tuple(tuple(range(place)) for place in range(count))
    strength = _association(codes[:: -(-len(codes) // JUDGED_ROWS)], cardinalities)
    parents = []
    for place in range(count):
        scores = strength[place, :place].copy()
        scores[-1:] = np.inf
        best = np.argsort(-scores, kind="stable")[:MOST_PARENTS]
        parents.append(tuple(sorted(best.tolist())))
    return tuple(parents)


def _association(codes: NDArray[np.int16], cardinalities: list[int]) -> NDArray[np.float32]:
    """Returns the (S, S) chi-square per row of each pair, over at most ``STATES`` states a sub-column."""
    rows, count = codes.shape
    one_hot = np.zeros((rows, count * STATES), dtype=np.float32)
    for place, codes_of in enumerate(cardinalities):
        coarse = codes[:, place].astype(np.int64)
        if codes_of > STATES:  # equal shares, in the order of the codes
            shares = np.cumsum(np.bincount(coarse, minlength=codes_of)) / rows
            coarse = np.minimum((shares * STATES).astype(np.int64), STATES - 1)[coarse]
        one_hot[np.arange(rows), place * STATES + coarse] = 1.0
    joint = one_hot.T @ one_hot / rows
    share = one_hot.mean(axis=0)
    expected = np.outer(share, share)
    terms = np.where(expected > 0, (joint - expected) ** 2 / np.maximum(expected, 1e-12), 0.0)
    blocks = terms.reshape(count, STATES, count, STATES)
    summed: NDArray[np.float32] = blocks.sum(axis=(1, 3)).astype(np.float32)
    return summed
