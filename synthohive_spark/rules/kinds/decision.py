"""A column of few values follows from thresholds and categories: closed where the last payment is before the due date.

Each tree is grown on the sample (``rules/growing.py``); only one that leaves a single value at each leaf is a law.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from synthohive_spark.rules.branches import Leaf, Way, case, from_json, inputs_of, leaves, questions, to_json
from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.growing import few_valued
from synthohive_spark.rules.kind import WAY, Law
from synthohive_spark.rules.sharpen import spoken
from synthohive_spark.rules.value_kind import Candidate, ValueKind


class Decision(ValueKind):
    """Columns of few values, null among them."""

    name = "decision"
    order = 30
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
            if all(leaf.only for leaf in leaves(way)) and not _enumerates(way, distinct)
        ]

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The tree as a CASE."""

        def value(leaf: Leaf) -> str:
            only = leaf.values[0][0]
            return "null" if only is None else spoken(types, law.target, only)

        return case(from_json(law.data), names, lambda column, v: spoken(types, column, v), value)


def _enumerates(way: Way, distinct: Mapping[str, int]) -> bool:
    """Whether thresholds part the few values of a column from each other: a dictionary, not a decision."""
    bounded = {q.column for q in questions(way) if q.asks == "at most" and not q.part}
    return any(distinct[c] <= 2 * len(leaves(way)) for c in bounded)
