"""Columns as codes, for questions that no formula answers: what is a function of what, and is that no accident."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.rules.evidence import ROWS, Column, Flags, Sample, Vector

Codes = npt.NDArray[np.int64]
MOST_ENTRIES = 4_096  # of a dictionary: the plan holds each, and a query that asks for it some hundred kilobytes
REPEATED = 3  # rows in which a value must occur before it says anything of what goes with it
COVER = 0.8  # share of the rows that such values must hold: the others share what is usual among them
LEAST_COVER = 0.3  # of a text: where they hold less than ``COVER``, the model draws what goes with the others
NEARLY = 0.95  # share of the rows that have what is usual, where it is mostly so: with fewer a model knows better which
FAR_FROM_CHANCE = 0.25  # share of the rows on which chance would part them that may be apart
DATE_PARTS = {
    "quarter({0})": "quarter",
    "weekday({0})": "day_of_week",
    "month({0})": "month",
    "year({0})": "year",
    "day({0})": "day",
}
SPARSE = 0.2  # distinct values per row below which a model draws a number's own values instead of such between them


@dataclass(frozen=True, eq=False)
class Coded:
    """One column, or two together, as codes.

    Attributes:
        columns: one or two.
        codes: of each row, from 0; shape (rows,).
        known: rows on which all of the columns are set.
        told: of these the rows that say something of their own: of what an ancestor holds, one row per ancestor.
        sql: what is seen of the column, with ``{0}`` for it; "" for all of it, or for two.
    """

    columns: tuple[Column, ...]
    codes: Codes
    known: Flags
    told: Flags
    sql: str = ""

    @classmethod
    def of(cls, column: Column, holder: Sequence[Column] = ()) -> Coded:
        """A column; nulls have a code of their own.

        Args:
            column: the column.
            holder: the key of the ancestor that holds it.
        """
        codes = np.unique(column.values, return_inverse=True)[1].reshape(-1)
        known = ~np.isnan(column.values)
        if not holder:
            return cls((column,), codes, known, known)
        who = functools.reduce(Coded.__and__, map(Coded.of, holder)).codes
        first = np.zeros(len(who), np.bool_)
        first[np.unique(who * (codes.max(initial=0) + 1) + codes, return_index=True)[1]] = True
        return cls((column,), codes, known, known & first)

    def __and__(self, other: Coded) -> Coded:
        both = np.unique(self.codes * other.size + other.codes, return_inverse=True)[1].reshape(-1)
        known = self.known & other.known
        return Coded((*self.columns, *other.columns), both, known, known)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(c.base for c in self.columns)

    @functools.cached_property
    def size(self) -> int:
        """Different codes."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0

    @functools.cached_property
    def rows(self) -> Codes:
        """Rows of each code, of those that say something."""
        return np.bincount(self.codes[self.told], minlength=self.size)

    @functools.cached_property
    def first(self) -> Codes:
        """A row of each code."""
        return np.unique(self.codes, return_index=True)[1]

    @property
    def repeats(self) -> bool:
        """Whether its values mostly repeat."""
        return int(self.rows[self.rows >= REPEATED].sum()) >= COVER * int(self.rows.sum()) >= COVER * ROWS

    @functools.cached_property
    def may_decide(self) -> bool:
        """Whether its values repeat enough to say anything, and a model draws them as they are."""
        total = int(self.rows.sum())
        if total < ROWS or not 1 < (self.rows > 0).sum() <= MOST_ENTRIES:
            return False
        if any(c.family in ("double", "time", "plain time") for c in self.columns):
            return False
        counted = [c for c in self.columns if c.number or c.family == "date"]
        if any(c.distinct > SPARSE * total for c in counted):
            return False
        least = COVER if counted or len(self.columns) > 1 else LEAST_COVER
        return int(self.rows[self.rows >= REPEATED].sum()) >= least * total


def determinants(sample: Sample) -> list[Coded]:
    """Columns that others may follow from."""
    return [d for c in sample.determinants if (d := Coded.of(c, sample.holder(c))).may_decide]


def parts(sample: Sample, views: Mapping[str, str]) -> list[Coded]:
    """Parts of columns that others may follow from, coarse ones first: of dates, and of texts that hardly repeat.

    Args:
        sample: the rows.
        views: {name: Spark SQL}: what the sample shows of texts.
    """
    found = list[Coded]()
    for column in (c for c in sample.inputs if c.family == "date" and not c.above):
        days = np.where(np.isnan(column.values), 0, column.values).astype("datetime64[D]")
        made = pd.DatetimeIndex(days.astype("datetime64[s]"))
        for sql, part in DATE_PARTS.items():
            values = np.where(np.isnan(column.values), np.nan, getattr(made, part).to_numpy(np.float64))
            found.append(replace(Coded.of(Column(column.id, "int", values, False, True)), sql=sql))
    whole = {c.id for c in sample.inputs if Coded.of(c).may_decide}
    for name, sql in views.items():
        found += [replace(Coded.of(c), sql=sql) for c in sample.viewed(name) if c.base not in whole]
    return [part for part in found if part.may_decide]


def surprise(determinant: Coded, target: Coded, given: Coded | None = None) -> float:
    """How unlikely it is, in nats, that rows with one determinant have one target throughout.

    What the largest group shows is not enough: all other rows may differ from it and yet have nothing in common.

    Args:
        determinant: of which each group has one target.
        target: the column that follows.
        given: a column that may explain the target alone: what is usual is then what is usual among rows that agree in
            it, and a further row of a group agrees with at most the share of the commonest target there.
    """
    groups, targets = determinant.codes[determinant.told], target.codes[determinant.told]
    rest = groups != int(determinant.rows.argmax())
    if given is not None:
        by = given.codes[determinant.told]
        shares = commonest(targets, by), commonest(targets[rest], by[rest])
        return min(_beyond(groups, shares[0]), _beyond(groups[rest], shares[1]))
    alone = len(np.unique(targets[rest])) < 2
    return min(_together(groups, targets), _together(groups[rest], targets if alone else targets[rest]))


def commonest(targets: Codes, by: Codes) -> Vector:
    """The share of the commonest target among the rows that agree in ``by``, for each row."""
    size = int(targets.max(initial=0)) + 1
    pairs, rows = np.unique(by * size + targets, return_counts=True)
    most = np.zeros(int(by.max(initial=0)) + 1)
    np.maximum.at(most, pairs // size, rows)
    made: Vector = most[by] / np.bincount(by)[by]
    return made


def _together(groups: Codes, targets: Codes) -> float:
    """By which groups of such sizes agree throughout, where each row has one of the targets by chance."""
    shares = np.log(np.unique(targets, return_counts=True)[1] / max(1, len(targets)))
    sizes, many = np.unique(np.unique(groups, return_counts=True)[1], return_counts=True)
    each = (np.logaddexp.reduce(size * shares) for size in sizes)
    return -float(sum(n * nats for n, nats in zip(many, each, strict=True)))


def _beyond(groups: Codes, share: Vector) -> float:
    """By which rows beyond the first of each group agree, where each agrees by chance with such a share."""
    if not len(groups):
        return 0.0
    each = np.bincount(groups, weights=-np.log(share))
    rows = np.maximum(1, np.bincount(groups))
    return float((each * (rows - 1) / rows).sum())
