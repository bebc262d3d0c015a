"""Times of rows of a kind are times of the parent: the event "delivered" is when the order was delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, evidence
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, literal_of
from synthohive_spark.rules.kin.sample import Scalar, SiblingSample, plain_value
from synthohive_spark.rules.kinds.extreme import line_of
from synthohive_spark.rules.line import Line, Numbers, Places, Unit
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.rule import Ancestor, Rule, Siblings
from synthohive_spark.sql import quote
from synthohive_spark.strict import Strict

FALLS = 0.01  # of the steps from one sibling to the next: so many are slips, and the rest is an order


class Anchor(Strict):
    """Rows of a kind have a time of the parent.

    Attributes:
        value: of the column that tells the kind.
        source: the name of the parent's column in the context.
    """

    value: Scalar
    source: str


class AnchoredInFamily(Rule):
    """Rows of some kinds have times of their parent; where times rise among siblings, the others lie between them.

    Attributes:
        family: columns of the driving key.
        category: the column that tells the kind.
        anchors: the kinds, and the parent's columns.
        by: the order in which times rise; None where they do not.
        unit, step, scale: as those of ``Ordered``.
    """

    kind: Literal["anchored"] = "anchored"
    family: tuple[str, ...]
    category: str
    anchors: tuple[Anchor, ...]
    by: str | None = None
    unit: Unit = "day"
    step: int = 1
    scale: int = 0

    @property
    def seen(self) -> tuple[str, ...]:
        """The parent's columns."""
        return tuple(dict.fromkeys(a.source for a in self.anchors))

    @property
    def moved(self) -> tuple[str, ...]:
        """The column, what tells the kind, and what orders the rows."""
        return (self.column, self.category) if self.by is None else (self.column, self.category, self.by)

    def text(self, ancestor: Ancestor) -> str:
        """Which rows have which time."""
        parts = [f"{ancestor(a.source)} where {quote(self.category)} = {literal_of(a.value)}" for a in self.anchors]
        return f"is {' and '.join(parts)}"

    def check(self, types: Mapping[str, str]) -> str:
        """Whether a row of such a kind has the parent's time, where there is one."""
        own, kind = quote(self.column), quote(self.category)
        parts = [
            f"coalesce({kind} <> {literal_of(a.value)} or {own} <=> {quote(hidden(a.source))}, true)"
            f" or {quote(hidden(a.source))} is null"
            for a in self.anchors
        ]
        return in_family(self.family, " and ".join(f"({part})" for part in parts))

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """The parent's times on rows of these kinds; others move between them as far as they must."""
        line, kinds = Line(self.unit, self.step, self.scale), columns[self.category]
        own = line.places(columns[self.column])
        at, there, fixed = own.at.copy(), own.there.copy(), np.zeros(len(kinds), bool)
        for anchor in self.anchors:
            theirs = line.places(rows.context[anchor.source])
            here = (kinds == anchor.value).fillna(False).to_numpy(bool) & theirs.there
            at[here], there[here], fixed[here] = theirs.at[here], True, True
        if self.by is not None:
            order = np.lexsort((pd.factorize(columns[self.by], sort=True)[0], rows.owner))
            at = _between(at, fixed, order[there[order]], rows.owner, max(self.step, 1))
        return {self.column: line.column(Places(at, there), columns[self.column].index)}


def _between(at: Numbers, fixed: Mask, order: Ints, owner: Ints, step: int) -> Numbers:
    """Rising values of which some are given: a stretch of others that leaves its two neighbours is spread between them.

    Args:
        at: values, rising in the order but for those that are given; shape (n,).
        fixed: which are given.
        order: the rows, families one after the other.
        owner: the family of each row.
        step: of their grid.
    """
    far, values, given, of = np.iinfo(np.int64).max, at[order], fixed[order], owner[order]
    floor = pd.Series(np.where(given, values, -far)).groupby(of).cummax().to_numpy()
    ceiling = pd.Series(np.where(given, values, far)[::-1]).groupby(of[::-1]).cummin().to_numpy()[::-1]
    stretch = np.cumsum(given | np.append(True, of[1:] != of[:-1]))  # a given one, and what follows it
    rest = pd.Series(~given)
    nth, many = rest.groupby(stretch).cumsum().to_numpy(), rest.groupby(stretch).transform("sum").to_numpy()
    outside = pd.Series(~given & ((values < floor) | (values > ceiling))).groupby(stretch).transform("any").to_numpy()
    both = (floor > -far) & (ceiling < far)
    span = np.where(both, np.maximum(ceiling - floor, 0), 0)
    even = np.where(both, floor + span // (many + 1) * nth, np.where(ceiling < far, ceiling, floor + step * nth))
    made = at.copy()
    made[order] = np.where(outside & ~given, even // step * step, values)
    return made


class Anchored(SiblingKind):
    """Times that are the parent's in rows of a kind."""

    name = "anchored"
    order = 47

    def search(self, sample: SiblingSample) -> Iterator[AnchoredInFamily]:
        """One for each time, by the category that tells most of its rows."""
        for name, column in sample.lines():
            if column.number:
                continue
            found = [(kind, anchors) for kind, c in sample.categories() if (anchors := _anchors(sample, column, c))]
            if found:
                category, anchors = max(found, key=lambda each: len(each[1]))
                told: dict[str, Any] = {"category": category, "anchors": tuple(anchors), "by": _risen(sample, column)}
                yield AnchoredInFamily(column=name, family=sample.family, **told, **line_of(column))

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where no other column of the row is bound by the time."""
        return rule if isinstance(rule, AnchoredInFamily) and drawn.shared(rule.column) else None


def _anchors(sample: SiblingSample, column: Column, category: Column) -> list[Anchor]:
    """Kinds whose rows all have a time of the parent, but for rows whose parent has none."""
    found = list[Anchor]()
    for value in np.unique(category.known):
        here = category.values == value
        for source in (s for s, c in sample.above.items() if c.type == column.type):
            theirs, own = sample.above[source].values[here], column.values[here]
            known = ~np.isnan(theirs)
            alike = known.sum() >= ROWS and (theirs[known] == own[known]).all()
            if alike and evidence(own[known]) >= EVIDENCE and sample.holders(category, value) >= sample.least:
                found.append(Anchor(value=plain_value(category, value), source=source))
                break
    return found


def _risen(sample: SiblingSample, column: Column) -> str | None:
    """An order in which times never fall, or hardly ever."""
    for queue in sample.queues():
        values, owner = column.values[queue.rows], sample.owner[queue.rows]
        falls = (np.diff(values) < 0) & (np.diff(owner) == 0)
        if not queue.tied and queue.by in sample.counted and falls.mean() <= FALLS:
            return queue.by
    return None
