"""What stands for the rarer words of some texts: words of their language, names, numbers, none of them the source's.

No word is in two pools, so that two rows of choices never give one text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synthohive_spark.privacy.fakes.lists import GENDERS, names, title_words
from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.privacy.words.letters import common
from synthohive_spark.privacy.words.plan import TextPlan

FEW = 20  # words that a pool must hold: of fewer none is written
LISTED = 3  # digits of numbers of which it is looked up which are free; longer ones are made digit by digit
NAMES = "en_US"  # whose names are written where a language has none here


@dataclass(frozen=True)
class Pools:
    """Words by what they stand for.

    Attributes:
        usual: common words of the language, for such words.
        other: further ones, for words that are not common.
        given: given names.
        family: family names.
        known: all of these and all common words, in small letters.
    """

    usual: Sequence[str]
    other: Sequence[str]
    given: Sequence[str]
    family: Sequence[str]
    known: frozenset[str]

    @classmethod
    def of(cls, plan: TextPlan, prose: bool, spells: Callable[[str], bool], held: WordFilter) -> Pools:
        """Those of a plan.

        Args:
            plan: of the texts.
            prose: they are sentences, of which rarer words are of the common language.
            spells: whether a word is of letters that the texts use.
            held: words of the personal columns of all tables.
        """
        own = plan.held.asked()

        def free(words: Sequence[str]) -> tuple[str, ...]:
            return tuple(w for w in held.free(words) if not own(w) and spells(w.lower()))

        every, titles = common(plan.language), title_words(plan.language)
        usual, other = free(every), free([w for w in titles if w not in {*every}])
        if prose or len(other) < FEW:
            usual, other = usual[::2], usual[1::2]
        taken = frozenset([*every, *titles])
        listed = names(True)
        people = listed.get(plan.language, listed[NAMES])
        given = free([w for g in GENDERS for w in people.given[g] if w.lower() not in taken])
        family = free([w for w in people.family["male"] if w.lower() not in taken and w not in {*given}])
        known = taken.union(w.lower() for w in (*given, *family))
        usual, other, given, family = (pool if len(pool) >= FEW else () for pool in (usual, other, given, family))
        return cls(usual, other, given, family, known)


@functools.lru_cache(maxsize=64)
def numbers(held: WordFilter, digits: int) -> tuple[str, ...]:
    """Numbers of so many digits that the source does not hold."""
    known = held.asked()
    return tuple(n for n in map(str, range(10 ** (digits - 1), 10**digits)) if not known(n))
