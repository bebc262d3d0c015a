"""Masks: the shape of strings as a row of alphabets, and the string of a mask at each position."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from synthohive_spark.randomness import Ints, mix, seed_of, stride
from synthohive_spark.strict import Strict

ALPHABETS = {
    "digit": "0123456789",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "consonant": "bcdfghjklmnprstvwz",
    "Consonant": "BCDFGHJKLMNPRSTVWZ",
    "vowel": "aeiou",
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "alnum": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "byte": "".join(chr(code) for code in range(256, 512)),  # from 256 on: numpy drops a last character of code 0
    "variant": "89ab",  # the digit of a UUID that says which standard it follows
    "VARIANT": "89AB",
}
# Words of one length each, but for octets: these stand where no digit follows, so no string can be read in two ways.
WORDS = {
    "octet": [str(n) for n in range(256)],
    "hour": [f"{n:02d}" for n in range(24)],
    "hour of twelve": [f"{n:02d}" for n in range(1, 13)],
    "sixty": [f"{n:02d}" for n in range(60)],
    "half": ["AM", "PM"],
    "month": [f"{n:02d}" for n in range(1, 13)],
    "day": [f"{n:02d}" for n in range(1, 29)],  # each month has these
}
BIJECTIVE = 2**31  # positions are spread by exact 64-bit products below this capacity


class Mask(Strict):
    """The shape of a string: one token per character or word, the name of an alphabet or a literal character.

    Attributes:
        tokens: names of ``ALPHABETS``, ``WORDS`` or ``own``, or single characters that stand for themselves.
        share: share of the source's values that have this shape.
        own: {name: words} of alphabets that the source brought: the letters of its script, its years.
    """

    tokens: tuple[str, ...]
    share: float
    own: dict[str, tuple[str, ...]] = {}

    def words(self, token: str) -> Sequence[str]:
        """What may stand at a token's place."""
        return self.own.get(token) or ALPHABETS.get(token) or WORDS.get(token) or (token,)

    @property
    def length(self) -> int:
        """Characters of the longest string of this shape."""
        return sum(max(map(len, self.words(token))) for token in self.tokens)

    @property
    def capacity(self) -> int:
        """Distinct strings of this shape."""
        result = 1
        for token in self.tokens:
            result *= len(self.words(token))
        return result

    def strings(self, index: Ints, salt: int) -> np.ndarray[Any, np.dtype[np.object_]]:
        """The string at each position in [0, capacity), shape (n,): distinct positions give distinct strings."""
        span, places = 1, []
        for token in reversed(self.tokens):  # the last characters carry the position, those before them a hash of it
            base = len(self.words(token))
            places.append(span if span * base <= BIJECTIVE else 0)
            span = span * base if span * base <= BIJECTIVE else span
        spread = (index * stride(span) + salt % span) % span
        parts = []
        for at, (token, place) in enumerate(zip(self.tokens, reversed(places), strict=True)):
            words = np.array(list(self.words(token)))
            value = spread // place if place else (mix(index, seed_of(salt, at)) >> np.uint64(1)).astype(np.int64)
            parts.append(words[value % len(words)] if len(words) > 1 else np.full(len(index), words[0]))
        if not parts:
            return np.full(len(index), "", dtype=object)
        if all(part.dtype == "<U1" for part in parts):
            return np.column_stack(parts).view(f"<U{len(parts)}").ravel().astype(object)
        return functools.reduce(np.char.add, parts).astype(object)
