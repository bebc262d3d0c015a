"""Ranges for values of which too few rows exist: rounded outward, so that no value and no mean of them is kept.

Of a number the order of magnitude and the first digit stay, of a date or a time the year.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

FEW = 6  # below so many rows per hidden one, an inner quantile is somebody's value and a mean is a mean of few
WIDTHS = (7, 15, 31, 63)  # bits of whole numbers: a range ends where the type does that the source may have
FLOAT32 = 1e37  # beyond it, rounding up could leave what a float of 32 bits holds
Ends = tuple[Any, Any]


def few_rows(k: int) -> int:
    """Rows below which nothing of a distribution is kept or judged: 24 at the usual 5, none where 1 hides nobody."""
    return FEW * (k - 1)


def coarse_numbers(low: Any, high: Any) -> Ends:
    """The range of magnitude around the numbers from ``low`` to ``high``: never a digit more than they have."""
    if isinstance(low, (float, np.floating)):
        return _around(float(low), float(high), _float_grid)
    return _around(int(low), int(high), _integer_grid)


def coarse_times(low: Any, high: Any, per_second: int) -> Ends:
    """The first and the last tick of the years that hold the ticks ``low`` to ``high`` since 1970."""
    first, last = (np.datetime64(int(t) // per_second, "s").astype("datetime64[Y]") for t in (low, high))
    start, end = (int(year.astype("datetime64[s]").astype(np.int64)) for year in (first, last + 1))
    return max(start * per_second, 1 - 2**63), min(end * per_second - 1, 2**63 - 1)


def coarse_days(low: Any, high: Any) -> Ends:
    """The first and the last day of the years that hold the days ``low`` to ``high`` since 1970."""
    start, end = coarse_times(int(low) * 86_400, int(high) * 86_400, 1)
    return start // 86_400, end // 86_400


def _around(low: Any, high: Any, grid: Callable[[Any, bool], tuple[Any, Any, Any, Any]]) -> Ends:
    """The range around two numbers, from the steps that ``grid`` gives on both sides of each number's size."""

    def end(number: Any, upper: bool, wide: bool) -> Any:
        if number == 0:
            return number
        down, up, least, most = grid(abs(number), number < 0)
        outward = upper == (number > 0)
        size = (most if wide else up) if outward else (least if wide else down)
        return size if number > 0 else -size

    bottom, top = end(low, False, False), end(high, True, False)
    if bottom >= top:  # one number, which lies on a step
        bottom, top = end(low, False, True), end(high, True, True)
    return bottom, top if top > bottom else bottom + type(bottom)(1)


def _integer_grid(size: int, negative: bool) -> tuple[int, int, int, int]:
    """The steps below and above a size that its first digit allows, and the least and most of as many digits."""
    least = 10 ** (len(str(size)) - 1)
    limits = (2**bits - (not negative) for bits in WIDTHS)
    most = min(10 * least - 1, next((limit for limit in limits if size <= limit), 10 * least))
    if size <= 1:
        return 0, 1, 0, 1
    if least == 1:  # steps of one would keep a number of one digit as it is
        return least, most, least, most
    return size // least * least, min(-(-size // least) * least, most), least, most


def _float_grid(size: float, negative: bool) -> tuple[float, float, float, float]:
    """The same of a float."""
    if not 1 / FLOAT32 < size < FLOAT32:
        return size / 2, size, size / 2, size
    least = 10.0 ** math.floor(math.log10(size))
    return math.floor(size / least) * least, math.ceil(size / least) * least, least, 10 * least
