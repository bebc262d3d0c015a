"""Parents within a table, from positions alone: level by level, so that no row can be its own ancestor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.generation.deal import codes
from synthohive_spark.randomness import Ints, mix, scatter, seed_of, stride
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.keys import Beside, Hierarchy


def parent_positions(hierarchy: Hierarchy, index: Ints, total: int, seed: int) -> Ints:
    """Position of each row's parent in the same table; -1 for roots, or their own position for those that are loops.

    Positions are scattered over the levels, level sizes follow the source, children per row of a level its law.

    Args:
        hierarchy: the shape.
        index: positions of rows, shape (n,).
        total: rows of the table.
        seed: the generation seed.
    """
    ends = _level_ends(hierarchy, total)
    salt = seed_of(seed, "forest", hierarchy.position)
    place = scatter(index, total, salt)
    level = np.searchsorted(ends, place, side="right")
    parent = np.where(place < round(hierarchy.loops * int(ends[0])), index, -1)
    back = _inverse(total)
    for depth in range(1, len(ends)):
        here = level == depth
        if not here.any():
            continue
        above = int(ends[depth - 2]) if depth > 1 else 0
        size, wanted = int(ends[depth - 1]) - above, int(ends[depth] - ends[depth - 1])
        law = LinkageModel.from_dict(hierarchy.laws[depth - 1])
        nth = place[here] - ends[depth - 1]
        up = above + law.owner(nth, size, wanted)
        parent[here] = ((up - salt % total) * back) % total
    return parent


def earlier_rows(own: Beside, columns: Mapping[str, Values], index: Ints, total: int, keep: Mask, seed: int) -> Ints:
    """The row of the batch that each row refers to: an earlier one that agrees in what other keys give; shape (n,).

    Args:
        own: the shape.
        columns: the batch's columns.
        index: positions of the rows in the table, ascending, shape (n,).
        total: rows of the table.
        keep: rows that stay and may be referred to, shape (n,).
        seed: the generation seed.

    Returns:
        Places in the batch; a row's own where it refers to itself, -1 where it refers to none.
    """
    rows, given = len(index), [(c, r) for c, r in zip(own.columns, own.referenced, strict=True) if c not in own.own]
    mine, theirs = codes(
        pd.DataFrame({i: columns[c] for i, (c, _) in enumerate(given)}, index=range(rows)),
        pd.DataFrame({i: columns[r] for i, (_, r) in enumerate(given)}, index=range(rows)),
    )
    able = keep & np.all([columns[r].notna().to_numpy() for r in own.referenced], axis=0)
    known = np.flatnonzero(able)
    line = np.sort(theirs[known] * rows + known)  # candidates by what they agree in, then by place
    first = np.searchsorted(line, mine * rows)
    earlier = np.searchsorted(line, mine * rows + np.arange(rows)) - first
    salt = seed_of(seed, "beside", *own.columns)
    root = earlier == 0  # nobody is left for them; others are roots by chance, until there are as many as there should
    more = max(0, round(own.roots * rows) - int(root.sum()))
    place = np.where(root, total, scatter(index, total, salt % total))
    root[np.argsort(place, kind="stable")[:more]] = True
    nth = (mix(index, salt + 1) % np.maximum(earlier, 1).astype(np.uint64)).astype(np.int64)
    chosen = line[np.minimum(first + nth, max(len(line) - 1, 0))] % rows if len(line) else np.zeros(rows, np.int64)
    loops = own.loops & able & (mine == theirs)
    found: Ints = np.where(root, np.where(loops, np.arange(rows), -1), chosen)
    return found


def _level_ends(hierarchy: Hierarchy, total: int) -> Ints:
    """First place past each level; every level that the source has keeps a row as long as there are enough."""
    shares = np.cumsum(hierarchy.levels) / sum(hierarchy.levels)
    ends = np.rint(shares * total).astype(np.int64)
    ends[0] = max(1, ends[0])
    return np.maximum.accumulate(np.minimum(ends, total))


def _inverse(total: int) -> int:
    """The factor that undoes ``scatter``'s."""
    return pow(stride(total), -1, total) if total > 1 else 0
