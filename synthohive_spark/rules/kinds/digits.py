"""Leading and trailing digits of a whole number: a = b // k, a = b % k."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from synthohive_spark.rules.evidence import Sample, Vector
from synthohive_spark.rules.kinds.numbers import BASES, integer, whole
from synthohive_spark.rules.value_kind import Candidate, ValueKind


class Digits(ValueKind):
    """Quotients and remainders by ``BASES``, both ways of rounding where there are negative numbers."""

    name = "digits"
    order = 3

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """Both parts of every whole number."""
        for b in (c for c in sample.inputs if c.whole):
            n = integer(0, b)
            negative = bool((b.known < 0).any())
            for k in BASES:
                yield Candidate((b,), f"{n} div {k}", _by(np.trunc, k), whole)
                yield Candidate((b,), f"pmod({n}, {k})", _rest(np.mod, k), whole)
                if negative:
                    floor = f"try_subtract({n}, pmod({n}, {k})) div {k}"
                    yield Candidate((b,), floor, _by(np.floor, k), whole)
                    yield Candidate((b,), f"{n} % {k}", _rest(np.fmod, k), whole)


def _by(rounded: Callable[[Vector], Vector], k: int) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: rounded(v[0] / k)


def _rest(remainder: Callable[[Vector, int], Vector], k: int) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: remainder(v[0], k)
