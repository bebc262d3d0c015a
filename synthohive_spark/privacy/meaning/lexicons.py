"""Lists of names, cities, countries and words in many languages: those that Faker's providers carry."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Any

import yaml

from synthohive_spark.privacy.meaning.found import folded


def read_list(name: str) -> dict[str, Any]:
    """One of the YAML files of this folder, which may lie in an archive."""
    found: dict[str, Any] = yaml.safe_load(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
    return found


def providers(topic: str) -> Iterator[tuple[str, Any]]:
    """(locale, class) of each of Faker's providers of a topic, in the order of the locales."""
    package = importlib.import_module(f"faker.providers.{topic}")
    for name in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        yield name, importlib.import_module(f"faker.providers.{topic}.{name}").Provider


def entries(provider: Any, *attributes: str) -> Iterator[str]:
    """The texts of a provider's lists, flat; what is no list of texts is left out."""
    for attribute in attributes:
        found = getattr(provider, attribute, ())
        if isinstance(found, Iterable):
            yield from _texts(found)


def _texts(found: Iterable[Any]) -> Iterator[str]:
    for entry in found:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, tuple | list):
            yield from _texts(entry)


@functools.lru_cache(maxsize=1)
def given_names() -> dict[str, frozenset[str]]:
    """{locale: given names, folded}."""
    return {name: _folded(entries(p, *_lists(p, "first_"))) for name, p in providers("person")}


@functools.lru_cache(maxsize=1)
def family_names() -> dict[str, frozenset[str]]:
    """{locale: family names, folded}."""
    return {name: _folded(entries(p, *_lists(p, "last_"))) for name, p in providers("person")}


@functools.lru_cache(maxsize=1)
def given() -> frozenset[str]:
    """Given names of all locales."""
    return frozenset().union(*given_names().values())


@functools.lru_cache(maxsize=1)
def family() -> frozenset[str]:
    """Family names of all locales."""
    return frozenset().union(*family_names().values())


@functools.lru_cache(maxsize=1)
def cities() -> frozenset[str]:
    """Cities of all locales that list them, capitals, and those that fakes have."""
    capitals = (c.capital for c in _countries())
    faked = (city.partition("|")[0] for country in read_list("places.yaml").values() for city in country["cities"])
    named = (t for _, p in providers("address") for t in entries(p, "cities", "city_names", "towns", "localities"))
    return _folded([*capitals, *faked, *named])


@functools.lru_cache(maxsize=1)
def regions() -> frozenset[str]:
    """States, provinces and the like, by name or abbreviation."""
    parts = ("states", "states_abbr", "provinces", "provinces_abbr", "counties", "regions", "cantons", "districts",
             "prefectures", "departments", "territories_abbr", "region", "autonomous_communities")  # fmt: skip
    return _folded(t for _, p in providers("address") for t in entries(p, *parts))


@functools.lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """Names of countries in all languages, with those in common use."""
    named = (t for _, p in providers("address") for t in entries(p, "countries"))
    common = ("USA", "UK", "U.S.A.", "United States", "Great Britain", "England", "Scotland", "South Korea", "Russia")
    return _folded([*common, *(c.name for c in _countries()), *named])


@functools.lru_cache(maxsize=1)
def country_codes() -> frozenset[str]:
    """Codes of two and three letters, in upper case."""
    return frozenset(code for c in _countries() for code in (c.alpha_2_code, c.alpha_3_code)) | {"UK"}


@functools.lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Words of everyday language."""
    return _folded(t for _, p in providers("lorem") for t in entries(p, "word_list", "english_word_list"))


@functools.lru_cache(maxsize=1)
def job_words() -> frozenset[str]:
    """Words of the names of jobs that are no everyday names."""
    words = (w for _, p in providers("job") for job in entries(p, "jobs") for w in job.replace(",", " ").split())
    return _folded(words) - family()


@functools.lru_cache(maxsize=1)
def currencies() -> frozenset[str]:
    """Codes of currencies."""
    provider = importlib.import_module("faker.providers.currency").Provider
    return frozenset(code for code, _ in provider.currencies)


def _lists(provider: Any, part: str) -> list[str]:
    """The attributes of a provider that list names of a sort: first_names_female, male_last_names."""
    return [a for a in dir(provider) if part in a and a.rpartition("_names")[1]]


def _countries() -> Any:
    return importlib.import_module("faker.providers.date_time").Provider.countries


def _folded(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(f for t in {*texts} if len(f := folded(t.strip())) >= 1)
