"""What is summed over the children: one number of a row, or a product with rates, rounded at no, one or any step."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from synthohive_spark.rules.children.family import Family
from synthohive_spark.rules.evidence import Vector

GUARD = 6  # decimals beyond those rounded to that a product of floats has right
Step = Literal["", "round", "floor"]
STEPS: tuple[Step, ...] = ("round", "floor")


@dataclass(frozen=True)
class Factor:
    """A number of a row, or one plus or minus a rate.

    Attributes:
        column: its id.
        sign: 0 for the number itself, 1 or -1 for what a rate makes of the whole.
        one: what stands for the whole: 1, or 100 of percentages.
    """

    column: str
    sign: int = 0
    one: float = 1.0

    @property
    def sql(self) -> str:
        """The factor in Spark SQL."""
        number = f"cast({self.column} as double)"
        if not self.sign:
            return number
        return f"(1 {'+' if self.sign > 0 else '-'} {number}{' / 100' if self.one > 1 else ''})"

    def of(self, family: Family) -> Vector:
        """The factor on each row."""
        values = family.vectors[self.column]
        return values if not self.sign else 1.0 + self.sign * values / self.one


@dataclass(frozen=True)
class Summand:
    """A product, to which one more number may be added.

    Attributes:
        factors: in the order in which they are multiplied.
        more: a number that is added (1) or taken away (-1).
        step: how it is rounded.
        every: after each factor; else once.
        scale: to so many decimals.
    """

    factors: tuple[Factor, ...]
    more: Factor | None = None
    plus: int = 1
    step: Step = ""
    every: bool = False
    scale: int = 0

    @property
    def sql(self) -> str:
        """The term in Spark SQL."""
        made = self.factors[0].sql
        for factor in self.factors[1:]:
            made = f"{made} * {factor.sql}"
            made = self._stepped(made) if self.every else made
        if self.more is not None:
            made = f"{made} {'+' if self.plus > 0 else '-'} {self.more.sql}"
        return made if self.every else self._stepped(made)

    def of(self, family: Family) -> Vector:
        """The term on each row."""
        made = self.factors[0].of(family)
        for factor in self.factors[1:]:
            made = made * factor.of(family)
            made = self._rounded(made) if self.every else made
        if self.more is not None:
            made = made + self.plus * self.more.of(family)
        return made if self.every else self._rounded(made)

    def stepped(self, scale: int) -> Iterator[Summand]:
        """The same product, rounded in the ways that books are kept."""
        if self.more is not None:
            return
        orders = [self.factors]
        if len(self.factors) > 2:  # the first number, then rates in any order
            orders = [(self.factors[0], *rest) for rest in itertools.permutations(self.factors[1:])]
        for step, factors in itertools.product(STEPS, orders):
            yield replace(self, factors=factors, step=step, scale=scale)
            if len(factors) > 2:
                yield replace(self, factors=factors, step=step, every=True, scale=scale)

    def _stepped(self, sql: str) -> str:
        safe = self.scale + GUARD
        if self.step == "round":
            return f"round(round({sql}, {safe}), {self.scale})"
        if self.step == "floor":
            unit = 10**self.scale
            return f"floor(round(({sql}) * {unit}, {GUARD})) / {unit}"
        return sql

    def _rounded(self, values: Vector) -> Vector:
        unit, noise = 10.0**self.scale, 10.0**-GUARD
        if self.step == "round":
            made: Vector = np.sign(values) * np.floor(np.abs(values) * unit + 0.5 + noise) / unit
            return made
        if self.step == "floor":
            made = np.floor(values * unit + noise) / unit
            return made
        return values


def terms(family: Family) -> Iterator[Summand]:
    """What may be summed over the rows of a family, simple things first."""
    numbers = [Factor(c.id) for c in family.numbers]
    rates = [(c.id, one) for c, one in family.rates]
    yield from (Summand((n,)) for n in numbers)
    yield from (Summand(pair) for pair in itertools.combinations(numbers, 2))
    for a, b in itertools.permutations(numbers, 2):
        if a.column < b.column:
            yield Summand((a,), b, 1)
        yield Summand((a,), b, -1)
    for base in [*((n,) for n in numbers), *itertools.combinations(numbers, 2)]:
        named = {f.column for f in base}
        free = [(c, one) for c, one in rates if c not in named]
        for c, one in free:
            yield from (Summand((*base, Factor(c, sign, one))) for sign in (1, -1))
        for (c, one), (d, other) in itertools.permutations(free, 2):
            yield Summand((*base, Factor(c, -1, one), Factor(d, 1, other)))
        for other_number in numbers if len(base) > 1 else ():
            if other_number.column not in named:
                yield from (Summand(base, other_number, plus) for plus in (1, -1))
