"""Key values from their position: position i of a table gets the i-th key of the source's format.

A format maps positions to values one to one, so keys are unique by construction, on any number of tasks.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.randomness import Ints, mix, seed_of, stride
from synthohive_spark.strict import Strict

ALPHABETS = {
    "digit": "0123456789",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "alnum": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
}
BIJECTIVE = 2**31  # positions are spread by exact 64-bit products below this capacity


class Mask(Strict):
    """The shape of a string: one token per character, the name of an alphabet or a literal character.

    Attributes:
        tokens: names of ``ALPHABETS``, or single characters that stand for themselves.
        share: share of the source's values that have this shape.
    """

    tokens: tuple[str, ...]
    share: float

    @property
    def capacity(self) -> int:
        """Distinct strings of this shape."""
        result = 1
        for token in self.tokens:
            result *= len(ALPHABETS.get(token, " "))
        return result

    def strings(self, index: Ints, salt: int) -> np.ndarray[Any, np.dtype[np.object_]]:
        """The string at each position in [0, capacity), shape (n,): distinct positions give distinct strings."""
        chars = np.empty((len(index), len(self.tokens)), dtype="<U1")
        span, places = 1, []
        for token in reversed(self.tokens):  # the last characters carry the position, those before them a hash of it
            base = len(ALPHABETS.get(token, " "))
            places.append(span if span * base <= BIJECTIVE else 0)
            span = span * base if span * base <= BIJECTIVE else span
        spread = (index * stride(span) + salt % span) % span
        for at, (token, place) in enumerate(zip(self.tokens, reversed(places), strict=True)):
            if token not in ALPHABETS:
                chars[:, at] = token
                continue
            letters = np.array(list(ALPHABETS[token]))
            value = spread // place if place else (mix(index, seed_of(salt, at)) >> np.uint64(1)).astype(np.int64)
            chars[:, at] = letters[value % len(letters)]
        if not self.tokens:
            return np.full(len(index), "", dtype=object)
        return np.ascontiguousarray(chars).view(f"<U{len(self.tokens)}").ravel().astype(object)


class KeyFormat(Strict):
    """How the values of one key column look.

    Attributes:
        kind: integer, date and timestamp count up from ``start`` by ``step`` (days, microseconds); string has masks.
        masks: shapes of strings, commonest first.
    """

    kind: Literal["integer", "date", "timestamp", "string"]
    start: int = 0
    step: int = 1
    masks: tuple[Mask, ...] = ()

    def values(self, index: Ints, total: int, salt: int = 0) -> pd.Series[Any]:
        """Key values of the rows at ``index`` (in [0, total)) of a table of ``total`` rows.

        Raises:
            GenerationError: the format has fewer values than the table has rows.
        """
        if self.kind == "string":
            return pd.Series(self._strings(index, total, salt), dtype=object)
        return counted(self.kind, self.start + index * self.step)

    def draw(self, rows: int, rng: np.random.Generator) -> pd.Series[Any]:
        """Random strings of the format, repeats allowed, shape (rows,)."""
        share = np.array([m.share for m in self.masks])
        which = rng.choice(len(self.masks), rows, p=share / share.sum())
        result = np.empty(rows, dtype=object)
        for m in np.unique(which):
            here, mask = which == m, self.masks[m]
            index = rng.integers(0, min(mask.capacity, BIJECTIVE), int(here.sum()))
            result[here] = mask.strings(index, int(rng.integers(BIJECTIVE)))
        return pd.Series(result, dtype=object)

    def _strings(self, index: Ints, total: int, salt: int) -> np.ndarray[Any, np.dtype[np.object_]]:
        masks, bounds = self._allotment(total)
        which = np.searchsorted(bounds, index, side="right")
        result = np.empty(len(index), dtype=object)
        for m in np.unique(which):
            here = which == m
            result[here] = masks[m].strings(index[here] - (bounds[m - 1] if m else 0), salt)
        return result

    def _allotment(self, total: int) -> tuple[list[Mask], Ints]:
        """Masks with the first position past each: shares of the source, none above its capacity."""
        masks = list(self.masks)
        if sum(min(m.capacity, BIJECTIVE) for m in masks) < total:
            widest = max(masks, key=lambda m: m.capacity)
            grow = next((t for t in reversed(widest.tokens) if t in ALPHABETS), "digit")
            taken = {len(m.tokens) for m in masks}  # of a length of their own, the longer keys meet no other mask
            while min(widest.capacity, BIJECTIVE) < total or len(widest.tokens) in taken:
                widest = Mask(tokens=(*widest.tokens, grow), share=0.0)
                if len(widest.tokens) > 64:
                    raise GenerationError(f"a key format cannot hold {total} distinct values; lower generate.scale")
            masks.append(widest)
        room = [min(m.capacity, BIJECTIVE) for m in masks]
        share = sum(m.share for m in masks) or 1.0
        counts = [min(r, int(total * m.share / share)) for m, r in zip(masks, room, strict=True)]
        for i in sorted(range(len(masks)), key=lambda j: -room[j]):
            counts[i] += min(room[i] - counts[i], total - sum(counts))
        return masks, np.cumsum(counts).astype(np.int64)


def counted(kind: str, number: Ints) -> pd.Series[Any]:
    """Numbers as values of a countable kind: integers, days since 1970, microseconds since 1970 (UTC)."""
    if kind == "date":
        epoch = dt.date(1970, 1, 1).toordinal()
        return pd.Series([dt.date.fromordinal(epoch + int(n)) for n in number], dtype=object)
    if kind == "timestamp":
        return pd.Series(number.astype("datetime64[us]"))
    return pd.Series(number)
