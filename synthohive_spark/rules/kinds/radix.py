"""A whole number is put together from two others as from digits: a = k b + c, with c below k."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from synthohive_spark.rules.evidence import Sample, Vector
from synthohive_spark.rules.kinds.numbers import BASES, integer, whole
from synthohive_spark.rules.value_kind import Candidate, ValueKind


class Radix(ValueKind):
    """Every two whole numbers of which the second is a digit of one of ``BASES``."""

    name = "radix"
    order = 5

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """One per pair, way round and base."""
        for pair in sample.pairs:
            for b, c in (pair, pair[::-1]):
                if b.whole and c.whole and (c.known >= 0).all():
                    n, m = integer(0, b), integer(1, c)
                    for k in (k for k in BASES if (c.known < k).all()):
                        yield Candidate((b, c), f"try_add(try_multiply({n}, {k}), {m})", _joined(k), whole)


def _joined(k: int) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: v[0] * k + v[1]
