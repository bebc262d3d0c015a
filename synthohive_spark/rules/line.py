"""The line on which numbers, dates and times lie, so that one comparison fits all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import COARSE, WHOLE
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.rule import EXACT

Unit = Literal["day", "micro", "number"]
Numbers: TypeAlias = "npt.NDArray[Any]"  # whole ones for days and microseconds, else floats
EPOCH = dt.date(1970, 1, 1).toordinal()
DAY = 86_400_000_000  # microseconds
CALENDAR = (dt.date.min.toordinal() - EPOCH, dt.date.max.toordinal() - EPOCH)


@dataclass(frozen=True)
class Places:
    """Numbers of which some are not known.

    Attributes:
        at: days, microseconds, or numbers in units of their last digit; any number where not known. Shape (rows,).
        there: where they are known.
    """

    at: Numbers
    there: Mask

    def turned(self) -> Places:
        """The line as seen from its other end."""
        return Places(-self.at, self.there)

    def last(self, other: Places) -> Places:
        """The greater of two, or the one that is known."""
        greater = np.where(self.there & other.there, np.maximum(self.at, other.at), self.known(other.at))
        return Places(greater, self.there | other.there)

    def put(self, rows: Ints, sources: Ints) -> Places:
        """Some rows have the places of others."""
        at, there = self.at.copy(), self.there.copy()
        at[rows], there[rows] = self.at[sources], self.there[sources]
        return Places(at, there)

    def known(self, others: Any) -> Numbers:
        """The others where they are not known."""
        return np.where(self.there, self.at, others)


@dataclass(frozen=True)
class Line:
    """Where values of one column lie.

    Attributes:
        unit: what they are counted in.
        step: microseconds of their grid; 1 for days, and for numbers that are rounded, else 0.
        scale: decimals of numbers that are rounded.
    """

    unit: Unit
    step: int
    scale: int

    def next(self, at: Numbers, strict: bool) -> Numbers:
        """The first place of the grid at each number, or behind it."""
        if not self.step:
            return np.nextafter(at, np.inf) if strict else at
        return at // self.step * self.step + self.step if strict else -(-at // self.step) * self.step

    def places(self, values: Values) -> Places:
        """Values of the column, or of its kind, in its unit."""
        if self.unit != "number":
            return ticks(timed(values))
        numbers = floats(values)
        return Places(self.scaled(numbers.at), numbers.there)

    def scaled(self, numbers: Numbers) -> Numbers:
        """Numbers in units of the last digit."""
        if self.unit != "number" or not self.step:
            return numbers.astype(np.float64 if self.unit == "number" else np.int64)
        scaled = numbers * 10.0**self.scale
        whole = np.rint(scaled)
        return np.where(np.abs(scaled - whole) <= EXACT * np.maximum(1.0, np.abs(scaled)), whole, scaled)

    def column(self, places: Places, index: Any) -> Values:
        """Places as the model's values; null where not known."""
        at, null = places.at, ~places.there
        if self.unit == "micro":
            ends = CALENDAR[0] * DAY, CALENDAR[1] * DAY + DAY - 1
            return pd.Series(at.clip(*ends).astype("datetime64[us]"), index=index).mask(null)
        if self.unit == "day":
            dates = at.clip(*CALENDAR).astype("datetime64[D]").astype(object)
            dates[null] = None
            return pd.Series(dates, index=index, dtype=object)
        numbers = pd.Series(pd.array(np.where(null, 0, at / 10.0**self.scale), dtype="Float64"), index=index).mask(null)
        return numbers.astype("Int64") if self.step and not self.scale else numbers


def timed(values: Values) -> Values:
    """A column as it is, but times that a model gave as objects as times."""
    known = values.dropna() if values.dtype == object else values
    if values.dtype != object or known.empty or not isinstance(known.iloc[0], dt.datetime):
        return values
    return pd.to_datetime(values).astype("datetime64[us]")


def ticks(values: Values) -> Places:
    """Dates as days, times as microseconds since 1970."""
    null = values.isna().to_numpy(bool)
    if values.dtype.kind == "M":
        return Places(np.where(null, 0, values.to_numpy("datetime64[us]").astype(np.int64)), ~null)
    days = [0 if lost else v.toordinal() - EPOCH for v, lost in zip(values, null, strict=True)]
    return Places(np.array(days, np.int64), ~null)


def floats(values: Values) -> Places:
    """Numbers as floats."""
    numbers = values.astype("Float64").to_numpy(np.float64, na_value=np.nan)
    null = np.isnan(numbers)
    return Places(np.where(null, 0, numbers), ~null)


def equal(places: Places, open_: int | None) -> Mask:
    """Where a value is that which means "no end"; the search saw what no float holds rounded down."""
    if open_ is None:
        return np.zeros(len(places.at), bool)
    rough = places.at // COARSE == open_ // COARSE if abs(open_) > WHOLE else places.at == open_
    same: Mask = places.there & rough
    return same
