"""Months of days: how a search counts them, as Spark does."""

from __future__ import annotations

import numpy as np

from synthohive_spark.rules.evidence import Vector

LONGEST = 1_200  # months that a date may be moved by: a century


def calendar(days: Vector) -> Vector:
    """The month of each day, counted through the years; NaN where null."""
    known = ~np.isnan(days)
    made = np.full(len(days), np.nan)
    made[known] = days[known].astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return made


def month_days(days: Vector) -> Vector:
    """The first day of the month of each day; NaN where null."""
    known = ~np.isnan(days)
    made = np.full(len(days), np.nan)
    first = days[known].astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]")
    made[known] = first.astype(np.int64)
    return made


def later(days: Vector, months: Vector) -> Vector:
    """Days so many months later, the last of the month where it is too short; NaN where null."""
    known = ~np.isnan(days) & (np.abs(months) <= LONGEST)
    made = np.full(len(days), np.nan)
    then = calendar(days[known]).astype(np.int64) + months[known].astype(np.int64)
    start, end = ((then + n).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for n in (0, 1))
    into = days[known] - month_days(days[known])
    made[known] = start + np.minimum(into, end - start - 1)
    return made
