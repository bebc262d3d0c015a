"""Parents within a table, from positions alone: level by level, so that no row can be its own ancestor."""

from __future__ import annotations

import numpy as np

from synthohive_spark.randomness import Ints, scatter, seed_of, stride
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import Forest


def parent_positions(forest: Forest, index: Ints, total: int, seed: int) -> Ints:
    """Position of each row's parent in the same table; -1 for roots, or their own position where roots are loops.

    Positions are scattered over the levels, level sizes follow the source, children per row of a level its law.

    Args:
        forest: the shape.
        index: positions of rows, shape (n,).
        total: rows of the table.
        seed: the generation seed.
    """
    ends = _level_ends(forest, total)
    salt = seed_of(seed, "forest", forest.position)
    place = scatter(index, total, salt)
    level = np.searchsorted(ends, place, side="right")
    parent = np.where(level == 0, index if forest.loops else -1, -1)
    back = _inverse(total)
    for depth in range(1, len(ends)):
        here = level == depth
        if not here.any():
            continue
        above = int(ends[depth - 2]) if depth > 1 else 0
        size, wanted = int(ends[depth - 1]) - above, int(ends[depth] - ends[depth - 1])
        law = LinkageModel.from_dict(forest.laws[depth - 1])
        nth = place[here] - ends[depth - 1]
        up = above + law.owner(nth, size, wanted)
        parent[here] = ((up - salt % total) * back) % total
    return parent


def _level_ends(forest: Forest, total: int) -> Ints:
    """First place past each level; every level that the source has keeps a row as long as there are enough."""
    shares = np.cumsum(forest.levels) / sum(forest.levels)
    ends = np.rint(shares * total).astype(np.int64)
    ends[0] = max(1, ends[0])
    return np.maximum.accumulate(np.minimum(ends, total))


def _inverse(total: int) -> int:
    """The factor that undoes ``scatter``'s."""
    return pow(stride(total), -1, total) if total > 1 else 0
