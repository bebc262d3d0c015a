"""Numbers that are an ancestor's but for a few factors: what was paid is the list price, or four fifths of it."""

from __future__ import annotations

import numpy as np

from synthohive_spark.derive.law import Law
from synthohive_spark.derive.sample import ROWS, Column, Sample, alike

WIDTH = 0.01  # relative difference of factors that are one: prices are rounded
ALIKE = 0.2  # how often two rows must have one factor
MORE_ALIKE = 5.0  # than they have one value, or one would without the ancestor


def relative(sample: Sample) -> list[Law]:
    """For each number of the row the ancestor's number of which it is most often the same multiple."""
    numbers = [c for c in sample.columns if c.number]
    found = []
    for target in (c for c in numbers if c.target and c.distinct > 2):
        scores = {c.id: _score(target, c) for c in numbers if c.id.startswith("c")}
        best = max(scores, key=lambda i: scores[i], default=None)
        if best is not None and scores[best] > 0:
            scale = target.scale if target.scale is not None else -1
            found.append(Law("relative", target.id, (best,), "{0}", "part", "", target.distinct, scale))
    return found


def _score(target: Column, base: Column) -> float:
    """How often two rows have one factor; 0 where that says little, or where a factor is not known."""
    known = ~np.isnan(target.values)
    mine, theirs = target.values[known], base.values[known]
    if len(mine) < ROWS or not (theirs > 0).all() or not (mine >= 0).all():
        return 0.0
    same = alike(np.round(np.log(np.maximum(mine, 1e-9) / theirs) / WIDTH))
    return same if same >= max(ALIKE, MORE_ALIKE * alike(mine), MORE_ALIKE * alike(theirs)) else 0.0
