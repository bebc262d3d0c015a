"""What is known of a column of texts: words, letters and lengths that enough people share. JSON that a plan holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.strict import Strict

MOST_WORDS = 1_500  # of a column, the most frequent ones: a plan of a few hundred kilobytes
CHAIN = 5  # tokens of a row at most: markup, and sentences of a form, keep their order
MOST_GRAMS = 3_000  # rows of each number of tokens
MOST_LETTERS = 6_000  # rows of letters
ORDER = 4  # letters of a row at most
TOKENS = 400  # of a text at most
FIRST_LETTER, FIRST_DIGIT, LAST = "^", "#", "$"  # marks of the ends of words, which are no letters
Count = Annotated[int, Field(ge=1, le=2**53)]

Sizes = Annotated[
    tuple[tuple[Annotated[int, Field(ge=1, le=TOKENS)], Count], ...], Field(min_length=1, max_length=1_000)
]


class TextPlan(Strict):
    """What is known of a column of texts.

    Attributes:
        words: tokens: words, numbers, marks and classes of rarer words, each with the blank before it.
        chain: (tokens before, token, n): how often one follows none to four others, by their places in ``words``. The
            number behind the last place stands for the beginning and the end of a text.
        letters: {row of letters of a word: words that hold it}.
        sizes: (tokens of a text, texts).
        lengths: (letters of a rarer word, words).
        digits: (digits of a rarer number, numbers).
        named: how often a rarer word with a capital is written as a name of somebody.
        longest: letters that no word of the source exceeds.
        language: whose common words and letters stand in for rare ones: a locale, or a script.
        distinct: share of the texts that are different.
        held: the words of the source, and its texts.
        fresh: the texts are too many for the filter: each that is written holds a made-up word.
    """

    words: tuple[str, ...] = Field(default=(), max_length=2 * MOST_WORDS + 1_000)
    chain: tuple[tuple[int, ...], ...] = Field(default=(), max_length=CHAIN * MOST_GRAMS + 2_000)
    letters: dict[str, Count] = Field(default={}, max_length=MOST_LETTERS)
    sizes: Sizes = ((1, 1),)
    lengths: Sizes = ((6, 1),)
    digits: Sizes = ((3, 1),)
    named: float = Field(default=0.0, ge=0.0, le=1.0)
    longest: int = Field(default=20, ge=1, le=10_000)
    language: str = Field(default="en_US", pattern=r"^([a-z]{2,3}(_[A-Z]{2})?|[A-Z]+)$")
    distinct: float = Field(default=1.0, gt=0.0, le=1.0)
    held: WordFilter = WordFilter()
    fresh: bool = False

    @model_validator(mode="after")
    def _sound(self) -> TextPlan:
        edge = len(self.words)
        for *tokens, n in self.chain:
            if not (1 <= len(tokens) <= CHAIN and all(0 <= t <= edge for t in tokens) and 1 <= n <= 2**53):
                raise ValueError(f"chain: rows of one to {CHAIN} tokens and a count")
        if not all(self.words) or not all(1 <= len(row) <= ORDER for row in self.letters):
            raise ValueError("words and letters: none is empty, and rows of letters are short")
        return self
