"""Key values from their position: position i of a table gets the i-th key of the source's format.

A format maps positions to values one to one, so keys are unique by construction, on any number of tasks.
"""

from __future__ import annotations

import datetime as dt
from decimal import Context, Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.privacy.masks import ALPHABETS, BIJECTIVE, Mask
from synthohive_spark.randomness import Ints
from synthohive_spark.strict import Strict

WIDE = Context(prec=80)  # digits for arithmetic on decimals, of which Spark keeps 38
LONGEST = 64  # characters to which keys may grow
Kind = Literal["integer", "decimal", "double", "boolean", "date", "timestamp", "string", "binary"]


class KeyFormat(Strict):
    """How the values of one key column look.

    Attributes:
        kind: string and binary have masks; the others count up from ``start`` by ``step``: days, microseconds, units of
            the last digit.
        masks: shapes of strings, commonest first.
        scale: digits after the point.
        least, most: the ends of the numbers that the column, and those that refer to it, can hold; None for no ends.
        width: characters that they can hold; None for any number.
    """

    kind: Kind
    start: int = 0
    step: int = 1
    masks: tuple[Mask, ...] = ()
    scale: int = 0
    least: int | None = None
    most: int | None = None
    width: int | None = None

    def values(self, index: Ints, total: int, salt: int = 0) -> pd.Series[Any]:
        """Key values of the rows at ``index`` (in [0, total)) of a table of ``total`` rows.

        Raises:
            GenerationError: the format has fewer values than the table has rows.
        """
        if self.kind in ("string", "binary"):
            return self._written(self._strings(index, total, salt))
        start, step = self._placed(total)
        far = step * int(index.max(initial=0))
        if max(abs(start), far, abs(start + far)) < 2**63:
            return counted(self.kind, start + index * step, self.scale)
        return counted(self.kind, np.array([start + i * step for i in index.tolist()], object), self.scale)

    def holds(self, total: int) -> bool:
        """Whether there are so many values."""
        try:
            self._allotment(total) if self.kind in ("string", "binary") else self._placed(total)
        except GenerationError:
            return False
        return True

    def _placed(self, total: int) -> tuple[int, int]:
        """Start and step of so many rows: the source's, or what the type has room for."""
        start, step, rest = self.start, self.step, max(total, 1) - 1
        if self.most is None or self.least is None or start + step * rest <= self.most:
            return start, step
        if rest > self.most - self.least:
            raise GenerationError(f"a key format cannot hold {total} distinct values; lower generate.scale")
        start = min(start, self.most - rest)
        return start, (self.most - start) // rest

    def _written(self, texts: np.ndarray[Any, np.dtype[np.object_]]) -> pd.Series[Any]:
        if self.kind == "binary":
            first = ord(ALPHABETS["byte"][0])
            return pd.Series([bytes(ord(ch) - first for ch in text) for text in texts], dtype=object)
        return pd.Series(texts, dtype=object)

    def draw(self, rows: int, rng: np.random.Generator) -> pd.Series[Any]:
        """Random strings or bytes of the format, repeats allowed, shape (rows,)."""
        share = np.array([m.share for m in self.masks])
        which = rng.choice(len(self.masks), rows, p=share / share.sum())
        result = np.empty(rows, dtype=object)
        for m in np.unique(which):
            here, mask = which == m, self.masks[m]
            index = rng.integers(0, min(mask.capacity, BIJECTIVE), int(here.sum()))
            result[here] = mask.strings(index, int(rng.integers(BIJECTIVE)))
        return self._written(result)

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
            masks = self._widened(masks, total)
        room = [min(m.capacity, BIJECTIVE) for m in masks]
        share = sum(m.share for m in masks) or 1.0
        counts = [min(r, int(total * m.share / share)) for m, r in zip(masks, room, strict=True)]
        for i in sorted(range(len(masks)), key=lambda j: -room[j]):
            counts[i] += min(room[i] - counts[i], total - sum(counts))
        return masks, np.cumsum(counts).astype(np.int64)

    def _widened(self, masks: list[Mask], total: int) -> list[Mask]:
        """Masks with room for the table: one more that is longer, or where keys may not be, one without a shape."""
        widest, longest = max(masks, key=lambda m: m.capacity), self.width or LONGEST
        letters = {*ALPHABETS, *(name for name, words in widest.own.items() if len(max(words, key=len)) == 1)}
        grow = next((t for t in reversed(widest.tokens) if t in letters), "digit")
        taken = {m.length for m in masks}  # of a length of their own, the longer keys meet no other mask
        while min(widest.capacity, BIJECTIVE) < total or widest.length in taken:
            widest = Mask(tokens=(*widest.tokens, grow), share=0.0, own=widest.own)
            if widest.length > longest:
                break
        else:
            return [*masks, widest]
        any_text = Mask(tokens=("byte" if self.kind == "binary" else "alnum",) * longest, share=1.0)
        if min(any_text.capacity, BIJECTIVE) < total:
            raise GenerationError(f"a key format cannot hold {total} distinct values; lower generate.scale")
        return [any_text]


def counted(kind: str, number: np.ndarray[Any, Any], scale: int = 0) -> pd.Series[Any]:
    """Numbers as values of a countable kind: integers, days since 1970, microseconds since 1970 (UTC).

    Args:
        kind: as in ``KeyFormat``.
        number: shape (n,), int64 or Python ints.
        scale: digits after the point of decimals and doubles.
    """
    if kind == "date":
        epoch = dt.date(1970, 1, 1).toordinal()
        return pd.Series([dt.date.fromordinal(epoch + int(n)) for n in number], dtype=object)
    if kind == "timestamp":
        return pd.Series(number.astype("datetime64[us]"))
    if kind == "decimal":
        return pd.Series([Decimal(n).scaleb(-scale, WIDE) for n in number.tolist()], dtype=object)
    if kind == "double":
        return pd.Series(number.astype("float64") / 10.0**scale)
    return pd.Series(number == 1 if kind == "boolean" else number)
