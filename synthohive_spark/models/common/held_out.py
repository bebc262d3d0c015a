"""Families of rows, told by their context: who is held out together, and how much the context gives away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthohive_spark.models.common.seeds import numpy_rng

FEWEST_FAMILIES = 20  # by which one may be held out whole: of fewer each is too large a part
FOLDS = 3  # networks of a small table: more cost as much again
FOLDS_BELOW = 8000  # rows up to which a tenth of them says too little
FEWEST_ROWS = 12  # below, nothing is held out
HOLDOUT_SHARE = 0.1  # of the families
HOLDOUT_ROWS = 10_000  # at most: enough to judge by
LONG_FAMILY = 20.0  # rows of a family on average, from which on its context tells who it is
MANY_FAMILIES = 1000  # from which on it does not
CONTEXT_DROPOUT = 0.1  # share of the rows that are shown no context
MORE_CONTEXT_DROPOUT = 0.3  # added to it, the fewer the families

Mask = NDArray[np.bool_]


def family_of_rows(context_hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns the (n,) family of each row: rows of equal context, or each row alone where there are few contexts."""
    _, families = np.unique(context_hashes, return_inverse=True)
    if families.max(initial=0) + 1 < FEWEST_FAMILIES:
        return np.arange(context_hashes.size)
    return families.astype(np.int64)


def held_out(families: NDArray[np.int64], seed: int) -> list[Mask]:
    """Returns the (n,) rows to judge by: three folds for small tables, a fixed share for others, none for tiny ones.

    Args:
        families: (n,) family of each row; none is split.
        seed: of the choice.
    """
    rows = families.size
    if rows < FEWEST_ROWS:
        return []
    sizes = np.bincount(families)
    order = numpy_rng(seed, 3).permutation(sizes.size)
    end = np.empty(sizes.size, dtype=np.int64)
    end[order] = np.cumsum(sizes[order])
    middle = end - sizes / 2  # the place of each family in the shuffled rows
    if rows < FOLDS_BELOW:
        fold = np.minimum(FOLDS * middle // rows, FOLDS - 1)
        masks = [fold[families] == number for number in range(FOLDS)]
    else:
        masks = [(middle < min(HOLDOUT_SHARE * rows, HOLDOUT_ROWS))[families]]
    return [mask for mask in masks if mask.any() and not mask.all()]


def context_dropout(context_hashes: NDArray[np.uint64]) -> float:
    """Returns the share of rows to train without context: more where few parents own long families.

    Such parents can be told apart by their attributes, and a network would learn their children by heart.
    """
    families = np.unique(context_hashes).size
    if families >= MANY_FAMILIES or context_hashes.size / families < LONG_FAMILY or families < FEWEST_FAMILIES:
        return CONTEXT_DROPOUT
    return CONTEXT_DROPOUT + MORE_CONTEXT_DROPOUT * (1.0 - families / MANY_FAMILIES)
