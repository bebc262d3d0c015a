"""Times of day written as HHMM: a clock so many minutes after another one, and the minutes between two clocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from synthohive_spark.rules.evidence import Column, Sample, Vector
from synthohive_spark.rules.kinds.numbers import integer, whole
from synthohive_spark.rules.value_kind import Candidate, ValueKind

DAY = 1440  # minutes


class Clock(ValueKind):
    """Every clock with every whole number; midnight may be written 0 or 2400."""

    name = "clock"
    order = 6

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """Both ways round of each pair."""
        for pair in sample.pairs:
            for b, c in (pair, pair[::-1]):
                if b.clock and c.whole:
                    yield from _moved(b, c)
                    if c.clock:
                        yield from _between(b, c)


def minutes(clock: Vector) -> Vector:
    """Minutes since midnight of a clock written as HHMM."""
    made: Vector = 60 * np.floor(clock / 100) + clock % 100
    return made


def hhmm(minute: Vector) -> Vector:
    """The inverse of ``minutes``."""
    made: Vector = 100 * np.floor(minute / 60) + minute % 60
    return made


def _start(b: Column) -> str:
    n = integer(0, b)
    return f"60 * ({n} div 100) + pmod({n}, 100)"


def _moved(b: Column, c: Column) -> Iterator[Candidate]:
    """A clock so many minutes later or earlier."""
    for word, sign in (("try_add", 1), ("try_subtract", -1)):
        at = f"pmod({word}({_start(b)}, {integer(1, c)}), {DAY})"
        shown = f"100 * ({at} div 60) + pmod({at}, 60)"

        def later(v: Sequence[Vector], sign: int = sign) -> Vector:
            return hhmm((minutes(v[0]) + sign * v[1]) % DAY)

        def midnight(v: Sequence[Vector], sign: int = sign) -> Vector:
            made = hhmm((minutes(v[0]) + sign * v[1]) % DAY)
            return np.where(made == 0, 2400.0, made)

        yield Candidate((b, c), shown, later, lambda a: a.clock)
        yield Candidate((b, c), f"if({at} = 0, 2400, {shown})", midnight, lambda a: a.clock)


def _between(b: Column, c: Column) -> Iterator[Candidate]:
    """The minutes between two clocks, within a day."""
    m = integer(1, c)
    apart = f"try_subtract({_start(b)}, 60 * ({m} div 100) + pmod({m}, 100))"
    for low in (-DAY // 2, 0):
        shift = f"try_add({apart}, {-low})" if low else apart

        def between(v: Sequence[Vector], low: int = low) -> Vector:
            made: Vector = (minutes(v[0]) - minutes(v[1]) - low) % DAY + low
            return made

        sql = f"pmod({shift}, {DAY})" + (f" - {-low}" if low else "")
        yield Candidate((b, c), sql, between, whole)
