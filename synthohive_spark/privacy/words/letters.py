"""Which letter follows some letters: in the source's words, as far as enough people share them, and in its language."""

from __future__ import annotations

import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from synthohive_spark.privacy.fakes.lists import words_of
from synthohive_spark.privacy.syllables import SCRIPTS
from synthohive_spark.privacy.words.plan import FIRST_DIGIT, FIRST_LETTER, LAST, ORDER
from synthohive_spark.privacy.words.tokens import LETTERS, sort_of

RAREST = 0.01  # probability below which a letter is left out: words stay pronounceable
UNIT = 1_000_000  # weights are whole numbers
DIGITS = "0123456789"
LAST_DIGIT = 0.35  # probability that a number ends, where the source does not say: it has three digits
ALPHABET = 10  # letters that enough people share, from which on no others are written
SYLLABLES = 600  # words made of the syllables of a script of which there is no list
Follows = Mapping[str, Mapping[str, int]]


def rows_of(word: str, first: str) -> set[str]:
    """The rows of up to ``ORDER`` letters of a word, its ends among them."""
    whole = first + word + LAST
    return {whole[i : i + n] for n in range(1, ORDER + 1) for i in range(len(whole) - n + 1)}


@functools.lru_cache(maxsize=64)
def common(language: str) -> tuple[str, ...]:
    """Common words of a language in small letters; of a script of which there are none, rows of syllables."""
    if language in SCRIPTS:
        every = ["".join(parts) for parts in itertools.product(SCRIPTS[language], repeat=2)]
        return tuple(every[:: max(1, len(every) // SYLLABLES)])
    words = dict.fromkeys(w.lower() for w in words_of(language))
    return tuple(w for w in words if len(w) > 1 and all(sort_of(ch) == LETTERS for ch in w))


@functools.lru_cache(maxsize=64)
def _usual(language: str) -> Follows:
    """{letters: {the next one: common words}} of a language."""
    return _follows(Counter(row for word in common(language) for row in rows_of(word, FIRST_LETTER)))


def _follows(counts: Mapping[str, int]) -> Follows:
    """{letters: {the next one: words}}; under the next one ``""`` the words that others follow in."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row, n in counts.items():
        if row not in (FIRST_LETTER, FIRST_DIGIT):
            found[row[:-1]][row[-1]] = n
    for before, own in found.items():
        own[""] = max(0, counts.get(before, 0) - sum(own.values()))
    return found


class Letters:
    """The next letter: as in the source, blended with the language where the source shows little (Witten-Bell)."""

    def __init__(self, counts: Mapping[str, int], language: str) -> None:
        """Of rows of letters with the words that hold them, and a language."""
        self._own, self._usual = _follows(counts), _usual(language)
        letters = frozenset(ch for ch in counts if len(ch) == 1 and sort_of(ch) == LETTERS)
        self._alphabet = letters if len(letters) >= ALPHABET else frozenset()
        self._kept = dict[tuple[str, bool], tuple[Sequence[str], Sequence[int]]]()

    def spells(self, word: str) -> bool:
        """Whether a word is of letters that the source uses, as far as that is known."""
        return not self._alphabet or all(ch in self._alphabet for ch in word if sort_of(ch) == LETTERS)

    def after(self, before: str, ending: bool) -> tuple[Sequence[str], Sequence[int]]:
        """The letters that may follow some others, and the sums of their weights; with ``ending`` the end too."""
        seen = (before[1 - ORDER :], ending)
        if seen not in self._kept:
            self._kept[seen] = self._weighed(*seen)
        return self._kept[seen]

    def _weighed(self, before: str, ending: bool) -> tuple[Sequence[str], Sequence[int]]:
        number = before[-1] == FIRST_DIGIT or before[-1] in DIGITS
        base = (
            {**dict.fromkeys(DIGITS, (1 - LAST_DIGIT) / 10), LAST: LAST_DIGIT}
            if number
            else _blend(self._usual, before, {}, 0)
        )
        made = _blend(self._own, before, base, 1)
        made = {ch: p for ch, p in made.items() if (ending or ch != LAST) and self.spells(ch)}
        known = {ch: p for ch, p in made.items() if p >= RAREST}
        if not known:  # here the source's words end
            any_of = {**_blend(self._usual, "", {}, 0), **dict.fromkeys(self._alphabet, RAREST)}
            known = {ch: p for ch, p in (base if number else any_of).items() if ch != LAST and self.spells(ch)}
        letters = sorted(known)
        weights = (max(1, round(known[ch] * UNIT)) for ch in letters)
        return letters, [*itertools.accumulate(weights)]


def _blend(known: Follows, before: str, base: Mapping[str, float], least: int) -> dict[str, float]:
    """Probabilities of the next letter, from those after ``least`` letters on up to those after all of ``before``."""
    made = dict(base)
    for size in range(least, len(before) + 1):
        own = known.get(before[len(before) - size :])
        if own:
            others = own[""] + len(own) if made else 0
            total = sum(own.values()) - own[""] + others
            mixed = {ch: n / total for ch, n in own.items() if ch}
            for ch, p in made.items():
                mixed[ch] = mixed.get(ch, 0.0) + p * others / total
            made = mixed
    return made
