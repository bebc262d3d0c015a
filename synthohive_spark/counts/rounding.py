"""Shares rounded to whole numbers: each row's numbers sum to what it has, and each column's to what all rows asked.

A row is rounded by one mark for all of its shares (systematic sampling with unequal probabilities: Madow, Annals of
Mathematical Statistics, 1949), so that each share is met on average. What rounding took from a column or gave to it is
carried to the next row of its run, so that it never adds up.
"""

from __future__ import annotations

import numpy as np

from synthohive_spark.randomness import Floats, Ints

TOLERANCE = 1e-4  # of a run's rows: what proportional fitting leaves of the difference to whole numbers
EXACT = 1e-6  # below what sums of floats are off, nothing is left to chance
TINY = 1e-300  # so that nothing is divided by 0


def rounded_together(wanted: Floats, rows: Ints, limit: Ints, luck: Floats, run: Ints) -> Ints:
    """Whole numbers instead of shares.

    Args:
        wanted: the shares, shape (n, classes); they sum to ``rows`` and lie between 0 and ``limit``.
        rows: of each bucket, shape (n,).
        limit: the greatest number of each class, shape (n, classes).
        luck: in [0, 1), rounds, shape (n,).
        run: names the buckets that are rounded together, shape (n,); equal ones are neighbours.

    Returns:
        Whole numbers, shape (n, classes): they sum to ``rows`` and lie between 0 and ``limit``. Over a run each class
        has what it asked for, up or down to a whole number, as long as no limit forbids it.
    """
    parts = np.zeros(wanted.shape, np.int64)
    if not len(rows):
        return parts
    starts = np.flatnonzero(np.r_[True, run[1:] != run[:-1]])
    lengths = np.diff(np.r_[starts, len(rows)])
    asked, sums = np.add.reduceat(wanted, starts, axis=0), np.add.reduceat(rows, starts)
    totals = _rounded(asked, sums, luck[starts], np.minimum(TOLERANCE * sums, 0.5))
    carried: Floats = totals.astype(np.float64) - asked
    for nth in range(int(lengths.max())):  # the n-th bucket of each run that has so many
        live = np.flatnonzero(lengths > nth)
        at = starts[live] + nth
        due = _with_carried(wanted[at], carried[live], limit[at])
        parts[at] = _within(_rounded(due, rows[at], luck[at], np.full(len(at), EXACT)), limit[at])
        carried[live] += wanted[at] - parts[at]
    return parts


def _with_carried(wanted: Floats, carried: Floats, limit: Ints) -> Floats:
    """Shares with as much of what is carried as limits allow: what one class gets another one gives."""
    more, less = np.clip(carried, 0, limit - wanted), np.clip(-carried, 0, wanted)
    gets, gives = more.sum(axis=1, keepdims=True), less.sum(axis=1, keepdims=True)
    moved = np.minimum(gets, gives)
    due: Floats = wanted + more * moved / np.maximum(gets, TINY) - less * moved / np.maximum(gives, TINY)
    return due


def _rounded(shares: Floats, rows: Ints, luck: Floats, tolerance: Floats) -> Ints:
    """Shares of rows rounded by one mark each; sums that are whole but for ``tolerance`` stay so."""
    ends = np.cumsum(shares, axis=1)
    near = np.rint(ends)
    ends = np.where(np.abs(ends - near) <= tolerance[:, None], near, ends)
    marks = np.minimum(np.floor(ends + luck[:, None]), rows[:, None]).astype(np.int64)
    marks[:, -1] = rows
    parts: Ints = np.diff(np.column_stack([np.zeros_like(rows), marks]), axis=1)
    return parts


def _within(parts: Ints, limit: Ints) -> Ints:
    """Parts that rounding put above their limit give the surplus to others with room, the next ones first."""
    over = np.maximum(parts - limit, 0)
    if not over.any():
        return parts
    parts, left = parts - over, over.sum(axis=1)
    for v in range(parts.shape[1]):
        more = np.minimum(left, limit[:, v] - parts[:, v])
        parts[:, v] += more
        left = left - more
    return parts
