"""A date is so many months after or before another one: a period ends a month later, a loan after its term.

A counter may say how often: an instalment is due a month after the one before, the first on the day itself, an exam
held three weeks after the one before, the first a week after the course. A period that names its last day ends the day
before.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.calendar import LONGEST, calendar, later
from synthohive_spark.rules.evidence import Column, Sample, Vector
from synthohive_spark.rules.kinds.numbers import integer
from synthohive_spark.rules.value_kind import Candidate, ValueKind

STARTS = (0, 1)  # from which people count
SHIFTS = (0, 1)  # days by which a period's last day lies before the next one's first
COUNTERS, FURTHEST = 8, 1_000  # numbers that may be counters, and how far they count


class Months(ValueKind):
    """Dates a constant number of months or years apart, or as many as a number of the row says."""

    name = "months"
    order = 5

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """The months that the probe's first dates are apart; whole numbers as months and as years."""
        dates, probe = [c for c in sample.inputs if c.family == "date"], sample.probe
        lengths, counting = [c for c in sample.inputs if c.whole], {c.id for c in counters(sample)}
        for b, shift in itertools.product(dates, SHIFTS):
            apart = {_apart(t, b, probe, shift) for t in sample.targets if t.family == "date" and t.id != b.id}
            for months in sorted(apart - {0}):
                yield Candidate((b,), until(f"add_months({{0}}, {months})", shift), _moved(months, shift), _date)
            for c in lengths:
                yield from _each(sample, b, c) if c.id in counting and not shift else ()
                for size in (1, 12):
                    number = f"try_cast({integer(1, c)} as int)"
                    number = number if size == 1 else f"try_cast(try_multiply({integer(1, c)}, {size}) as int)"
                    yield Candidate((b, c), until(f"add_months({{0}}, {number})", shift), _by(size, shift), _date)


def counters(sample: Sample) -> list[Column]:
    """Whole numbers that may count."""
    whole = [c for c in sample.inputs if c.whole and c.distinct > 1]
    return [c for c in whole if c.known.min() in STARTS and c.known.max() <= FURTHEST][:COUNTERS]


def count_from(column: Column, place: int, start: int) -> str:
    """Spark SQL of a counter at a place of the inputs, from its start."""
    number = integer(place, column)
    return f"try_subtract({number}, {start})" if start else number


def until(sql: str, shift: int) -> str:
    """Spark SQL of a date, so many days before."""
    return f"date_sub({sql}, {shift})" if shift else sql


def _each(sample: Sample, base: Column, count: Column) -> Iterator[Candidate]:
    """A date as many times some months, or days, after another one as a counter says."""
    for target in (t for t in sample.targets if t.family == "date" and t.id != base.id):
        for start in STARTS:
            times = count.values[sample.probe] - start
            rows = sample.probe[(times > 0) & ~np.isnan(target.values[sample.probe] + base.values[sample.probe])][:1]
            if not len(rows):
                continue
            one = float(count.values[rows][0] - start)
            months, days = _apart(target, base, rows) / one, float((target.values[rows] - base.values[rows])[0]) / one
            number = count_from(count, 1, start)
            if months == int(months) and months:
                sql = f"add_months({{0}}, try_cast(try_multiply({number}, {int(months)}) as int))"
                yield Candidate((base, count), sql, _times(int(months), start, later), _date)
            if days == int(days) and days and abs(days) <= FURTHEST:
                sql = f"date_add({{0}}, try_cast(try_multiply({number}, {int(days)}) as int))"
                yield Candidate((base, count), sql, _times(int(days), start, np.add), _date)
        yield from _begun(sample, target, base, count)


def _begun(sample: Sample, target: Column, base: Column, count: Column) -> Iterator[Candidate]:
    """A date some days after another one, and so many more for each step of a counter."""
    apart, times = (target.values - base.values)[sample.probe], count.values[sample.probe]
    rows = np.flatnonzero(~np.isnan(apart) & ~np.isnan(times))
    more = rows[times[rows] != times[rows[0]]][:1] if len(rows) else rows
    if not len(more):
        return
    first, next_ = int(rows[0]), int(more[0])
    size = float((apart[next_] - apart[first]) / (times[next_] - times[first]))
    begin = float(apart[first] - size * times[first])
    known = begin in [-size * start for start in STARTS]  # tried already
    if size and not known and size == int(size) and begin == int(begin) and max(abs(size), abs(begin)) <= FURTHEST:
        days = f"try_add(try_multiply({integer(1, count)}, {int(size)}), {int(begin)})"

        def later_by(v: Sequence[Vector]) -> Vector:
            made: Vector = v[0] + v[1] * size + begin
            return made

        yield Candidate((base, count), f"date_add({{0}}, try_cast({days} as int))", later_by, _date)


def _times(size: int, start: int, move: Callable[[Vector, Vector], Vector]) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: move(v[0], (v[1] - start) * size)


def _apart(target: Column, base: Column, probe: Ints, shift: int = 0) -> int:
    """The months between two dates of the first row that has both; 0 where there is none, or so many are data."""
    both = probe[~np.isnan(target.values[probe]) & ~np.isnan(base.values[probe])][:1]
    months = calendar(target.values[both] + shift) - calendar(base.values[both])
    return int(months[0]) if len(months) and abs(months[0]) <= LONGEST else 0


def _moved(months: int, shift: int) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: later(v[0], np.full(len(v[0]), float(months))) - shift


def _by(size: int, shift: int) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: later(v[0], v[1] * size) - shift


def _date(column: Column) -> bool:
    return column.family == "date"
