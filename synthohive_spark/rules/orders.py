"""Which values of a sample bound which others, how far that is from chance, and how such a value is best learnt."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthohive_spark.rules.evidence import EVIDENCE, FEW, PAIRED, ROWS, WHOLE, Column, Sample, Vector, alike
from synthohive_spark.rules.kinds.bounds import Way
from synthohive_spark.rules.line import DAY

TIMES = ("date", "time", "plain time")
QUESTIONS = 13  # nats for all the questions of a search, which ``EVIDENCE`` holds; order asks fewer, and counts them
LEVELS = 3  # distinct values that a number needs: of two values one is the higher one
NEAR = 0.02  # of the usual distance between two columns: so near to a bound few values are by chance
CROSSED = 128  # rows of which every two are compared for that
MANY = 64  # pairs in order, beyond which those that follow from others are left out
TRIED = 2_000  # rows that tell how two columns go together
MOSTLY = 0.95  # of these must have the bound that a value is measured from
RECURRING = 1e-3  # by which two rows must more often have one value if another way of learning it loses that
TOGETHER = 0.04  # how much more often two rows have one distance if a fifth of all have it
CLOSE = 0.05  # rank correlations that are as good


@dataclass(frozen=True)
class Bounding:
    """A column is at or above another one on every row where both are known, or at or below it.

    Attributes:
        target: the one that is bounded.
        base: the other one.
        side: 1 where the base is the lower one, -1 where it is the upper one.
        forms: the senses in which that holds, as ``strict`` and ``late`` of a bound, the loosest one first.
        missing: the base is null on some row where the target is not.
    """

    target: Column
    base: Column
    side: int
    forms: tuple[tuple[bool, bool], ...]
    missing: bool


def boundings(sample: Sample) -> list[Bounding]:
    """All that no row refutes and that chance does not explain."""
    targets = [c for c in _looked_at(sample) if c.target and c.distinct > (LEVELS - 1 if c.number else FEW)]
    bases = [c for c in _looked_at(sample) if c.input or c.id.startswith("c")]
    pairs = [(t, b) for t in targets for b in bases if t.id != b.id and comparable(t, b)]
    needed = EVIDENCE - QUESTIONS + math.log(2 * len(pairs) + 1)
    every = [_found(sample, *pair, side) for pair in pairs for side in (1, -1)]
    found = [b for b, nats in every if b is not None and nats >= needed]
    return found if len(found) <= MANY else _telling(found)


def _telling(found: Sequence[Bounding]) -> list[Bounding]:
    """Those that do not follow from two others, by a column between."""
    above, below = defaultdict[tuple[str, int], set[str]](set), defaultdict[tuple[str, int], set[str]](set)
    for b in found:
        above[b.base.id, b.side].add(b.target.id)
        if not b.missing:
            below[b.target.id, b.side].add(b.base.id)
    return [b for b in found if below[b.target.id, b.side].isdisjoint(above[b.base.id, b.side])]


def _looked_at(sample: Sample) -> list[Column]:
    """Times, and as many numbers of the row and of its ancestors as every pair is tried of."""
    numbers = [c for c in sample.columns if c.number and is_exact(c)]
    above = [c for c in numbers if c.id.startswith("c")]
    own = [c for c in numbers if not c.id.startswith("c")]
    return [*(c for c in sample.columns if c.family in TIMES), *own[:PAIRED], *above[:PAIRED]]


def is_exact(column: Column) -> bool:
    """Whether floats hold its numbers, in units of the last digit."""
    scale = 0 if column.family == "double" else column.scale or 0
    return not len(column.known) or float(np.abs(column.known).max()) * 10.0**scale < WHOLE


def comparable(a: Column, b: Column) -> bool:
    """Whether two columns lie on one line: numbers, or dates and times; floats of 32 bits only among themselves."""
    if a.number and b.number:
        return (a.type == "float") == (b.type == "float")
    apart = {a.family, b.family} == {"time", "plain time"}
    return a.family in TIMES and b.family in TIMES and not apart


def _found(sample: Sample, target: Column, base: Column, side: int) -> tuple[Bounding | None, float]:
    """What a pair is, and how far from chance."""
    x = side * target.ended
    later = (False, True) if target.family != base.family and not target.number else (False,)
    lines = {late: side * on_line(base, target, late) for late in later}
    loosest = (side < 0) and len(later) == 2  # from above, the end of a day allows more than its beginning
    y, probe = lines[loosest], sample.probe
    known = ~np.isnan(x) & ~np.isnan(y)
    if (x[probe] < y[probe]).any() or (x < y).any() or known.sum() < ROWS:
        return None, 0.0
    forms = tuple(
        (strict, late)
        for late in ((loosest, not loosest) if len(later) == 2 else later)
        for strict in (False, True)
        if not (target.type == "float" and strict) and not _broken(x, lines[late], strict)
    )
    found = Bounding(target, base, side, forms, bool((np.isnan(y) & ~np.isnan(x)).any()))
    # Of a reference table the copy has the same rows, so that each row of the table says something of its own.
    several = base.above and sample.holders.get(base.id) != ()
    return found, _nats(x[known], y[known], several)


def _broken(x: Vector, y: Vector, strict: bool) -> bool:
    return bool(((x <= y) if strict else (x < y)).any())


def _nats(x: Vector, y: Vector, above: bool) -> float:
    """How unlikely it is that no x is below its y, and that so many lie just above it, if chance put them together.

    Rows that share an ancestor are one observation: the lowest of its x.
    """
    if above:
        order = np.lexsort((x, y))
        first = np.append(True, np.diff(y[order]) != 0)
        x, y = x[order][first], y[order][first]
    some, few = (np.linspace(0, len(x) - 1, min(len(x), most)).astype(np.int64) for most in (TRIED, CROSSED))
    chance = float(np.searchsorted(np.sort(y[some]), x[some], side="right").mean() / len(some))
    crossed = (x[few][:, None] - y[few][None, :]).ravel()
    low, high = np.quantile(crossed, (0.25, 0.75))
    near = NEAR * (high - low)
    bases = np.sort(y)
    within = np.searchsorted(bases, x, side="right") - np.searchsorted(bases, x - near, side="left")  # of all the bases
    usual = max(float(within.mean()), 1 / len(bases))
    there = int((x - y <= near).sum())
    nearer = there * math.log(there / usual) - (there - usual) if there > usual else 0.0
    return -len(x) * math.log(chance) + nearer


def on_line(base: Column, target: Column, late: bool) -> Vector:
    """Values of a base in the unit of what it bounds, as ``late`` of a bound says."""
    values = base.ended
    if target.number or base.family == target.family or "date" not in (base.family, target.family):
        return values
    if base.family == "date":
        return values * DAY + (DAY - 1 if late else 0)
    made: Vector = np.ceil(values / DAY) if late else np.floor(values / DAY)
    return made


@dataclass(frozen=True)
class Learnt:
    """How a value is best learnt.

    Attributes:
        way: as ``Ordered.way``.
        bound: how much what is learnt still follows the bounds: a rank correlation, 0 to 1.
    """

    way: Way
    bound: float


def best_way(target: Column, low: Vector | None, high: Vector | None) -> Learnt:
    """The way that loses no recurring values, and of these the one that tells a model least of the bounds again.

    Args:
        target: what is bounded.
        low: the last lower bound of each row, NaN where none is known; None without lower bounds.
        high: the first upper bound.
    """
    values = target.ended
    rows = np.flatnonzero(~np.isnan(values))
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), TRIED)).astype(np.int64)]
    own, sides = values[rows], [side[rows] for side in (low, high) if side is not None]
    ways = dict[Way, Vector]()
    if low is not None and high is not None and _mostly(low[rows] + high[rows]):
        ways["share"] = _share(own - low[rows], high[rows] - low[rows])
    elif low is None and high is not None and target.number and (own >= 0).all() and _mostly(high[rows]):
        ways["share"] = _share(own, high[rows])
    if low is not None and _mostly(low[rows]):
        ways["after"] = own - low[rows]
    if high is not None and _mostly(high[rows]):
        ways["before"] = high[rows] - own
    if target.open_end is not None:
        ways.pop("share", None)
    ways["own"] = own
    # A distance that varies more than the value says little of it; unless a fifth of the rows have one and the same.
    distances: tuple[Way, ...] = ("after", "before")
    wide = [w for w in distances if w in ways and _spread(ways[w]) > _spread(own)]
    for way in wide:
        if alike(ways[way][~np.isnan(ways[way])]) < alike(own) + TOGETHER:
            ways.pop(way)
    recur = {way: alike(made[~np.isnan(made)]) for way, made in ways.items() if not np.isnan(made).all()}
    most = max(recur.values())
    kept = [way for way, often in recur.items() if often >= min(most / 2, most - RECURRING) or often == most]
    bound = {way: max(_correlation(ways[way], side) for side in sides) for way in kept}
    best = min(bound.values())
    way = next(way for way in kept if bound[way] <= best + CLOSE)
    return Learnt(way, bound[way])


def _spread(values: Vector) -> float:
    """Between what most values lie."""
    low, high = np.nanquantile(values, (0.1, 0.9))
    return float(high - low)


def _mostly(bound: Vector) -> bool:
    return bool((~np.isnan(bound)).mean() >= MOSTLY)


def _share(distance: Vector, width: Vector) -> Vector:
    made: Vector = np.where(width > 0, distance / np.where(width > 0, width, 1), np.nan)
    return made


def _correlation(a: Vector, b: Vector) -> float:
    """How much two columns follow each other in rank, 0 to 1; 0 where one of them is constant."""
    known = ~np.isnan(a) & ~np.isnan(b)
    found = pd.Series(a[known]).rank().corr(pd.Series(b[known]).rank())
    return 0.0 if math.isnan(found) else abs(float(found))


def rounded(value: float, column: Column) -> float:
    """A usual value as coarse as a plan may hold it: the year of a date or time, the first digit of a number."""
    if column.number:
        return 0.0 if value == 0 else round(value, -math.floor(math.log10(abs(value))))
    unit = "D" if column.family == "date" else "us"
    year = np.array([value]).astype(np.int64).astype(f"datetime64[{unit}]").astype("datetime64[Y]")
    return float(year.astype(f"datetime64[{unit}]").astype(np.int64)[0])
