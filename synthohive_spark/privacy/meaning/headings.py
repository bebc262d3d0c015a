"""What the name of a column says of its values, in some twenty languages. Names only."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from synthohive_spark.privacy.meaning.found import folded
from synthohive_spark.privacy.meaning.lexicons import read_list


@dataclass(frozen=True)
class Heading:
    """What a name says.

    Attributes:
        kind: of the values; None where nothing is said.
        sure: whether the name alone says it, so that values need only not speak against it.
        thing: it names a thing: product_name, film.
    """

    kind: str | None = None
    sure: bool = False
    thing: bool = False


@dataclass(frozen=True)
class _Said:
    """The patterns of ``headings.yaml``."""

    kinds: tuple[tuple[str, bool, re.Pattern[str]], ...]
    about: re.Pattern[str]
    things: re.Pattern[str]
    people: re.Pattern[str]


@functools.lru_cache(maxsize=1)
def _said() -> _Said:
    read = read_list("headings.yaml")
    kinds = ((e["kind"], e["sure"], re.compile(folded("|".join(e["names"])))) for e in read["said"])
    words = {name: re.compile(rf"\b({'|'.join(read[name])})\b") for name in ("about", "things")}
    return _Said(tuple(kinds), words["about"], words["things"], re.compile("|".join(read["people"])))


def spelled(name: str) -> str:
    """A name's words, folded and parted by blanks: ``ContactName2`` is ``contact name 2``."""
    parted = re.sub(r"(?<=[a-z0-9à-ÿ])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", folded(parted).replace("ß", "ss")))


def heading(name: str) -> Heading:
    """What a column's name says."""
    text, said = spelled(name), _said()
    about = said.about.search(text) is not None
    thing = said.things.search(text) is not None
    for kind, sure, pattern in said.kinds:
        if pattern.search(text):
            if about and kind not in ("birth_date", "amount", "percentage", "text", "job", "courtesy"):
                return Heading(None, False, thing)
            if kind == "person" and thing:
                return Heading(None, False, True)
            return Heading(kind, sure, thing)
    return Heading(None, False, thing)


def of_people(table: str) -> bool:
    """Whether a table's name says that its rows are people, or companies that one deals with."""
    return _said().people.search(spelled(table)) is not None
