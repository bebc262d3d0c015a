"""How fakes of a table look: JSON that a plan holds. No value of the source, but for a filter of its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field

from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.privacy.words.plan import TextPlan
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
    "courtesy",
    "text",
    "words",
]
FAKED: Mapping[str, Kind] = {kind: kind for kind in get_args(Kind)}
Form = Literal["plain", "comma", "short", "three", "digits"]
TEXTS: tuple[Kind, ...] = ("text", "words")


class Fake(Strict):
    """A column that is written as fakes.

    Attributes:
        kind: of the values.
        nth: which person, company or place of the row: 0 for the first ones.
        case: of the letters: as names are written, all capital, all small, the first of each word capital.
        form: ``comma``: family name first; ``short``: codes of regions and countries, ``three`` of three letters;
            ``digits``: nothing but digits.
        text: what is known of texts, and of words that nothing explains.
        many: different values, where the kind is a country.
        nulls: share of nulls by the code of the row's country, where the kind is a region; "" for all others.
        width: characters that the column holds; None for any number.
    """

    kind: Kind
    nth: int = Field(default=0, ge=0, le=1000)
    case: Literal["name", "upper", "lower", "title"] = "name"
    form: Form = "plain"
    text: TextPlan | None = None
    many: int = Field(default=1, ge=1, le=1000)
    nulls: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default={}, max_length=1000)
    width: int | None = Field(default=None, ge=1)


class FakeRows(Strict):
    """What the fakes of a row have in common.

    Attributes:
        countries: columns of the row or of its ancestors that say in which country it is: the n-th for the n-th place.
        genders: those that say whether the n-th person is a woman or a man.
        home: the code of the country where nothing says which.
        many: countries that the rows are in where no column says which: home, and others by the hash of the row.
        latin: names are written in the Latin script.
        held: words of the source's personal columns.
    """

    countries: tuple[str, ...] = ()
    genders: tuple[str, ...] = ()
    home: str = Field(default="US", pattern="^[A-Z]{2}$")
    many: int = Field(default=1, ge=1, le=1000)
    latin: bool = True
    held: WordFilter = WordFilter()
