"""A number is a constant times a few factors: 8 % of the subtotal, price times quantity times one minus the discount.

The first factor may be a sum, difference or quotient of two numbers, further ones a number, or one minus, or plus, a
rate. The result may be rounded or cut to the target's decimals. Which constant it is the rows say: the roundest that
fits them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import Column, Sample, Vector
from synthohive_spark.rules.formula import Formula, Levels, Term, only, plainly, put_together, roundest, telling
from synthohive_spark.rules.kinds.numbers import first, wide
from synthohive_spark.rules.value_kind import Candidate
from synthohive_spark.schema.rule import EXACT

COMPARED = 8  # rows on which products are compared
HITS = 48  # products of a target, of one form, that are looked at on every row: those that fit best
HALVINGS = 30  # of the way to the end of what a constant may be
RATES = 12  # columns that may be rates, of which any two are tried together
LARGEST = 1000  # number that a result may be divided by
CENTS = 2  # decimals from which on a number may have been rounded twice
DECIMALS = 6  # of a factor that is written as such; others are one divided by a whole number
ACCIDENT = 0.05  # how often a constant of as few digits may lie by chance where all rows put it
MANY, BARELY = 0.3, 1e-3  # share of the rows on which rounding must be seen, by more than so many units
WHOLLY = 1e-5  # of a unit: nearer to a whole one than that, no result is cut or rounded up
# Units of the last digit by which a result may be above what is written
EXACTLY, NEAREST, DOWN, UP, TWICE = (0.0, 0.0), (-0.5, 0.5), (0.0, 1.0), (-1.0, 0.0), (-1.5, 1.5)


class Factors(Formula):
    """Products of up to four factors and a constant."""

    name = "factors"
    order = 9

    def levels(self, sample: Sample) -> Levels:
        """Products of fewest columns first."""
        parts = _Parts(sample)
        return lambda target: _Products(sample, target, parts)


@dataclass(frozen=True)
class _Shown:
    """Terms, and their values on the rows of the probe; shape (terms, rows)."""

    terms: list[Term]
    values: Vector

    def __add__(self, other: _Shown) -> _Shown:
        return _Shown(self.terms + other.terms, np.concatenate([self.values, other.values]))

    def at(self, rows: Ints) -> _Shown:
        """The same on fewer rows."""
        return _Shown(self.terms, self.values[:, rows])


class _Parts:
    """What products are made of, once for all targets."""

    def __init__(self, sample: Sample) -> None:
        rows, numbers = sample.probe, sample.numbers

        def shown(terms: list[Term]) -> _Shown:
            made = [term.make([c.values[rows] for c in term.inputs]) for term in terms]
            return _Shown(terms, np.array(made).reshape(len(terms), len(rows)))

        rates = [form for c in numbers for form in _forms(c)][: 2 * RATES]
        self.one, self.alone = _Shown([], np.ones((1, len(rows)))), shown([_plain(c) for c in numbers])
        self.rates, (products, sums, quotients) = shown(rates), _pairs(self.alone.terms)
        self.products, self.sums, self.quotients = shown(products), shown(sums), shown(quotients)
        self.both = shown([put_together("try_multiply", *two) for two in itertools.combinations(rates, 2)])


class _Products:
    """The products that one target is on some rows: iterating gives those of fewest columns first."""

    def __init__(self, sample: Sample, target: Column, parts: _Parts) -> None:
        self.target, self.parts, self.probe = target, parts, sample.probe
        self.rows = telling(target.values[sample.probe], parts.alone.values, COMPARED)
        self.wanted = target.values[sample.probe][self.rows]
        self.unit = 0.0 if target.scale is None else 10.0**-target.scale

    def __iter__(self) -> Iterator[list[Candidate]]:
        p = self.parts
        if len(self.rows) < COMPARED // 2:
            return
        lines = [self._line(term) for term in p.alone.terms if term.inputs[0].id != self.target.id]
        yield self._found(p.alone, p.one) + [line for line in lines if line is not None]
        yield self._found(p.products + p.sums + p.quotients, p.one) + self._found(p.alone, p.rates)
        yield self._found(p.products + p.sums, p.rates + p.alone) + self._found(p.alone, p.both)
        yield self._found(p.products, p.both)

    def _found(self, some: _Shown, others: _Shown) -> list[Candidate]:
        """A constant times one of these and one of those."""
        some, others, wanted, off = some.at(self.rows), others.at(self.rows), self.wanted, TWICE[1] * self.unit

        def ratios(product: Vector, row: int | slice) -> tuple[Vector, Vector]:
            ratio: Vector = wanted[row] / product
            return ratio, off / np.abs(product) + EXACT * np.abs(ratio)

        pairs = (some.values[:, None, n] * others.values[None, :, n] for n in (0, len(self.rows) // 2))
        (a, near), (b, far) = (ratios(p, n) for p, n in zip(pairs, (0, len(self.rows) // 2), strict=True))
        i, j = np.nonzero((np.abs(a - b) <= near + far) & (a + near > 0))
        ratio, room = ratios(some.values[i] * others.values[j], slice(None))
        fits = np.flatnonzero((ratio - room).max(axis=1) <= (ratio + room).min(axis=1))
        spread = (ratio.max(axis=1) - ratio.min(axis=1))[fits] / np.abs(ratio[fits]).mean(axis=1)
        made = dict[tuple[str, ...], Candidate]()
        for n in fits[np.argsort(spread, kind="stable")][: 4 * HITS].tolist():
            left = some.terms[i[n]]
            term = put_together("try_multiply", left, others.terms[j[n]]) if others.terms else left
            ids = sorted(c.id for c in term.inputs)
            name = (*ids, *(form for form in ("1", "100") if f"({form}," in term.sql))
            new = len({*ids, self.target.id}) > len(ids)
            if new and len(made) < HITS and name not in made:
                candidate = self._with_constant(term)
                if candidate is not None:
                    made[name] = candidate
        return list(made.values())

    def _with_constant(self, term: Term) -> Candidate | None:
        """The term times the constant that all rows agree in; None where there is none, or a simpler kind finds it."""
        target, made = self.target.values[self.probe], term.make([c.values[self.probe] for c in term.inputs])
        if _between(target, made, TWICE[0] * self.unit, TWICE[1] * self.unit) is None:
            return None
        target, made = self.target.values, term.make([c.values for c in term.inputs])
        known = ~np.isnan(target) & ~np.isnan(made)
        ways = [EXACTLY, *([NEAREST] if self.unit else [])]
        ways += [DOWN, UP] if self.unit and (target[known] >= 0).all() else []
        ways += [TWICE] if self.unit and self.unit < 10.0 ** (0.5 - CENTS) else []
        for way in ways:
            inside = _between(target, made, way[0] * self.unit, way[1] * self.unit)
            found = None if inside is None else _constant(*inside)
            if found is not None and _rounded(target[known] - found * made[known], way, self.unit):
                plain = way is EXACTLY and (
                    (len(term.inputs) == 1 and ((found < 1 / 2 and _inverse(found)) or found == round(found)))
                    or (found == 1 and term.sql.count("(") <= 1)
                )
                return None if plain else self._candidate(term, found, way)
        return None

    def _line(self, term: Term) -> Candidate | None:
        """A constant times a number, and another constant: 2.9 % and 30 cents. Whole factors are affine laws."""
        target, made = self.target.values, term.inputs[0].values
        known = np.flatnonzero(~np.isnan(target) & ~np.isnan(made))
        if not len(known) or not self.unit:
            return None
        low, high = known[np.argmin(made[known])], known[np.argmax(made[known])]
        wide = made[high] - made[low]
        rise, off = target[high] - target[low], self.unit * (1 + EXACT)
        if not wide or rise <= off:
            return None
        ends = (rise - off) / wide, (rise + off) / wide
        factor = roundest(*ends)
        if factor is None or factor == round(factor):
            return None

        def inside(k: float) -> tuple[float, float] | None:
            """Between which the other constant lies."""
            rest = target[known] - k * made[known]
            begin, end = float(rest.max()) - off / 2, float(rest.min()) + off / 2
            return (begin, end) if begin <= end else None

        between = inside(factor)
        if between is None or between[0] <= 0 or _constant(*(_last(inside, factor, end) for end in ends)) != factor:
            return None
        more = roundest(*between)
        if more is None:
            return None
        sql = f"try_add(try_multiply({term.sql}, {plainly(factor)}), {plainly(more)})"
        return self._candidate(Term(term.inputs, sql, _of_line(factor, more)), 1.0, NEAREST)

    def _candidate(self, term: Term, factor: float, way: tuple[float, float]) -> Candidate:
        cut, sql = {DOWN: 0.499999, UP: -0.499999}.get(way, 0.0) * self.unit, term.sql
        if factor != 1:
            part = _inverse(factor)
            sql = f"try_divide({sql}, {part})" if part else f"try_multiply({sql}, {plainly(factor)})"
        if cut:
            sql = f"try_{'subtract' if cut > 0 else 'add'}({sql}, {plainly(abs(cut))})"
        if self.unit:
            sql = f"round({sql}, {self.target.scale})"

        def make(v: Sequence[Vector]) -> Vector:
            made: Vector = factor * term.make(v) - cut
            return made

        slack = {EXACTLY: 0.0, TWICE: 2.0}.get(way, 1.0) * self.unit * (1 + 1e-6)
        return Candidate(term.inputs, sql, make, only(self.target), slack=slack)


def _between(target: Vector, made: Vector, low: float, high: float) -> tuple[float, float] | None:
    """Where a constant above 0 lies that gives every target, or is below it and above it by so much at most."""
    known = ~np.isnan(target) & ~np.isnan(made)
    target, made = target[known], made[known]
    error = EXACT * np.maximum(1.0, np.abs(target))
    least, most = target + low - error, target + high + error
    zero = made == 0
    if zero.all() or (least[zero] > 0).any() or (most[zero] < 0).any():
        return None
    ends = np.sort([least[~zero] / made[~zero], most[~zero] / made[~zero]], axis=0)
    begin, end = float(ends[0].max()), float(ends[1].min())
    return (begin, end) if 0 < begin <= end else None


def _constant(begin: float, end: float) -> float | None:
    """The roundest number between two, or the roundest part of 1; None where chance puts one as round there."""
    part = round(2 / (begin + end))
    for factor, digits in ((roundest(begin, end), plainly), (1 / part if 1 < part <= LARGEST else None, _of_part)):
        if factor is not None and begin * (1 - EXACT) <= factor <= end * (1 + EXACT):
            many = len(digits(factor).replace(".", "").strip("0"))
            if (end / begin - 1) * 10.0**many <= ACCIDENT:
                return factor
    return None


def _of_line(factor: float, more: float) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: factor * v[0] + more


def _last(holds: Callable[[float], object], here: float, there: float) -> float:
    """The last number on the way between two for which something holds; it holds for the first."""
    for _ in range(HALVINGS):
        middle = (here + there) / 2
        here, there = (middle, there) if holds(middle) is not None else (here, middle)
    return here


def _of_part(factor: float) -> str:
    return str(round(1 / factor))


def _rounded(apart: Vector, way: tuple[float, float], unit: float) -> bool:
    """Whether results are apart as rounding makes them, on many rows, and not by a whole unit on a few."""
    if way in (EXACTLY, NEAREST):
        return True
    share = float((np.abs(apart) > BARELY * unit).mean())
    return share >= MANY and (way is TWICE or float(np.abs(apart).max()) < (1 - WHOLLY) * unit)


def _inverse(factor: float) -> int:
    """The whole number that one divides by instead; 0 where the factor is as round as it."""
    return round(1 / factor) if len(plainly(factor)) > 2 + DECIMALS else 0


def _plain(column: Column) -> Term:
    return Term((column,), wide(0, column), first)


def _forms(column: Column) -> list[Term]:
    """One, or a hundred, less and plus a number that may be a rate."""
    low, high = column.known.min(), column.known.max()
    if low < 0 or high > 100 or (column.whole and high <= 1):
        return []
    most = 1 if high <= 1 else 100
    less = Term((column,), f"try_subtract({most}, {wide(0, column)})", lambda v: most - v[0])
    return [less, Term((column,), f"try_add({most}, {wide(0, column)})", lambda v: most + v[0])]


def _pairs(alone: Sequence[Term]) -> tuple[list[Term], list[Term], list[Term]]:
    """Products of any two; sums and differences; quotients, and what is left of one part."""
    products, sums, quotients = list[Term](), list[Term](), list[Term]()
    for a, b in itertools.combinations(alone, 2):
        products.append(put_together("try_multiply", a, b))
        sums.append(put_together("try_add", a, b))
        for x, y in ((a, b), (b, a)):
            less, inputs = put_together("try_subtract", x, y), (*x.inputs, *y.inputs)
            behind = y.sql.replace("{0}", "{1}")
            sums.append(less)
            quotients.append(Term(inputs, f"try_divide({x.sql}, {behind})", lambda v: v[0] / v[1]))
            quotients.append(Term(inputs, f"try_divide({less.sql}, {x.sql})", lambda v: (v[0] - v[1]) / v[0]))
    return products, sums, quotients
