"""Bins for pictures: at most 30, with round edges, the outer ones open.

Round edges look better, and no edge is taken from a row.
"""

from __future__ import annotations

import math
import sys
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import numpy as np

from synthohive_spark.evaluation.profile import Doubles

MOST_BINS = 30  # of a histogram of 260 pixels
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_SECONDS = (
    *(s for s in (1.0, 5.0, 15.0, 30.0)),
    *(m * _MINUTE for m in (1, 5, 15, 30)),
    *(h * _HOUR for h in (1, 2, 3, 6, 12)),
)
_DAYS = (1.0, 2.0, 7.0, 14.0, 30.0, 91.0, 182.0, 365.0)


def edges(low: float, high: float, kind: str) -> Doubles:
    """Inner edges of the bins of a column.

    Args:
        low: about the 1st percentile of the real values.
        high: about the 99th.
        kind: of the column; a date is in days, a timestamp in seconds.

    Returns:
        Ascending edges, at most MOST_BINS - 1. Bin i holds the values in [edge i-1, edge i).
    """
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(high - low)):
        return np.empty(0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all but constant
        half = 0.5 if kind != "number" else _round_step(max(abs(low), 1e-6) / 20) / 2
        return np.unique([low - half, low + half])
    step = _step((high - low) / (MOST_BINS - 2), kind)
    first, last = math.floor(low / step) + 1, math.floor(high / step)
    return np.unique([float(f"{k * step:.15g}") for k in range(first, max(last, first) + 1)])[: MOST_BINS - 1]


def labels(inner: Doubles, kind: str) -> tuple[str, ...]:
    """What each bin is called: ``< a``, ``a to b``, ``≥ b``; a single integer by itself."""
    if not len(inner):
        return ("all",)
    if kind == "integer" and np.allclose(np.diff(inner), 1):
        whole = [math.ceil(x) for x in inner]
        return (f"≤ {whole[0] - 1}", *(str(x) for x in whole[:-1]), f"≥ {whole[-1]}")
    names = [_name(float(x), kind) for x in inner]
    between = (f"{a} to {b}" for a, b in pairwise(names))
    return (f"< {names[0]}", *between, f"≥ {names[-1]}")


def wide_enough(counts: Doubles, least: int) -> list[int]:
    """Which inner edges stay, so that each bin is empty or rests on at least so many.

    Args:
        counts: real rows of each bin; or, shape (bins, groups), those of each group of subjects: then a bin rests on as
            many as there are groups with a row in it.
        least: of a bin that is not empty; more than there are in all join everything.
    """
    each = counts if counts.ndim == 2 else counts[:, None]
    grouped = counts.ndim == 2

    def rests_on(rows: Doubles) -> float:
        return float((rows > 0).sum() if grouped else rows.sum())

    kept: list[int] = []
    parts: list[Doubles] = []
    held = np.zeros(each.shape[1])
    for i, rows in enumerate(each):
        held = held + rows
        if not held.any() or rests_on(held) >= least:
            kept.append(i)
            parts.append(held)
            held = np.zeros(each.shape[1])
    if held.any():  # what is left over joins the bins before it, back to one that is not empty
        while kept and rests_on(held) < least:
            kept.pop()
            held = held + parts.pop()
        kept.append(len(each) - 1)
    return kept[:-1]


def _step(least: float, kind: str) -> float:
    if kind == "number":
        return _round_step(least)
    if kind == "integer":
        return max(1.0, _round_step(least))
    calendar = _DAYS if kind == "date" else (*_SECONDS, *(d * _DAY for d in _DAYS))
    known = next((s for s in calendar if s >= least), None)
    return known if known is not None else calendar[-1] * _round_step(least / calendar[-1])


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(least, sys.float_info.min)))
    return next((m * power for m in (1.0, 2.0, 5.0) if m * power >= least * (1 - 1e-9)), 10 * power)


def _name(value: float, kind: str) -> str:
    if kind not in ("date", "timestamp"):
        return f"{value:.6g}"
    seconds = value * _DAY if kind == "date" else value
    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    except OverflowError:
        return f"{value:.6g}"
    return moment.strftime("%Y-%m-%d" if kind == "date" or seconds % _DAY == 0 else "%Y-%m-%d %H:%M")
