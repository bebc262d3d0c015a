"""The lesser or the greater of two columns, or their difference where it is above zero: paid is at most the limit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from synthohive_spark.rules.evidence import Column, Sample, Vector
from synthohive_spark.rules.kinds.numbers import whole, wide
from synthohive_spark.rules.orders import TIMES
from synthohive_spark.rules.value_kind import Candidate, ValueKind


class Clamp(ValueKind):
    """What a bound cuts."""

    name = "clamp"
    order = 8
    rounds = True

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """Pairs of numbers, and of dates or times of one type; null where one is, but that no days are over."""
        for a, b in sample.pairs:
            first, last = wide(0, a), wide(1, b)
            yield from _ends((a, b), first, last)
            for pair, less in (((a, b), f"{first}, {last}"), ((b, a), f"{wide(0, b)}, {wide(1, a)}")):
                apart = f"try_subtract({less})"
                yield Candidate(pair, f"if({apart} < 0, 0, {apart})", _above)
        days = [*(c for c in sample.inputs if c.family == "date"), *sample.days]
        for pair in itertools.permutations(days, 2):
            apart = "datediff({0}, {1})"
            yield Candidate(pair, f"if({apart} < 0, 0, {apart})", _above, whole)
            yield Candidate(pair, f"if({apart} > 0, {apart}, 0)", _above_or_none, whole)
        times = [c for c in sample.inputs if c.family in TIMES]
        for pair in itertools.combinations(times, 2):
            if pair[0].type == pair[1].type:
                yield from _ends(pair, "{0}", "{1}", pair[0].type)


def _ends(pair: tuple[Column, Column], a: str, b: str, kind: str = "") -> Iterator[Candidate]:
    def fits(target: Column) -> bool:
        return target.type == kind if kind else target.number

    yield Candidate(pair, f"if({a} <= {b}, {a}, if({b} is null or {a} is null, null, {b}))", _least, fits)
    yield Candidate(pair, f"if({a} >= {b}, {a}, if({b} is null or {a} is null, null, {b}))", _greatest, fits)


def _least(v: Sequence[Vector]) -> Vector:
    made: Vector = np.minimum(v[0], v[1])
    return made


def _greatest(v: Sequence[Vector]) -> Vector:
    made: Vector = np.maximum(v[0], v[1])
    return made


def _above(v: Sequence[Vector]) -> Vector:
    made: Vector = np.maximum(v[0] - v[1], 0.0)
    return made


def _above_or_none(v: Sequence[Vector]) -> Vector:
    return np.nan_to_num(_above(v))
