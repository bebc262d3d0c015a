"""A time is never before another one: it is learnt as how long after it lies, counted from 1970.

So a model cannot break the order, and learns what such times have in common: days until delivery, not days of delivery.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import EVIDENCE, FEW, ROWS, Column, Sample, Vector, alike
from synthohive_spark.rules.kind import Decided, Kind, Law, Searched
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.rule import Ancestor, Rule
from synthohive_spark.sql import quote

FAMILIES = ("date", "time", "plain time")
RECURRING = 1e-3  # by which two rows must more often have one end than one length
GRIDS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1)  # microseconds
EPOCH = dt.date(1970, 1, 1).toordinal()
NONE = np.iinfo(np.int64).min  # stands for null
LAST_DAY = dt.date.max.toordinal() - EPOCH
LAST_MICROS = np.datetime64(dt.datetime.max, "us").astype(np.int64)


class TemporalOrder(Kind):
    """Pairs of times of which one is never before the other, though by chance it would be.

    Only a pair whose order the sample's own values do not force counts: two columns of different years are in order
    whoever puts their rows together. Nor does one whose times recur more than what lies between them: an end that is
    31 December 9999 for all that has not ended is no so-many days after its beginning.
    """

    name = "temporal_order"
    order = 21

    def search(self, sample: Sample) -> list[Law]:
        """One law per pair."""
        times = [c for c in sample.columns if c.family in FAMILIES]
        found = []
        for target in (c for c in times if c.target and c.distinct > FEW):
            for base in (c for c in times if c.id != target.id and c.family == target.family):
                if (base.input or base.id.startswith("c")) and _ordered(sample, base, target):
                    step = 0 if target.family == "date" else _grid(target.known)
                    found.append(Law(self.name, target.id, (base.id,), "{0}", "part", "", target.distinct, step))
        return found

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The time itself, where it is not before the other one."""
        made, own = law.sql.format(*(names[i] for i in law.inputs)), names[law.target]
        return f"if({own} < {made}, null, if({made} is null, null, {own}))"

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per time that the model draws, bases first."""
        found = list(laws)
        drawn = {t for t in table.drawn if table.names[t] not in decided.valued}
        steps = {law.target: law.step for law in found}
        made = list[Rule]()
        for target, bases in last_before(found, drawn | {*table.given}, drawn).items():
            above = [(b, table.context(b)) for b in bases]
            own = tuple(table.names[b] for b, context in above if context is None)
            ancestors = tuple(context.name for _, context in above if context is not None)
            made.append(NeverBefore(column=table.names[target], own=own, ancestors=ancestors, step=steps[target]))
        return made


def _grid(micros: Vector) -> int:
    return next(size for size in GRIDS if not (micros % size).any())


def _ordered(sample: Sample, base: Column, target: Column) -> bool:
    a, b = base.values, target.values
    if (b[sample.probe] < a[sample.probe]).any():
        return False
    known = ~np.isnan(b)
    first, second = a[known], b[known]
    if len(second) < ROWS or np.isnan(first).any() or (second < first).any():
        return False
    if alike(second) > alike(second - first) + RECURRING:
        return False
    return -len(second) * math.log(_by_chance(first, second)) >= EVIDENCE


def _by_chance(first: Vector, second: Vector) -> float:
    """How often a value of one column is at or before a value of the other, whatever their rows."""
    return float(np.searchsorted(np.sort(first), second, side="right").mean() / len(first))


def last_before(laws: Iterable[Law], usable: Collection[str], targets: Collection[str]) -> dict[str, tuple[str, ...]]:
    """What each time is at or after: {target: bases}, a base before what is after it.

    Of bases that are in order themselves only the last one is kept, since it says what the others say.

    Args:
        laws: verified ones.
        usable: ids of columns that have their values when the model's columns get theirs.
        targets: ids of columns that the model draws and nothing else decides.
    """
    pairs = {(law.target, law.inputs[0]) for law in laws}
    after: dict[str, set[str]] = {}
    for target, base in pairs:
        if target in targets and base in usable and (base, target) not in pairs:  # both: they are equal
            after.setdefault(target, set()).add(base)
    kept = {t: sorted(b - {x for other in b for x in after.get(other, ())}) for t, b in after.items()}
    return {t: tuple(kept[t]) for t in sorted(kept, key=lambda t: (len(_below(t, after)), t))}


def _below(target: str, after: Mapping[str, Collection[str]]) -> set[str]:
    """All that a column is after."""
    own = set(after.get(target, ()))
    return own.union(*(_below(base, after) for base in own)) if own else own


class NeverBefore(Rule):
    """A time is never before others.

    Attributes:
        own: times of the same row.
        ancestors: names of times in its context.
        step: microseconds of the grid that it lies on; 0 for dates.
    """

    kind: Literal["temporal_order"] = "temporal_order"
    own: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()
    step: int = 0

    @property
    def seen(self) -> tuple[str, ...]:
        """Times of ancestors."""
        return self.ancestors

    def text(self, ancestor: Ancestor) -> str:
        """What it is never before."""
        return "never before " + " or ".join([*map(quote, self.own), *map(ancestor, self.ancestors)])

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, original: pd.DataFrame, seed: int) -> pd.DataFrame:
        """How long after, instead of when."""
        when, least = _counted(original[self.column]), self._least(original, context)
        there = (when != NONE) & (least != NONE)
        return data.assign(
            **{self.column: _like(data[self.column], np.where(there, np.maximum(when - least, 0), NONE))}
        )

    def decode(self, data: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
        """When; null where what it is after is not known."""
        long, least = _counted(data[self.column]), self._least(data, context)
        there = (long != NONE) & (least != NONE)
        return data.assign(
            **{self.column: _like(data[self.column], np.where(there, least + np.maximum(long, 0), NONE))}
        )

    def _least(self, data: pd.DataFrame, context: pd.DataFrame) -> Ints:
        """The first time of its grid at which the column may lie: at or after the last of what it is never before."""
        bases = [data[b] if b in data else context[b] for b in self.own] + [context[b] for b in self.ancestors]
        last: Ints = np.max([_counted(b) for b in bases], axis=0)
        if not self.step:
            return last
        up: Ints = np.where(last != NONE, -(-last // self.step) * self.step, NONE)
        return up


def _counted(values: Values) -> Ints:
    """Dates as days, times as microseconds since 1970; ``NONE`` where null."""
    if values.dtype.kind == "M":
        return values.to_numpy("datetime64[us]").astype("int64")
    days = [NONE if v is None or v is pd.NaT or v != v else v.toordinal() - EPOCH for v in values]
    return np.array(days, np.int64)


def _like(values: Values, counted: npt.NDArray[Any]) -> Values:
    """Counts as a column of the same dtype; null where ``NONE``."""
    if values.dtype.kind == "M":
        return pd.Series(np.minimum(counted, LAST_MICROS).astype("datetime64[us]"), index=values.index)
    days = np.minimum(counted, LAST_DAY).tolist()
    dates = [None if n == NONE else dt.date.fromordinal(n + EPOCH) for n in days]
    return pd.Series(dates, index=values.index, dtype=object)
