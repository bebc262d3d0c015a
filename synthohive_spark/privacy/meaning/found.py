"""What is looked at, and what is found: a sample of a column, and its meaning."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from synthohive_spark.strict import Strict

BLANK = re.compile(  # what people write where there is nothing
    r"[-.?/* ]*|#?n[./]?a\.?|null|\(null\)|none|nil|nan|unknown|unbekannt|inconnu|test|tbd|todo|x{1,3}|k\.a\."
)


class Meaning(Strict):
    """What a column means.

    Attributes:
        kind: one of ``personal.KINDS``.
        share: of its distinct values that fit the kind.
        evidence: why, in words; without a value.
        personal: whether it says something of a single person.
        locale: of the names or addresses, as ``de_DE``; None where nothing tells.
        words: its values are words, perhaps with numbers between them: no codes.
    """

    kind: str
    share: float
    evidence: str
    personal: bool = False
    locale: str | None = None
    words: bool = False


@dataclass(frozen=True)
class ColumnSample:
    """Some distinct values of a column.

    Attributes:
        name: of the column.
        type: its Spark type.
        values: as texts, each once.
        repeats: rows behind each distinct value, on average.
    """

    name: str
    type: str
    values: tuple[str, ...]
    repeats: float = 1.0

    @classmethod
    def of(cls, name: str, spark_type: str, values: Iterable[str]) -> ColumnSample:
        """From all values of some rows."""
        every = [*values]
        distinct = tuple(dict.fromkeys(every))
        return cls(name, spark_type, distinct, len(every) / max(1, len(distinct)))

    @functools.cached_property
    def known(self) -> list[str]:
        """Values without blanks and placeholders."""
        stripped = dict.fromkeys(v.strip() for v in self.values)
        return [v for v in stripped if not BLANK.fullmatch(v.casefold())]

    @property
    def text(self) -> bool:
        """Whether it is a column of text."""
        return self.type.startswith(("string", "varchar", "char"))

    @property
    def dated(self) -> bool:
        """Whether it is a column of dates or times."""
        return self.type.startswith(("date", "timestamp"))

    @property
    def fractional(self) -> bool:
        """Whether it is a column of numbers with decimals."""
        return self.type.startswith(("double", "float", "decimal"))

    def share(self, fits: Callable[[str], bool]) -> float:
        """The share of the known values that fit."""
        return sum(map(fits, self.known)) / len(self.known) if self.known else 0.0


def folded(text: str) -> str:
    """A text in lower case without accents: how words are looked up."""
    if text.isascii():  # as most words of the lists are, of which each new worker folds some hundred thousand
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(ch for ch in plain if not unicodedata.combining(ch))
    return plain.translate(_LETTERS)


_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
