"""A number as a row of choices: an arithmetic code, read backwards.

A number below N says which of some weighted options is taken, and what is left of it says what is taken next. Numbers
that are spread evenly give options their shares; two numbers never give the same choices, as long as choices are made
until nothing is left of either. So each row of a table gets a text of its own, though no row knows the others.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence

REFILL = 2**40  # below which too little is left for even choices
DIGEST = 64  # bytes of a hash


class Draws:
    """The choices of one text."""

    def __init__(self, number: int, total: int, salt: int) -> None:
        """Begin.

        Args:
            number: of the text.
            total: of the numbers: all are below it.
            salt: of the hashes from which choices are drawn when nothing is left of the number.
        """
        self._left, self._of, self._told = number, total, total > 1
        self._key, self._used = f"{salt}:{number}", 0

    @property
    def coded(self) -> bool:
        """Whether something is left of the number: another one may have made the same choices so far."""
        return self._told and self._of > 1

    def choose(self, upto: Sequence[int]) -> int:
        """One of some options.

        Args:
            upto: for each the sum of the weights up to its own, all of which are positive.
        """
        if not self.coded and (self._told or self._of < REFILL):
            digest = hashlib.blake2b(f"{self._key}:{self._used}".encode(), digest_size=DIGEST).digest()
            self._left, self._of, self._told = int.from_bytes(digest, "big"), 2 ** (8 * DIGEST), False
            self._used += 1
        weight, of = upto[-1], self._of
        at = bisect_right(upto, self._left * weight // of)
        low = -(-upto[at - 1] * of // weight) if at else 0
        self._left, self._of = self._left - low, -(-upto[at] * of // weight) - low
        return at
