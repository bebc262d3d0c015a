"""Two parents of a row are in order: nobody enrols in a section that began before he came.

Nothing is drawn for it. The parents that come to a batch are exchanged between its rows until each row has parents that
may meet (``generation/steps/parents.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from synthohive_spark.randomness import Floats
from synthohive_spark.rules.evidence import ABOVE, EVIDENCE, ROWS, Column, Sample, Vector
from synthohive_spark.rules.kind import Decided, Kind, Law, Searched
from synthohive_spark.rules.line import DAY, Line, Unit
from synthohive_spark.rules.orders import QUESTIONS, TIMES, comparable, is_exact, on_line
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.rule import Ancestor, Rule
from synthohive_spark.sql import quote

MICROS = {"timestamp": "unix_micros({0})", "timestamp_ntz": "unix_micros(cast({0} as timestamp))"}


class ParentsInOrder(Rule):
    """A column behind one key is never above a column behind another; a null is in order with everything.

    Attributes:
        column: the first column of the key behind which the lower one lies.
        lower, upper: names of the two in the context.
        types: their Spark types; a date and a time are compared as days.
        strict: they are never equal.
    """

    kind: Literal["parents"] = "parents"
    lower: str
    upper: str
    types: tuple[str, str]
    strict: bool = False

    @property
    def name(self) -> str:
        """A key may have several."""
        return f"{self.kind}.{self.lower}.{self.upper}"

    @property
    def seen(self) -> tuple[str, ...]:
        """Both."""
        return (self.lower, self.upper)

    def text(self, ancestor: Ancestor) -> str:
        """The order."""
        return f"leads to a parent whose {ancestor(self.lower)} {self._sign} {ancestor(self.upper)}"

    def check(self, types: Mapping[str, str]) -> str | None:
        """Whether the row's parents are in order."""
        lower, upper = (quote(hidden(name)) for name in self.seen)
        return f"coalesce({_compared(lower, upper, self.types, self.strict)}, true)"

    def line(self, name: str, values: Values) -> Floats:
        """Values of one of the two as numbers that can be compared with those of the other; shape (n,).

        Args:
            name: which of them.
            values: as the model sees them.
        """
        kind = self.types[self.seen.index(name)]
        unit: Unit = "day" if kind == "date" else "micro" if kind in MICROS else "number"
        places = Line(unit, 0, 0).places(values)
        at = places.at // DAY if unit == "micro" and "date" in self.types else places.at
        free = -np.inf if name == self.lower else np.inf
        made: Floats = np.where(places.there, at, free).astype(np.float64)
        return made

    @property
    def _sign(self) -> str:
        return "<" if self.strict else "<="


def _compared(lower: str, upper: str, types: tuple[str, str], strict: bool) -> str:
    """Spark SQL: whether one expression is not above another.

    Args:
        lower: the first expression.
        upper: the second one.
        types: their Spark types.
        strict: whether they may not be equal.
    """
    sides = [lower, upper]
    if types[0] != types[1] and "date" in types:
        sides = [_days(sql, kind) for sql, kind in zip(sides, types, strict=True)]
    return f"{sides[0]} {'<' if strict else '<='} {sides[1]}"


def _days(sql: str, kind: str) -> str:
    if kind == "date":
        return f"unix_date({sql})"
    return f"cast(floor({MICROS[kind].format(sql)} / {DAY}) as int)"


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two columns in order."""

    lower: Column
    upper: Column
    strict: bool

    def follows(self, other: _Pair) -> bool:
        """Whether another pair says it, since its lower one is not below this one's, and its upper one not above."""
        if not _never_above(self.lower, other.lower) or not _never_above(other.upper, self.upper):
            return False
        same = _never_above(other.lower, self.lower) and _never_above(self.upper, other.upper)
        return not same or (other.lower.id, other.upper.id) < (self.lower.id, self.upper.id)

    def law(self) -> Law:
        """The law, with the lower one as the target."""
        ids, facts = (self.lower.id, self.upper.id), {"strict": self.strict}
        return Law(OrderOfParents.name, ids[0], ids, "{0}", "part", "", self.lower.distinct, 0, facts)


def _never_above(one: Column, other: Column) -> bool:
    """Whether a column is not above another on any row, and neither is null without the other."""
    if one is other:
        return True
    if not comparable(one, other):
        return False
    values = one.values if one.family == other.family or one.number else on_line(one, other, False)
    return bool((np.isnan(one.values) == np.isnan(other.values)).all() and not (values > other.values).any())


class OrderOfParents(Kind):
    """Pairs of times and numbers behind different keys that are in order on every row, though not by chance."""

    name = "parents"
    order = 35

    def search(self, sample: Sample) -> list[Law]:
        """A law per pair, with the lower one as the target."""
        usable = [c for c in sample.columns if c.above and c.id in sample.paths and c.distinct > 2]
        numbers = [c for c in usable if c.number and is_exact(c)][:ABOVE]
        columns = [*(c for c in usable if c.family in TIMES), *numbers]
        keys = {c.id: {*sample.paths[c.id].partition("/")[0].split(",")} for c in columns}
        pairs = [(a, b) for a in columns for b in columns if keys[a.id].isdisjoint(keys[b.id]) and comparable(a, b)]
        needed = EVIDENCE - QUESTIONS + math.log(len(pairs) + 1)
        found = list[_Pair]()
        for lower, upper in pairs:
            days = lower.family != upper.family and not lower.number
            low, high = (_as_days(c) if days else c.values for c in (lower, upper))
            if (low[sample.probe] > high[sample.probe]).any() or (low > high).any():
                continue
            known = ~np.isnan(low) & ~np.isnan(high)
            if known.sum() >= ROWS and _nats(sample, lower, upper, low[known], high[known]) >= needed:
                found.append(_Pair(lower, upper, not (low == high).any()))
        told = {(p.lower.id, p.upper.id) for p in found}
        found = [p for p in found if (p.upper.id, p.lower.id) not in told]  # one parent by two ways
        return [pair.law() for pair in found if not any(pair.follows(other) for other in found if other is not pair)]

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The lower one itself, where it is not above the other."""
        lower, upper = (names[i] for i in law.inputs)
        kinds = (types[law.inputs[0]], types[law.inputs[1]])
        return f"if(coalesce({_compared(lower, upper, kinds, law.facts['strict'])}, true), {lower}, null)"

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per pair."""
        made = list[Rule]()
        for law in laws:
            lower, upper = (table.context(i) for i in law.inputs)
            if lower is not None and upper is not None:
                rule = ParentsInOrder(
                    column=table.key(law.inputs[0])[0],
                    lower=lower.name,
                    upper=upper.name,
                    types=(lower.type, upper.type),
                    strict=law.facts["strict"],
                )
                made.append(rule)
        return made


def _as_days(column: Column) -> Vector:
    return on_line(column, Column("", "date", column.values, False, False), False)


def _nats(sample: Sample, lower: Column, upper: Column, low: Vector, high: Vector) -> float:
    """How unlikely it is that no pair is out of order, if chance put parents together.

    Rows that share a parent are one observation: that in which the two are nearest. Rows of a public table are the same
    in the copy, so that each row says something of its own.
    """
    pairs = np.column_stack([low, high])
    if sample.holders.get(lower.id) != ():
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        pairs = pairs[np.append(True, np.diff(pairs[:, 0]) != 0)]
    if sample.holders.get(upper.id) != ():
        pairs = pairs[np.lexsort((-pairs[:, 0], pairs[:, 1]))]
        pairs = pairs[np.append(True, np.diff(pairs[:, 1]) != 0)]
    chance = np.searchsorted(np.sort(pairs[:, 0]), pairs[:, 1], side="right").mean() / len(pairs)
    return -len(pairs) * math.log(chance)
