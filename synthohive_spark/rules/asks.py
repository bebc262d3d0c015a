"""What can be asked of the rows of a sample: bounds, groups, parts of times, how far two are apart, what is null."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from synthohive_spark.rules.branches import Question
from synthohive_spark.rules.calendar import calendar, month_days
from synthohive_spark.rules.evidence import FEW, WORDS, Column, Flags, Sample, Vector
from synthohive_spark.tables import TEXT

Codes = npt.NDArray[np.int64]
SPANNED = 8  # dates and times of which every two may decide by how far they are apart
SECOND = 1_000_000  # microseconds
FAR, MICROS = 1_000_000, 86_400_000_000  # days from 1970 beyond which no parts are taken; microseconds of a day
SMALL = 16  # distinct whole numbers that may be codes
COMPARED = 16  # numbers, times and texts that are compared with each other


@dataclass(frozen=True)
class Ask:
    """What can be asked of rows: a number per row that a bound divides, or a group of values.

    Attributes:
        form: which kind of question: ``value``, ``apart``, ``null``, ``order``, ``same`` or ``group``.
        columns: what it is about.
        values: the number of each row; of groups the place of its value, -1 where null.
        known: of groups, the values.
        part: of a time; of two that are apart, the unit.
        common: which of the values of a group enough people hold for it to be named.
        weight: rows that speak for themselves, as a share: children of one ancestor say of it what one of them says.
    """

    form: str
    columns: tuple[Column, ...]
    values: Vector
    known: Vector = field(default_factory=lambda: np.zeros(0))
    part: str = ""
    common: Flags = field(default_factory=lambda: np.zeros(0, bool))
    weight: float = 1.0

    def among(self, chosen: Codes, of: int) -> Question:
        """The question whether a value is one of some of a group, which has so many on the rows of a node."""
        column, values = self.columns[0], self.known[chosen].tolist()
        named = [repr(v) if self.part else column.named(v) for v in values]
        return Question(
            "among", column.id, values=tuple(sorted(named) if column.words else named), of=of, part=self.part
        )

    def question(self, low: float, high: float) -> Question:
        """The question that a bound between two numbers is."""
        first = self.columns[0].id
        if self.form == "null":
            return Question("null", first)
        if self.form == "value":
            return Question("at most", first, low=low, high=high, part=self.part)
        other = self.columns[1].id
        if self.form == "apart":
            return Question("at most", first, other, low=low, high=high, part=self.part)
        if self.form == "same":
            return Question("same", first, other)
        return Question("before" if low < 0 else "not after", first, other)


def every_ask(sample: Sample) -> Iterator[Ask]:
    """All that can be asked of the rows of a sample."""
    inputs = sample.inputs
    for c in inputs:
        named = c.distinct <= WORDS if c.type.startswith(TEXT) else c.type == "boolean" or _coded(c)
        if named:
            yield _grouped(sample, c, c.values)
        for part, values in _parts(c):
            yield _grouped(sample, c, values, part)
            yield Ask("value", (c,), values, part=part)
        if c.family != "other" and c.distinct > 1:
            yield Ask("value", (c,), c.values)
    for c in {c.id: c for c in (*sample.own, *inputs)}.values():
        null = np.isnan(c.values)
        if FEW <= null.sum() <= sample.rows - FEW:
            yield Ask("null", (c,), np.where(null, 0.0, 1.0))
    sets: dict[str, list[Column]] = {}
    for c in (c for c in inputs if c.type != "boolean" and c.distinct > FEW):
        sets.setdefault("number" if c.number else "text" if c.family == "other" else "moment", []).append(c)
    for name, alike in sets.items():
        for a, b in itertools.combinations(alike[:COMPARED], 2):
            apart = np.sign(_moments(a) - _moments(b))
            yield Ask("same", (a, b), np.abs(apart)) if name == "text" else Ask("order", (a, b), apart)
    for a, b in itertools.combinations(sets.get("moment", [])[:SPANNED], 2):
        yield from _apart(a, b)


def _apart(a: Column, b: Column) -> Iterator[Ask]:
    """How far two dates or times are apart, the usual later one first: ages in months, terms in days, and seconds."""
    first, last = (a, b) if np.nanmean(_moments(b) - _moments(a)) > 0 else (b, a)
    near = np.abs(_moments(first)) <= FAR * MICROS
    ends = [np.where(near & (np.abs(_moments(c)) <= FAR * MICROS), _moments(c), np.nan) for c in (last, first)]
    days = [np.floor(end / MICROS) for end in ends]
    into = [day - month_days(day) for day in days]
    yield Ask("apart", (last, first), calendar(days[0]) - calendar(days[1]) - (into[0] < into[1]), part="months")
    yield Ask("apart", (last, first), days[0] - days[1], part="days")
    if "date" not in (a.family, b.family) and a.type == b.type:
        yield Ask("apart", (last, first), np.floor((ends[0] - ends[1]) / SECOND), part="seconds")


def _moments(column: Column) -> Vector:
    """Values that may be compared with those of another type: a day is its first microsecond."""
    return column.values * MICROS if column.family == "date" else column.values


def _coded(column: Column) -> bool:
    """Whether its numbers may be codes."""
    return column.whole and column.distinct <= SMALL


def _grouped(sample: Sample, column: Column, values: Vector, part: str = "") -> Ask:
    """The values of a column, or of a part of it, as a group."""
    null = np.isnan(values)
    known = np.unique(values[~null])
    places = np.where(null, -1.0, np.searchsorted(known, values).astype(np.float64))
    common = sample.held(places.astype(np.int64), len(known)) >= sample.least
    return Ask("group", (column,), places, known=known, part=part, common=common)


def _parts(column: Column) -> Iterator[tuple[str, Vector]]:
    """Parts of a date or time that people decide by: weekends, seasons, opening hours; in UTC, as Spark's session."""
    if column.family not in ("date", "time", "plain time") or column.distinct <= SMALL:
        return
    unit = "D" if column.family == "date" else "us"
    null = np.isnan(column.values) | (np.abs(column.values) > (FAR if unit == "D" else FAR * MICROS))
    at = np.where(null, 0, column.values).astype(np.int64).astype(f"datetime64[{unit}]")
    days = at.astype("datetime64[D]").astype(np.int64)
    made = {"weekday": (days + 3) % 7, "month": at.astype("datetime64[M]").astype(np.int64) % 12 + 1}
    if unit == "us":
        made["hour"] = at.astype("datetime64[h]").astype(np.int64) % 24
    for part, numbers in made.items():
        yield part, np.where(null, np.nan, numbers.astype(np.float64))
