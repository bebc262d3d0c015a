"""How fakes of a table look: JSON that a plan holds. No value of the source, but for a filter of its words."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from synthohive_spark.strict import Strict

Kind = Literal[
    "given_name",
    "family_name",
    "person",
    "company",
    "email",
    "user_name",
    "phone",
    "street",
    "city",
    "region",
    "country",
    "postal_code",
    "iban",
    "card",
    "url",
    "domain",
    "job",
    "text",
    "words",
]
FAKED: Mapping[str, Kind] = {kind: kind for kind in get_args(Kind)}
Form = Literal["plain", "comma", "short", "three", "digits"]
LONGEST = 2_000  # characters of a text
OPEN = 0.25  # share of a list that must stay when the source's words are taken out; else names are common, and all stay
MOST_WORDS = 8_192  # distinct words that a filter is made of: so many hold most names of any list
BITS = 4  # of the filter for each word: one in five other words is taken for one of the source's, so that no hit tells


class Fake(Strict):
    """A column that is written as fakes.

    Attributes:
        kind: of the values.
        nth: which person, company or place of the row: 0 for the first ones.
        case: of the letters: as names are written, all capital, all small.
        form: ``comma``: family name first; ``short``: codes of regions and countries, ``three`` of three letters;
            ``digits``: nothing but digits.
        lengths: of texts, some quantiles; of words, how many a value has.
        width: characters that the column holds; None for any number.
    """

    kind: Kind
    nth: int = Field(default=0, ge=0, le=1000)
    case: Literal["name", "upper", "lower"] = "name"
    form: Form = "plain"
    lengths: tuple[Annotated[int, Field(ge=1, le=LONGEST)], ...] = ()
    width: int | None = Field(default=None, ge=1)


class WordFilter(Strict):
    """Which words the source holds, so that no fake is made of one: hashes, which other words share.

    Attributes:
        bits: of as many hashes as there are, in hexadecimal; empty where nothing is filtered.
        salt: of the hashes.
    """

    bits: str = Field(default="", max_length=MOST_WORDS * BITS // 4, pattern="^([0-9a-f]{2})*$")
    salt: str = ""

    @classmethod
    def of(cls, places: Iterable[int], size: int, salt: str) -> WordFilter:
        """From the hashes of the words: numbers below ``size``, a multiple of eight."""
        bits = bytearray(size // 8)
        for place in places:
            bits[place // 8] |= 1 << place % 8
        return cls(bits=bits.hex(), salt=salt)

    def free(self, words: Sequence[str]) -> tuple[str, ...]:
        """The words that the source does not hold; all of them where it holds most of the list."""
        if not self.bits:
            return tuple(words)
        bits = bytes.fromhex(self.bits)
        places = [zlib.crc32((self.salt + word.lower()).encode()) % (8 * len(bits)) for word in words]
        left = tuple(w for w, p in zip(words, places, strict=True) if not bits[p // 8] >> p % 8 & 1)
        return left if len(left) >= OPEN * len(words) else tuple(words)


class FakeRows(Strict):
    """What the fakes of a row have in common.

    Attributes:
        countries: columns of the row or of its ancestors that say in which country it is: the n-th for the n-th place.
        genders: those that say whether the n-th person is a woman or a man.
        home: the code of the country where nothing says which.
        latin: names are written in the Latin script.
        held: words of the source's personal columns.
    """

    countries: tuple[str, ...] = ()
    genders: tuple[str, ...] = ()
    home: str = Field(default="US", pattern="^[A-Z]{2}$")
    latin: bool = True
    held: WordFilter = WordFilter()
