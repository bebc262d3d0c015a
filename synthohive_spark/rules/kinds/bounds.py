"""A value that others bound is learnt as where it lies between them, so that a model cannot break the order.

So a model also learns what such values have in common: days until delivery, not days of delivery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from synthohive_spark.randomness import uniform
from synthohive_spark.rules.line import DAY, Line, Numbers, Places, Unit, equal, floats, ticks, timed
from synthohive_spark.schema import frames
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.rule import Ancestor, Rule
from synthohive_spark.sql import quote
from synthohive_spark.strict import Strict

Way = Literal["after", "before", "share", "own", "near"]
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


def said(lower: Sequence[Bound], upper: Sequence[Bound], ancestor: Ancestor) -> str:
    """Bounds as a person reads them, behind the name of what they bound."""

    def one(sign: str, bound: Bound) -> str:
        return f"{sign}{'' if bound.strict else '='} {ancestor(bound.name) if bound.above else quote(bound.name)}"

    return " and ".join([*(one(">", b) for b in lower), *(one("<", b) for b in upper)])


def within(own: str, lower: Sequence[Bound], upper: Sequence[Bound], unit: Unit) -> str:
    """Spark SQL: a column is within its bounds; a null, and a bound that may mean "no end", bounds nothing."""

    def one(sign: str, bound: Bound) -> str:
        base = quote(frames.hidden(bound.name) if bound.above else bound.name)
        days = unit == "day" or bound.late
        parts = [f"cast({c} as date)" if days and unit != "number" else c for c in (own, base)]
        return f"{parts[0]} {sign}{'' if bound.strict and not bound.late else '='} {parts[1]}"

    each = [(">", b) for b in lower] + [("<", b) for b in upper]
    return " and ".join(f"coalesce({one(sign, b)}, true)" for sign, b in each if b.open is None) or "true"


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
        near: an ancestor's time from which it is measured where the way is ``near``, before it or after it.
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
    near: Bound | None = None

    @property
    def line(self) -> Line:
        """Where its values lie."""
        return Line(self.unit, self.step, self.scale)

    @property
    def seen(self) -> tuple[str, ...]:
        """Bounds of ancestors."""
        near = () if self.near is None else (self.near,)
        return tuple(dict.fromkeys(b.name for b in (*self.lower, *self.upper, *near) if b.above))

    @property
    def numbers(self) -> tuple[str, ...]:
        """Bounds of the row."""
        return tuple(b.name for b in (*self.lower, *self.upper) if not b.above and self.unit == "number")

    def text(self, ancestor: Ancestor) -> str:
        """What bounds it."""
        near = "" if self.near is None else f"near {ancestor(self.near.name)}"
        return ", ".join(part for part in (near, said(self.lower, self.upper, ancestor)) if part)

    def check(self, types: Mapping[str, str]) -> str | None:
        """Whether it is within its bounds; not asked of a column of which a value means "no end"."""
        bounded = self.open is None and (self.lower or self.upper)
        return within(quote(self.column), self.lower, self.upper, self.unit) if bounded else None

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, original: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Where it lies between its bounds, instead of what it is."""
        own, ends = self.line.places(original[self.column]), self._ends(original, context)
        endless = equal(own, self.open)
        there = own.there & (ends.known | endless) if self.together else own.there
        if self.way == "share":
            made = self._shares(Places(own.at, there), ends, seed)
        elif self.way == "own":
            made = data[self.column]
        elif self.way == "near":
            made = self.line.column(Places(own.at - self._from(original, context), there), data.index)
        else:
            distance = own.at - ends.low if self.way == "after" else ends.high - own.at
            bounded = ends.first.there if self.way == "after" else ends.last.there
            distance = np.where(bounded, np.maximum(distance, 0), distance)
            made = self.line.column(Places(np.where(endless, own.at, distance), there), data.index)
        return data.assign(**{self.column: made})

    def decode(self, data: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
        """What it is, within its bounds."""
        ends = self._ends(data, context)
        if self.way == "share":
            drawn = floats(data[self.column])
            made = ends.low + (ends.high - ends.low) * np.where(drawn.there, drawn.at, 0).clip(0, 1)
            endless = np.zeros(len(data), bool)
        elif self.way == "near":
            drawn, endless = self.line.places(data[self.column]), np.zeros(len(data), bool)
            made = self._from(data, context) + drawn.at
        else:
            drawn = self.line.places(data[self.column])
            endless = equal(drawn, self.open)
            inside = self._inside(Places(drawn.at, drawn.there & ~endless), ends)
            made = {"after": ends.low + inside, "before": ends.high - inside}.get(self.way, inside)
        made = np.where(endless, drawn.at, self._clipped(made, ends))
        there = drawn.there & (ends.known | endless) if self.together else drawn.there
        column = self.line.column(Places(made, there), data.index)
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

    def _from(self, data: pd.DataFrame, context: pd.DataFrame) -> Numbers:
        """What each row's value is measured from; where that is not known, the usual one."""
        assert self.near is not None
        usual = self.line.scaled(np.array([self.usual[0]], np.float64))[0]
        return self._bound(context[self.near.name], self.near).known(usual)

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
        usual = [self.line.scaled(np.array([u], np.float64))[0] for u in self.usual]
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
            edge = edge.last(Places(self.line.next(seen.at, False), seen.there))
            allowed = allowed.last(Places(self.line.next(seen.at, bound.strict), seen.there))
        return edge, allowed

    def _bound(self, values: Values, bound: Bound) -> Places:
        """Where the bound of each row is, in the unit of what it bounds."""
        if self.unit == "number":
            return self.line.places(values)
        values = timed(values)
        place = ticks(values)
        at, there = place.at, place.there & ~equal(place, bound.open)
        if self.unit == "day" and values.dtype.kind == "M":
            at = -(-at // DAY) if bound.late else at // DAY
        elif self.unit == "micro" and values.dtype.kind != "M":
            at = at * DAY + (DAY - 1 if bound.late else 0)
        return Places(at, there)


class OrderedLater(Rule):
    """A value lies between others that are known only when Spark has computed them: it goes to them if it is beyond.

    Attributes:
        lower: what it is not before, or not below.
        upper: what it is not after, or not above.
        step: of its grid, as that of ``Ordered``.
        unit: what it is counted in.
        scale: decimals of a number that is rounded.
    """

    kind: Literal["order_later"] = "order_later"
    lower: tuple[Bound, ...] = ()
    upper: tuple[Bound, ...] = ()
    unit: Unit = "day"
    step: int = 1
    scale: int = 0

    @property
    def sql(self) -> str | None:
        """The value, or the bound that it is beyond; ``greatest`` and ``least`` pass over nulls."""
        made = own = quote(self.column)
        for word, bounds, side in (("least", self.upper, -1), ("greatest", self.lower, 1)):
            if bounds:
                made = f"{word}({', '.join([made, *(self._limit(b, side) for b in bounds)])})"
        return f"if({own} is null, null, {made})"

    @property
    def follows(self) -> str:
        """Its bounds."""
        return " ".join(quote(b.name) for b in (*self.lower, *self.upper))

    def text(self, ancestor: Ancestor) -> str:
        """What bounds it."""
        return said(self.lower, self.upper, ancestor)

    def check(self, types: Mapping[str, str]) -> str | None:
        """Whether it is within its bounds."""
        return within(quote(self.column), self.lower, self.upper, self.unit)

    def _limit(self, bound: Bound, side: int) -> str:
        """The first place of the grid that a bound allows."""
        base, strict = quote(bound.name), side * int(bound.strict)
        if self.unit == "day":
            return f"date_add({base}, {strict})"
        if self.unit == "micro":
            return f"{base} + make_dt_interval(0, 0, 0, {strict * self.step / 1e6:.6f})" if strict else base
        if not self.step:
            return base
        rounded = "ceil" if side > 0 else "floor"
        away = {"ceil": "floor", "floor": "ceil"}[rounded] if strict else rounded
        return f"{away}({base}, {self.scale}){f' + {strict * 10.0**-self.scale:.{self.scale}f}' if strict else ''}"
