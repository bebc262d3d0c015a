"""Writes texts of the kind that a plan tells: none of the source's, a different one for each number.

That none is the source's holds by construction: a made-up word goes on until the filter does not know it, or until it
is longer than any; a text ends only when it holds such a word, or when the filter does not know it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synthohive_spark.privacy.words.draws import Draws
from synthohive_spark.privacy.words.letters import UNIT, Letters, common
from synthohive_spark.privacy.words.plan import CHAIN, FIRST_DIGIT, FIRST_LETTER, LAST, TOKENS, TextPlan
from synthohive_spark.privacy.words.tokens import CLASS, DIGITS, MARK, dressed, joins, sort_of
from synthohive_spark.randomness import seed_of

SURE = 0.2  # share of what follows that is not known, below which what is known stands for all: texts stay fluent
FEWEST, ENOUGH = 3, 14  # letters of a made-up word; from so many on it ends as soon as it may
DIGITS_ENOUGH = 5  # digits of a number likewise
PROSE = 8  # words of a text on average, from which on its small rare words are others of the language, not made up
LONGER = 4  # letters by which it may be longer than it should be, so that it ends as words do
FEW = 20  # common words that the source does not hold: of fewer none is written
LATE = 6  # a text ends at the first chance from its length on, and anyhow at twice that and so many more
PAIRS = {"(": ")", "[": "]", "{": "}", "\u201c": "\u201d", "\u00ab": "\u00bb", '"': '"'}
TRIES = 40  # words that are tried where a column is narrow


@dataclass(frozen=True)
class _Next:
    """What may follow: tokens, the sums of their weights, and whether the text may end."""

    tokens: Sequence[str]
    upto: Sequence[int]
    ends: bool


class TextWriter:
    """Writes the texts of one column; the same for the same plan, salt and number, on any machine."""

    def __init__(self, plan: TextPlan, salt: int) -> None:
        """Of a plan, and of the seed, table and column in one number."""
        self._plan, self._salt = plan, salt
        self._held = plan.held.asked()
        self._letters = Letters(plan.letters, plan.language)
        self._chain: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for *before, token, n in plan.chain:
            self._chain[tuple(before)][token] = n
        self._prose = sum(size * n for size, n in plan.sizes) >= PROSE * sum(n for _, n in plan.sizes)
        self._far = self._distances()
        self._usual = frozenset(common(plan.language))
        self._free = [w for w in common(plan.language) if not self._held(w) and self._letters.spells(w)]
        self._free_upto = [*range(1, len(self._free) + 1)]
        self._place = {token: i for i, token in enumerate(plan.words)}
        self._kept = dict[tuple[tuple[int, ...], str, bool], _Next]()
        self._sizes = [size for size, _ in plan.sizes]
        self._lengths = [length for length, _ in plan.lengths]
        self._length_upto = [*itertools.accumulate(n for _, n in plan.lengths)]
        self._size_upto = [*itertools.accumulate(n for _, n in plan.sizes)]

    def write(self, number: int, total: int, width: int | None = None) -> str:
        """The text of a number.

        Args:
            number: below ``total``; two numbers have two texts, as far as ``width`` has room for that.
            total: of the numbers.
            width: characters that a text may have.
        """
        draws, edge, made, length = Draws(number, total, self._salt), len(self._plan.words), list[str](), 0
        sizes = Draws(0, 1, seed_of(self._salt, number, "sizes"))
        size = self._sizes[sizes.choose(self._size_upto)]
        before: tuple[int, ...] = (edge,)
        opened = ""
        while True:
            closing = not draws.coded and len(made) + self._far.get(before[-1], 0) >= size
            after, blank = self._after(before, opened, closing), ""
            if made and not draws.coded:
                late = len(made) >= min(TOKENS, 2 * size + LATE)
                whole = len(made) >= size or (2 * len(made) >= size and not after.tokens)
                if whole and (after.ends or not after.tokens) and self._new(made):
                    break
                if late:
                    made += [PAIRS[mark] for mark in reversed(opened)]
                    made.append("" if self._new(made) else " " + self._word("Xx", draws, sizes))
                    break
                if width is not None and length > width:
                    break
            if not after.tokens:  # here the source's texts end: another one begins
                after, blank, before = self._after((edge,), opened, False), " ", ()
            token = after.tokens[draws.choose(after.upto)]
            word, mark, name = token.partition(CLASS)
            if mark and name:
                word += self._word(name, draws, sizes)
            else:
                word = token
                opened = _opened(opened, token.strip(" "))
            made.append((blank if made else "") + word)
            length += len(made[-1])
            before = (*(before or (edge,)), self._place.get(token, edge))[1 - CHAIN :]
        return self._fitting(made, width, draws, sizes)

    def _new(self, tokens: Sequence[str]) -> bool:
        """Whether the source holds no such text: it holds none of its words, or not the whole."""
        words = (t.strip(" ") for t in tokens)
        made_up = any(sort_of(w[0]) != MARK and not self._known(w) for w in words if w)
        return made_up or not (self._plan.fresh or self._held("".join(tokens)))

    def _known(self, word: str) -> bool:
        """Whether the source may hold a word."""
        return len(word) <= self._plan.longest and self._held(word)

    def _fitting(self, tokens: Sequence[str], width: int | None, draws: Draws, sizes: Draws) -> str:
        """A text, as many of its tokens as there is room for; else a word."""
        some = [t for t in tokens if t]
        while some and width is not None and (len("".join(some)) > width or not self._new(some)):
            some.pop()
        for _ in range(TRIES if not some and width is not None else 0):
            word = self._word("Xx", draws, sizes)[:width]
            if not self._known(word):
                return word
        return "".join(some)

    def _word(self, name: str, draws: Draws, sizes: Draws) -> str:
        """A word of a class that the source does not hold: a common one of the language, or a made-up one."""
        if (name.lower().startswith("w") or (name == "x" and self._prose)) and len(self._free) >= FEW:
            return dressed(self._free[draws.choose(self._free_upto)], name)
        made, number = "", name == DIGITS
        size = self._lengths[sizes.choose(self._length_upto)]
        while True:
            ending = len(made) >= (1 if number else FEWEST) and not self._known(made) and made not in self._usual
            if ending and len(made) >= (DIGITS_ENOUGH if number else ENOUGH if draws.coded else size + LONGER):
                break
            wanted = ending and (number or draws.coded or len(made) >= size)
            letters, upto = self._letters.after((FIRST_DIGIT if number else FIRST_LETTER) + made, wanted)
            letter = LAST if wanted and not draws.coded and not number and LAST in letters else ""
            letter = letter or letters[draws.choose(upto)]
            if letter == LAST:
                break
            made += letter
        return dressed(made, name)

    def _after(self, before: tuple[int, ...], opened: str, closing: bool) -> _Next:
        """What may follow some tokens, with brackets that are open; where the end is near, what leads to it."""
        while len(before) > 1 and before not in self._chain:  # then it says no more than its end does
            before = before[1:]
        seen = (before, opened[-1:], closing)
        if seen not in self._kept:
            words, edge = self._plan.words, len(self._plan.words)
            last = words[before[-1]] if before[-1] < edge else ""
            fits = {
                t: p
                for t, p in sorted(self._follows(before).items())
                if t != edge
                and not (joins(last, words[t]) if last else words[t].startswith(" "))
                and _closes(opened[-1:], words[t].strip(" "))
            }
            near = min((self._far.get(t, TOKENS) for t in fits), default=0)
            if closing:
                fits = {t: p for t, p in fits.items() if self._far.get(t, TOKENS) == near}
            upto = [*itertools.accumulate(max(1, round(p * UNIT)) for p in fits.values())]
            known = self._chain.get(before[-1:])
            ends = not opened and (not known or edge in known)
            tokens = [words[t] for t in fits]
            if not fits and (opened or not last):
                tokens, upto = [PAIRS[opened[-1]] if opened else CLASS + "Xx"], [1]
            self._kept[seen] = _Next(tokens, upto, ends)
        return self._kept[seen]

    def _distances(self) -> dict[int, int]:
        """{token: tokens behind it before a text may end}, as far as it is known what follows."""
        edge, leads = len(self._plan.words), defaultdict[int, set[int]](set)
        for before, follows in self._chain.items():
            if len(before) == 1 and before[0] != edge:
                for token in follows:
                    leads[token].add(before[0])
        found, last = dict[int, int](), {edge}
        for far in range(TOKENS):
            last = {t for token in last for t in leads[token]} - found.keys()
            found.update(dict.fromkeys(last, far))
        return found

    def _follows(self, before: tuple[int, ...]) -> Mapping[int, float]:
        """Probabilities of the next token: after two, as far as that is known, else after one, else of all."""
        known = self._chain.get(before, {})
        seen = sum(known.values())
        if not before or not seen:
            return {t: n / seen for t, n in known.items()} if not before else self._follows(before[1:])
        all_of = max(seen, self._chain[before[:-1]].get(before[-1], 0))
        rest = 1 - seen / all_of
        made = {t: n / seen * (1 - rest) for t, n in known.items()}
        if rest < SURE:
            return {t: n / seen for t, n in known.items()}
        for t, p in self._follows(before[1:]).items():
            made[t] = made.get(t, 0.0) + p * rest
        return made


def _closes(opened: str, mark: str) -> bool:
    """Whether a mark may stand where a bracket is open, or none: only what is open is closed."""
    return mark in PAIRS or mark not in PAIRS.values() or mark == PAIRS.get(opened)


def _opened(opened: str, mark: str) -> str:
    """The brackets that are open after a mark."""
    if opened and mark == PAIRS[opened[-1]]:
        return opened[:-1]
    return opened + mark if mark in PAIRS else opened
