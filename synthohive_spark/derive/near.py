"""Texts that equal one of an ancestor's on most rows: an order is shipped to its customer's address, but for gifts."""

from __future__ import annotations

import math

import numpy as np

from synthohive_spark.derive.law import Law
from synthohive_spark.derive.sample import EVIDENCE, ROWS, Column, Flags, Sample
from synthohive_spark.metadata import TEXT

MOST_ROWS = 0.8  # on which they are equal
FAR_FROM_CHANCE = 0.25  # share of the rows on which chance would part them that may be apart


def near(sample: Sample) -> list[Law]:
    """For each text of the row the ancestor's text that it equals most often; none where it equals one on every row."""
    texts = [c for c in sample.columns if c.type.startswith(TEXT)]
    found = []
    for target in (c for c in texts if c.target and c.distinct > 1):
        seen = [(_equal(target, c), c) for c in texts if c.id.startswith("c")]
        equal, base = max(seen, key=lambda pair: float(pair[0].mean()), default=(np.ones(0, bool), target))
        if not equal.all() and _by_more_than_chance(target, base, equal):
            found.append(Law("near", target.id, (base.id,), "{0}", "part", "", target.distinct))
    return found


def _equal(a: Column, b: Column) -> Flags:
    """Where two columns have the same value, or both none."""
    same: Flags = (a.values == b.values) | (np.isnan(a.values) & np.isnan(b.values))
    return same


def _by_more_than_chance(target: Column, base: Column, equal: Flags) -> bool:
    known = ~np.isnan(target.values) & ~np.isnan(base.values)
    same, rows = float(equal[known].mean()) if known.any() else 0.0, int(known.sum())
    if rows < ROWS or min(same, float(equal.mean())) < MOST_ROWS:
        return False
    values, counts = np.unique(target.values[known], return_counts=True)
    theirs, often = np.unique(base.values[known], return_counts=True)
    both, mine, other = np.intersect1d(values, theirs, return_indices=True)
    chance = float((counts[mine] / rows * (often[other] / rows)).sum()) if len(both) else 1.0
    return 1 - same <= FAR_FROM_CHANCE * (1 - chance) and -rows * same * math.log(max(chance, 1e-9)) >= EVIDENCE
