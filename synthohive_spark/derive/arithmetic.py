"""Candidates among numbers: copies, factors and offsets, digits, sums, products, clocks written as HHMM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthohive_spark.derive.law import Kind
from synthohive_spark.derive.sample import Column, Vector, close

BASES = (10, 24, 60, 100, 1000)
FACTORS = (1.8, 1 / 1.8)  # degrees; whole factors and their inverses need no list
LARGEST = 1000  # constants beyond this are data, not structure
DAY = 1440
DIFFERENT = 10  # rows on which an input must matter
PAIRED = 48  # columns of which every pair is tried


@dataclass(frozen=True)
class Candidate:
    """A possible law, before any row was looked at.

    Attributes:
        inputs: the columns that it is made from.
        sql: as ``Law.sql``.
        make: its values from those of the inputs, on any rows.
        fits: which targets it could be meant for.
        rounded: the target may be this, rounded to its decimals.
    """

    kind: Kind
    inputs: tuple[Column, ...]
    sql: str
    make: Callable[[Sequence[Vector]], Vector]
    fits: Callable[[Column], bool] = lambda column: column.number
    rounded: bool = False
    zone: str = ""


def integer(position: int, column: Column) -> str:
    """An input as a bigint."""
    name = f"{{{position}}}"
    return name if column.type == "bigint" else f"try_cast({name} as bigint)"


def wide(position: int, column: Column) -> str:
    """An input in a type wide enough to compute in."""
    return integer(position, column) if column.family == "integer" else f"{{{position}}}"


def whole(column: Column) -> bool:
    """Targets of whole numbers."""
    return column.whole


def copies(columns: Sequence[Column]) -> Iterator[Candidate]:
    """Every column as it is."""
    for b in columns:
        yield Candidate("copy", (b,), "{0}", lambda v: v[0], lambda a, b=b: same_type(a, b))  # type: ignore[misc]


def same_type(a: Column, b: Column) -> bool:
    """Whether one column can hold the other's values as they are."""
    return a.id != b.id and (a.type == b.type or a.family == b.family == "integer")


def digits(columns: Sequence[Column]) -> Iterator[Candidate]:
    """Leading and trailing digits of whole numbers: b // k, b % k."""
    for b in (c for c in columns if c.whole):
        n = integer(0, b)
        negative = bool((b.known < 0).any())
        for k in BASES:
            yield Candidate("digits", (b,), f"{n} div {k}", lambda v, k=k: np.trunc(v[0] / k), whole)  # type: ignore[misc]
            yield Candidate("digits", (b,), f"pmod({n}, {k})", lambda v, k=k: v[0] % k, whole)  # type: ignore[misc]
            if negative:
                floor = f"try_subtract({n}, pmod({n}, {k})) div {k}"
                yield Candidate("digits", (b,), floor, lambda v, k=k: np.floor(v[0] / k), whole)  # type: ignore[misc]
                yield Candidate("digits", (b,), f"{n} % {k}", lambda v, k=k: np.fmod(v[0], k), whole)  # type: ignore[misc]


def affine(
    targets: Sequence[Column], columns: Sequence[Column], probe: npt.NDArray[np.int64]
) -> Iterator[tuple[Column, Candidate]]:
    """Pairs that lie on a line with a structural factor and offset: a = k b + c."""
    for b in columns:
        x = b.values[probe]
        for a in targets:
            if a.id == b.id or a.number != b.number or (not a.number and not a.family == b.family == "date"):
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
    factor = next((f for f in (round(k), *FACTORS) if f and abs(k - f) <= 1e-6 * abs(f) and abs(f) <= LARGEST), None)
    inverse = round(1 / k) if factor is None and abs(k) > 1 / (2 * LARGEST) else 0
    if factor is None and (not inverse or abs(k * inverse - 1) > 1e-6 or abs(inverse) > LARGEST):
        return None
    k = float(factor if factor is not None else 1 / inverse)
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
    return Candidate("affine", (b,), sql, lambda v: k * v[0] + offset, lambda t: t.id == a.id, rounded=True)


def _days(b: Column, days: int) -> Candidate:
    return Candidate("affine", (b,), f"date_add({{0}}, {days})", lambda v: v[0] + days)


def _constant(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value}D"


def pairs(columns: Sequence[Column]) -> Iterator[Candidate]:
    """Sums, differences, products, ratios, numbers put together from digits, and clocks, of every pair."""
    for i, b in enumerate(columns):
        for c in columns[i + 1 :]:
            yield from _symmetric(b, c)
            for first, second in ((b, c), (c, b)):
                yield from _ordered(first, second)


def _symmetric(b: Column, c: Column) -> Iterator[Candidate]:
    x, y = wide(0, b), wide(1, c)
    yield Candidate("sum", (b, c), f"try_add({x}, {y})", lambda v: v[0] + v[1])
    yield Candidate("product", (b, c), f"try_multiply({x}, {y})", lambda v: v[0] * v[1], rounded=True)


def _ordered(b: Column, c: Column) -> Iterator[Candidate]:
    x, y = wide(0, b), wide(1, c)
    yield Candidate("sum", (b, c), f"try_subtract({x}, {y})", lambda v: v[0] - v[1])
    ratio = "try_divide({0}, {1})"
    yield Candidate("ratio", (b, c), ratio, _ratio, lambda a: a.number and not a.whole, rounded=True)
    if b.whole and c.whole and (c.known >= 0).all():
        n, m = integer(0, b), integer(1, c)
        for k in BASES:
            if (c.known < k).all():
                sql = f"try_add(try_multiply({n}, {k}), {m})"
                yield Candidate("radix", (b, c), sql, lambda v, k=k: v[0] * k + v[1], whole)  # type: ignore[misc]
    if b.clock and c.whole:
        yield from _clocks(b, c)


def _ratio(v: Sequence[Vector]) -> Vector:
    with np.errstate(divide="ignore", invalid="ignore"):
        made: Vector = v[0] / v[1]
    return np.where(np.isfinite(made), made, np.nan)


def minutes(clock: Vector) -> Vector:
    """Minutes since midnight of a clock written as HHMM."""
    made: Vector = 60 * np.floor(clock / 100) + clock % 100
    return made


def hhmm(minute: Vector) -> Vector:
    """The inverse of ``minutes``."""
    made: Vector = 100 * np.floor(minute / 60) + minute % 60
    return made


def _clocks(b: Column, c: Column) -> Iterator[Candidate]:
    """A clock so many minutes later or earlier; the minutes between two clocks, within a day."""
    n, m = integer(0, b), integer(1, c)
    start = f"60 * ({n} div 100) + pmod({n}, 100)"
    for word, sign in (("try_add", 1), ("try_subtract", -1)):
        at = f"pmod({word}({start}, {m}), {DAY})"
        shown = f"100 * ({at} div 60) + pmod({at}, 60)"

        def later(v: Sequence[Vector], sign: int = sign) -> Vector:
            return hhmm((minutes(v[0]) + sign * v[1]) % DAY)

        def midnight(v: Sequence[Vector], sign: int = sign) -> Vector:
            made = hhmm((minutes(v[0]) + sign * v[1]) % DAY)
            return np.where(made == 0, 2400.0, made)

        yield Candidate("clock", (b, c), shown, later, lambda a: a.clock)
        yield Candidate("clock", (b, c), f"if({at} = 0, 2400, {shown})", midnight, lambda a: a.clock)
    if c.clock:
        apart = f"try_subtract({start}, 60 * ({m} div 100) + pmod({m}, 100))"
        for low in (-DAY // 2, 0):
            shift = f"try_add({apart}, {-low})" if low else apart

            def between(v: Sequence[Vector], low: int = low) -> Vector:
                made: Vector = (minutes(v[0]) - minutes(v[1]) - low) % DAY + low
                return made

            sql = f"pmod({shift}, {DAY})" + (f" - {-low}" if low else "")
            yield Candidate("clock", (b, c), sql, between, whole)


def agrees_only_trivially(target: Vector, inputs: Sequence[Vector]) -> bool:
    """Whether the target equals one of the inputs nearly everywhere, so that the others prove nothing."""
    return any((~close(target, x) & ~np.isnan(target) & ~np.isnan(x)).sum() < DIFFERENT for x in inputs)
