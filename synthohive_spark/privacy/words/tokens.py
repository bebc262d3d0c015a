"""Texts as tokens: runs of letters, runs of digits, single marks, each with the blank before it.

A word that too few people share is known by its look alone: its class, which a made-up word takes the place of.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Sequence

CLASS = "\ue000"  # before the name of a class; a token that is a single character of private use is another one
LETTERS, DIGITS, BLANK, MARK = "a", "9", " ", "."
APOSTROPHES = ("'", "\u2019")


@functools.lru_cache(maxsize=100_000)
def sort_of(ch: str) -> str:
    """What a character is: of a word, of a number, a blank, or a mark."""
    kind = unicodedata.category(ch)
    if kind[0] in "LM":
        return LETTERS
    if kind == "Nd":
        return DIGITS
    return BLANK if ch.isspace() or kind[0] == "C" else MARK


def tokenised(text: str) -> list[str]:
    """The tokens of a text; blanks of any sort and number count as one, those at the ends as none.

    An apostrophe between letters is of their word.
    """
    found, blank = list[str](), ""
    for sort, group in itertools.groupby(text, sort_of):
        if sort == BLANK:
            blank = " " if found else ""
            continue
        if sort == LETTERS and not blank and _elided(found):
            found[-2:] = [found[-2] + found[-1] + "".join(group)]
            continue
        for part in ["".join(group)] if sort in (LETTERS, DIGITS) else group:
            found.append(blank + part)
            blank = ""
    return found


def _elided(tokens: Sequence[str]) -> bool:
    """Whether tokens end with a word and an apostrophe: of what follows without a blank it is no end."""
    return len(tokens) > 1 and tokens[-1] in APOSTROPHES and sort_of(tokens[-2][-1]) == LETTERS


def look(word: str) -> str:
    """How a word is written: ``9`` digits, ``XX`` capitals, ``Xx`` with a first capital, else ``x``."""
    if sort_of(word[0]) == DIGITS:
        return "9"
    if len(word) > 1 and word.isupper():
        return "XX"
    return "Xx" if word[0].isupper() else "x"


def class_of(word: str, common: bool) -> str:
    """The class of a word: its look, and whether it is one of the common words of its language."""
    made = look(word)
    return CLASS + (made.replace("x", "w").replace("X", "W") if common else made)


def dressed(word: str, name: str) -> str:
    """A word in small letters, written as its class is."""
    if name in ("XX", "WW"):
        return "".join(_capital(ch) for ch in word)
    return _capital(word[0]) + word[1:] if name in ("Xx", "Ww") else word


def _capital(ch: str) -> str:
    """The capital of a letter that has one of its own: no two words become one."""
    made = ch.upper()
    return made if len(made) == 1 and made.lower() == ch else ch


def joins(before: str, token: str) -> bool:
    """Whether a token without a blank would run into the word or number before it."""
    if token.startswith(" ") or not before:
        return False
    return _edge(before) == _edge(token) != MARK


def _edge(token: str) -> str:
    word = token.strip(" ")
    if word.startswith(CLASS) and len(word) > 1:
        return DIGITS if word.endswith("9") else LETTERS
    return sort_of(word[-1]) if word else BLANK
