"""Names of people and companies, and addresses: what lists of names and the forms of words say."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from synthohive_spark.privacy.meaning import lexicons
from synthohive_spark.privacy.meaning.found import folded

MOSTLY_LETTERS = 0.6  # of the characters of words
CODE = 5  # capitals that stand alone: so few are a code
SHORT = 3  # letters of words that join others
FAMILIAR = 300  # names that say which locale a column is of
_CJK = re.compile(r"[\u3400-\u9fff\uac00-\ud7a3]{1,3}[\s・]?[\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]{0,3}")
_SMALL = re.compile(r"[a-z\u00df-\u024f]{3}")
_NUMBERED = re.compile(r"(?<=[^\W\d_]{2})\d{1,4}\b")  # names that were told apart by a number
_LETTERS = re.compile(r"[^\W\d_]+(?:[.'\u2019\-][^\W\d_]*)*")


@dataclass(frozen=True)
class _Marks:
    """What ``marks.yaml`` lists."""

    no_name: frozenset[str]
    companies: re.Pattern[str]
    streets: re.Pattern[str]


@functools.lru_cache(maxsize=1)
def _marks() -> _Marks:
    listed = lexicons.read_list("marks.yaml")
    read = {name: "|".join(parts) for name, parts in listed.items()}
    companies = rf"(^|[\s,(])({read['companies']})[.)]*($|[\s,.)])|{read['company_marks']}"
    streets = rf"\b({read['streets']})\b|({read['street_ends']})\b|{read['street_marks']}"
    no_name = frozenset([*listed["honorifics"], *listed["particles"]])
    return _Marks(no_name, re.compile(companies), re.compile(streets))


def words_of_name(text: str) -> list[str]:
    """The words of a name as they are, without honorifics and letters alone; empty where it is no name of words."""
    text = _NUMBERED.sub("", text)
    if any(ch.isdigit() for ch in text) or len(text) > 60:
        return []
    rest = _LETTERS.sub("", text)
    if rest.strip(" ,."):
        return []
    found = _LETTERS.findall(text)
    return [w for w in found if (f := folded(w).strip(".")) not in _marks().no_name and (len(f) > 1 or not f.isascii())]


def _cased(words: Sequence[str], text: str) -> bool:
    """Whether words are written as names are: with a capital, or the whole text in one case."""
    return all(not w[0].islower() for w in words) or text == text.lower()


def _in(word: str, lexicon: frozenset[str]) -> bool:
    f = folded(word).strip(".")
    return f in lexicon or any(p in lexicon for p in re.split(r"[-.\u2019']", f) if len(p) > 2)


@functools.lru_cache(maxsize=20_000)
def is_given(word: str) -> bool:
    """A given name of a list."""
    return _in(word, lexicons.given())


@functools.lru_cache(maxsize=20_000)
def is_family(word: str) -> bool:
    """A family name of a list."""
    return _in(word, lexicons.family())


@functools.lru_cache(maxsize=20_000)
def is_everyday(word: str) -> bool:
    """A word that texts of all sorts have, or that jobs have, and no given name."""
    f = folded(word)
    return f in lexicons.common_words() or f in lexicons.job_words()


def is_full_name(text: str) -> bool:
    """Two to five words: a given name of a list, and another that is a name or at least no everyday word."""
    if _CJK.fullmatch(text) and len(text) >= 2:
        return _asian(text)
    words = words_of_name(text)
    if not 2 <= len(words) <= 5 or not _cased(words, text):
        return False
    first = [i for i in (0, len(words) - 1, 1) if is_given(words[i])]
    for i in first:
        rest = words[:i] + words[i + 1 :]
        if any(is_family(w) or is_given(w) for w in rest) or not any(is_everyday(w) or _placed(w) for w in rest):
            return True
    return False


def is_known_full_name(text: str) -> bool:
    """A full name of which more than one word is of a list, and not all of them are everyday words."""
    if _CJK.fullmatch(text):
        return _asian(text)
    words = words_of_name(text)
    if not 2 <= len(words) <= 5:
        return False
    named = [w for w in words if is_given(w) or is_family(w)]
    return len(named) > 1 and any(is_given(w) for w in words) and not all(is_everyday(w) for w in named)


def _asian(text: str) -> bool:
    family, given = lexicons.family(), lexicons.given()
    parts = text.split()
    if len(parts) == 2:
        return folded(parts[0]) in family or folded(parts[1]) in given
    return any(folded(text[:n]) in family and folded(text[n:]) in given for n in (1, 2) if len(text) > n)


def _placed(word: str) -> bool:
    f = folded(word)
    return f in lexicons.cities() or f in lexicons.countries()


def lone_name(text: str) -> str | None:
    """The one word of a text, or a double name; None for others."""
    words = words_of_name(text)
    return text if 1 <= len(words) <= 2 and len(text) <= 30 else None


def is_given_name(text: str) -> bool:
    """One given name of a list, or two."""
    words = words_of_name(text)
    return 1 <= len(words) <= 2 and all(map(is_given, words)) if words else folded(text) in lexicons.given()


def is_family_name(text: str) -> bool:
    """A family name of a list."""
    words = words_of_name(text)
    return 1 <= len(words) <= 2 and any(map(is_family, words)) if words else folded(text) in lexicons.family()


def is_name_shaped(text: str) -> bool:
    """Words of letters, few and short, as names are."""
    return 0 < len(words_of_name(text)) <= 6 or _CJK.fullmatch(text) is not None


def is_words(text: str) -> bool:
    """Words of any script with few marks; with numbers between them if one is of small letters: no code."""
    letters = sum(ch.isalpha() or unicodedata.combining(ch) > 0 for ch in text)
    if len(text) <= CODE and text.isupper():
        return False
    if any(map(str.isdigit, text)):
        return " " in text.strip() and _SMALL.search(text) is not None
    return letters >= 2 and letters >= MOSTLY_LETTERS * len(text.replace(" ", ""))


def is_city(text: str) -> bool:
    """A city of a list."""
    return folded(text) in lexicons.cities()


def is_working(text: str) -> bool:
    """A word of jobs among others: Sales Manager; of shorter ones (of, and) any title is made."""
    return any(len(w) > SHORT and folded(w) in lexicons.job_words() for w in _LETTERS.findall(text))


def is_company(text: str) -> bool:
    """A name with the mark of a company."""
    if not text[:1].isalpha() and text[:1] not in "(\"'«「":
        return False
    return len(text) > 3 and _marks().companies.search(folded(text)) is not None and (" " in text or not text.isascii())


def is_street(text: str) -> bool:
    """A street with a number."""
    return is_numbered(text) and _marks().streets.search(folded(text)) is not None


def is_numbered(text: str) -> bool:
    """Words with a number before or behind them, as addresses have."""
    if not (any(ch.isdigit() for ch in text) and sum(ch.isalpha() for ch in text) >= 3) or len(text) > 120:
        return False
    first, last = text.split()[0], text.split()[-1]
    return any(ch.isdigit() for ch in first + last) or "," in text


def locale_of(texts: Sequence[str]) -> str | None:
    """The locale whose lists hold most of some names, if any does."""
    words = [folded(w) for t in texts[:FAMILIAR] for w in (words_of_name(t) or [t])]
    counts = {
        name: sum(w in given for w in words) + sum(w in lexicons.family_names()[name] for w in words)
        for name, given in lexicons.given_names().items()
        if "_" in name
    }
    best = max(counts, key=lambda name: (counts[name], name == "en_US"))
    return best if words and counts[best] >= 0.2 * len(words) else None
