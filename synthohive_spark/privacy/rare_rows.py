"""Which rows only few people of the source have: a filter of their hashes, so that no copy of one is written."""

from __future__ import annotations

import base64
import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from synthohive_spark.strict import Strict

MOST = 2**21  # hashes in a filter, which has 1.5 MB then; of more a part is looked at
BITS, PLACES = (
    6,
    4,
)  # bits of the filter for each hash, and how many it sets: one in 18 other rows is taken for a rare one
LONGEST = MOST * BITS // 6 + 16  # characters of base64


class RareRows(Strict):
    """Combinations of values that fewer than ``privacy.k`` people have: Bloom's filter (1970) of their hashes.

    Attributes:
        columns: whose values make a combination; () where nothing is looked for.
        salt: of the hashes.
        bits: the filter, in base64.
    """

    columns: tuple[str, ...] = ()
    salt: int = 0
    bits: str = Field(default="", max_length=LONGEST)

    @field_validator("bits")
    @classmethod
    def _base64(cls, bits: str) -> str:
        base64.b64decode(bits, validate=True)
        return bits

    @functools.cached_property
    def _filter(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(base64.b64decode(self.bits), np.uint8)

    def holds(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Whether each of the hashes is in the filter, shape (n,)."""
        found = np.full(len(hashes), bool(len(self._filter)))
        for place in _places(hashes, 8 * len(self._filter)):
            found &= (self._filter[place // 8] >> (place % 8).astype(np.uint8) & 1).astype(bool)
        return found


def fewest(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """At most ``MOST`` of the hashes: the smallest ones."""
    return np.partition(hashes, MOST)[:MOST] if len(hashes) > MOST else hashes


def filter_text(hashes: npt.NDArray[np.uint64]) -> str:
    """The filter of some hashes, in base64; empty where there are none."""
    held = fewest(hashes)
    if not len(held):
        return ""
    bits = np.zeros(-(-len(held) * BITS // 8), np.uint8)
    for place in _places(held, 8 * len(bits)):
        np.bitwise_or.at(bits, place // 8, (1 << place % 8).astype(np.uint8))
    return base64.b64encode(bits.tobytes()).decode()


def _places(hashes: npt.NDArray[np.uint64], size: int) -> list[npt.NDArray[Any]]:
    """Bits of each hash in a filter of so many (Kirsch and Mitzenmacher 2006); none in an empty one."""
    low, high = hashes & np.uint64(0xFFFFFFFF), hashes >> np.uint64(32) | np.uint64(1)
    return [((low + np.uint64(i) * high) % np.uint64(size)).astype(np.int64) for i in range(PLACES)] if size else []
