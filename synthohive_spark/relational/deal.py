"""Dealing slots to the rows of a unit: by chance, by what goes together, by a tie, or so that no pair repeats."""

from __future__ import annotations

import heapq

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.randomness import Ints

NOBODY = -1


def deal_distinct(group: Ints, items: Ints, rng: np.random.Generator) -> Ints:
    """Slots for rows such that no group gets an item twice: the greedy realisation of a degree sequence (Gale, Ryser).

    Items with most copies go first, each to the groups with most places left. Where copies exceed the groups, other
    items fill in; a row for which its group has every item already gets none.

    Args:
        group: group of each row, shape (rows,).
        items: parent of each slot, shape (slots,); slots of one parent are interchangeable.
        rng: breaks ties.

    Returns:
        The slot of each row; -1 where no pair is left.
    """
    rows_of = {g: list(rng.permutation(np.flatnonzero(group == g))) for g in np.unique(group).tolist()}
    slots_of: dict[int, list[int]] = {}
    for slot in rng.permutation(len(items)).tolist():
        slots_of.setdefault(int(items[slot]), []).append(slot)
    dealt = np.full(len(group), NOBODY, np.int64)
    has: dict[int, set[int]] = {g: set() for g in rows_of}
    heap = [(-len(rows), float(rng.random()), g) for g, rows in rows_of.items()]
    heapq.heapify(heap)
    for item in sorted(slots_of, key=lambda q: -len(slots_of[q])):
        chosen = [heapq.heappop(heap) for _ in range(min(len(slots_of[item]), len(heap)))]
        for (_, _, g), slot in zip(chosen, slots_of[item], strict=False):
            dealt[rows_of[g].pop()] = slot
            has[g].add(item)
            if rows_of[g]:
                heapq.heappush(heap, (-len(rows_of[g]), float(rng.random()), g))
    everything = list(slots_of)
    for g in (g for g, rows in rows_of.items() if rows):
        spare = [q for q in rng.permutation(everything).tolist() if q not in has[g]]
        for row, item in zip(rows_of[g], spare, strict=False):
            dealt[row] = slots_of[item][0]
    return dealt


def deal_tied(tie: Ints, candidate_tie: Ints, weight: Ints, rng: np.random.Generator, place: str) -> Ints:
    """A candidate for each row among those that agree with it, in proportion to the candidates' weights.

    Args:
        tie: code of what each row must agree on; -1 for a row that may take anybody.
        candidate_tie: the same code of each candidate.
        weight: children that each candidate should have.
        rng: rounds and shuffles.
        place: table and key, for the message.

    Raises:
        GenerationError: a row has nobody to agree with.
    """
    dealt = np.full(len(tie), NOBODY, np.int64)
    for code in np.unique(tie).tolist():
        rows = np.flatnonzero(tie == code)
        able = np.flatnonzero(candidate_tie == code) if code >= 0 else np.arange(len(candidate_tie))
        if not len(able):
            raise GenerationError(f"{place}: a row has no parent that agrees with its other parents; this is a bug")
        shares = np.maximum(weight[able].astype(np.float64), 1e-9 if weight[able].sum() else 1.0)
        ends = np.cumsum(shares / shares.sum()) * len(rows)
        marks = np.arange(len(rows)) + rng.random()
        dealt[rng.permutation(rows)] = able[np.minimum(np.searchsorted(ends, marks, side="right"), len(able) - 1)]
    return dealt


def codes(*frames: pd.DataFrame) -> list[Ints]:
    """Rows of several frames (same number of columns) as codes that agree where the rows do."""
    named = [f.set_axis(range(f.shape[1]), axis=1).astype(object) for f in frames]
    whole = pd.concat(named, ignore_index=True)
    if not len(whole) or not whole.shape[1]:
        return [np.zeros(len(f), np.int64) for f in frames]
    code = whole.groupby(list(whole.columns), sort=False, dropna=False).ngroup().to_numpy().astype(np.int64)
    cuts = np.cumsum([len(f) for f in frames])[:-1]
    return [np.asarray(part, np.int64) for part in np.split(code, cuts)]
