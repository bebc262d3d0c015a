"""Sums and differences: of two numbers, of two dates or times, of a time and a length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from synthohive_spark.rules.evidence import Column, Family, Sample, Vector
from synthohive_spark.rules.kinds.instants import INSTANTS, instant, micros
from synthohive_spark.rules.kinds.numbers import integer, whole, wide
from synthohive_spark.rules.value_kind import Candidate, ValueKind

UNITS = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}  # microseconds


class Sum(ValueKind):
    """What two columns add up to, or are apart."""

    name = "sum"
    order = 4
    rounds = True

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """Dates with dates and lengths, times with times and lengths, numbers with numbers."""
        days = [*(c for c in sample.inputs if c.family == "date"), *sample.days]
        times = [c for c in sample.inputs if c.family in INSTANTS]
        lengths = [c for c in sample.inputs if c.whole]
        for b in days:
            yield from (Candidate((b, c), "datediff({0}, {1})", _plus(-1), whole) for c in days if c.base != b.base)
            for c in lengths:
                added = f"try_cast({integer(1, c)} as int)"
                yield Candidate((b, c), f"date_add({{0}}, {added})", _plus(1), _is("date"))
                yield Candidate((b, c), f"date_sub({{0}}, {added})", _plus(-1), _is("date"))
        for b in times:
            for c in (c for c in times if c.id != b.id and c.type == b.type):
                yield from _apart(b, c)
            for c in lengths:
                for size in UNITS.values():
                    yield from _shifted(b, c, size)
        for pair in sample.pairs:
            yield Candidate(pair, f"try_add({wide(0, pair[0])}, {wide(1, pair[1])})", _plus(1))
            for b, c in (pair, pair[::-1]):
                yield Candidate((b, c), f"try_subtract({wide(0, b)}, {wide(1, c)})", _plus(-1))


def _plus(factor: float) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: v[0] + factor * v[1]


def _is(family: Family) -> Callable[[Column], bool]:
    return lambda column: column.family == family


def _measured(column: Column) -> bool:
    return column.number and not column.whole


def _apart(b: Column, c: Column) -> Iterator[Candidate]:
    """The days, hours, minutes or seconds between two times, whole or with decimals."""
    apart = f"({micros(0, b)} - ({micros(1, c)}))"
    for size in UNITS.values():

        def exact(v: Sequence[Vector], size: int = size) -> Vector:
            made: Vector = (v[0] - v[1]) / size
            return made

        def floor(v: Sequence[Vector], size: int = size) -> Vector:
            return np.floor((v[0] - v[1]) / size)

        yield Candidate((b, c), f"({apart} - pmod({apart}, {size})) div {size}", floor, whole)
        yield Candidate((b, c), f"{apart} / {size}", exact, _measured, rounded=True)


def _shifted(b: Column, c: Column, size: int) -> Iterator[Candidate]:
    """A time so many units after or before another one."""
    for word, sign in (("try_add", 1), ("try_subtract", -1)):
        sql = instant(f"{word}({micros(0, b)}, try_multiply({integer(1, c)}, {size}))", b)
        yield Candidate((b, c), sql, _plus(sign * size), lambda column: column.type == b.type)
