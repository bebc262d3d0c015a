"""The least or the greatest value of siblings is their parent's: an account was opened on the day of its first entry.

The parent's column is drawn as any other, and the rows get it: so what else hangs on the parent's column stays true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, Flags, Vector, evidence
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, over
from synthohive_spark.rules.kin.sample import SiblingSample
from synthohive_spark.rules.kinds.order import GRIDS, UNITS
from synthohive_spark.rules.line import Line, Places, Unit
from synthohive_spark.rules.orders import QUESTIONS
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.rule import Ancestor, Rule, Siblings
from synthohive_spark.sql import quote


class ExtremeOfFamily(Rule):
    """The least value of a parent's rows, or the greatest, is the parent's; a parent without one asks nothing.

    Of a family that is cut into slices, the first one has the least, the last one the greatest value.

    Attributes:
        family: columns of the driving key.
        source: the name of the parent's column in the context.
        last: it is the greatest value.
        counted: a key counts the column in the family: then it begins to count at the parent's value.
        unit, step, scale: as those of ``Ordered``.
    """

    kind: Literal["extreme"] = "extreme"
    family: tuple[str, ...]
    source: str
    last: bool = False
    counted: bool = False
    unit: Unit = "day"
    step: int = 1
    scale: int = 0

    @property
    def name(self) -> str:
        """A column may have a rule for its least value, and one for the greatest."""
        return f"{'greatest' if self.last else 'least'}.{self.column}"

    @property
    def seen(self) -> tuple[str, ...]:
        """The parent's column."""
        return (self.source,)

    @property
    def moved(self) -> tuple[str, ...]:
        """The column."""
        return () if self.counted else (self.column,)

    @property
    def origin(self) -> str | None:
        """The parent's column, where a key begins to count at it."""
        return self.source if self.counted else None

    def text(self, ancestor: Ancestor) -> str:
        """What the least value is."""
        return f"its {'greatest' if self.last else 'least'} value among the rows of a parent is {ancestor(self.source)}"

    def check(self, types: Mapping[str, str]) -> str | None:
        """Whether the row's family has the parent's value at its end."""
        source = quote(hidden(self.source))
        end = f"{'max' if self.last else 'min'}({quote(self.column)}) {over(self.family)}"
        return in_family(self.family, f"{source} is null or {end} <=> {source}")

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """The row that is nearest gets the parent's value; none is beyond it."""
        if self.counted:
            return {}
        line, owner = Line(self.unit, self.step, self.scale), rows.owner
        own, end = line.places(columns[self.column]), line.places(rows.context[self.source])
        if self.last:
            own, end = own.turned(), end.turned()
        at = np.where(end.there, np.maximum(own.at, end.at), own.at)
        order = np.lexsort((at, ~own.there, owner))
        nearest = order[np.append(True, owner[order][1:] != owner[order][:-1])] if len(order) else order
        cut = rows.ended if self.last else rows.begun
        nearest = nearest[end.there[nearest] & ~cut[owner[nearest]]]
        at[nearest] = end.at[nearest]
        there = own.there.copy()
        there[nearest] = True
        made = Places(at, there)
        return {self.column: line.column(made.turned() if self.last else made, columns[self.column].index)}


class Extreme(SiblingKind):
    """Columns whose least or greatest value in a family is a column of the parent."""

    name = "extreme"
    order = 10

    def search(self, sample: SiblingSample) -> Iterator[ExtremeOfFamily]:
        """One for each column; the least value is preferred."""
        counted = [(n, sample.columns[n]) for n in sample.counted if sample.columns[n].family in ("date", "time")]
        lines = [*((n, c, False) for n, c in sample.lines()), *((n, c, True) for n, c in counted)]
        for name, column, by_key in lines:
            for last in (False,) if by_key else (False, True):
                for source in (s for s, c in sample.above.items() if c.type == column.type):
                    if _holds(sample, column, sample.above[source], last):
                        told = {"source": source, "last": last, "counted": by_key, **line_of(column)}
                        yield ExtremeOfFamily(column=name, family=sample.family, **told)

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where rows may go to the parent's value, and where others may keep behind it."""
        if not isinstance(rule, ExtremeOfFamily):
            return None
        if rule.counted or drawn.shared(rule.column):
            return rule
        side = -1 if rule.last else 1
        bounds = drawn.ordered.get(rule.column)
        led = bounds is not None and rule.source in {b.name for b in (bounds.upper if rule.last else bounds.lower)}
        outward = all(s == side for _, s in drawn.bases.get(rule.column, ()))  # others lie behind it
        alone = bounds is None or all(drawn.above(b) for b in (*bounds.lower, *bounds.upper))
        there = rule.column in drawn.columns and rule.column not in drawn.named
        return rule if there and led and outward and alone else None


def _holds(sample: SiblingSample, column: Column, source: Column, last: bool) -> bool:
    """Whether every family that has a parent's value has it as its end, not by chance, and not on every row."""
    start = np.flatnonzero(np.append(True, sample.owner[1:] != sample.owner[:-1]))
    values: Vector = np.where(np.isnan(column.values), -np.inf if last else np.inf, column.values)
    ends = (np.maximum if last else np.minimum).reduceat(values, start)
    theirs: Vector = source.values[start]
    known: Flags = ~np.isnan(theirs)
    told = known & (sample.sizes > 1)
    if told.sum() < ROWS or (ends[known] != theirs[known]).any():
        return False
    beyond = (column.values != source.values) & ~np.isnan(source.values) & ~np.isnan(column.values)
    if beyond.sum() < ROWS or evidence(theirs[told]) < EVIDENCE:
        return False
    return _unexplained(np.repeat(theirs, sample.sizes) == column.values, told, sample) >= EVIDENCE - QUESTIONS


def _unexplained(same: Flags, told: Flags, sample: SiblingSample) -> float:
    """How unlikely it is, in nats, that each family has its parent's value by chance, if each row has it as often.

    A line costs what its article costs or a fifth less: of twenty lines of an article one has the whole price anyway.
    """
    often = float(same[np.repeat(told, sample.sizes)].mean())
    return -float(np.log1p(-((1 - often) ** sample.sizes[told])).sum())


def line_of(column: Column) -> dict[str, Any]:
    """Unit, step and scale of a column's line."""
    if column.number:
        return {"unit": "number", "step": int(column.scale is not None), "scale": column.scale or 0}
    if column.family == "date":
        return {"unit": "day", "step": 1, "scale": 0}
    known: Ints = column.known.astype(np.int64)
    step = next(size for size in GRIDS if not (known % size).any())
    return {"unit": UNITS[column.type], "step": step, "scale": 0}
