"""Order among the rows of one parent: intervals that follow each other, and what rises with a counter or a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints, uniform
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, over
from synthohive_spark.rules.kin.sample import Queue, SiblingSample
from synthohive_spark.rules.kinds.extreme import line_of
from synthohive_spark.rules.line import Line, Numbers, Places, Unit, equal
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.rule import Ancestor, Rule, Siblings
from synthohive_spark.sql import quote

Form = Literal["joined", "apart", "rising"]
PLURAL = {"day": " days", "micro": " microseconds", "number": ""}


class AmongSiblings(Rule):
    """Rows of one parent are in order; where a family is cut into slices, those of each slice.

    Attributes:
        column: the column that is changed where rows are out of order: of an interval its begin, or, where a key
            decides the begin, its end; else what rises.
        other: the interval's other end; of what rises, the column that it rises with.
        form: intervals are joined: the next one begins where the last one ends; or they are apart, or touch; or times
            or numbers rise with the counter, or with another time.
        gap: of joined intervals, by how much later the next one begins: a day where the end is the last day.
        fixed: the begin of an interval is decided by a key.
        strict: what rises is never equal; intervals that are apart never touch.
        single: of the intervals of a parent only the last one may have no end.
        unended: and the last one never has an end.
        by: a counter in whose order intervals lie; None where only their begins tell an order.
        open: an end that means "no end".
        unit: what they are counted in.
        step: of their grid, as that of ``Ordered``.
        scale: decimals of numbers that are rounded.
        family: columns of the driving key, where rows are asked whether they rise.
        along: columns whose values go with those of what rises: an end with its begin.
    """

    kind: Literal["siblings"] = "siblings"
    other: str
    form: Form
    gap: int = 0
    fixed: bool = False
    strict: bool = False
    single: bool = False
    unended: bool = False
    by: str | None = None
    open: int | None = None
    unit: Unit = "day"
    step: int = 1
    scale: int = 0
    family: tuple[str, ...] = ()
    along: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[str, ...]:
        """The columns of rows that it moves together, and what orders them."""
        if self.form == "rising":
            return (self.column, self.other, *self.along)
        ordering = () if self.by is None else (self.by,)
        return (self.column,) if self.fixed else (self.column, self.other, *ordering)

    def text(self, ancestor: Ancestor) -> str:
        """How it stands to the siblings' values."""
        if self.form == "rising":
            return f"rises with {quote(self.other)} among the rows of a parent"
        begin, end = (self.other, self.column) if self.fixed else (self.column, self.other)
        word = "=" if self.form == "joined" else ">" if self.strict else ">="
        more = f" + {self.gap}{PLURAL[self.unit]}" if self.gap else ""
        rank = "" if self.by is None else f", in the order of {quote(self.by)}"
        return f"next {quote(begin)} {word} last {quote(end)}{more} among the rows of a parent{rank}"

    def check(self, types: Mapping[str, str]) -> str | None:
        """Whether no row before a row has more than the row; not asked of intervals."""
        if not self.family:
            return None
        own, by = quote(self.column), f"{quote(self.other)}, {quote(self.column)}"
        before = f"max({own}) {over(self.family, by, 'unbounded preceding and 1 preceding')}"
        return in_family(self.family, f"coalesce({own} >{'' if self.strict else '='} {before}, true)")

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """The columns of rows in the order that their siblings have."""
        line, index, owner = Line(self.unit, self.step, self.scale), columns[self.column].index, rows.owner
        if self.form == "rising":
            return self._risen(columns, line, owner)
        if self.fixed:
            begin, end = line.places(columns[self.other]), line.places(columns[self.column])
            made = {self.column: self._ended(begin, end, rows)}
        else:
            begin, end = line.places(columns[self.column]), line.places(columns[self.other])
            rank = None if self.by is None else pd.factorize(columns[self.by], sort=True)[0].astype(np.int64)
            made = dict(zip((self.column, self.other), self._laid(begin, end, rows, rank), strict=True))
        return {name: line.column(places, index) for name, places in made.items()}

    def _risen(self, columns: Mapping[str, Values], line: Line, owner: Ints) -> dict[str, Values]:
        """The values of a family in the order of its counter; equal ones a step apart where they may not be equal.

        What goes with a value that is put a step apart is as far from it as before: an end from its begin.
        """
        own = line.places(columns[self.column])
        counter = pd.factorize(columns[self.other], sort=True)[0].astype(np.int64)
        at, known = own.at.copy(), np.flatnonzero(own.there)
        places = known[np.lexsort((counter[known], owner[known]))]
        sources = known[np.lexsort((at[known], owner[known]))]
        values = at[sources]
        spread = _spread(values, owner[places], max(self.step, 1)) if self.strict else values
        at[places] = spread
        order, later = np.arange(len(at)), np.zeros_like(at)
        order[places], later[places] = sources, spread - values
        moved = {c: columns[c].iloc[order].set_axis(columns[c].index) for c in self.along}
        if later.any():
            moved = {c: self._later(values, later) for c, values in moved.items()}
        return {**moved, self.column: line.column(Places(at, own.there), columns[self.column].index)}

    def _later(self, values: Values, later: Numbers) -> Values:
        """A column so much later on each row; as it is where it is not counted in the same unit."""
        timed_ = values.dtype.kind == "M"
        if timed_ != (self.unit == "micro") or (self.unit == "day") != (values.dtype == object):
            return values
        line = Line(self.unit, self.step, self.scale)
        own = line.places(values)
        return line.column(Places(own.at + later, own.there), values.index).where(
            pd.Series(later != 0).to_numpy(), values
        )

    @property
    def _pause(self) -> int:
        """From the end of one to the begin of the next at least; joined ones have no more."""
        return self.gap if self.form == "joined" else self.strict * max(self.step, 1)

    def _endless(self, end: Places) -> Mask:
        return ~end.there | equal(end, self.open)

    def _opened(self, end: Places, rows: Ints) -> Places:
        """Ends, of which those of some rows mean "no end"."""
        at, there = end.at.copy(), end.there.copy()
        at[rows], there[rows] = 0 if self.open is None else self.open, self.open is not None
        return Places(at, there)

    def _ended(self, begin: Places, end: Places, rows: Siblings) -> Places:
        """Ends, given begins: that of each row but the last is, or is at most, the next begin."""
        owner = rows.owner
        order = np.lexsort((begin.at, owner))
        more = np.append(owner[order][1:] == owner[order][:-1], False)
        if self.unended:
            end = self._opened(end, order[~more & ~rows.ended[owner[order]]])
        here, behind = order[:-1][more[:-1]], order[1:][more[:-1]]
        at, there, endless = end.at.copy(), end.there.copy(), self._endless(end)
        never = here[endless[here]]
        if self.single and len(never):  # then the last one has none, so that as many families have such a one
            last = order[~more]
            last = last[np.isin(owner[last], owner[never])]
            at[last], there[last] = end.at[never[0]], end.there[never[0]]
            at[never], there[never] = begin.at[behind[endless[here]]] - self._pause, True
        after = begin.at[behind] - self._pause
        at[here] = np.minimum(at[here], after) if self.form == "apart" else after
        there[here] |= self.form == "joined"
        return Places(at, there)

    def _laid(self, begin: Places, end: Places, rows: Siblings, rank: Ints | None) -> tuple[Places, Places]:
        """Intervals one behind the other, each as long as it was drawn; the last one is that without an end."""
        owner = rows.owner
        order = np.lexsort((begin.at, owner))
        order = order[begin.there[order]]
        if rank is not None:  # whole intervals go to the rows of their rank
            ranked = np.lexsort((rank, owner))
            ranked = ranked[begin.there[ranked]]
            begin, end, order = begin.put(ranked, order), end.put(ranked, order), ranked
        more = np.append(owner[order][1:] == owner[order][:-1], False)
        final = ~more & ~rows.ended[owner[order]]  # the last one of its family, not of a slice
        lasting = np.zeros(int(owner.max(initial=-1)) + 1, bool)
        lasting[owner[begin.there & self._endless(end)]] = True
        if self.single:
            end = self._opened(end, order[final & (self.unended | lasting[owner[order]])])
        endless = self._endless(end)
        length = np.where(begin.there & ~endless, end.at - begin.at, 0)
        there, early = end.there.copy(), order[~final & endless[order]]
        if self.single and len(early):  # they get an end after all, at another one's distance
            lengths = length[begin.there & ~endless]
            picked = (uniform(early.astype(np.int64)) * len(lengths)).astype(np.int64)
            length[early] = lengths[picked] if len(lengths) else self.step
            there[early], endless[early] = True, False
        least = 0 if self._pause else self.step  # no two of them begin at once
        length[order[more]] = np.maximum(length[order[more]], least)
        first, last = begin.at.copy(), end.at.copy()
        until, family = 0, -1
        for row in order:  # each depends on the one before
            place = begin.at[row]
            if owner[row] == family:
                place = until + self._pause if self.form == "joined" else max(until + self._pause, place)
            first[row], until, family = place, place + length[row], owner[row]
            if not endless[row]:
                last[row] = until
        return Places(first, begin.there), Places(last, there)


def _spread(values: Numbers, owner: Ints, step: int) -> Numbers:
    """Rising values of each family, each at least a step behind the one before."""
    at = np.arange(len(values)) * step
    highest = values - at
    starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])) if len(values) else np.zeros(0, int)
    for begin, end in zip(starts, [*starts[1:], len(values)], strict=True):
        highest[begin:end] = np.maximum.accumulate(highest[begin:end])
    made: Numbers = highest + at
    return made


class Rising(SiblingKind):
    """Numbers and times that never fall from one sibling to the next: days by number, mileage by day."""

    name = "rising"
    order = 20

    def search(self, sample: SiblingSample) -> Iterator[AmongSiblings]:
        """One for each column, by the order that is preferred."""
        found = set[str]()
        for queue in sample.queues():
            for name, column in sample.lines():
                made = None if name in found or name == queue.by else _rising(sample, queue, name, column)
                if made is not None:
                    found.add(name)
                    yield made

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where siblings may exchange their values, with those that they bound."""
        along = drawn.led_by(rule.column)
        if not isinstance(rule, AmongSiblings) or along is None:
            return None
        return rule.model_copy(update={"along": along})


def _rising(sample: SiblingSample, queue: Queue, name: str, column: Column) -> AmongSiblings | None:
    """The rule of a column that never falls in an order, and rises too often for chance."""
    by = sample.columns[queue.by].values
    rows = np.lexsort((column.values, by, sample.owner)) if queue.tied else queue.rows
    rows = rows[~np.isnan(column.values[rows])]
    step, same = np.diff(column.values[rows]), np.diff(sample.owner[rows]) == 0
    more = int((same & (step > 0) & (np.diff(by[rows]) > 0)).sum())
    if (same & (step < 0)).any() or more < ROWS or more * math.log(2) < EVIDENCE:
        return None
    strict = not (same & (step == 0)).any()
    return AmongSiblings(
        column=name, other=queue.by, form="rising", strict=strict, family=sample.family, **line_of(column)
    )
