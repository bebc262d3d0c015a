"""Exactly one row of a parent is of some kind, or at most one: one owner per account, one default address."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from synthohive_spark.randomness import Ints, mix, uniform
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, Flags
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, literal_of, over
from synthohive_spark.rules.kin.sample import Scalar, SiblingSample, plain_value
from synthohive_spark.rules.kinds.first import queue_places
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.rule import Ancestor, Rule, Siblings
from synthohive_spark.sql import quote

MOST = 4  # values of a column that a family has once


class OnceInFamily(Rule):
    """Of the rows of a parent exactly one has each of some values, or at most one.

    Of a family that is cut into slices the first one has that row.

    Attributes:
        family: columns of the driving key.
        each: values that exactly one row has.
        most: values that at most one row has.
        by: the column that tells which of several rows keeps a value: the first one, or the last; else any does.
        last: it is the last one.
    """

    kind: Literal["once"] = "once"
    family: tuple[str, ...]
    each: tuple[Scalar, ...] = ()
    most: tuple[Scalar, ...] = ()
    by: str | None = None
    last: bool = False

    @property
    def moved(self) -> tuple[str, ...]:
        """The column, and what orders the rows."""
        return (self.column,) if self.by is None else (self.column, self.by)

    def text(self, ancestor: Ancestor) -> str:
        """How many rows have which value."""
        parts = [*((v, "exactly") for v in self.each), *((v, "at most") for v in self.most)]
        return " and ".join(f"is {literal_of(v)} in {many} one row of a parent" for v, many in parts)

    def check(self, types: Mapping[str, str]) -> str | None:
        """Whether the row's family has each value so often."""
        own = quote(self.column)
        parts = [
            f"count_if({own} = {literal_of(v)}) {over(self.family)} {sign} 1"
            for values, sign in ((self.each, "="), (self.most, "<="))
            for v in values
        ]
        return in_family(self.family, " and ".join(parts))

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """Of several rows with a value the first one keeps it; others get that of another family's row."""
        own, owner = columns[self.column].astype(object).copy(), rows.owner
        listed, cut = [*self.each, *self.most], rows.ended if self.last else rows.begun
        place = rows.index if self.by is None else queue_places(columns[self.by], self.last)
        keeps, extra = np.zeros(len(own), bool), np.zeros(len(own), bool)
        has = {v: (own == v).fillna(False).to_numpy(bool) for v in listed}
        others = own[~np.logical_or.reduce([*has.values()])].to_numpy(object)
        for value in listed:
            first = _first(has[value], place, owner) & ~cut[owner]
            keeps |= first & (value in self.each)
            extra |= has[value] & ~first
        taken = np.logical_or.reduce([*has.values()]) & ~extra
        for value in self.each:
            lost = ~cut & ~_families(has[value], owner)
            order = np.lexsort((mix(rows.index), ~extra, taken, keeps, owner))  # first what has to change anyway
            heads = order[np.append(True, owner[order][1:] != owner[order][:-1])] if len(order) else order
            chosen = heads[lost[owner[heads]] & ~keeps[heads]]
            own.iloc[chosen] = value
            keeps[chosen], extra[chosen] = True, False
        left = np.flatnonzero(extra)
        if len(others):
            own.iloc[left] = others[(uniform(rows.index[left]) * len(others)).astype(np.int64)]
        return {self.column: own}


def _first(flags: Mask, place: Ints, owner: Ints) -> Mask:
    """The flagged row of each family that has the least place."""
    found = np.zeros(len(flags), bool)
    at = np.flatnonzero(flags)
    at = at[np.lexsort((place[at], owner[at]))]
    found[at[np.unique(owner[at], return_index=True)[1]]] = True
    return found


def _families(flags: Mask, owner: Ints) -> Mask:
    """Families with a flagged row."""
    found = np.zeros(int(owner.max(initial=-1)) + 1, bool)
    found[owner[flags]] = True
    return found


class Once(SiblingKind):
    """Values that families have once."""

    name = "once"
    order = 40

    def search(self, sample: SiblingSample) -> Iterator[OnceInFamily]:
        """One for each column."""
        for name, column in sample.categories():
            values = [v for v in np.unique(column.known) if sample.holders(column, v) >= sample.least]
            each = [v for v in values if _told(sample, column, v, exactly=True)]
            most = [v for v in values if v not in each and _told(sample, column, v, exactly=False)]
            if 0 < len(each) + len(most) <= MOST and len(each) + len(most) < column.distinct:
                yield OnceInFamily(
                    column=name,
                    family=sample.family,
                    each=tuple(plain_value(column, v) for v in each),
                    most=tuple(plain_value(column, v) for v in most),
                )

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where nothing else of the row hangs on the column."""
        return rule if isinstance(rule, OnceInFamily) and drawn.free(rule.column) else None


def _told(sample: SiblingSample, column: Column, value: float, exactly: bool) -> bool:
    """Whether every family has a value once, and not by chance: counted are families of several rows."""
    same: Flags = column.values == value
    counts = np.bincount(sample.owner[same], minlength=len(sample.sizes))
    if (counts != 1).any() if exactly else (counts > 1).any():
        return False
    share = float(same[sample.several].mean()) if sample.several.any() else 0.0
    if not 0 < share < 1:
        return False
    found = 0.0
    sizes, families = np.unique(sample.sizes[sample.sizes > 1], return_counts=True)
    for n, many in zip(sizes.tolist(), families.tolist(), strict=True):
        chance = n * share * (1 - share) ** (n - 1) + (0.0 if exactly else (1 - share) ** n)
        found -= many * math.log(max(chance, 1e-300))
    return found >= EVIDENCE and int(families.sum()) >= ROWS
