"""Which words and texts the source holds, as hashes that many others share: what is written must be none of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence

from pydantic import Field

from synthohive_spark.strict import Strict

OPEN = 0.25  # share of a list that must stay when the source's words are taken out; else names are common, and all stay
LARGEST = 2**20  # bits of a filter: 128 KiB


class WordFilter(Strict):
    """Which words the source holds, so that no fake is made of one: hashes, which other words share.

    Attributes:
        bits: of as many hashes as there are, in hexadecimal; empty where nothing is filtered.
        salt: of the hashes.
    """

    bits: str = Field(default="", max_length=LARGEST // 4, pattern="^([0-9a-f]{2})*$")
    salt: str = ""

    @classmethod
    def of(cls, places: Iterable[int], size: int, salt: str) -> WordFilter:
        """From the hashes of the words: numbers below ``size``, a multiple of eight."""
        bits = bytearray(size // 8)
        for place in places:
            bits[place // 8] |= 1 << place % 8
        return cls(bits=bits.hex(), salt=salt)

    def asked(self) -> Callable[[str], bool]:
        """A function that says whether the source may hold a text, in capitals or not; True for others by chance."""
        bits, salt = bytes.fromhex(self.bits), self.salt
        if not bits:
            return lambda text: False
        size = 8 * len(bits)

        def held(text: str) -> bool:
            place = place_of(text, salt) % size
            return bool(bits[place // 8] >> place % 8 & 1)

        return held

    def free(self, words: Sequence[str]) -> tuple[str, ...]:
        """The words that the source does not hold; all of them where it holds most of the list."""
        held = self.asked()
        left = tuple(w for w in words if not held(w))
        return left if len(left) >= OPEN * len(words) else tuple(words)


def place_of(text: str, salt: str) -> int:
    """The hash of a text, whatever its capitals."""
    return zlib.crc32((salt + text.lower()).encode("utf-8", "replace"))
