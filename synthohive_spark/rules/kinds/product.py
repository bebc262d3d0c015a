"""A number is the product of two others of the row: a total is quantity times price."""

from __future__ import annotations

from collections.abc import Iterator

from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.kinds.numbers import wide
from synthohive_spark.rules.value_kind import Candidate, ValueKind


class Product(ValueKind):
    """Products of every two numbers."""

    name = "product"
    order = 7
    rounds = True

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """One per pair."""
        for b, c in sample.pairs:
            sql = f"try_multiply({wide(0, b)}, {wide(1, c)})"
            yield Candidate((b, c), sql, lambda v: v[0] * v[1], rounded=True)
