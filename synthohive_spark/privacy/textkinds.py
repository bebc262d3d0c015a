"""Kinds of text that follow a standard: how each is recognised, and what its values are made of.

A new kind is one line: a pattern that Python and Spark read alike, and the tokens of a mask. A value of a kind is one
that programs accept: a UUID has its version, an hour ends at 23, a month has the day.
"""

from __future__ import annotations

import functools
import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from synthohive_spark.privacy.masks import Mask
from synthohive_spark.randomness import seed_of

YEAR = "year"  # the token for years: those between the first and the last one of the source
PROBED = 20  # texts that a kind must fit before the others are looked at
MOST = 0.8  # share of the rows that must be of one kind; others of them are written as it too


@dataclass(frozen=True)
class TextKind:
    """One kind.

    Attributes:
        pattern: what all of its values match, as a whole.
        tokens: of the mask that makes them.
    """

    pattern: str
    tokens: tuple[str, ...]

    @property
    def dated(self) -> bool:
        """Whether its values begin with a year."""
        return YEAR in self.tokens

    def mask(self, share: float, low: str, high: str) -> Mask:
        """The mask of its values; ``low`` and ``high`` are the least and the greatest of the source's."""
        years = tuple(f"{year:04d}" for year in range(int(low[:4]), int(high[:4]) + 1)) if self.dated else ()
        return Mask(tokens=self.tokens, share=share, own={YEAR: years} if self.dated else {})


def _uuid(hexadecimal: str, variant: str) -> tuple[str, ...]:
    groups = [("hex",) * 8, ("hex",) * 4, ("4", *("hex",) * 3), ("variant", *("hex",) * 3), ("hex",) * 12]
    names = {"hex": hexadecimal, "variant": variant}
    return tuple(names.get(t, t) for i, group in enumerate(groups) for t in (*("-",) * (i > 0), *group))


def _between(tokens: tuple[str, ...], times: int, mark: str) -> tuple[str, ...]:
    return (*tokens, *(mark, *tokens) * (times - 1))


def _times() -> dict[str, tuple[str, ...]]:
    """Patterns and tokens of times of the day, as far as they are written alike."""
    minutes, seconds = ("sixty",), ("sixty", ":", "sixty")
    sixty, found = "[0-5][0-9]", dict[str, tuple[str, ...]]()
    for rest, tokens in ((sixty, minutes), (f"{sixty}:{sixty}", seconds)):
        found[f"([01][0-9]|2[0-3]):{rest}"] = ("hour", ":", *tokens)
        found[f"[0-9]:{rest}"] = ("digit", ":", *tokens)
        found[f"(0[1-9]|1[0-2]):{rest} [AP]M"] = ("hour of twelve", ":", *tokens, " ", "half")
    for digits in (3, 6):
        found[rf"([01][0-9]|2[0-3]):{sixty}:{sixty}\.[0-9]{{{digits}}}"] = (
            *("hour", ":", *seconds, "."),
            *("digit",) * digits,
        )
    return found


def _kinds() -> tuple[TextKind, ...]:
    octet, day = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])", "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    date = (YEAR, "-", "month", "-", "day")
    found = {
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": _uuid("hex", "variant"),
        "[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}": _uuid("HEX", "VARIANT"),
        rf"{octet}(\.{octet}){{3}}": _between(("octet",), 4, "."),
        "[0-9a-f]{4}(:[0-9a-f]{4}){7}": _between(("hex",) * 4, 8, ":"),
        "[0-9a-f]{2}(:[0-9a-f]{2}){5}": _between(("hex",) * 2, 6, ":"),
        "[0-9A-F]{2}(:[0-9A-F]{2}){5}": _between(("HEX",) * 2, 6, ":"),
        "[0-9A-F]{2}(-[0-9A-F]{2}){5}": _between(("HEX",) * 2, 6, "-"),
        day: date,
    }
    clocks = _times()
    for pattern, tokens in clocks.items():
        found[pattern] = tokens
        if tokens[0] == "hour":
            for mark, end in ((" ", ""), ("T", ""), ("T", "Z")):
                found[f"{day}{mark}{pattern}{end}"] = (*date, mark, *tokens, *end)
    for digits in (32, 40, 64):  # what MD5, SHA-1 and SHA-256 give
        found[f"[0-9a-f]{{{digits}}}"] = ("hex",) * digits
        found[f"[0-9A-F]{{{digits}}}"] = ("HEX",) * digits
    return tuple(TextKind(pattern, tokens) for pattern, tokens in found.items())


KINDS = _kinds()
ANY = "[0-9A-FTZMPa-f:. -]{4,64}"  # what values of all kinds look like, told fast


@functools.lru_cache(maxsize=len(KINDS))
def _pattern(kind: TextKind) -> re.Pattern[str]:
    return re.compile(kind.pattern)


def meets(kind: TextKind, texts: Iterable[str]) -> bool:
    """Whether any of the texts is of the kind."""
    return any(_pattern(kind).fullmatch(text) for text in texts)


def kind_of_texts(rows: Mapping[str, int]) -> Mask | None:
    """The mask of the one kind that nearly all of some texts are of, None without.

    Args:
        rows: {text: its rows}.
    """
    first = heapq.nsmallest(PROBED, rows, key=seed_of)  # by their hashes, so that no order of the rows matters
    for kind in (k for k in KINDS if meets(k, first)):
        own = [text for text in rows if _pattern(kind).fullmatch(text)]
        if sum(rows[text] for text in own) >= MOST * sum(rows.values()):
            return kind.mask(1.0, min(own), max(own))
    return None
