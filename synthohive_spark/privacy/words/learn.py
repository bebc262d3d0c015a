"""Learns what enough people share of some texts: words, what follows what, rows of letters, lengths. No Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from synthohive_spark.privacy.meaning.people import is_family, is_given
from synthohive_spark.privacy.syllables import script_of
from synthohive_spark.privacy.words.letters import common, rows_of
from synthohive_spark.privacy.words.plan import (
    CHAIN,
    FIRST_DIGIT,
    FIRST_LETTER,
    MOST_GRAMS,
    MOST_LETTERS,
    MOST_WORDS,
    TOKENS,
    TextPlan,
)
from synthohive_spark.privacy.words.tokens import CLASS, DIGITS, MARK, class_of, joins, look, sort_of, tokenised

T = TypeVar("T")
PROSE = 8  # tokens of a text on average, from which on texts are sentences
FLUENT = 0.4  # of pairs of tokens, below which it is not known what follows what: sentences of any words are written
CAPITAL, SMALL = f"{CLASS}Ww", f" {CLASS}w"
SENTENCES = ((CAPITAL, f" {CAPITAL}", SMALL, "."),
             ((4, 0, 1), (0, 2, 1), (1, 2, 1), (2, 2, 8), (2, 3, 1), (3, 1, 1), (3, 4, 1)))  # fmt: skip
SPEAKING = 20  # words that say whether they are names
BY_CHANCE, LISTED = 0.2, 0.5  # lists of names hold so many of any words with a capital, and of names
TOLD = 1_000  # words of a list at which a language is told, twice as many at most
SPOKEN = 3  # words of a language that tell it from others
LATIN = ("en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "cs_CZ", "da_DK")  # languages with lists
SCRIPTS = {"CYRILLIC": "ru_RU", "GREEK": "el_GR", "ARABIC": "ar_AA", "HEBREW": "he_IL", "HANGUL": "HANGUL",
           "ARMENIAN": "hy_AM", "THAI": "th_TH", "BENGALI": "bn_BD", "CJK": "zh_CN", "HIRAGANA": "ja_JP",
           "KATAKANA": "ja_JP"}  # fmt: skip


@dataclass
class _Held:
    """How often something occurs, and some of the people who hold it: those of the smallest numbers."""

    count: int = 0
    people: set[int] = field(default_factory=set)

    def add(self, who: int, least: int) -> None:
        self.count += 1
        if who not in self.people:
            self.people.add(who)
            if len(self.people) > least:
                self.people.remove(max(self.people))


@dataclass
class TextLearner:
    """Learns from texts one by one; what comes out hangs on no order of theirs.

    Attributes:
        least: people who must hold what is kept.
        personal: the texts are about people, so that names of people are never kept as words.
        home: the language where nothing tells it.
        texts: (tokens, who holds the text).
    """

    least: int
    personal: bool = False
    home: str = "en_US"
    texts: list[tuple[list[str], int]] = field(default_factory=list)

    def add(self, text: str, who: int) -> None:
        """A text of a person."""
        self.texts.append((tokenised(text), who))

    def plan(self) -> TextPlan:
        """What enough people share of the texts."""
        words = _counted(((t.strip(" "), who) for tokens, who in self.texts for t in {*tokens}), self.least)
        runs = {w: held for w, held in words.items() if sort_of(w[0]) != MARK}
        kept = {w: held.count for w, held in words.items() if len(held.people) >= self.least and self._open(w)}
        vocabulary = frozenset(sorted(kept, key=lambda w: (-kept[w], w))[:MOST_WORDS])
        rare = {w: held for w, held in runs.items() if w not in vocabulary}  # made-up words stand for these
        letters = self._letters(rare)
        language = self._language(runs)
        rows = [(self._classed(tokens, vocabulary, frozenset(common(language))), who) for tokens, who in self.texts]
        rows = self._supported(rows)
        names, chain = self._chain(rows)
        longest = max((len(w) for w in runs), default=1)
        sizes = self._sizes((len(tokens), who) for tokens, who in rows)
        spelt = {w: held for w, held in rare.items() if sort_of(w[0]) != DIGITS}
        lengths = self._sizes((len(w), who) for w, held in spelt.items() for who in held.people)
        digits = self._sizes((len(w), who) for w, held in rare.items() if w not in spelt for who in held.people)
        usual = TextPlan()
        return TextPlan(
            words=names,
            chain=chain,
            letters=letters,
            sizes=sizes or usual.sizes,
            lengths=lengths or usual.lengths,
            digits=digits or usual.digits,
            named=_named(spelt),
            longest=-(-longest // 10) * 10,
            language=language,
        )

    def _open(self, word: str) -> bool:
        """Whether a word may be kept: where texts are about people no name of a list, but for words of the language."""
        if not self.personal or not word[0].isupper() or word.lower() in common(self.home):
            return True
        return not (is_given(word) or is_family(word))

    def _letters(self, runs: Mapping[str, _Held]) -> dict[str, int]:
        found: dict[str, _Held] = {}
        for word, holders in runs.items():
            first = FIRST_DIGIT if sort_of(word[0]) == DIGITS else FIRST_LETTER
            for row in rows_of(word.lower(), first):
                held = found.setdefault(row, _Held())
                held.count += 1
                if len(held.people) < self.least:
                    held.people |= holders.people
        kept = {row: held.count for row, held in found.items() if len(held.people) >= self.least}
        return {row: kept[row] for row in sorted(kept, key=lambda r: (-kept[r], r))[:MOST_LETTERS]}

    def _language(self, runs: Mapping[str, _Held]) -> str:
        """The language of which most common words are held by enough people; of other scripts by the letters."""
        script = script_of({w: held.count for w, held in runs.items()})
        if script != "LATIN":
            return SCRIPTS.get(script, script)
        kept = {w.lower() for w, held in runs.items() if len(held.people) >= self.least and len(w) > 1}
        spoken = {name: len(kept.intersection(_told_by(name))) for name in dict.fromkeys([self.home, *LATIN])}
        best = max(spoken, key=lambda name: spoken[name])
        return best if spoken[best] >= SPOKEN else self.home

    def _classed(self, tokens: Sequence[str], vocabulary: frozenset[str], usual: frozenset[str]) -> list[str]:
        """Tokens with classes instead of the words that are not kept, without the marks that are not."""
        made, blank = list[str](), ""
        for token in tokens:
            word = token.strip(" ")
            blank = blank or token[: -len(word)]
            if word not in vocabulary:
                if sort_of(word[0]) == MARK:
                    blank = " " if made else ""
                    continue
                word = class_of(word, word.lower() in usual)
            made.append(blank + word)
            blank = ""
        return made

    def _supported(self, rows: Sequence[tuple[list[str], int]]) -> list[tuple[list[str], int]]:
        """Texts of tokens that enough people hold: first rare classes of common words are made plain ones."""
        changes: tuple[Callable[[str], str], ...] = (_plain, lambda token: "")
        made = list(rows)
        for change in changes:
            held = _counted(((t, who) for tokens, who in made for t in {*tokens}), self.least)
            rare = {t for t, h in held.items() if len(h.people) < self.least}
            made = [(_joined(change(t) if t in rare else t for t in tokens), who) for tokens, who in made]
        held = _counted(((t, who) for tokens, who in made for t in {*tokens}), self.least)
        kept = {t for t, h in held.items() if len(h.people) >= self.least}
        return [([t for t in tokens if t in kept], who) for tokens, who in made]

    def _chain(self, rows: Sequence[tuple[list[str], int]]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
        """The tokens, and which follow which."""
        names = tuple(sorted({t for tokens, _ in rows for t in tokens}))
        place = {t: i for i, t in enumerate(names)}
        edge, grams = len(names), dict[tuple[int, ...], _Held]()
        for tokens, who in rows:
            line = [edge, *(place[t] for t in tokens[:TOKENS]), edge]
            for size in range(1, CHAIN + 1):
                for i in range(1 if size == 1 else 0, len(line) - size + 1):
                    grams.setdefault(tuple(line[i : i + size]), _Held()).add(who, self.least)
        kept = {gram: held.count for gram, held in grams.items() if len(held.people) >= self.least}
        every = [sum(held.count for gram, held in grams.items() if len(gram) == size) for size in (1, 2)]
        shared = sum(n for gram, n in kept.items() if len(gram) == 2)
        if every[0] >= PROSE * max(1, len(rows)) and shared < FLUENT * every[1]:
            return SENTENCES
        chain = list[tuple[int, ...]]()
        for size in range(1, CHAIN + 1):
            some = sorted((g for g in kept if len(g) == size), key=lambda g: (-kept[g], g))
            some = some[:MOST_GRAMS] if size > 1 else some
            chain += [(*gram, kept[gram]) for gram in some]
        return names, tuple(chain)

    def _sizes(self, holders: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        """Lengths with who holds such a one, rare ones with their neighbours as their mean."""
        held = _counted(((max(1, min(TOKENS, size)), who) for size, who in holders), self.least)
        made, count, total, people = list[tuple[int, int]](), 0, 0, set[int]()
        for size in sorted(held):
            count, total = count + held[size].count, total + size * held[size].count
            people |= held[size].people
            if len(people) >= self.least:
                made.append((max(1, round(total / count)), count))
                count, total, people = 0, 0, set()
        if made and count:  # the longest ones, of too few people: as those before them
            made[-1] = (made[-1][0], made[-1][1] + count)
        return tuple(made)


def _told_by(language: str) -> Sequence[str]:
    """Words that tell a language: of each as many, for a longer list holds more words of others too."""
    words = common(language)
    return words[:: -(-len(words) // TOLD)] if len(words) > 2 * TOLD else words


def _named(words: Iterable[str]) -> float:
    """How surely rarer words with a capital are names of people, in tenths."""
    capital = [w for w in words if look(w) == "Xx"]
    if len(capital) < SPEAKING:
        return 0.0
    listed = sum(is_given(w) or is_family(w) for w in capital) / len(capital)
    return round(min(1.0, max(0.0, (listed - BY_CHANCE) / (LISTED - BY_CHANCE))), 1)


def _counted(holders: Iterable[tuple[T, int]], least: int) -> dict[T, _Held]:
    found: dict[T, _Held] = {}
    for what, who in holders:
        found.setdefault(what, _Held()).add(who, least)
    return found


def _plain(token: str) -> str:
    """A class of common words as that of any words of its look; an other token as it is."""
    before, mark, name = token.partition(CLASS)
    return before + mark + name.replace("w", "x").replace("W", "X") if mark and name else token


def _joined(tokens: Iterable[str]) -> list[str]:
    """Tokens without the empty ones, a blank where that would make two words one."""
    made, blank = list[str](), ""
    for token in tokens:
        if not token:
            blank = " " if made else ""
            continue
        apart = blank or (" " if made and joins(made[-1], token) else "")
        made.append(token if token.startswith(" ") else (apart if made else "") + token)
        blank = ""
    return made
