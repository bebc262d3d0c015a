"""What is looked at, and what is found: a sample of a column, and its meaning."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from synthohive_spark.strict import Strict

# Personal whatever stands beside them.
PERSONAL = frozenset(
    [
        "email",
        "phone",
        "given_name",
        "family_name",
        "person",
        "street",
        "iban",
        "account",
        "card",
        "national_id",
        "birth_date",
        "user_name",
        "password",
        "ip",
        "mac",
    ]
)
# Personal where the row is about somebody: a person, or a company that can be reached.
BESIDE_PEOPLE = frozenset({"company", "postal_code", "latitude", "longitude", "url", "extension", "text"})
OTHERS = frozenset(
    [
        "city",
        "region",
        "country",
        "gender",
        "courtesy",
        "job",
        "domain",
        "uuid",
        "hash",
        "code",
        "coded",
        "amount",
        "currency",
        "percentage",
        "category",
        "unknown",
    ]
)
KINDS = PERSONAL | BESIDE_PEOPLE | OTHERS
BLANK = re.compile(  # what people write where there is nothing
    r"[-.?/* ]*|#?n[./]?a\.?|null|\(null\)|none|nil|nan|unknown|unbekannt|inconnu|test|tbd|todo|x{1,3}|k\.a\."
)


class Meaning(Strict):
    """What a column means.

    Attributes:
        kind: one of ``KINDS``.
        share: of its distinct values that fit the kind.
        evidence: why, in words; without a value.
        personal: whether it says something of a single person.
        locale: of the names or addresses, as ``de_DE``; None where nothing tells.
    """

    kind: str
    share: float
    evidence: str
    personal: bool = False
    locale: str | None = None


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
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(ch for ch in plain if not unicodedata.combining(ch))
    return plain.translate(_LETTERS)


_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
