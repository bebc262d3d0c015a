"""Rows of one parent follow each other at even steps: a contract each year, a statement each month, lines 10, 20, 30.

The first row of a family stays where it was drawn; the others go behind it, in the order of what was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.calendar import calendar, later
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, Vector, strangers
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, over
from synthohive_spark.rules.kin.sample import SiblingSample
from synthohive_spark.rules.kinds.extreme import line_of
from synthohive_spark.rules.line import DAY, Line, Places, Unit
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.rule import Ancestor, Rule, Siblings
from synthohive_spark.sql import quote

LONGEST = {"month": 120, "day": 366, "micro": 366 * DAY, "number": 1_000}  # steps that are structure


class SteppedInFamily(Rule):
    """Each row of a parent is one step behind the one before.

    Attributes:
        family: columns of the driving key.
        size: of a step: months, days, microseconds, or units of the last digit.
        months: it is counted in months.
        unit, step, scale: as those of ``Ordered``.
        along: columns that move with it: those that it bounds.
    """

    kind: Literal["stepped"] = "stepped"
    family: tuple[str, ...]
    size: int
    months: bool = False
    unit: Unit = "day"
    step: int = 1
    scale: int = 0
    along: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[str, ...]:
        """The column, and what moves with it."""
        return (self.column, *self.along)

    def text(self, ancestor: Ancestor) -> str:
        """The step."""
        sizes = {"day": DAY, "hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000}
        size, unit = self.size, "month" if self.months else "day"
        if self.unit == "micro":
            unit = next(name for name, micros in sizes.items() if not size % micros)
            size //= sizes[unit]
        told = f"{size}" if self.unit == "number" else f"{size} {unit}{'s' * (size > 1)}"
        return f"each row of a parent is {told} behind the one before"

    def check(self, types: Mapping[str, str]) -> str | None:
        """Whether the row is as many steps behind the first one as there are rows before it."""
        own = quote(self.column)
        place = f"(row_number() {over(self.family, own)} - 1) * {self.size}"
        first = f"min({own}) {over(self.family)}"
        if self.months:
            held = f"{own} <=> add_months({first}, cast({place} as int))"
        elif self.unit == "day":
            held = f"{own} <=> date_add({first}, cast({place} as int))"
        elif self.unit == "micro":
            micros = "unix_micros(cast({0} as timestamp))"
            held = f"{micros.format(own)} - {micros.format(first)} <=> {place}"
        else:
            held = f"abs({own} - ({first} + {place} / {10**self.scale}D)) < 1e-6"
        return in_family(self.family, f"coalesce({held}, {own} is null)")

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """Rows behind the first one, each as far as its place says; what moves along moves as far."""
        line, owner = Line(self.unit, self.step, self.scale), rows.owner
        own = line.places(columns[self.column])
        order = np.lexsort((own.at, ~own.there, owner))
        head = np.append(True, owner[order][1:] != owner[order][:-1]) if len(order) else np.zeros(0, bool)
        starts = np.flatnonzero(head)
        sizes = np.diff([*starts, len(order)]).astype(np.int64)
        place = np.arange(len(order)) - np.repeat(starts, sizes)
        first = np.repeat(own.at[order][head], sizes)
        at = own.at.copy()
        if self.months:
            at[order] = later(first.astype(np.float64), (place * self.size).astype(np.float64)).astype(at.dtype)
        else:
            at[order] = first + place * self.size
        at = np.where(own.there, at, own.at)
        made = {self.column: line.column(Places(at, own.there), columns[self.column].index)}
        apart = (at - own.at) * (DAY if self.unit == "day" else 1)
        return {**made, **{c: _moved(columns[c], apart) for c in self.along}}


def _moved(values: Values, micros: Ints) -> Values:
    """Dates or times so many microseconds later."""
    day = values.dropna().map(lambda v: not hasattr(v, "hour")).any() and values.dtype.kind != "M"
    line = Line("day" if day else "micro", 1, 0)
    known = line.places(values)
    return line.column(Places(known.at + (micros // DAY if day else micros), known.there), values.index)


class Stepped(SiblingKind):
    """Columns that go from row to row by one step."""

    name = "stepped"
    order = 15

    def search(self, sample: SiblingSample) -> Iterator[SteppedInFamily]:
        """One for each date, time and whole number."""
        for name, column in sample.lines():
            if column.family == "date":
                found = _step(sample, column, months=True)
                if found:
                    yield SteppedInFamily(column=name, family=sample.family, size=found, months=True, **line_of(column))
                    continue
            if column.number and not column.whole:
                continue
            size = _step(sample, column)
            if size:
                yield SteppedInFamily(column=name, family=sample.family, size=size, **line_of(column))

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where rows may go behind the first one, and what they bound with them."""
        along = drawn.led_by(rule.column)
        if not isinstance(rule, SteppedInFamily) or along is None or (along and rule.unit == "number"):
            return None
        for name in (rule.column, *along):
            ordered = drawn.ordered.get(name)
            if ordered is not None and any(b.above for b in ordered.upper):
                return None
        return rule.model_copy(update={"along": along})


def _places(sample: SiblingSample, column: Column) -> tuple[Vector, Vector, Vector] | None:
    """The value, the first of its family, and the place of each row that has siblings; None where one is null."""
    rows = np.lexsort((column.values, sample.owner))
    values, owner = column.values[rows], sample.owner[rows]
    head = np.append(True, owner[1:] != owner[:-1])
    starts = np.flatnonzero(head)
    place = np.arange(len(rows)) - np.repeat(starts, sample.sizes)
    if np.isnan(values).any() or (place > 0).sum() < ROWS:
        return None
    return values, np.repeat(values[head], sample.sizes), place.astype(np.float64)


def _convinces(values: Vector, first: Vector, place: Vector, size: float) -> bool:
    """Whether so many rows would seldom be one step behind another family's row."""
    behind = place > 0
    other = first[strangers(len(first))]
    share = max(float((values[behind] - other[behind] == size * place[behind]).mean()), 1 / int(behind.sum()))
    return -int(behind.sum()) * math.log(share) >= EVIDENCE


def _step(sample: SiblingSample, column: Column, months: bool = False) -> int:
    """The step in days, microseconds, units or months; 0 where there is none."""
    found = _places(sample, column)
    if found is None:
        return 0
    values, first, place = found
    counted, begun = (calendar(values), calendar(first)) if months else (values, first)
    behind = place > 0
    size = float((counted - begun)[behind][0] / place[behind][0])
    unit = "month" if months else "day" if column.family == "date" else "number" if column.number else "micro"
    if size != round(size) or not 0 < size <= LONGEST[unit] or (unit == "micro" and size % 1_000_000):
        return 0
    made = later(first, place * size) if months else first + place * size
    return int(size) if (made == values).all() and _convinces(counted, begun, place, size) else 0
