"""Order among the times of a row: a time that is never before another one is learnt as how long after it lies."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

import numpy as np

from synthohive_spark.derive.law import Law
from synthohive_spark.derive.sample import EVIDENCE, FEW, ROWS, Column, Sample, Vector, alike

FAMILIES = ("date", "time", "plain time")
RECURRING = 1e-3  # by which two rows must more often have one end than one length
GRIDS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1)  # microseconds


def orders(sample: Sample) -> list[Law]:
    """Pairs of times of which one is never before the other, though by chance it would be.

    Only a pair whose order the sample's own values do not force counts: two columns of different years are in order
    whoever puts their rows together. Nor does one whose times recur more than what lies between them: an end that is
    31 December 9999 for all that has not ended is no so-many days after its beginning.
    """
    times = [c for c in sample.columns if c.family in FAMILIES]
    found = []
    for target in (c for c in times if c.target and c.distinct > FEW):
        for base in (c for c in times if c.id != target.id and c.family == target.family):
            if (base.input or base.id.startswith("c")) and _ordered(sample, base, target):
                step = 0 if target.family == "date" else _grid(target.known)
                found.append(Law("after", target.id, (base.id,), "{0}", "part", "", target.distinct, step))
    return found


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


def nearest(laws: Iterable[Law], usable: Collection[str], targets: Collection[str]) -> dict[str, tuple[str, ...]]:
    """What each time is at or after: {target: bases}, a base before what is after it.

    Of bases that are in order themselves only the last one is kept, since it says what the others say.

    Args:
        laws: verified ones; those of other kinds are passed over.
        usable: ids of columns that have their values when the model's columns get theirs.
        targets: ids of columns that the model draws and nothing else decides.
    """
    pairs = {(law.target, law.inputs[0]) for law in laws if law.kind == "after"}
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
