"""Which rows a parent has by what it is: an order that was delivered has one event "delivered", at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from synthohive_spark.randomness import Ints, mix, uniform
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, Flags
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, literal_of, one_of, over
from synthohive_spark.rules.kin.sample import FEW_VALUES, Queue, Scalar, SiblingSample, plain_value
from synthohive_spark.rules.kinds.first import queue_places
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.rule import Ancestor, Rule, Siblings
from synthohive_spark.sql import quote
from synthohive_spark.strict import Strict

MOST = 8  # values of a column that hang on the parent
STATES = 8  # of a parent's column with which a value is there


class Given(Strict):
    """A value that a family has once where its parent is in some state, and else never.

    Attributes:
        value: the value.
        source: the name of the parent's column in the context.
        states: what the parent's column is then, null among them; None for anything but null.
        place: where the row stands, from 0 for the first one, from -1 for the last one; None for anywhere.
    """

    value: Scalar
    source: str
    states: tuple[Scalar, ...] | None = None
    place: int | None = None

    @property
    def condition(self) -> str:
        """Spark SQL of the parent's state."""
        source = quote(hidden(self.source))
        return f"{source} is not null" if self.states is None else one_of(source, self.states)

    def holds(self, context: Mapping[str, Values]) -> Mask:
        """Rows whose parent is in the state, shape (rows,)."""
        theirs = context[self.source]
        null = theirs.isna().to_numpy(bool)
        if self.states is None:
            return ~null
        flags: Mask = theirs.astype(object).isin([s for s in self.states if s is not None]).to_numpy(bool)
        return (flags & ~null) | (null & (None in self.states))


class PresentInFamily(Rule):
    """Rows of a parent that are there once where the parent is in some state, and else never.

    Attributes:
        family: columns of the driving key.
        by: the column that orders the rows.
        given: the values that hang on the parent.
        others: values that a row may have instead.
    """

    kind: Literal["present"] = "present"
    family: tuple[str, ...]
    by: str
    given: tuple[Given, ...]
    others: tuple[Scalar, ...]

    @property
    def seen(self) -> tuple[str, ...]:
        """The parent's columns."""
        return tuple(dict.fromkeys(g.source for g in self.given))

    @property
    def moved(self) -> tuple[str, ...]:
        """The column, and what orders the rows."""
        return (self.column, self.by)

    def text(self, ancestor: Ancestor) -> str:
        """Which value is there where, and when."""
        return " and ".join(f"is {literal_of(g.value)} {_where(g)} {_when(g, ancestor)}" for g in self.given)

    def check(self, types: Mapping[str, str]) -> str:
        """Whether a row has such a value exactly where it is to be, or its family has it as often."""
        own, parts = quote(self.column), list[str]()
        for g in self.given:
            same = f"coalesce({own} = {literal_of(g.value)}, false)"
            if g.place is None:
                parts.append(f"count_if({same}) {over(self.family)} = if({g.condition}, 1, 0)")
            else:
                by = quote(self.by) if g.place >= 0 else f"{quote(self.by)} desc"
                rank = g.place + 1 if g.place >= 0 else -g.place
                here = f"row_number() {over(self.family, by)} = {rank}"
                parts.append(f"({same}) = (({g.condition}) and {here})")
        return in_family(self.family, " and ".join(parts))

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """Rows at their places get the values, other rows that have one get another value."""
        own, owner = columns[self.column].astype(object).copy(), rows.owner
        order, keeps = queue_places(columns[self.by], last=False), np.zeros(len(own), bool)
        pool = own[own.isin(self.others)].to_numpy(object)
        pool = pool if len(pool) else np.array(self.others, object)
        for g in sorted(self.given, key=lambda g: g.place is None):  # those that may be anywhere come last
            cut = rows.ended if g.place is not None and g.place < 0 else rows.begun
            asked = g.holds(rows.context) & ~cut[owner]
            has = _equal(own, g.value)
            there = self._chosen(g, own, keeps, order, rows) & asked
            left = np.flatnonzero(has & ~there)
            own.iloc[left] = pool[(uniform(rows.index[left]) * len(pool)).astype(np.int64)]
            own.iloc[np.flatnonzero(there)] = g.value
            keeps |= there
        return {self.column: own}

    def _chosen(self, g: Given, own: Values, keeps: Mask, order: Ints, rows: Siblings) -> Mask:
        """The row of each family that is to have a value: that at its place, or one that has it, or any other."""
        found, owner, has = np.zeros(len(own), bool), rows.owner, _equal(own, g.value)
        if g.place is not None:
            found[_ranks(order, owner, last=g.place < 0) == (g.place if g.place >= 0 else -g.place - 1)] = True
            return found
        free = own.isin(self.others).to_numpy(bool) & ~keeps
        first = np.lexsort((mix(rows.index), ~free, ~has, owner))
        heads = first[np.append(True, owner[first][1:] != owner[first][:-1])] if len(first) else first
        found[heads[(has | free)[heads]]] = True
        return found


def _equal(own: Values, value: Scalar) -> Mask:
    flags: Mask = (own == value).fillna(False).to_numpy(bool)
    return flags


def _ranks(order: Ints, owner: Ints, last: bool) -> Ints:
    """The place of each row in its family, from 0, from its end where that is asked; shape (rows,)."""
    rows = np.lexsort((-order if last else order, owner))
    heads = np.flatnonzero(np.append(True, owner[rows][1:] != owner[rows][:-1])) if len(rows) else rows
    sizes = np.diff(np.append(heads, len(rows)))
    ranks = np.empty(len(rows), np.int64)
    ranks[rows] = np.arange(len(rows)) - np.repeat(heads, sizes)
    return ranks


def _where(g: Given) -> str:
    if g.place is None:
        return "in one row of a parent"
    return f"in row {g.place + 1} of a parent" if g.place >= 0 else f"in row {-g.place} from the end of a parent"


def _when(g: Given, ancestor: Ancestor) -> str:
    if g.states is None:
        return f"where {ancestor(g.source)} is set"
    return f"where {ancestor(g.source)} is in ({', '.join(map(literal_of, g.states))})"


class Present(SiblingKind):
    """Values of few that are there or not by the parent's state."""

    name = "present"
    order = 42

    def search(self, sample: SiblingSample) -> Iterator[PresentInFamily]:
        """One for each column, in the order that is preferred."""
        queue = next((q for q in sample.queues() if not q.tied), None)
        if queue is None:
            return
        for name, column in sample.categories():
            values = [v for v in np.unique(column.known) if sample.holders(column, v) >= sample.least]
            counts = {v: np.bincount(sample.owner[column.values == v], minlength=len(sample.sizes)) for v in values}
            told = {v: _given(sample, queue, column, v) for v in values if counts[v].max() == 1}
            given = [g for g in told.values() if g is not None]
            others = [v for v in values if told.get(v) is None and not (counts[v] == 1).all()]
            if name != queue.by and 0 < len(given) <= MOST and others:
                shown = tuple(plain_value(column, v) for v in others)
                yield PresentInFamily(column=name, family=sample.family, by=queue.by, given=tuple(given), others=shown)

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where nothing else of the row hangs on the column."""
        return rule if isinstance(rule, PresentInFamily) and drawn.free(rule.column) else None


def _given(sample: SiblingSample, queue: Queue, column: Column, value: float) -> Given | None:
    """By which state of the parent a value is there, and where; None where no column of the parent tells."""
    same: Flags = column.values == value
    there = np.bincount(sample.owner[same], minlength=len(sample.sizes)) == 1
    share = float(there.mean())
    if len(there) < ROWS or not 0 < share < 1 or -len(there) * math.log(share**2 + (1 - share) ** 2) < EVIDENCE:
        return None
    heads = np.flatnonzero(np.append(True, sample.owner[1:] != sample.owner[:-1]))
    for source, theirs in sample.above.items():
        states = _states(sample, theirs, theirs.values[heads], there)
        if states is not False:
            place = _place(queue, same)
            return Given(value=plain_value(column, value), source=source, states=states, place=place)
    return None


def _states(
    sample: SiblingSample, column: Column, values: np.ndarray, there: Flags
) -> tuple[Scalar, ...] | Literal[False] | None:
    """The values of a parent's column where something is there; None for all but null, False where they do not tell."""
    known = ~np.isnan(values)
    if (known == there).all():
        return None
    if (known == ~there).all():
        return (None,)
    named = bool(column.words) or column.type == "boolean"
    if not known.all() or not named or column.distinct > FEW_VALUES:
        return False
    with_it, without = np.unique(values[there]), np.unique(values[~there])
    if len(with_it) > STATES or np.isin(with_it, without).any():
        return False
    if any(sample.holders(column, v) < sample.least for v in with_it):
        return False
    return tuple(plain_value(column, v) for v in with_it)


def _place(queue: Queue, same: Flags) -> int | None:
    """Where in its family a value always stands; None where that differs."""
    owner = np.cumsum(queue.head) - 1
    heads = np.flatnonzero(queue.head)
    sizes = np.diff(np.append(heads, len(owner)))
    rank = np.arange(len(owner)) - np.repeat(heads, sizes)
    here = same[queue.rows]
    first, last = np.unique(rank[here]), np.unique((np.repeat(sizes, sizes) - rank)[here])
    if len(first) == 1:
        return int(first[0])
    return -int(last[0]) if len(last) == 1 else None
