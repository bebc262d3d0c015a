"""Whole-number tables with given margins, as near as may be to a table of counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from synthohive_spark.randomness import Floats, Ints

Mask = npt.NDArray[np.bool_]
SMOOTH = 1e-3  # share of a uniform table in the fitted one, so that no margin is impossible
ROUNDS = 50  # of proportional fitting, at most; rounding to whole numbers hides small rests
SWAPS = 1_000  # of whole children between leaves, at most; each brings the sums nearer


def fit_margins(joint: Floats, rows: Ints, columns: Ints, possible: Mask | None = None) -> Ints:
    """The joint table in whole numbers, scaled to margins by iterative proportional fitting (Deming and Stephan, 1940).

    Args:
        joint: counts, shape (r, c).
        rows: wanted sum of each row, shape (r,).
        columns: wanted sum of each column, shape (c,), with the same total; they give way where no table has them.
        possible: cells that may be other than 0, shape (r, c), some of each row; None for all.
    """
    n = max(int(rows.sum()), 1)
    cells = joint / max(joint.sum(), 1.0) * n
    open_ = np.ones(joint.shape, bool) if possible is None else possible
    cells = (cells + SMOOTH * np.outer(rows, columns) / n) * open_
    for _ in range(ROUNDS):
        cells *= (rows / np.maximum(cells.sum(axis=1), 1e-12))[:, None]
        cells *= (columns / np.maximum(cells.sum(axis=0), 1e-12))[None, :]
    whole: Ints = np.floor(cells + 1e-9).astype(np.int64)
    left, right = rows - whole.sum(axis=1), columns - whole.sum(axis=0)
    for g in np.flatnonzero(left < 0).tolist():  # the fit has not converged: what is too much in a row goes
        for c in np.argsort(-whole[g], kind="stable").tolist():
            less = min(whole[g, c], -left[g])
            whole[g, c] -= less
            left[g] += less
            right[c] += less
    rest = cells - whole
    for g, c in zip(*np.unravel_index(np.argsort(-rest, axis=None, kind="stable"), rest.shape), strict=True):
        if left[g] > 0 and right[c] > 0 and rest[g, c] > 0:
            whole[g, c] += 1
            left[g] -= 1
            right[c] -= 1
    for g in np.flatnonzero(left > 0).tolist():
        for c in np.flatnonzero((right > 0) & open_[g]).tolist():
            more = min(left[g], right[c])
            whole[g, c] += more
            left[g] -= more
            right[c] -= more
        if possible is not None:  # what no column has room for
            whole[g, int(np.argmax(np.where(possible[g], cells[g], -1.0)))] += left[g]
    return whole


def fit_sums(cells: Ints, values: Ints, sums: Floats, possible: Mask | None = None) -> Ints:
    """Swaps values between rows until no swap brings what the rows add up to nearer to what is wanted; margins stay.

    Args:
        cells: how many of each value are in each row, shape (r, c).
        values: in ascending order, shape (c,).
        sums: wanted of each row, shape (r,), with the total that the cells have.
        possible: cells that may be other than 0, shape (r, c); None for all.
    """
    cells, open_ = cells.copy(), np.ones(cells.shape, bool) if possible is None else possible
    off = cells @ values - sums
    for _ in range(SWAPS):
        found = next(_swaps(cells, values, off, open_), None)
        if found is None:
            break
        above, below, give, take = found
        cells[[above, below], [give, take]] -= 1
        cells[[above, below], [take, give]] += 1
        moved = values[give] - values[take]
        off[above], off[below] = off[above] - moved, off[below] + moved
    return cells


def _swaps(cells: Ints, values: Ints, off: Floats, possible: Mask) -> Iterator[tuple[int, int, int, int]]:
    """Swaps that help, those of the rows furthest apart first: two rows, and the column that each gives."""
    rows = np.argsort(-off, kind="stable")
    high, low = np.triu_indices(len(rows), 1)
    order = np.argsort(off[rows[low]] - off[rows[high]], kind="stable")
    for above, below in zip(rows[high[order]].tolist(), rows[low[order]].tolist(), strict=True):
        apart = off[above] - off[below]
        mine, theirs = (np.flatnonzero(cells[a] * possible[b]) for a, b in ((above, below), (below, above)))
        if apart <= 1e-6:
            return
        if len(mine) and len(theirs):
            right = np.searchsorted(values[theirs], values[mine] - apart / 2)
            near = np.concatenate([right, right - 1]).clip(0, len(theirs) - 1)
            moved = np.tile(values[mine], 2) - values[theirs[near]]
            best = int(np.abs(moved - apart / 2).argmin())
            if 0 < moved[best] < apart:
                yield above, below, int(mine[best % len(mine)]), int(theirs[near[best]])
