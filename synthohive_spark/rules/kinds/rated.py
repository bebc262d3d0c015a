"""A number or date is another one times or plus a constant that a category tells: tax by country, days to pay by terms.

A date may also be so many times the constant after another one as a counter says: an instalment is due each month, or
each quarter, after the begin of its policy.

Of each category that enough people hold, the constant is the roundest that fits all of its rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.calendar import calendar, later
from synthohive_spark.rules.coded import COVER, REPEATED, Coded, determinants
from synthohive_spark.rules.evidence import FEW, Column, Sample, Vector
from synthohive_spark.rules.formula import Formula, Levels, Term, only, plainly, put_together, roundest
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.months import SHIFTS, STARTS, count_from, counters, until
from synthohive_spark.rules.kinds.numbers import first, wide
from synthohive_spark.rules.literals import literal
from synthohive_spark.rules.value_kind import Candidate, law_of
from synthohive_spark.schema.conversion import Mask
from synthohive_spark.schema.rule import EXACT
from synthohive_spark.sql import text_literal
from synthohive_spark.tables import TEXT

MOST = 48  # categories with a constant of their own: the plan's SQL holds each
NUMBERS = 24  # numbers of which every product of two may have a rate
BASES = 24  # what a column may be a multiple of, of those that fit so few constants best
PAIRS = 32  # pairs of rows with one category that a base is tried on before all rows are looked at
LONGEST = 1_000  # days and months that are structure
DATED = ("days", "months")
WORDS = {"times": "try_multiply", "plus": "try_add", "days": "date_add", "months": "add_months"}


class Rated(Formula):
    """Constants by category."""

    name = "rated"
    order = 85
    listed = True

    def levels(self, sample: Sample) -> Levels:
        """Coarse categories first."""
        told = [c for d in determinants(sample) if (c := _Categories.of(d, sample)) is not None]
        told.sort(key=lambda c: len(c.names))
        ways, alike = list(_ways(sample)), _Alike.of(told, sample.probe)
        return lambda target: _levels(sample, target, told, alike, ways)

    def search(self, sample: Sample) -> list[Law]:
        """For each target the coarsest categories that tell its constants."""
        found, levels = list[Law](), self.levels(sample)
        for target in sample.targets:
            if target.distinct > FEW and (target.number or target.family == "date"):
                for level in levels(target):
                    laws = [law for c in level if (law := law_of(self, sample, target, c)) is not None]
                    found += laws[:1]
                    if laws:
                        break
        return found


@dataclass(frozen=True, eq=False)
class _Categories:
    """A column of few values as categories that a plan may name.

    Attributes:
        column: the column.
        codes: of each row, from 0; -1 for values that are rare, or null; shape (rows,).
        names: each category as SQL.
        values: what the sample holds of each; shape (categories,).
    """

    column: Column
    codes: Ints
    names: list[str]
    values: Vector

    @classmethod
    def of(cls, coded: Coded, sample: Sample) -> _Categories | None:
        """None where there are too many, or most rows have none that enough people, or ancestors, hold."""
        column = coded.columns[0]
        if coded.size > 8 * MOST or not (column.type.startswith(TEXT) or column.type == "boolean" or column.whole):
            return None
        held = coded.rows if column.above else sample.held(coded.codes, coded.size)
        least = sample.least if not column.above or sample.holder(column) else 1
        texts = sample.texts.get(column.id)
        named = dict[str, int]()
        for code in np.flatnonzero((held >= least) & (np.bincount(coded.codes, minlength=coded.size) >= REPEATED)):
            row, value = int(coded.first[code]), float(column.values[coded.first[code]])
            text = None if texts is None else texts[row].as_py()
            if not (math.isnan(value) or (column.type.startswith(TEXT) and text is None)):
                said = literal(column.type, value) if text is None else text_literal(text)
                named[said.replace("{", "{{").replace("}", "}}")] = int(code)
        names, codes = sorted(named), np.full(coded.size, -1, np.int64)
        codes[[named[n] for n in names]] = np.arange(len(names))
        values = [float(column.values[coded.first[named[n]]]) for n in names]
        made = cls(column, codes[coded.codes], names, np.array(values))
        enough = (made.codes >= 0).sum() >= COVER * coded.known.sum()
        return made if 1 < len(names) <= MOST and enough else None

    def ends(self, low: Vector, high: Vector, rows: Ints | slice = slice(None)) -> tuple[Vector, Vector]:
        """Between what the constant of each category lies, by some rows; shape (categories,)."""
        codes = self.codes[rows]
        known = (codes >= 0) & ~np.isnan(low) & ~np.isnan(high)
        begin, end = np.full(len(self.names), -np.inf), np.full(len(self.names), np.inf)
        np.maximum.at(begin, codes[known], low[known])
        np.minimum.at(end, codes[known], high[known])
        return begin, end

    def told(self, constants: Vector, seen: Vector) -> Vector:
        """The constant of each value; NaN where there is none."""
        order = np.argsort(self.values)
        at = np.searchsorted(self.values[order], seen).clip(max=len(order) - 1)
        made: Vector = np.where(self.values[order][at] == seen, constants[order][at], np.nan)
        return made


@dataclass(frozen=True)
class _Alike:
    """Pairs of rows of the probe that have one category, for all categories at once: most bases are refuted by these.

    Attributes:
        one: places in the probe, shape (columns of categories, pairs).
        other: likewise, of rows with the same category.
        some: the columns of categories that have such pairs, shape (columns,).
    """

    one: Ints
    other: Ints
    some: Mask

    @classmethod
    def of(cls, told: Sequence[_Categories], probe: Ints) -> _Alike:
        """Pairs that stand together once rows are in the order of their categories."""
        found = []
        for categories in told:
            codes = categories.codes[probe]
            order = np.argsort(codes, kind="stable")
            same = np.flatnonzero((codes[order][1:] == codes[order][:-1]) & (codes[order][1:] >= 0))
            some = np.resize(same, PAIRS)
            found.append(np.stack([order[some], order[some + 1]]) if len(same) else None)
        known = [np.zeros((2, PAIRS), np.int64) if p is None else p for p in found]
        pairs = np.array(known, np.int64).reshape(-1, 2, PAIRS)
        return cls(pairs[:, 0], pairs[:, 1], np.array([p is not None for p in found], bool))

    def refuted(self, low: Vector, high: Vector) -> Mask:
        """The columns of categories by which rows of one category would need different constants, shape (columns,)."""
        apart = (low[self.one] > high[self.other]) | (low[self.other] > high[self.one])
        found: Mask = apart.any(axis=1) & self.some
        return found


@dataclass(frozen=True, eq=False)
class _Way:
    """How a base and a constant make a value.

    Attributes:
        word: one of ``WORDS``.
        base: one column, or a product of two; of dates a counter may stand behind it.
        values: of the base; shape (rows,).
        first: what the counter is where the dates are the same; None without one.
        count: the counter from there; shape (rows,), or () for 1.
        shift: days before: a period's last day is the day before the next one's first.
    """

    word: str
    base: Term
    values: Vector
    first: int | None = None
    count: Vector = field(default_factory=lambda: np.ones(()))
    shift: int = 0

    def fits(self, target: Column) -> bool:
        """Whether it may make values of a column."""
        kind = target.family == "date" if self.word in DATED else target.number
        return kind and all(c.id != target.id for c in self.base.inputs)

    def between(self, target: Column, rows: Ints | slice = slice(None)) -> tuple[Vector, Vector]:
        """Between what the constant of each row lies."""
        wanted, base = target.values[rows] + self.shift, self.values[rows]
        if self.word in DATED:
            apart = calendar(wanted) - calendar(base) if self.word == "months" else wanted - base
            count = np.broadcast_to(self.count, self.values.shape)[rows]
            each = np.where(count == 0, 0.0, apart / np.where(count == 0, 1, count))
            known = ~np.isnan(each) & ~np.isnan(apart)
            right = (each == np.floor(each)) & (self._moved(base, each * count) == wanted)
            any_ = known & right & (count == 0)
            low = np.where(known & ~right, np.inf, np.where(any_, -np.inf, each))
            high = np.where(known & ~right, -np.inf, np.where(any_, np.inf, each))
            return np.where(known, low, np.nan), np.where(known, high, np.nan)
        error = EXACT * np.maximum(1.0, np.abs(wanted))
        if self.word != "times":
            return wanted - base - error, wanted - base + error
        room = _unit(target) / 2 + error
        zero = base == 0
        ends = np.sort([(wanted - room) / np.where(zero, 1, base), (wanted + room) / np.where(zero, 1, base)], axis=0)
        refuted = zero & (np.abs(wanted) > room)
        return np.where(zero, np.where(refuted, np.inf, -np.inf), ends[0]), np.where(zero & ~refuted, np.inf, ends[1])

    def constant(self, low: float, high: float) -> float | None:
        """The roundest one; None where it is no structure."""
        if self.word in DATED:
            whole = float(math.ceil(low))
            return whole if whole <= high and abs(whole) <= LONGEST else None
        if low <= 0 <= high:
            return 0.0
        made = roundest(low, high) if low > 0 else roundest(-high, -low)
        return made if made is None or low > 0 else -made

    def made(self, values: Sequence[Vector], constants: Vector) -> Vector:
        """Values of the base's columns with constants."""
        if self.first is not None:
            return self._moved(values[0], (values[1] - self.first) * constants)
        base = self.base.make(values)
        if self.word in DATED:
            return self._moved(base, constants) - self.shift
        made: Vector = base * constants if self.word == "times" else base + constants
        return made

    def _moved(self, days: Vector, by: Vector) -> Vector:
        made: Vector = later(days, by) if self.word == "months" else days + by
        return made

    def sql(self, constant: str) -> str:
        """As Spark SQL, with that of the constant."""
        if self.first is not None:
            number = count_from(self.base.inputs[1], 1, self.first)
            return f"{WORDS[self.word]}({{0}}, try_cast(try_multiply({number}, {constant}) as int))"
        return until(f"{WORDS[self.word]}({self.base.sql}, {constant})", self.shift)


def _ways(sample: Sample) -> Iterator[_Way]:
    """Each number and date, and products of two numbers."""
    numbers, own = sample.numbers, list[Term]()
    for column in numbers:
        own.append(Term((column,), wide(0, column), first))
        yield from (_Way(word, own[-1], column.values) for word in ("times", "plus"))
    for column in (c for c in sample.inputs if c.family == "date"):
        yield from (_Way(word, Term((column,), "{0}", first), column.values) for word in DATED)
        yield _Way("months", Term((column,), "{0}", first), column.values, shift=SHIFTS[-1])
        for number in counters(sample):
            term = Term((column, number), "{0}", first)
            yield from (
                _Way(word, term, column.values, start, number.values - start) for word in DATED for start in STARTS
            )
    for two in itertools.combinations(own[:NUMBERS], 2):
        term = put_together("try_multiply", *two)
        yield _Way("times", term, term.make([c.values for c in term.inputs]))


def _levels(
    sample: Sample, target: Column, told: Sequence[_Categories], alike: _Alike, ways: Sequence[_Way]
) -> Iterator[list[Candidate]]:
    """Candidates for a target, by category."""
    probe, near = sample.probe, list[tuple[int, int, _Way, Mask]]()
    for i, way in enumerate(w for w in ways if w.fits(target)):
        between = way.between(target, probe)
        constants = _constants(*between)
        if 1 < constants <= min(MOST, len(probe) // 3):
            near.append((constants, i, way, alike.refuted(*between)))
    best = sorted(near, key=lambda each: each[:2])[:BASES]
    for n, categories in enumerate(told):
        if best and categories.column.base != target.base:
            made = (_candidate(target, categories, way, probe) for *_, way, refuted in best if not refuted[n])
            yield [c for c in made if c is not None]


def _constants(low: Vector, high: Vector) -> int:
    """How many constants it takes at least, so that each row has one between its ends."""
    known = ~np.isnan(low) & ~np.isnan(high)
    if not known.any() or (low[known] > high[known]).any():
        return 0
    many, last = 0, -np.inf
    for begin, end in sorted(zip(low[known].tolist(), high[known].tolist(), strict=True), key=lambda ends: ends[1]):
        if begin > last:
            many, last = many + 1, end
    return many


def _candidate(target: Column, categories: _Categories, way: _Way, probe: Ints) -> Candidate | None:
    """A base with one constant per category; None where a row refutes it, or all have the same."""
    if categories.column.base in {c.base for c in way.base.inputs}:
        return None
    for rows in (probe, slice(None)):
        between = way.between(target, rows)
        low, high = categories.ends(*between, rows)
        if (low > high).any():
            return None
    told = np.bincount(categories.codes[~np.isnan(between[0]) & (categories.codes >= 0)], minlength=len(low)) > 0
    constants = np.where(np.isneginf(low) & np.isposinf(high) & told, 0.0, np.nan)  # where any constant would do
    for i in np.flatnonzero(np.isfinite(low) & np.isfinite(high)):
        found = way.constant(float(low[i]), float(high[i]))
        if found is None:
            return None
        constants[i] = found
    named = np.flatnonzero(~np.isnan(constants))
    if len(np.unique(constants[named])) < 2 or _on_a_line(categories, constants, named):
        return None
    place, unit = len(way.base.inputs), _unit(target)
    cases = " ".join(f"when {categories.names[i]} then {_said(constants[i])}" for i in named)
    sql = way.sql(f"case {{{place}}} {cases} end")
    if unit and target.number:
        sql = f"round({sql}, {target.scale})"
    slack = unit * (1 + 1e-6) if way.word == "times" else 0.0  # halves may be rounded either way

    def make(v: Sequence[Vector]) -> Vector:
        return way.made(v[:place], categories.told(constants, v[place]))

    return Candidate((*way.base.inputs, categories.column), sql, make, only(target), slack=slack)


def _on_a_line(categories: _Categories, constants: Vector, named: Ints) -> bool:
    """Whether numbers tell constants that lie on a line over them: a formula, which another kind finds."""
    if not categories.column.number:
        return False
    x, y = categories.values[named], constants[named]
    with_parts = (y, 1 / y) if y.all() else (y,)  # a part of it, too
    return any(np.allclose(v, v[0] + (v[-1] - v[0]) / (x[-1] - x[0]) * (x - x[0]), rtol=1e-2) for v in with_parts)


def _unit(target: Column) -> float:
    return 0.0 if target.scale is None or not target.number else 10.0**-target.scale


def _said(constant: float) -> str:
    return f"-{plainly(-constant)}" if constant < 0 else plainly(constant) or "0"
