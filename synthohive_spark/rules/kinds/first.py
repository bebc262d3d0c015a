"""The first row of a parent, or the last one, has one of few values: an account begins with a deposit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints, uniform
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, Flags, Vector
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, literal_of, one_of, over
from synthohive_spark.rules.kin.sample import Queue, Scalar, SiblingSample, plain_value
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.rule import Ancestor, Rule, Siblings
from synthohive_spark.sql import quote

VALUES = 8  # that a first row may have, at most


class FirstOfFamily(Rule):
    """The first row of a parent has one of some values; rows that are as early as the first have them too.

    Attributes:
        family: columns of the driving key.
        by: the column that tells who is first.
        last: it is the last row instead.
        values: what it may have; null may be among them.
        counted: the order is that of the rows in the family, so that slices know who is first; else each slice of a
            family has a first row.
        swaps: rows may exchange their places in the order.
    """

    kind: Literal["first"] = "first"
    family: tuple[str, ...]
    by: str
    last: bool = False
    values: tuple[Scalar, ...]
    counted: bool = False
    swaps: bool = False

    @property
    def name(self) -> str:
        """A column may have a rule for the first row, and one for the last."""
        return f"{'last' if self.last else 'first'}.{self.column}"

    @property
    def moved(self) -> tuple[str, ...]:
        """The column, and what orders the rows."""
        return (self.column, self.by)

    def text(self, ancestor: Ancestor) -> str:
        """What it may be, and where."""
        said = ", ".join(map(literal_of, self.values))
        word = "last" if self.last else "first"
        return f"in ({said}) in the {word} row of a parent by {quote(self.by)}"

    def check(self, types: Mapping[str, str]) -> str | None:
        """A row is not the first, or has one of the values."""
        by = f"{quote(self.by)}{' desc' if self.last else ''}"
        first = f"rank() {over(self.family, by)} > 1"
        return in_family(self.family, f"{first} or {one_of(quote(self.column), self.values)}")

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """First rows take the place of another one that has such a value, or the value of another first row."""
        own, by, owner = columns[self.column], columns[self.by], rows.owner
        right = _has(own, self.values)
        asked = ~(rows.ended if self.last else rows.begun)[owner] if self.counted else np.ones(len(owner), bool)
        if self.swaps:
            by = self._swapped(by, right, owner)
        first = earliest(queue_places(by, self.last), owner) & asked
        wrong = np.flatnonzero(first & ~right)
        if len(wrong):
            pool = own[first & right].to_numpy(object)
            pool = pool if len(pool) else np.array(self.values, object)
            chosen = (uniform(rows.index[wrong]) * len(pool)).astype(np.int64)
            own = own.astype(object).copy()
            own.iloc[wrong] = pool[chosen]
        return {self.column: own, self.by: by} if self.swaps else {self.column: own}

    def _swapped(self, by: Values, right: Mask, owner: Ints) -> Values:
        """The order of rows, of which those with a right value come first."""
        place = queue_places(by, self.last)
        first = earliest(place, owner)
        wrong = np.flatnonzero(first & ~right & ~_any(first & right, owner)[owner])
        best = np.flatnonzero(earliest(np.where(right, place, np.iinfo(np.int64).max), owner) & right)
        there = dict(zip(owner[best[::-1]].tolist(), best[::-1].tolist(), strict=True))  # the first of each family
        asked = zip(wrong[::-1].tolist(), owner[wrong[::-1]].tolist(), strict=True)
        pairs = {family: (row, there[family]) for row, family in asked if family in there}
        if not pairs:
            return by
        here, other = np.array([*pairs.values()]).T
        order = np.arange(len(by))
        order[here], order[other] = other, here
        return by.iloc[order].set_axis(by.index)


def _has(own: Values, values: tuple[Scalar, ...]) -> Mask:
    """Rows with one of some values."""
    flags: Mask = own.astype(object).isin([v for v in values if v is not None]).to_numpy(bool)
    return flags | own.isna().to_numpy(bool) if None in values else flags


def queue_places(by: Values, last: bool) -> Ints:
    """Numbers in the order of a column, from its end where that is asked; nulls come last."""
    codes = pd.factorize(by, sort=True)[0].astype(np.int64)
    known = codes >= 0
    return np.where(known, -codes if last else codes, len(codes) + 1)


def earliest(place: Ints, owner: Ints) -> Mask:
    """Rows that have the least place of their family."""
    least = np.full(int(owner.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, owner, place)
    flags: Mask = place == least[owner]
    return flags


def _any(flags: Mask, owner: Ints) -> Mask:
    """Families with a row of which something holds."""
    found = np.zeros(int(owner.max(initial=-1)) + 1, bool)
    found[owner[flags]] = True
    return found


class First(SiblingKind):
    """Columns of few values, of which first rows have fewer."""

    name = "first"
    order = 30

    def search(self, sample: SiblingSample) -> Iterator[FirstOfFamily]:
        """One for each column and end, by the order that is preferred."""
        found = set[tuple[str, bool]]()
        for queue in sample.queues():
            for last in (False, True):
                for name, column in sample.categories():
                    made = None if (name, last) in found else self._rule(sample, queue, (name, column), last)
                    if made is not None:
                        found.add((name, last))
                        yield made

    def _rule(self, sample: SiblingSample, queue: Queue, own: tuple[str, Column], last: bool) -> FirstOfFamily | None:
        name, column = own
        values, several = column.values[queue.rows], sample.several[queue.rows]
        ends = queue.last if last else queue.first
        seen = np.unique(values[ends])
        if name == queue.by or len(seen) > VALUES:
            return None
        if _nats(values, ends & _heads(queue, last), several, seen) < EVIDENCE:
            return None
        if any(not np.isnan(v) and sample.holders(column, v) < sample.least for v in seen):
            return None
        return FirstOfFamily(
            column=name,
            family=sample.family,
            by=queue.by,
            last=last,
            values=tuple(plain_value(column, v) for v in seen),
            counted=queue.by in sample.counted,
        )

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where nothing else of the row hangs on the column."""
        if not isinstance(rule, FirstOfFamily) or not drawn.free(rule.column):
            return None
        return rule.model_copy(update={"swaps": not rule.counted and drawn.shared(rule.by)})


def _heads(queue: Queue, last: bool) -> Flags:
    """One row of each family, at the end that is asked about."""
    return np.append(queue.head[1:], True) if last else queue.head


def _nats(values: Vector, ends: Flags, several: Flags, seen: Vector) -> float:
    """By how much chance is the worse explanation of what the ends of families have."""
    inside = np.isin(values, seen) | (np.isnan(values) & np.isnan(seen).any())
    families, share = int((ends & several).sum()), float(inside[several].mean()) if several.any() else 1.0
    return -families * math.log(share) if families >= ROWS and share else 0.0
