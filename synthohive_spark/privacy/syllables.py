"""Pronounceable words of no language: what is written where the source has too little text to learn from.

A word is a row of syllables, each of which is one consonant and one vowel or the like of its script.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping

from synthohive_spark.privacy.masks import Mask

LETTERS = 2_000  # of some texts that are looked at for their script
SYLLABLES = 3  # of a word
FIRST, NEXT = "first syllable", "syllable"  # names of a mask's words


def _pairs(consonants: str, vowels: str) -> tuple[str, ...]:
    return tuple(c + v for c in consonants for v in vowels)


# By the first word of a letter's Unicode name. Syllables of a script have one length: a word is read in one way.
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "LATIN": _pairs("bdfgklmnprstvz", "aeiou"),
    "CYRILLIC": _pairs("бвгдзклмнпрст", "аеиоу"),
    "GREEK": _pairs("βγδζθκλμνπρστφ", "αειου"),
    "ARABIC": _pairs("بتدرسفقكلمنه", "اوي"),
    "HEBREW": _pairs("בגדזכלמנפקרש", "איו"),
    "DEVANAGARI": _pairs("कगचजटतदनपबमरलवसह", "ािीुे"),
    "BENGALI": _pairs("কগচজটতদনপবমরলসহ", "ািীুে"),
    "TAMIL": _pairs("கசடதநபமயரலவன", "ாிீுே"),
    "THAI": _pairs("กขคชดตทนบปพมรลวส", "าิีุู"),
    "GEORGIAN": _pairs("ბგდვზთკლმნპრსტ", "აეიოუ"),
    "ARMENIAN": _pairs("բգդզթլկմնպսվտր", "աեիո"),
    "HANGUL": tuple("가나다라마바사아자차카타하고노도로모보소오조초호구누두루무부수우주기니디리미비시이지히"),
    "HIRAGANA": tuple("あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわ"),
    "KATAKANA": tuple("アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワ"),
    "CJK": tuple("明和光林山川田木水石春秋花月星海天地文学安平永新大小高长白青金玉东西南北中心美智仁信"),
}


def script_of(texts: Mapping[str, int]) -> str:
    """The script that most letters of some texts are of, as far as there are syllables of it; else Latin.

    Args:
        texts: {text: its rows}.
    """
    letters = Counter[str]()
    for text in sorted(texts):
        letters.update(ch for ch in text if ch.isalpha())
        if letters.total() >= LETTERS:
            break
    scripts = Counter[str]()
    for letter, n in letters.items():
        scripts[unicodedata.name(letter, "LATIN").partition(" ")[0].partition("-")[0]] += n
    known = [script for script in scripts if script in SCRIPTS]
    return max(known, key=lambda script: (scripts[script], script)) if known else "LATIN"


def word_mask(texts: Mapping[str, int]) -> Mask:
    """The mask of words in the script of some texts, with a capital letter where most of these begin with one."""
    syllables = SCRIPTS[script_of(texts)]
    capital = 2 * sum(n for text, n in texts.items() if text[:1].isupper()) > sum(texts.values())
    first = tuple(s.capitalize() for s in syllables) if capital else syllables
    return Mask(tokens=(FIRST, *(NEXT,) * (SYLLABLES - 1)), share=1.0, own={FIRST: first, NEXT: syllables})
