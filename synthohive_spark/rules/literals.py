"""Values of a sample as literals of Spark SQL, and thresholds as people would write them: the roundest in a gap."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

from synthohive_spark.rules.evidence import family_of

EPOCH = dt.datetime(1970, 1, 1)
DAY = 86_400_000_000  # microseconds
CLOCK = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000)  # microseconds that people count in
DIGITS = 9  # decimals beyond which a threshold is not made rounder


def literal(spark_type: str, value: float) -> str:
    """A number, a date, a time or a boolean, as a sample holds it."""
    family = family_of(spark_type)
    if family == "date":
        return f"date'{_moment(value * DAY):%Y-%m-%d}'"
    if family in ("time", "plain time"):
        text = _moment(value).isoformat(sep=" ")
        return f"timestamp'{text}Z'" if family == "time" else f"timestamp_ntz'{text}'"
    if spark_type == "boolean":
        return "true" if value else "false"
    return str(int(value)) if value == math.floor(value) and abs(value) < 1e18 else repr(float(value))


def between(spark_type: str, low: float, high: float) -> tuple[str, str] | None:
    """What parts two values: how to ask (``at most`` or ``below``), and the bound as SQL; None where nothing does."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return None
    family = family_of(spark_type)
    if family in ("date", "time", "plain time"):
        unit = DAY if family == "date" else 1
        try:
            start = _first_moment(low * unit, high * unit, () if family == "date" else CLOCK)
            at = literal(spark_type, low if start is None else start / unit)
        except (OverflowError, ValueError):  # beyond the calendar
            return None
        return ("at most" if start is None else "below"), at
    for step in _steps(max(abs(low), abs(high))):
        if math.isclose(round(low / step) * step, low, rel_tol=1e-12, abs_tol=1e-12):
            return "at most", literal(spark_type, low)
        bound = _multiple(math.floor(low / step) + 1, step)
        if low < bound <= high:
            return "below", literal(spark_type, bound)
    return "at most", literal(spark_type, low)


def _steps(most: float) -> Iterator[float]:
    """Ten, five, one, a half ...: from coarse to fine."""
    first = math.floor(math.log10(most)) + 1 if most > 0 else 0
    for power in range(first, -DIGITS, -1):
        yield 10.0**power
        yield 5 * 10.0 ** (power - 1)


def _multiple(times: int, step: float) -> float:
    """So many steps, without the error of floats."""
    return float(times * step) if step >= 1 else round(times * step, DIGITS + 1)


def _moment(micros: float) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=int(micros))


def _first_moment(low: float, high: float, clock: tuple[int, ...]) -> float | None:
    """The first beginning of a year, else of a month, a day, an hour ... behind ``low`` and not behind ``high``."""
    at = _moment(low)
    year = dt.datetime(at.year + 1, 1, 1)
    month = dt.datetime(at.year + at.month // 12, at.month % 12 + 1, 1)
    starts = [(start - EPOCH) // dt.timedelta(microseconds=1) for start in (year, month)]
    starts += [(int(low) // size + 1) * size for size in clock]
    return next((float(start) for start in starts if start <= high), None)
