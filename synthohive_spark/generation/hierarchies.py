"""Parents within a table, from positions alone: level by level, so that no row can be its own ancestor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.generation.deal import codes
from synthohive_spark.randomness import Floats, Ints, mix, scatter, seed_of, stride, uniform
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
    """The row of the batch that each row refers to: an earlier one that agrees in what has to; shape (n,).

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
    rows = len(index)
    given = [(c, r) for c, r in zip(own.columns, own.referenced, strict=True) if c not in own.own]
    given += [(c, c) for c in own.agree]
    mine, theirs = codes(
        pd.DataFrame({i: columns[c] for i, (c, _) in enumerate(given)}, index=range(rows)),
        pd.DataFrame({i: columns[r] for i, (_, r) in enumerate(given)}, index=range(rows)),
    )
    able = keep & np.all([columns[r].notna().to_numpy() for r in own.referenced], axis=0)
    place, before, known = _line(own, columns, rows)
    able &= known
    salt = seed_of(seed, "beside", *own.columns)
    chance = mix(index, salt + 1)

    def among(candidates: Mask, seekers: Mask) -> tuple[Ints, Ints]:
        """How many candidates are earlier and agree, and one of them by chance; of the seekers."""
        held = np.flatnonzero(candidates)
        held = held[np.lexsort((place[held], theirs[held]))]
        line = theirs[held] * rows + place[held]
        first = np.searchsorted(line, mine[seekers] * rows)
        many = np.searchsorted(line, mine[seekers] * rows + before[seekers]) - first
        nth = (chance[seekers] % np.maximum(many, 1).astype(np.uint64)).astype(np.int64)
        return many, held[np.minimum(first + nth, len(held) - 1)] if len(held) else np.zeros(len(many), np.int64)

    earlier, found = among(able, np.ones(rows, bool))
    root = earlier == 0  # nobody is left for them; others are roots by chance, until there are as many as there should
    more = max(0, round(own.roots * rows) - int(root.sum()))
    order = np.where(root, total, scatter(index, total, salt % total))
    root[np.argsort(order, kind="stable")[:more]] = True
    level = np.where(root, 0, _drawn_levels(own.levels, uniform(index, salt + 2)))
    for depth in range(1, len(own.levels)):
        here = level == depth
        above, one = among(able & (level == depth - 1), here)
        lower, other = among(able & (level < depth), here)  # a level that nobody earlier has: the one above it
        found[here] = np.where(above > 0, one, np.where(lower > 0, other, found[here]))
    loops = own.loops & able & (mine == theirs)
    return np.asarray(np.where(root, np.where(loops, np.arange(rows), -1), found), np.int64)


def _line(own: Beside, columns: Mapping[str, Values], rows: int) -> tuple[Ints, Ints, Mask]:
    """Where each row stands among the rows of its batch, how many may be earlier, and whether that is known."""
    place = np.arange(rows)
    if own.after is None:
        return place, place, np.ones(rows, bool)
    values = columns[own.after].reset_index(drop=True)
    known = values.notna().to_numpy()
    rank = np.full(rows, rows, np.int64)  # rows without a value come after all others
    code = pd.factorize(values[known], sort=True)[0]
    rank[known] = code.max(initial=0) - code if own.falling else code
    order = np.lexsort((place, rank))
    found = np.empty(rows, np.int64)
    found[order] = place
    before = np.searchsorted(rank[order], rank) if own.strict else found
    return found, before, known


def _drawn_levels(levels: tuple[int, ...], chance: Floats) -> Ints:
    """A level below the roots for each row, in the shares of the source; shape (n,). 1 where levels are not known."""
    below = np.cumsum(levels[1:]) / max(1, sum(levels[1:]))
    drawn = np.searchsorted(below, chance, side="right")
    return np.asarray(1 + np.minimum(drawn, max(0, len(below) - 1)), np.int64)


def _level_ends(hierarchy: Hierarchy, total: int) -> Ints:
    """First place past each level; every level that the source has keeps a row as long as there are enough."""
    shares = np.cumsum(hierarchy.levels) / sum(hierarchy.levels)
    ends = np.rint(shares * total).astype(np.int64)
    ends[0] = max(1, ends[0])
    return np.maximum.accumulate(np.minimum(ends, total))


def _inverse(total: int) -> int:
    """The factor that undoes ``scatter``'s."""
    return pow(stride(total), -1, total) if total > 1 else 0
