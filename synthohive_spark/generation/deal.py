"""Dealing the parents that came to a batch to its rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints

NOBODY = -1  # the place of no parent


def deal_grouped(group: Ints, slots: Ints, rng: np.random.Generator) -> Ints:
    """A slot of its own group for each row, by chance within the group.

    Args:
        group: group of each row, shape (rows,).
        slots: group of each slot (a parent, as often as rows may take it), shape (slots,).
        rng: shuffles.

    Returns:
        The slot of each row; -1 where its group has no more.
    """
    shuffled = rng.permutation(len(slots))
    mine, theirs = np.argsort(group, kind="stable"), shuffled[np.argsort(slots[shuffled], kind="stable")]
    first = np.searchsorted(slots[theirs], group[mine])
    nth = np.arange(len(mine)) - np.searchsorted(group[mine], group[mine])
    end = np.searchsorted(slots[theirs], group[mine], side="right")
    dealt = np.full(len(group), NOBODY, np.int64)
    there = first + nth < end
    dealt[mine[there]] = theirs[(first + nth)[there]]
    return dealt


def deal_known(row: Ints, slots: Ints) -> Ints:
    """The slot that is marked for each row; -1 where none is. Both are given by the row's code, shape (n,)."""
    order = np.argsort(slots, kind="stable")
    place = np.minimum(np.searchsorted(slots[order], row), max(len(slots) - 1, 0))
    if not len(slots):
        return np.full(len(row), NOBODY, np.int64)
    found: Ints = np.where(slots[order][place] == row, order[place], NOBODY)
    return found


def codes(*frames: pd.DataFrame) -> list[Ints]:
    """Rows of several frames (same number of columns) as codes that agree where the rows do."""
    named = [f.set_axis(range(f.shape[1]), axis=1).astype(object) for f in frames]
    whole = pd.concat(named, ignore_index=True)
    if not len(whole) or not whole.shape[1]:
        return [np.zeros(len(f), np.int64) for f in frames]
    code = whole.groupby(list(whole.columns), sort=False, dropna=False).ngroup().to_numpy().astype(np.int64)
    cuts = np.cumsum([len(f) for f in frames])[:-1]
    return [np.asarray(part, np.int64) for part in np.split(code, cuts)]
