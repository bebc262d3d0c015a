"""Makes the words that stand for rarer ones: of a pool, or letter by letter, each one that the source does not hold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.privacy.words.draws import Draws
from synthohive_spark.privacy.words.letters import Letters, common
from synthohive_spark.privacy.words.plan import FIRST_DIGIT, FIRST_LETTER, LAST, TextPlan
from synthohive_spark.privacy.words.pools import LISTED, Pools, numbers
from synthohive_spark.privacy.words.tokens import CLASS, DIGITS, dressed, look

FEWEST = 3  # letters of a made-up word
LONGER = 4  # letters by which it may be longer than it should be, so that it ends as words do
SOME = 4  # words of the texts' own from which on small rarer ones are written as these
SHORT = 2  # letters of units and particles, which stand for nothing else
TENTHS = 10
ACRONYM = 4  # letters of one at most
ENDS = (".", "!", "?", ":")  # of sentences: a capital behind them is no name


class WordMaker:
    """Makes words of the classes of a plan."""

    def __init__(self, plan: TextPlan, prose: bool, held: WordFilter) -> None:
        """Of a plan, whether the texts are sentences, and the words of the personal columns of all tables."""
        self._plan, self._prose = plan, prose
        self._held = plan.held.asked()
        self._letters = Letters(plan.letters, plan.language)
        self._pools = Pools.of(plan, prose, self._letters.spells, held)
        self._cased = any(_shown(word).upper() != _shown(word) for word in plan.words)
        usual = frozenset(common(plan.language))
        self._kept = [w for w in map(_shown, plan.words) if look(w) == "x" and len(w) > SHORT and w not in usual]
        if plan.distinct == 1:  # then each text is another one, and none comes about in two ways
            self._kept = []
        self._names = frozenset((*self._pools.given, *self._pools.family))
        names = round(TENTHS * plan.named)
        self._named = (TENTHS - names, TENTHS) if names < TENTHS else (0, TENTHS)  # no, yes
        self._lengths = [length for length, _ in plan.lengths]
        self._length_upto = [*itertools.accumulate(n for _, n in plan.lengths)]
        self._digits = [size for size, _ in plan.digits]
        self._digits_upto = [*itertools.accumulate(n for _, n in plan.digits)]

    def known(self, word: str) -> bool:
        """Whether the source may hold a word."""
        return len(word) <= self._plan.longest and self._held(word)

    def make(self, name: str, made: Sequence[str], draws: Draws, sizes: Draws) -> str:
        """A word of a class.

        Args:
            name: of the class.
            made: the tokens before it.
            draws: what tells one text from others.
            sizes: choices that need not tell them apart.
        """
        if name == DIGITS:
            return self._number(draws, sizes)
        pool = self._pool(name, made, sizes)
        said = {token.strip(" ").lower() for token in made}
        if pool and not self._prose and not said.isdisjoint(self._pools.known):  # titles repeat no word
            pool = [w for w in pool if w.lower() not in said]
        if pool:
            return dressed(pool[draws.choose(range(1, len(pool) + 1))], name)
        return self._spelt(name, draws, sizes)

    def _pool(self, name: str, made: Sequence[str], sizes: Draws) -> Sequence[str]:
        """The words that may stand for a class; none where it is spelt letter by letter."""
        before = made[-1].strip(" ") if made else ENDS[0]
        if name.lower().startswith("w"):
            return self._pools.usual
        if name == "XX" and self._cased:
            return ()
        if name == "Xx":
            if self._prose and not before.endswith(ENDS):
                return self._pools.family
            if not self._prose and sizes.choose(self._named) and self._pools.given:
                return self._pools.family if before in self._names else self._pools.given
        return self._kept if name == "x" and len(self._kept) >= SOME else self._pools.other

    def _number(self, draws: Draws, sizes: Draws) -> str:
        size = self._digits[sizes.choose(self._digits_upto)]
        for digits in range(size, LISTED + 1):
            free = numbers(self._plan.held, digits)
            if free:
                return free[draws.choose(range(1, len(free) + 1))]
        made = ""
        while len(made) < size or self.known(made):
            letters, upto = self._letters.after(FIRST_DIGIT + made, False)
            made += letters[draws.choose(upto)]
        return made

    def _spelt(self, name: str, draws: Draws, sizes: Draws) -> str:
        made, size = "", self._lengths[sizes.choose(self._length_upto)]
        size = min(size, ACRONYM) if name == "XX" and self._cased else size
        while True:
            ending = len(made) >= FEWEST and not self.known(made) and made not in self._pools.known
            if ending and len(made) >= size + LONGER:
                break
            wanted = ending and (draws.coded or len(made) >= size)
            letters, upto = self._letters.after(FIRST_LETTER + made, wanted)
            letter = LAST if wanted and not draws.coded and LAST in letters else ""
            letter = letter or letters[draws.choose(upto)]
            if letter == LAST:
                break
            made += letter
        return dressed(made, name)


def _shown(token: str) -> str:
    """A word without the blank before it, or how a class looks."""
    before, mark, name = token.strip(" ").partition(CLASS)
    return name if mark and name else before
