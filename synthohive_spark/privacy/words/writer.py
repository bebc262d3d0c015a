"""Writes texts of the kind that a plan tells: none of the source's, a different one for each number.

That none is the source's holds by construction: a made-up word goes on until the filter does not know it, or until it
is longer than any; a text ends only when it holds such a word, or when the filter does not know it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.privacy.words.draws import Draws
from synthohive_spark.privacy.words.letters import UNIT
from synthohive_spark.privacy.words.maker import WordMaker
from synthohive_spark.privacy.words.plan import CHAIN, TOKENS, TextPlan
from synthohive_spark.privacy.words.tokens import CLASS, MARK, joins, sort_of
from synthohive_spark.randomness import seed_of

SURE = 0.2  # share of what follows that is not known, below which what is known stands for all: texts stay fluent
PROSE = 8  # words of a text on average, from which on its small rare words are others of the language, not made up
NEARLY = 1  # tokens that a short text may have beyond its size where that is how such texts end
LATE = 6  # a text ends at the first chance from its length on, and anyhow at twice that and so many more
PAIRS = {"(": ")", "[": "]", "{": "}", "\u201c": "\u201d", "\u00ab": "\u00bb", '"': '"'}
CUT = 20  # the last of these tries, whose words are cut
TRIES = 40  # words that are tried where a column is narrow


@dataclass(frozen=True)
class _Next:
    """What may follow: tokens, the sums of their weights, and whether the text may end."""

    tokens: Sequence[str]
    upto: Sequence[int]
    ends: bool


class TextWriter:
    """Writes the texts of one column; the same for the same plan, salt and number, on any machine."""

    def __init__(self, plan: TextPlan, salt: int, held: WordFilter | None = None) -> None:
        """Of a plan.

        Args:
            plan: of the texts.
            salt: of the seed, table and column.
            held: words of the personal columns of all tables, none of which stands for a rarer one.
        """
        self._plan, self._salt = plan, salt
        self._held = plan.held.asked()
        self._chain: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for *before, token, n in plan.chain:
            self._chain[tuple(before)][token] = n
        self._prose = sum(size * n for size, n in plan.sizes) >= PROSE * sum(n for _, n in plan.sizes)
        self._words = WordMaker(plan, self._prose, held or WordFilter())
        self._far = self._distances()
        self._place = {token: i for i, token in enumerate(plan.words)}
        self._kept = dict[tuple[tuple[int, ...], str, bool], _Next]()
        self._sizes = [size for size, _ in plan.sizes]
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
                    made.append("" if self._new(made) else " " + self._words.make("Xx", made, draws, sizes))
                    break
                if width is not None and length > width:
                    break
            if not after.tokens:  # here the source's texts end: another one begins
                after, blank, before = self._after((edge,), opened, False), " ", ()
            token = after.tokens[draws.choose(after.upto)]
            word, mark, name = token.partition(CLASS)
            if mark and name:
                word += self._words.make(name, made, draws, sizes)
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
        made_up = any(sort_of(w[0]) != MARK and not self._words.known(w) for w in words if w)
        return made_up or not (self._plan.fresh or self._held("".join(tokens)))

    def _fitting(self, tokens: Sequence[str], width: int | None, draws: Draws, sizes: Draws) -> str:
        """A text, as many of its tokens as there is room for; else a word."""
        some = [t for t in tokens if t]
        while some and width is not None and (len("".join(some)) > width or not self._new(some)):
            some.pop()
        for left in range(TRIES if not some and width is not None else 0, 0, -1):
            word = self._words.make("Xx", (), draws, sizes)
            if (word == word[:width] or left <= CUT) and not self._words.known(word[:width]):
                return word[:width]
        return "".join(some)

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
                fits = {
                    t: p for t, p in fits.items() if self._far.get(t, TOKENS) <= near + (0 if self._prose else NEARLY)
                }
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
        if len(before) == 1:  # what never followed this word would read like noise
            return {t: n / seen for t, n in known.items()}
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
