"""A column of few values follows from thresholds and categories: closed where the last payment is before the due date.

Each tree is grown on the sample (``rules/growing.py``); only one that leaves a single value at each leaf is a law.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from synthohive_spark.rules.branches import Leaf, Way, case, from_json, inputs_of, leaves, questions, to_json
from synthohive_spark.rules.evidence import Sample, Vector
from synthohive_spark.rules.growing import few_valued
from synthohive_spark.rules.kind import WAY, Law
from synthohive_spark.rules.sharpen import spoken
from synthohive_spark.rules.value_kind import Candidate, ValueKind


class Decision(ValueKind):
    """Columns of few values, null among them."""

    name = "decision"
    order = 30
    listed = True
    casts = False

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        """None: a tree is grown for its target."""
        return ()

    def search(self, sample: Sample) -> list[Law]:
        """Trees that leave one value at each leaf."""
        distinct = {c.id: c.distinct for c in sample.columns}
        return [
            Law(self.name, target, inputs_of(way), "", distinct=distinct[target], facts={WAY: to_json(way)})
            for target, ways in few_valued(sample).items()
            for way in ways
            if gives_all(way, target, sample)
        ]

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The tree as a CASE."""

        def value(leaf: Leaf) -> str:
            only = leaf.values[0][0]
            return "null" if only is None else spoken(types, law.target, only)

        return case(from_json(law.data), names, lambda column, v: spoken(types, column, v), value)


def gives_all(way: Way, target: str, sample: Sample) -> bool:
    """Whether a tree gives every value of a column, and nothing else says it better."""
    distinct = {c.id: c.distinct for c in sample.columns}
    whole = all(leaf.only for leaf in leaves(way))
    return whole and not _enumerates(way, distinct) and not _told(way, target, sample)


def _told(way: Way, target: str, sample: Sample) -> bool:
    """Whether something else says the same more simply.

    One of several columns that are asked decides the column alone, which is a dictionary; or the column decides where
    another one of the row is null, of which some leaf does not ask: there the other would be drawn as it may not be,
    where it follows from the column nothing is wrong.
    """
    known, asked = {c.id: c for c in (*sample.columns, *sample.own)}, questions(way)
    values, drawn = known[target].values, {c.id for c in sample.targets}
    if len({c for q in asked for c in q.columns}) > 1:
        groups = {q.column for q in asked if q.asks == "among" and not q.part}
        if any(_decides(known[c].values, values) for c in groups):
            return True
    nulls = [q.column for q in asked if q.asks == "null" and q.column in drawn and not _always_asks(way, q.column)]
    return any(_decides(values, np.isnan(known[c].values).astype(np.float64)) for c in nulls)


def _always_asks(way: Way, column: str) -> bool:
    """Whether every way to a leaf asks whether a column is null."""
    if isinstance(way, Leaf):
        return False
    here = way.asked.asks == "null" and way.asked.column == column
    return here or (_always_asks(way.yes, column) and _always_asks(way.no, column))


def _decides(one: Vector, other: Vector) -> bool:
    """Whether rows with one value of a column have one value of another."""
    codes = np.unique(one, return_inverse=True)[1].reshape(-1)
    both = np.unique(other, return_inverse=True)[1].reshape(-1)
    return len(np.unique(codes * (both.max(initial=0) + 1) + both)) == len(np.unique(codes))


def _enumerates(way: Way, distinct: Mapping[str, int]) -> bool:
    """Whether thresholds part the few values of a column from each other: a dictionary, not a decision."""
    bounded = {q.column for q in questions(way) if q.asks == "at most" and not q.part}
    return any(distinct[c] <= 2 * len(leaves(way)) for c in bounded)
