"""A value that others bound is learnt as where it lies between them, so that a model cannot break the order.

So a model also learns what such values have in common: days until delivery, not days of delivery.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.randomness import uniform
from synthohive_spark.rules.evidence import COARSE, WHOLE
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.rule import EXACT, Ancestor, Rule
from synthohive_spark.sql import quote
from synthohive_spark.strict import Strict

Way = Literal["after", "before", "share", "own"]
Unit = Literal["day", "micro", "number"]
Numbers: TypeAlias = "npt.NDArray[Any]"  # whole ones for days and microseconds, else floats
EPOCH = dt.date(1970, 1, 1).toordinal()
DAY = 86_400_000_000  # microseconds
CALENDAR = (dt.date.min.toordinal() - EPOCH, dt.date.max.toordinal() - EPOCH)
FAR = 2**62  # beyond every day and microsecond


class Bound(Strict):
    """One value that bounds another.

    Attributes:
        name: its column, of the row or of what the row sees of its ancestors.
        above: it is an ancestor's.
        strict: the other value never equals it.
        late: a date bounds by its last moment, a time by the day that follows; else by its first moment, and its day.
        open: a value of it that means "no end", and so bounds nothing: days or microseconds.
    """

    name: str
    above: bool = False
    strict: bool = False
    late: bool = False
    open: int | None = None


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

    def known(self, others: Any) -> Numbers:
        """The others where they are not known."""
        return np.where(self.there, self.at, others)


@dataclass(frozen=True)
class Ends:
    """Between what the values of rows lie.

    Attributes:
        low: what they are measured from.
        high: what they are measured to.
        first: the least that they may be.
        last: the greatest.
    """

    low: Numbers
    high: Numbers
    first: Places
    last: Places

    @property
    def known(self) -> Mask:
        """Where there is a bound."""
        return self.first.there | self.last.there


class Ordered(Rule):
    """A value lies between others; a bound that is null bounds nothing.

    Attributes:
        lower: what it is not before, or not below.
        upper: what it is not after, or not above.
        way: how it is learnt: how far after the last lower bound, how far before the first upper one, the share of the
            way between them (of a number without lower bounds: from 0), or as it is.
        unit: what it is counted in.
        step: microseconds of the grid that it lies on; 1 for days, and for numbers that are rounded, else 0.
        scale: decimals of a number that is rounded.
        usual: where its bounds usually are, for rows on which they are null: the lower and the upper one, or that
            which there is twice.
        open: a value of it that means "no end", and that nothing bounds.
        together: it is null where no bound is known.
        most: the largest number that its type holds; 0 for any.
    """

    kind: Literal["order"] = "order"
    lower: tuple[Bound, ...] = ()
    upper: tuple[Bound, ...] = ()
    way: Way = "after"
    unit: Unit = "day"
    step: int = 1
    scale: int = 0
    usual: tuple[float, float] = (0, 0)
    open: int | None = None
    together: bool = False
    most: int = 0

    @property
    def seen(self) -> tuple[str, ...]:
        """Bounds of ancestors."""
        return tuple(dict.fromkeys(b.name for b in (*self.lower, *self.upper) if b.above))

    def text(self, ancestor: Ancestor) -> str:
        """What bounds it."""

        def said(sign: str, bound: Bound) -> str:
            return f"{sign}{'' if bound.strict else '='} {ancestor(bound.name) if bound.above else quote(bound.name)}"

        return " and ".join([*(said(">", b) for b in self.lower), *(said("<", b) for b in self.upper)])

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, original: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Where it lies between its bounds, instead of what it is."""
        own, ends = self._own(original[self.column]), self._ends(original, context)
        endless = _equal(own, self.open)
        there = own.there & (ends.known | endless) if self.together else own.there
        if self.way == "share":
            made = self._shares(Places(own.at, there), ends, seed)
        elif self.way == "own":
            made = data[self.column]
        else:
            distance = own.at - ends.low if self.way == "after" else ends.high - own.at
            bounded = ends.first.there if self.way == "after" else ends.last.there
            distance = np.where(bounded, np.maximum(distance, 0), distance)
            made = self._column(Places(np.where(endless, own.at, distance), there), data.index)
        return data.assign(**{self.column: made})

    def decode(self, data: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
        """What it is, within its bounds."""
        ends = self._ends(data, context)
        if self.way == "share":
            drawn = _floats(data[self.column])
            made = ends.low + (ends.high - ends.low) * np.where(drawn.there, drawn.at, 0).clip(0, 1)
            endless = np.zeros(len(data), bool)
        else:
            drawn = self._own(data[self.column])
            endless = _equal(drawn, self.open)
            inside = self._inside(Places(drawn.at, drawn.there & ~endless), ends)
            made = {"after": ends.low + inside, "before": ends.high - inside}.get(self.way, inside)
        made = np.where(endless, drawn.at, self._clipped(made, ends))
        there = drawn.there & (ends.known | endless) if self.together else drawn.there
        column = self._column(Places(made, there), data.index)
        if self.way == "own":
            column = data[self.column].where((made == drawn.at) & (there == drawn.there), column.astype(object))
        return data.assign(**{self.column: column})

    def _shares(self, own: Places, ends: Ends, seed: int) -> Values:
        """Shares of the way; of a row whose way has no length, another row's."""
        width = np.asarray(ends.high - ends.low, np.float64)
        told = own.there & (width > 0)
        shares = np.where(told, np.clip((own.at - ends.low) / np.where(told, width, 1), 0, 1), np.nan)
        others, lost = np.flatnonzero(told), np.flatnonzero(own.there & ~told)
        shares[lost] = shares[np.random.default_rng(seed).choice(others, len(lost))] if len(others) else 0.0
        return pd.Series(shares)

    def _inside(self, drawn: Places, ends: Ends) -> Numbers:
        """Draws; in the place of those beyond a bound, others of the batch that are not, where there are."""
        far = np.inf if drawn.at.dtype.kind == "f" else FAR
        low, high = ends.first.known(-far), ends.last.known(far)
        if self.way == "after":
            low, high = low - ends.low, high - ends.low
        elif self.way == "before":
            low, high = ends.high - high, ends.high - low
        pool = np.sort(drawn.at[drawn.there])
        begin, end = np.searchsorted(pool, low, "left"), np.searchsorted(pool, high, "right")
        wrong = drawn.there & ((drawn.at < low) | (drawn.at > high)) & (end > begin)
        chosen = begin + (uniform(np.arange(len(begin), dtype=np.int64)) * (end - begin)).astype(np.int64)
        inside = drawn.at.copy()
        inside[wrong] = pool[chosen[wrong]]
        return inside

    def _clipped(self, made: Numbers, ends: Ends) -> Numbers:
        """Values on their grid, in their type and within their bounds; the lower ones where bounds are apart."""
        if self.unit == "number":
            made = np.rint(made) if self.step else made
            made = made.clip(-self.most * 10**self.scale, self.most * 10**self.scale) if self.most else made
        else:
            made = (np.rint(made).astype(np.int64) + self.step // 2) // self.step * self.step
        made = np.where(ends.last.there, np.minimum(made, ends.last.at), made)
        return np.where(ends.first.there, np.maximum(made, ends.first.at), made)

    def _ends(self, data: pd.DataFrame, context: pd.DataFrame) -> Ends:
        """Between what each row's value lies."""
        usual = [self._scaled(np.array([u], np.float64))[0] for u in self.usual]
        low, first = self._edge(self.lower, data, context, 1)
        high, last = (e.turned() for e in self._edge(self.upper, data, context, -1))
        if not self.lower and self.way == "share":
            return Ends(np.zeros(len(data)), high.known(usual[1]), first, last)
        span = usual[1] - usual[0]
        begin = low.known(high.known(usual[1]) - span)
        return Ends(begin, high.known(begin + span), first, last)

    def _edge(
        self, bounds: Sequence[Bound], data: pd.DataFrame, context: pd.DataFrame, side: int
    ) -> tuple[Places, Places]:
        """The last of some bounds, and the first place that they allow, as seen from below (1) or from above (-1)."""
        nowhere = np.zeros(len(data), np.float64 if self.unit == "number" else np.int64)
        edge = allowed = Places(nowhere, np.zeros(len(data), bool))
        for bound in bounds:
            own = not bound.above and bound.name in data
            place = self._bound(data[bound.name] if own else context[bound.name], bound)
            seen = place if side > 0 else place.turned()
            edge = edge.last(Places(self._next(seen.at, False), seen.there))
            allowed = allowed.last(Places(self._next(seen.at, bound.strict), seen.there))
        return edge, allowed

    def _bound(self, values: Values, bound: Bound) -> Places:
        """Where the bound of each row is, in the unit of what it bounds."""
        if self.unit == "number":
            return self._own(values)
        place = _counted(values)
        at, there = place.at, place.there & ~_equal(place, bound.open)
        if self.unit == "day" and values.dtype.kind == "M":
            at = -(-at // DAY) if bound.late else at // DAY
        elif self.unit == "micro" and values.dtype.kind != "M":
            at = at * DAY + (DAY - 1 if bound.late else 0)
        return Places(at, there)

    def _next(self, at: Numbers, strict: bool) -> Numbers:
        """The first place of the grid at each number, or behind it."""
        if not self.step:
            return np.nextafter(at, np.inf) if strict else at
        return at // self.step * self.step + self.step if strict else -(-at // self.step) * self.step

    def _own(self, values: Values) -> Places:
        """Values of the column, or of its kind, in its unit."""
        if self.unit != "number":
            return _counted(values)
        numbers = _floats(values)
        return Places(self._scaled(numbers.at), numbers.there)

    def _scaled(self, numbers: Numbers) -> Numbers:
        """Numbers in units of the last digit."""
        if self.unit != "number" or not self.step:
            return numbers.astype(np.float64 if self.unit == "number" else np.int64)
        scaled = numbers * 10.0**self.scale
        whole = np.rint(scaled)
        return np.where(np.abs(scaled - whole) <= EXACT * np.maximum(1.0, np.abs(scaled)), whole, scaled)

    def _column(self, places: Places, index: Any) -> Values:
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


def _counted(values: Values) -> Places:
    """Dates as days, times as microseconds since 1970."""
    null = values.isna().to_numpy(bool)
    if values.dtype.kind == "M":
        return Places(np.where(null, 0, values.to_numpy("datetime64[us]").astype(np.int64)), ~null)
    days = [0 if lost else v.toordinal() - EPOCH for v, lost in zip(values, null, strict=True)]
    return Places(np.array(days, np.int64), ~null)


def _floats(values: Values) -> Places:
    """Numbers as floats."""
    numbers = values.astype("Float64").to_numpy(np.float64, na_value=np.nan)
    null = np.isnan(numbers)
    return Places(np.where(null, 0, numbers), ~null)


def _equal(places: Places, open_: int | None) -> Mask:
    """Where a value is that which means "no end"; the search saw what no float holds rounded down."""
    if open_ is None:
        return np.zeros(len(places.at), bool)
    rough = places.at // COARSE == open_ // COARSE if abs(open_) > WHOLE else places.at == open_
    same: Mask = places.there & rough
    return same
