"""A column lies on a line over another one, with a structural factor and offset: a = k b + c."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from synthohive_spark.rules.evidence import Column, Sample, Vector
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.instants import INSTANTS, instant, micros
from synthohive_spark.rules.kinds.numbers import integer, wide
from synthohive_spark.rules.kinds.sum import UNITS
from synthohive_spark.rules.orders import TIMES
from synthohive_spark.rules.value_kind import Candidate, ValueKind, law_of

FACTORS = (1.8, 1 / 1.8)  # degrees Celsius and Fahrenheit; whole factors and their inverses need no list
LARGEST = 1000  # constants beyond this are data, not structure
TARGETS = 128  # columns for which a line is looked for among all inputs


class Affine(ValueKind):
    """Lines through two points of the sample. They are found per pair of columns; none is tried on other targets."""

    name = "affine"
    order = 2
    rounds = True

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """The lines of all pairs of columns."""
        return (line for _, line in _lines(sample))

    def search(self, sample: Sample) -> list[Law]:
        """Lines that hold on all rows."""
        return [law for target, line in _lines(sample) if (law := law_of(self, sample, target, line)) is not None]


def _lines(sample: Sample) -> Iterator[tuple[Column, Candidate]]:
    """Pairs of columns whose outermost two rows of the probe give a structural line."""
    targets, probe = [t for t in sample.targets if t.distinct > 1][:TARGETS], sample.probe
    for b in (*sample.inputs, *sample.days):
        x = b.values[probe]
        for a in targets:
            if a.id == b.base or not ((a.number and b.number) or (a.type == b.type and a.family in TIMES)):
                continue
            y = a.values[probe]
            both = ~np.isnan(x) & ~np.isnan(y)
            if both.sum() < 2:
                continue
            low, high = np.argmin(np.where(both, x, np.inf)), np.argmax(np.where(both, x, -np.inf))
            if x[low] == x[high] or y[low] == y[high]:
                continue
            k = float((y[high] - y[low]) / (x[high] - x[low]))
            c = float(y[low] - k * x[low])
            line = _line(a, b, k, c) if np.isfinite(k) and np.isfinite(c) and k else None
            if line is not None:
                yield a, line


def _line(a: Column, b: Column, k: float, c: float) -> Candidate | None:
    """The candidate of a line; None where its constants are data."""
    factor = next((f for f in (round(k), *FACTORS) if f and abs(k - f) <= 1e-6 * abs(f) and abs(f) <= LARGEST), None)
    inverse = round(1 / k) if factor is None and abs(k) > 1 / (2 * LARGEST) else 0
    if factor is None and (not inverse or abs(k * inverse - 1) > 1e-6 or abs(inverse) > LARGEST):
        return None
    k = float(factor if factor is not None else 1 / inverse)
    if a.family in INSTANTS:
        return _moved(b, int(c)) if k == 1 else None
    offset = round(c, 2)
    if abs(c - offset) > 1e-6 or abs(offset) > LARGEST or (k == 1 and offset == 0):
        return None
    if a.family == "date":
        return _days(b, int(offset)) if k == 1 and offset == int(offset) else None
    if inverse and a.whole and b.whole:
        sql = f"{integer(0, b)} div {inverse}"
    elif inverse:
        sql = f"{wide(0, b)} / {inverse}"
    elif factor in FACTORS:
        sql = f"{wide(0, b)} {'*' if factor == FACTORS[0] else '/'} 1.8D"
    else:
        sql = wide(0, b) if k == 1 else f"try_multiply({wide(0, b)}, {int(k)})"
    if offset:
        sql = f"try_add({sql}, {_constant(offset)})"
    return Candidate((b,), sql, lambda v: k * v[0] + offset, lambda t: t.id == a.id, rounded=True)


def _days(b: Column, days: int) -> Candidate:
    def later(v: Sequence[Vector]) -> Vector:
        made: Vector = v[0] + days
        return made

    return Candidate((b,), f"date_add({{0}}, {days})", later)


def _moved(b: Column, offset: int) -> Candidate | None:
    """A time so many days, hours, minutes or seconds after another one; None where that many are data."""
    if not offset or all(offset % size or abs(offset // size) > LARGEST for size in UNITS.values()):
        return None

    def later(v: Sequence[Vector]) -> Vector:
        made: Vector = v[0] + offset
        return made

    return Candidate((b,), instant(f"try_add({micros(0, b)}, {offset}L)", b), later, lambda t: t.type == b.type)


def _constant(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value}D"
