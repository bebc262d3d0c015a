"""Last digits that numbers have more often than by chance: whole prices, salaries in thousands (digit preference).

A quantile function is smooth: between 19.00 and 21.35 it has 19.37. Endings move some of its numbers to the next one
with the digits that people prefer, as often as the data have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthohive_spark.models.encoders.sample import BottomK
from synthohive_spark.randomness import mix

Integers = NDArray[np.int64]
OFTEN = 2.0  # times as often as by chance
DEVIATIONS = 4.0  # standard deviations above chance: one ending in 30,000 by accident
NARROW = 8  # the middle half of the numbers is so many times as wide as what an ending moves them by
FEWEST = 0.5  # bins with an ending from which on its share is made up for
_EXACT = 2**53


@dataclass(frozen=True)
class Endings:
    """Endings of integers, as ``remainders`` modulo ``moduli``, and their shares; (0, 1) leaves a number as it is.

    Attributes:
        decimals: the integers are the column's numbers times 10 to this power.
        moduli: (E,) powers of ten.
        remainders: (E,) of the numbers with this ending.
        shares: (E,) of the numbers to be moved to it, 1 in all.
    """

    decimals: int
    moduli: tuple[int, ...]
    remainders: tuple[int, ...]
    shares: tuple[float, ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Endings:
        """Returns the endings from JSON values."""
        return cls(raw["decimals"], tuple(raw["moduli"]), tuple(raw["remainders"]), tuple(raw["shares"]))

    @cached_property
    def _table(self) -> tuple[Integers, Integers, NDArray[np.float64]]:
        return np.asarray(self.moduli), np.asarray(self.remainders), np.cumsum(self.shares)

    def apply(self, numbers: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
        """Returns the (n,) numbers, moved to their endings where that leaves them within (n,) ``low`` to ``high``.

        Which ending a number gets is a hash of its bits, so that the same number has the same one everywhere.
        """
        moduli, remainders, shares = self._table
        chance = mix(numbers.astype(np.float64).view(np.int64)).astype(np.float64) / 2.0**64
        chosen = np.minimum(np.searchsorted(shares, chance * shares[-1], side="right"), shares.size - 1)
        modulus, remainder = moduli[chosen], remainders[chosen]
        steps, first, last = (
            (values.astype(np.float64) * 10.0**self.decimals - remainder) / modulus for values in (numbers, low, high)
        )
        first, last = np.ceil(first), np.floor(last)
        moved = np.clip(np.rint(steps), first, last).astype(np.int64) * modulus + remainder
        ended = np.round(moved / 10.0**self.decimals, self.decimals) if numbers.dtype.kind == "f" else moved
        kept: NDArray[Any] = np.where((modulus > 1) & (first <= last), ended, numbers)
        return kept


def find_endings(sample: BottomK, knots: NDArray[Any], decimals: int, min_count: int) -> Endings | None:
    """Returns the endings of a column, or None where digits are as by chance or numbers too wide to be exact.

    Args:
        sample: finite numbers of the column, sorted.
        knots: (K,) quantiles of them, between which numbers are moved.
        decimals: digits after the point that write each of them.
        min_count: people who must have an ending before it counts.
    """
    scaled = sample.values.astype(np.float64) * 10.0**decimals
    if scaled.size < min_count or np.abs(scaled[[0, -1]]).max() >= _EXACT:
        return None
    low, high = scaled[[scaled.size // 4, (3 * scaled.size) // 4]]
    members = Ended(np.rint(scaled).astype(np.int64), sample.origin.people)
    found = _split(members, 1, 0, 0.0, min_count, (high - low) / NARROW)
    if len(found) < 2:
        return None
    moduli, remainders, counts = (np.asarray(part) for part in zip(*found, strict=True))
    # Some knots have no number with the ending between them: it is wanted more often where there is one.
    low, high = (ends[:, None].astype(np.float64) * 10.0**decimals for ends in (knots[:-1], knots[1:]))
    possible = np.floor((high - remainders) / moduli) * moduli + remainders >= low  # (K - 1, E)
    shares = counts / counts.sum() / possible.mean(axis=0).clip(FEWEST)
    shares[0] = max(0.0, 1.0 - shares[1:].sum())  # the first leaves numbers as they are
    shares /= shares.sum()
    return Endings(decimals, tuple(moduli.tolist()), tuple(remainders.tolist()), tuple(shares.tolist()))


@dataclass(frozen=True)
class Ended:
    """Numbers with one ending, and whom each is about."""

    numbers: Integers
    people: Integers | None

    def held(self, digits: Integers) -> Integers:
        """Returns the (10,) people behind each digit."""
        if self.people is None:
            return np.bincount(digits, minlength=10)
        known = self.people >= 0
        pairs = np.unique(np.stack([digits[known], self.people[known]]), axis=1)
        return np.bincount(pairs[0], minlength=10)


def _split(
    members: Ended, modulus: int, remainder: int, chance: float, min_count: int, widest: float
) -> list[tuple[int, int, float]]:
    """Returns (modulus, remainder, numbers to move) of an ending and of the longer ones within it.

    Args:
        members: those with this ending.
        modulus: of the ending.
        remainder: of the ending.
        chance: numbers that have the ending though they were moved to a shorter one.
        min_count: people that an ending needs.
        widest: modulus, at most.
    """
    digits = members.numbers // modulus % 10
    counts = members.held(digits)
    size, usual = int(counts.sum()), counts.sum() / 10
    many = (counts >= max(min_count, OFTEN * usual)) & (counts >= usual + DEVIATIONS * np.sqrt(usual))
    longer = np.flatnonzero(many) if modulus * 10 <= widest else np.zeros(0, dtype=np.int64)
    own = size - counts[longer].sum()
    moved = max(0.0, own / (1 - longer.size / 10) - chance)
    endings = [(modulus, remainder, moved)]
    for digit in longer.tolist():
        reached = (chance + moved) / 10
        chosen = digits == digit
        those = Ended(members.numbers[chosen], None if members.people is None else members.people[chosen])
        endings += _split(those, modulus * 10, remainder + digit * modulus, reached, min_count, widest)
    return endings
