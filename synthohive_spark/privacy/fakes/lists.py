"""Lists of names and words by locale, from Faker's providers, and of places: read once per Python worker."""

from __future__ import annotations

import functools
import importlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import yaml

from synthohive_spark.privacy.meaning.found import folded
from synthohive_spark.privacy.meaning.lexicons import entries, read_list

Gender = Literal["female", "male"]
GENDERS: tuple[Gender, ...] = ("female", "male")
ANYWHERE = "US"  # where nothing says which country a row is of
FEW = 10  # names that a list must hold, else a wider one is taken
LONGEST = 14  # letters of a name that is written


@dataclass(frozen=True)
class City:
    """A place: its name, region, the region's code, and the forms of postal codes and area codes."""

    name: str
    region: str
    code: str
    postal: str
    area: str


@dataclass(frozen=True)
class Country:
    """What addresses and phones of a country look like.

    Attributes:
        code: of two letters.
        names: the locale of its names.
        dial: the dialling code.
        digits: of a number behind it.
        street: how a street is written, of a family name ``{f}`` and a number ``{n}``.
        firms: what stands behind the name of a company.
        cities: some of its cities.
    """

    code: str
    names: str
    dial: str
    digits: int
    street: str
    firms: tuple[str, ...]
    cities: tuple[City, ...]


@dataclass(frozen=True)
class Names:
    """Names of a locale, by gender: no given name in two lists, no family name in the lists of two locales."""

    given: dict[Gender, tuple[str, ...]]
    family: dict[Gender, tuple[str, ...]]


@functools.lru_cache(maxsize=1)
def known_countries() -> dict[str, Country]:
    """{code: country}, of ``meaning/places.yaml``."""
    made = {}
    for code, said in read_list("places.yaml").items():
        cities = tuple(City(*text.split("|")) for text in said["cities"])
        made[code] = Country(
            code, said["names"], said["dial"], said["digits"], said["street"], tuple(said["firms"]), cities
        )
    return made


@functools.lru_cache(maxsize=1)
def _spoken() -> dict[str, str]:
    """{name or code of a country, folded: its code}, of those in ``places.yaml``."""
    found = dict[str, str]()
    for c in importlib.import_module("faker.providers.date_time").Provider.countries:
        if c.alpha_2_code in known_countries():
            found |= dict.fromkeys(map(folded, (c.name, c.alpha_2_code, c.alpha_3_code)), c.alpha_2_code)
    common = {"USA": "US", "U.S.A.": "US", "United States of America": "US", "UK": "GB", "Great Britain": "GB",
              "England": "GB", "Scotland": "GB", "Wales": "GB", "Deutschland": "DE", "Österreich": "AT",
              "Schweiz": "CH", "Suisse": "CH", "España": "ES", "Italia": "IT", "Brasil": "BR", "México": "MX",
              "Nederland": "NL", "The Netherlands": "NL", "Holland": "NL", "Polska": "PL", "Sverige": "SE",
              "Norge": "NO", "Danmark": "DK", "Suomi": "FI", "Belgique": "BE", "België": "BE", "Türkiye": "TR",
              "South Korea": "KR", "Korea": "KR", "Russia": "RU", "Czechia": "CZ", "Czech Republic": "CZ",
              "Vereinigte Staaten": "US", "Frankreich": "FR", "Italien": "IT", "Spanien": "ES"}  # fmt: skip
    return {**{folded(name): code for name, code in common.items()}, **found}


@functools.lru_cache(maxsize=10_000)
def country_of(text: str) -> str | None:
    """The code of a country that a text names, if it is in ``places.yaml``."""
    return _spoken().get(folded(text.strip()))


@functools.lru_cache(maxsize=4)
def country_names(form: Literal["name", "two", "three"]) -> dict[str, str]:
    """{code: how the country is written}."""
    found = dict[str, str]()
    for c in importlib.import_module("faker.providers.date_time").Provider.countries:
        if c.alpha_2_code in known_countries():
            found[c.alpha_2_code] = {"name": c.name, "two": c.alpha_2_code, "three": c.alpha_3_code}[form]
    return found


@functools.lru_cache(maxsize=2)
def names(latin: bool) -> dict[str, Names]:
    """{locale: its names}, in the Latin script or in its own."""
    made, taken = {}, set[str]()
    for locale in dict.fromkeys(c.names for c in known_countries().values()):
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        given, family, own = dict[Gender, tuple[str, ...]](), dict[Gender, tuple[str, ...]](), set[str]()
        firsts = [_written(_list(provider, "first", g, latin), latin) for g in GENDERS]
        for i, gender in enumerate(GENDERS):
            alike = firsts[0] == firsts[1]  # a list that tells no genders: every other name
            given[gender] = firsts[0][i::2] if alike else tuple(w for w in firsts[i] if not i or w not in firsts[0])
            lasts = _written(_list(provider, "last", gender, latin), latin)
            family[gender] = tuple(w for w in lasts if w not in taken)
            own.update(family[gender])
        taken |= own
        made[locale] = Names(given, family)
    return made


def _list(provider: Any, part: str, gender: Gender, latin: bool) -> list[str]:
    """The narrowest list of a provider with enough names."""
    wanted = [
        *((f"{part}_romanized_names_{gender}", f"{part}_romanized_names") if latin else ()),
        f"{part}_names_{gender}",
        f"{part}_names_unisex",
        f"unisex_{part}_names",
        f"{part}_names",
        f"{part}_names_without_suffix",
    ]
    found = (list(dict.fromkeys(entries(provider, attribute))) for attribute in wanted)
    return next((words for words in found if len(words) >= FEW), [])


def _written(words: Iterable[str], latin: bool) -> tuple[str, ...]:
    """Names of one word, in the Latin script where that is wanted."""
    shown = (re.sub("^Mc([a-z])", lambda m: f"Mc{m[1].upper()}", latinised(w) if latin else w) for w in words)
    return tuple(
        dict.fromkeys(w for w in shown if 1 < len(w) <= LONGEST and w.isalpha() and not (latin and w.isupper()))
    )


@functools.lru_cache(maxsize=64)
def words_of(locale: str) -> tuple[str, ...]:
    """Words of texts in the language of a locale; English ones where there are none."""
    package = importlib.import_module("faker.providers.lorem")
    for name in (locale, f"{locale[:2]}_{locale[:2].upper()}", "en_US"):
        try:
            provider = importlib.import_module(f"{package.__name__}.{name}").Provider
        except ImportError:
            continue
        found = tuple(dict.fromkeys(entries(provider, "word_list")))
        if len(found) >= FEW:
            return found
    return ()


@functools.lru_cache(maxsize=64)
def title_words(locale: str) -> tuple[str, ...]:
    """Words of titles and names of products in the language of a locale; none where there is no list."""
    return tuple(_read("words.yaml").get(locale[:2], "").split())


@functools.lru_cache(maxsize=1)
def jobs() -> tuple[str, ...]:
    """Names of jobs."""
    provider = importlib.import_module("faker.providers.job.en_US").Provider
    return tuple(dict.fromkeys(j for j in provider.jobs if not {*j} & {*",/("} and len(j) > 4))


@functools.lru_cache(maxsize=1)
def _letters() -> tuple[dict[str, str], tuple[list[str], ...]]:
    """{letter: how it is spelt in Latin letters}, and the parts of a syllable of Hangul."""
    read = _read("letters.yaml")
    return {pair[0]: pair[1:] for pair in read["pairs"].split()}, tuple(read["hangul"])


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(resources.files(__package__).joinpath(name).read_text("utf-8"))
    return read


def latinised(text: str) -> str:
    """A name in Latin letters with their accents; letters of scripts that are not known stay."""
    (spelling, (first, vowel, last)), out = _letters(), list[str]()
    for ch in text:
        hangul = ord(ch) - 0xAC00
        if 0 <= hangul < 11172:
            out.append(first[hangul // 588] + vowel[hangul % 588 // 28] + last[hangul % 28])
        elif ord(ch) < 0x250:
            out.append(ch)
        else:
            plain = unicodedata.normalize("NFD", ch.lower())[0]
            made = spelling.get(ch.lower(), spelling.get(plain, ch))
            out.append(made.capitalize() if ch.isupper() else made)
    made = "".join(out)
    return made[:1].upper() + made[1:]


@functools.lru_cache(maxsize=50_000)
def spelt_plainly(text: str) -> str:
    """A name as it stands in an address of e-mail: small letters without accents."""
    spelt = "".join(_letters()[0].get(ch, ch) for ch in latinised(text).lower())
    spelt = unicodedata.normalize("NFKD", spelt)
    return "".join(ch for ch in spelt if ch.isascii() and ch.isalnum()) or "user"
