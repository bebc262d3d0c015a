"""Formulas of several numbers: what kinds share that look for few right ones among very many."""

from __future__ import annotations

import functools
import itertools
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import EVIDENCE, FEW, Column, Flags, Sample, Vector, strangers
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.value_kind import Candidate, ValueKind, law_of
from synthohive_spark.schema.rule import EXACT

DIGITS = 4  # of a constant that is structure: more of them are data
TRIED = 17.0  # nats: some exp(17) ways to put three or four numbers together are tried
WORDS = {"try_add": np.add, "try_subtract": np.subtract, "try_multiply": np.multiply}


@dataclass(frozen=True)
class Term:
    """A part of a formula.

    Attributes:
        inputs: the columns that it is made from.
        sql: with ``{0}``.. for these.
        make: its values from theirs.
    """

    inputs: tuple[Column, ...]
    sql: str
    make: Callable[[Sequence[Vector]], Vector]


def put_together(word: str, a: Term, b: Term) -> Term:
    """Two terms under one of ``WORDS``."""
    act, n = WORDS[word], len(a.inputs)
    behind = b.sql.format(*(f"{{{n + i}}}" for i in range(len(b.inputs))))

    def make(v: Sequence[Vector]) -> Vector:
        made: Vector = act(a.make(v[:n]), b.make(v[n:]))
        return made

    return Term((*a.inputs, *b.inputs), f"{word}({a.sql}, {behind})", make)


Levels = Callable[[Column], Iterable[list[Candidate]]]


class Formula(ValueKind):
    """A kind whose candidates are made for one target each, short ones first."""

    @abstractmethod
    def levels(self, sample: Sample) -> Levels:
        """What gives the candidates for a target; where some of one level hold, further levels are not asked for."""

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """All of them."""
        levels = self.levels(sample)
        return itertools.chain.from_iterable(itertools.chain.from_iterable(map(levels, _targets(sample))))

    def search(self, sample: Sample) -> list[Law]:
        """For each target the shortest formulas that hold on all rows."""
        found, levels = list[Law](), self.levels(sample)
        for target in _targets(sample):
            for level in levels(target):
                laws = [law for c in level if (law := law_of(self, sample, target, c)) is not None]
                found += laws
                if laws:
                    break
        return found

    def convinces(self, target: Column, both: Flags, candidate: Candidate) -> bool:
        """Whether the values, and each input by itself, would seldom agree so if they were another row's."""
        inputs, mine = [c.values[both] for c in candidate.inputs], target.values[both]
        if not len(mine):
            return False
        made, room = candidate.make(inputs), candidate.slack + EXACT * np.maximum(1.0, np.abs(mine))
        ordered = np.sort(made)
        near = np.searchsorted(ordered, mine + room, "right") - np.searchsorted(ordered, mine - room)
        others = strangers(len(mine))
        shares = [float(near.mean()) / len(mine)]
        for i, values in enumerate(inputs):
            moved = candidate.make([*inputs[:i], values[others], *inputs[i + 1 :]])
            shares.append(float((np.abs(mine - moved) <= room).mean()))
        return all(-len(mine) * math.log(max(s, 1.0 / len(mine))) >= EVIDENCE + TRIED for s in shares)


def only(target: Column) -> Callable[[Column], bool]:
    """What a candidate for one target fits."""
    return functools.partial(_same, target.id)


def _same(target: str, column: Column) -> bool:
    return column.id == target


def _targets(sample: Sample) -> list[Column]:
    return [t for t in sample.targets if t.number and t.distinct > FEW]


def telling(target: Vector, numbers: Vector, count: int) -> Ints:
    """Rows of the probe on which a target is set and not 0, such as have most numbers known, then the largest targets.

    Args:
        target: on the probe, shape (rows,).
        numbers: likewise, shape (numbers, rows).
        count: how many rows.
    """
    usable = np.flatnonzero(~np.isnan(target) & (target != 0))
    best = usable[np.lexsort((-np.abs(target[usable]), np.isnan(numbers).sum(axis=0)[usable]))][: 4 * count]
    return best[:: max(1, len(best) // count)][:count]


def roundest(low: float, high: float) -> float | None:
    """The number above 0 between two that has the fewest decimals; None where that has many digits."""
    for decimals in range(-DIGITS, 2 * DIGITS):
        number = math.ceil(low * 10.0**decimals * (1 - EXACT)) * 10.0**-decimals
        if 0 < number <= high * (1 + EXACT):
            digits = f"{number:.10f}".replace(".", "").strip("0")
            return round(number, 10) if len(digits) <= DIGITS else None
    return None


def plainly(number: float) -> str:
    """A constant in SQL, as a decimal or a whole number."""
    return f"{number:.10f}".rstrip("0").rstrip(".")
