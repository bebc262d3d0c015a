"""A number is what the row before had, and what the row adds or takes: balances, stocks, totals so far.

A category may say whether an amount is added or taken. Where a sum never falls below zero, what would take too much
takes what others of the batch take that leave something; where nobody takes so little, the row adds instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints, uniform
from synthohive_spark.rules.evidence import FEW, ROWS, Column, Flags, Vector
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, one_of, over
from synthohive_spark.rules.kin.sample import Queue, Scalar, SiblingSample, plain_value
from synthohive_spark.rules.kinds.first import queue_places
from synthohive_spark.rules.line import Numbers, floats
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.rule import EXACT, Ancestor, Rule, Siblings
from synthohive_spark.sql import quote

Start = Literal["zero", "parent", "own"]
NUMBERS = 40  # of a table among which sums are looked for: most are refuted by a few rows
PAIRS = 8  # of which every two may be what is added and what is taken
HALF = 0.5000001  # of the last decimal
FINEST = 9  # decimals that sums have at most


class RunningSum(Rule):
    """A sum over the rows of a parent, in their order; each slice of a cut family begins its own.

    Attributes:
        family: columns of the driving key.
        by: the column that orders the rows.
        added: columns that are added.
        taken: columns that are taken away.
        category: the column that says whether ``added`` is taken away instead; None for no such column.
        negative: its values that say so; ``positive`` those that do not.
        start: sums begin at zero, at a number of the parent, or with what the first row has.
        source: the name of the parent's number in the context.
        floor: no sum is below zero.
        scale: decimals that each sum is rounded to; None for no rounding.
        slack: by how much a sum of the source may be off.
    """

    kind: Literal["running"] = "running"
    family: tuple[str, ...]
    by: str
    added: tuple[str, ...]
    taken: tuple[str, ...] = ()
    category: str | None = None
    negative: tuple[Scalar, ...] = ()
    positive: tuple[Scalar, ...] = ()
    start: Start = "zero"
    source: str | None = None
    floor: bool = False
    scale: int | None = None
    slack: float = 0.0

    @property
    def gives(self) -> Role | None:
        """No model need know it, but for the first row's where nothing else says it."""
        return "copied" if self.start != "own" else None

    @property
    def seen(self) -> tuple[str, ...]:
        """The parent's number."""
        return () if self.source is None else (self.source,)

    @property
    def numbers(self) -> tuple[str, ...]:
        """What is summed."""
        return (*self.added, *self.taken)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns of the row that it follows from."""
        return (*self.numbers, *([] if self.category is None else [self.category]))

    @property
    def moved(self) -> tuple[str, ...]:
        """The sum, and what it follows from."""
        return (self.column, self.by, *self.needed)

    def text(self, ancestor: Ancestor) -> str:
        """What is summed, and where it begins."""
        parts = [*(f"+ {quote(c)}" for c in self.added), *(f"- {quote(c)}" for c in self.taken)]
        if self.category is not None:
            said = one_of(quote(self.category), self.negative)
            parts = [f"+ if({said}, -{quote(c)}, {quote(c)})" for c in self.added]
        begin = {"zero": "", "own": "the first row's value "}.get(self.start, "")
        if self.source is not None:
            begin = f"{ancestor(self.source)} "
        return f"running sum by {quote(self.by)}: {begin}{' '.join(parts)}"

    def check(self, types: Mapping[str, str]) -> str | None:
        """Whether a sum is that of the row before and what the row has; a category without a name may do both."""
        own, by = f"cast({quote(self.column)} as double)", quote(self.by)
        begin = {"zero": "0D", "own": "null", "parent": f"cast({quote(hidden(self.source or ''))} as double)"}[
            self.start
        ]
        moved = f"{own} - coalesce(lag({own}) {over(self.family, by)}, {begin})"
        error = f"({self.slack}D + {EXACT} * greatest(1, abs({own})))"
        gain, loss = self._step(False), self._step(True)
        held = f"abs({moved} - ({gain})) <= {error}"
        if self.category is not None:
            category, lost = quote(self.category), f"abs({moved} - ({loss})) <= {error}"
            known = one_of(category, (*self.negative, *self.positive))
            held = f"if({one_of(category, self.negative)}, {lost}, {held} or (not {known} and {lost}))"
        floor = f" and {own} >= 0" if self.floor else ""
        return in_family(self.family, f"coalesce({held}, true){floor}")

    def _step(self, negative: bool) -> str:
        """What a row adds, in Spark SQL."""
        signs = [*((c, "-" if negative else "+") for c in self.added), *((c, "-") for c in self.taken)]
        return "0D " + " ".join(f"{sign} cast({quote(c)} as double)" for c, sign in signs)

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """The sums; and amounts and categories as they have to be where the sum may not fall below zero."""
        order = np.lexsort((queue_places(columns[self.by], False), rows.owner))
        owner = rows.owner[order]
        head = np.append(True, owner[1:] != owner[:-1])[: len(owner)]
        made = {c: columns[c] for c in self.needed}
        start = self._start(columns, rows)[order]
        step = self._steps(made)[order]
        step = np.where(head, 0.0, step) if self.start == "own" else step
        sums = self._summed(step, start, head)
        if self.floor and (sums < -EXACT).any():
            made = self._kept_above(made, rows, order, start)
            step = self._steps(made)[order]
            step = np.where(head, 0.0, step) if self.start == "own" else step
            sums = self._summed(step, start, head)
        values = np.empty(len(sums))
        values[order] = np.maximum(sums, 0.0) if self.floor else sums
        own = columns.get(self.column, columns[self.added[0]] if self.added else columns[self.taken[0]])
        sum_ = pd.Series(pd.array(values, dtype="Float64"), index=own.index)
        return {**made, self.column: sum_}

    def _start(self, columns: Mapping[str, Values], rows: Siblings) -> Numbers:
        """Where the sum of each row's family begins; only that of first rows counts."""
        if self.start == "zero":
            return np.zeros(len(rows.owner))
        known = columns[self.column] if self.start == "own" else rows.context[self.source or ""]
        begin = floats(known).at
        return np.maximum(begin, 0.0) if self.floor else begin

    def _steps(self, made: Mapping[str, Values]) -> Numbers:
        """What each row adds."""
        gains, losses = _total(made, self.added), _total(made, self.taken)
        sign = np.where(self._negative(made), -1.0, 1.0)
        steps: Numbers = sign * gains - losses
        return steps

    def _negative(self, made: Mapping[str, Values]) -> Mask:
        """Rows whose category says that they take."""
        if self.category is None:
            return np.zeros(len(made[self.numbers[0]]), bool)
        flags: Mask = made[self.category].astype(object).isin([*self.negative]).to_numpy(bool)
        return flags | made[self.category].isna().to_numpy(bool) if None in self.negative else flags

    def _summed(self, step: Numbers, start: Numbers, head: Mask) -> Numbers:
        """Sums of families that stand behind each other, rounded."""
        if not len(step):
            return step
        whole = np.cumsum(step)
        first = np.flatnonzero(head)
        base = (whole - step)[first] - start[first]
        made = whole - np.repeat(base, np.diff(np.append(first, len(step))))
        rounded: Numbers = np.round(made, FINEST if self.scale is None else self.scale)
        return rounded

    def _kept_above(self, made: Mapping[str, Values], rows: Siblings, order: Ints, start: Numbers) -> dict[str, Values]:
        """Columns that let no sum fall below zero."""
        lossy = self.taken[0] if self.taken else self.added[0]
        amount, negative = floats(made[lossy]).at.copy(), self._negative(made)
        takes = np.ones(len(amount), bool) if self.taken else negative.copy()
        gain = _total(made, self.added) if self.taken else np.zeros(len(amount))
        pool = np.sort(amount[takes & (amount > 0)])
        givers = np.flatnonzero(~negative & (amount > 0)) if self.category is not None else np.zeros(0, np.int64)
        luck, owner, first = uniform(rows.index), rows.owner, np.empty(len(amount))
        first[order] = start
        donor, changed = np.arange(len(amount)), np.zeros(len(amount), bool)
        place, begin = 0.0, -1
        for row in order.tolist():  # each depends on the one before
            if owner[row] != begin:
                begin, place = owner[row], float(first[row])
                if self.start == "own":
                    continue
            room = place + float(gain[row])
            if takes[row] and amount[row] > room:
                few = int(np.searchsorted(pool, room, "right"))
                changed[row] = True
                if few:
                    amount[row] = pool[int(luck[row] * few)]
                elif len(givers):
                    donor[row] = givers[int(luck[row] * len(givers))]
                    amount[row], takes[row] = amount[donor[row]], False
                else:
                    amount[row] = max(room, 0.0)
            moved = -amount[row] if takes[row] else amount[row]
            place = round(room + moved, FINEST if self.scale is None else self.scale)
        return self._changed(made, lossy, np.where(changed, amount, np.nan), donor)

    def _changed(self, made: Mapping[str, Values], lossy: str, amount: Numbers, donor: Ints) -> dict[str, Values]:
        """Columns with other amounts on some rows, and the category of those that gave theirs."""
        own, there = made[lossy], ~np.isnan(amount)
        new = pd.Series(pd.array(np.where(there, amount, 0.0), dtype="Float64"), index=own.index)
        found = {**made, lossy: own.astype("Float64").mask(there, new)}
        if self.category is not None:
            found[self.category] = made[self.category].iloc[donor].set_axis(own.index)
        return found


def _total(made: Mapping[str, Values], names: Sequence[str]) -> Numbers:
    """The sum of some columns; nulls add nothing."""
    total: Numbers = np.zeros(len(next(iter(made.values()))))
    for name in names:
        total = total + floats(made[name]).at
    return total


class Running(SiblingKind):
    """Numbers that go up and down by other numbers of the row."""

    name = "running"
    order = 50

    def search(self, sample: SiblingSample) -> Iterator[RunningSum]:
        """One for each number, by the order that is preferred, and each category that tells the sign."""
        found = set[str]()
        numbers = [(n, c) for n, c in sample.numbers() if c.distinct > FEW and not np.isnan(c.values).any()]
        for queue in sample.queues():
            if queue.tied:
                continue
            for name, column in numbers[:NUMBERS]:
                rules = [] if name in found or name == queue.by else list(_sums(sample, queue, (name, column), numbers))
                found |= {name} if rules else set()
                yield from rules

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where all that it follows from is there when siblings are."""
        if not isinstance(rule, RunningSum) or not {*rule.needed} <= drawn.columns:
            return None
        movable = all(drawn.free(c) for c in rule.needed)
        return rule if movable or not rule.floor else rule.model_copy(update={"floor": False})


def _sums(
    sample: SiblingSample, queue: Queue, own: tuple[str, Column], numbers: Sequence[tuple[str, Column]]
) -> Iterator[RunningSum]:
    """The sums that a number is in one order."""
    name, column = own
    values = column.values[queue.rows]
    step = values - sample.before(queue, column.values)
    inner = np.flatnonzero(~queue.head)
    if len(inner) < ROWS:
        return
    others = [(n, c) for n, c in numbers if n not in (name, queue.by)][:NUMBERS]
    for other, amount in others:
        error = _error(column, [amount])
        size = amount.values[queue.rows]
        if not _close(np.abs(step), np.abs(size), inner, error):
            continue
        rising, falling = _close(step, size, inner, error), _close(step, -size, inner, error)
        base = RunningSum(
            column=name, family=sample.family, by=queue.by, added=(other,), scale=column.scale, slack=error
        )
        if rising or falling:
            base = base if rising else base.model_copy(update={"added": (), "taken": (other,)})
            yield _begun(sample, queue, base, (values, size if rising else -size))
            return
        yield from _signed(sample, queue, base, (values, step, size))
        return
    for (one, gains), (two, losses) in itertools.permutations(others[:PAIRS], 2):
        error = _error(column, [gains, losses])
        size = (gains.values - losses.values)[queue.rows]
        if _close(step, size, inner, error):
            base = RunningSum(column=name, family=sample.family, by=queue.by, added=(one,), taken=(two,))
            base = base.model_copy(update={"scale": column.scale, "slack": error})
            yield _begun(sample, queue, base, (values, size))
            return


def _signed(
    sample: SiblingSample, queue: Queue, base: RunningSum, known: tuple[Vector, Vector, Vector]
) -> Iterator[RunningSum]:
    """A sum of an amount that a category adds or takes; one rule for each category that tells it."""
    values, step, size = known
    told = ~queue.head & (size != 0)
    for name, column in sample.categories():
        category = column.values[queue.rows]
        negative, positive = set[float](), set[float]()
        for value in np.unique(category):
            same = told & (np.isnan(category) if np.isnan(value) else category == value)
            signs = np.unique(np.sign(step[same]) * np.sign(size[same]))
            if len(signs) > 1:
                break
            (negative if len(signs) and signs[0] < 0 else positive).add(value)
        else:
            named = {v for v in negative | positive if np.isnan(v) or sample.holders(column, v) >= sample.least}
            if not negative & named or not positive & named:
                continue
            sign = np.where(np.isin(category, [*negative]), -1.0, 1.0)
            sign = np.where(np.isnan(category) & any(np.isnan(v) for v in negative), -1.0, sign)
            made = base.model_copy(
                update={
                    "category": name,
                    "negative": tuple(plain_value(column, v) for v in sorted(negative & named)),
                    "positive": tuple(plain_value(column, v) for v in sorted(positive & named)),
                }
            )
            yield _begun(sample, queue, made, (values, sign * size))


def _begun(sample: SiblingSample, queue: Queue, rule: RunningSum, known: tuple[Vector, Vector]) -> RunningSum:
    """The rule with what its sums begin at, and whether they stay above zero."""
    values, size = known
    first = np.flatnonzero(queue.head)
    begin = values - size
    floor = bool((values >= 0).all() and (size < 0).any())
    start: dict[str, object] = {"start": "own"}
    for source, column in sample.above.items():
        if column.number and _close(begin, column.values[queue.rows], first, rule.slack):
            start = {"start": "parent", "source": source}
    if _close(begin, np.zeros(len(begin)), first, rule.slack):
        start = {"start": "zero"}
    return rule.model_copy(update={**start, "floor": floor})


def _error(column: Column, amounts: Sequence[Column]) -> float:
    """By how much a sum may be off: half a unit of its last decimal, where what it sums has more."""
    if column.scale is None:
        return 0.0
    finer = any(a.scale is None or a.scale > column.scale for a in amounts)
    return HALF * 10.0**-column.scale if finer else 0.0


def _close(one: Vector, other: Vector, rows: Ints, error: float) -> bool:
    """Whether numbers agree on some rows; a few of them refute most."""
    for some in (rows[:: max(1, len(rows) // 64)], rows):
        allowed: Vector = error + EXACT * np.maximum(1.0, np.abs(one[some]))
        same: Flags = np.abs(one[some] - other[some]) <= np.maximum(allowed, 1e-6)
        if not same.all():
            return False
    return True
