"""Fakes of rows: readable, of one person and one place, without repeats, the same on any cluster. No Spark."""

from __future__ import annotations

import zlib
from typing import Any, get_args

import numpy as np
import phonenumbers
import pytest
from stdnum import iban, luhn

from synthohive_spark.privacy.fakes import lists
from synthohive_spark.privacy.fakes.plan import FAKED, Fake, FakeRows, Kind
from synthohive_spark.privacy.fakes.rows import FakedRows
from synthohive_spark.privacy.meaning import standards
from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.privacy.words.plan import TextPlan

MANY = 30_000
UNIQUE = ("person", "company", "email", "user_name", "phone", "street", "iban", "card", "url", "domain", "words")


def rows(
    n: int = MANY, index: Any = None, salt: int = 7, held: WordFilter | None = None, **seen: list[Any]
) -> FakedRows:
    plan = FakeRows(
        countries=("country",) if "country" in seen else (),
        genders=("gender",) if "gender" in seen else (),
        held=held or WordFilter(),
    )
    return FakedRows(plan, np.arange(n) if index is None else np.asarray(index), n, salt, seen)


def written(made: FakedRows, kind: Kind, **form: Any) -> list[Any]:
    return list(made.write(Fake(kind=kind, **form), kind))


@pytest.mark.parametrize("kind", UNIQUE)
def test_what_is_one_in_the_source_is_one_in_the_copy(kind: Kind) -> None:
    mixed = ["Germany", "France", "USA", "Brazil", None, "Japan"] * (MANY // 6)
    values = written(rows(country=mixed), kind)
    assert None not in values
    assert len(set(values)) == MANY


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_row_is_the_same_in_any_batch(kind: Kind) -> None:
    countries = ["Spain", "UK", "Poland"] * 100
    whole = written(rows(300, country=countries), kind)
    some = np.array([250, 3, 77, 76])
    part = rows(300, index=some, country=[countries[i] for i in some])
    assert written(part, kind) == [whole[i] for i in some]
    if kind != "country":
        assert written(rows(300, salt=8, country=countries), kind) != whole


def test_one_person_per_row() -> None:
    made = rows(500, gender=["Mrs.", "Mr.", "female", "M", "Frau"] * 100)
    given, family, person = (written(made, k) for k in ("given_name", "family_name", "person"))
    mails, users = written(made, "email"), written(made, "user_name")
    names = lists.names(True)["en_US"].given
    for g, f, p, mail, user, sort in zip(
        given, family, person, mails, users, ["f", "m", "f", "m", "f"] * 100, strict=True
    ):
        assert p == f"{g} {f}"
        assert mail.startswith(f"{lists.spelt_plainly(g)}.{lists.spelt_plainly(f)}")
        assert standards.is_email(mail)
        assert user.startswith(lists.spelt_plainly(g)[0] + lists.spelt_plainly(f))
        assert (g in names["female"]) == (sort == "f")
    assert written(made, "courtesy") == ["Ms." if sort == "f" else "Mr." for sort in ["f", "m", "f", "m", "f"] * 100]
    assert written(made, "person", form="comma")[0] == f"{family[0]}, {given[0]}"
    assert written(made, "person", nth=1) != person


def test_one_place_per_row() -> None:
    spoken = {"Germany": "DE", "USA": "US", "Brazil": "BR", "SWE": "SE", "pl": "PL"}
    said = [*spoken] * 20
    made = rows(100, country=said)
    cities, regions, codes = written(made, "city"), written(made, "region"), written(made, "region", form="short")
    phones, zips = written(made, "phone"), written(made, "postal_code")
    for country, city, region, code, phone, postal in zip(said, cities, regions, codes, phones, zips, strict=True):
        home = lists.known_countries()[spoken[country]]
        place = next(c for c in home.cities if c.name == city and c.region == region)
        assert code == place.code
        assert phone.startswith(f"+{home.dial} {place.area} ")
        assert len(postal) == len(place.postal)
        assert all(p == f or f in "#?" for p, f in zip(postal, place.postal, strict=True))
    assert written(made, "country", form="short") == [spoken[c] for c in said]


def test_rows_of_many_countries_are_in_as_many() -> None:
    """A column of countries that few rows share says of none that it may be written, but how many there are."""
    some = FakedRows(FakeRows(home="FR", many=12), np.arange(3_000), 3_000, 7, {})
    lands, cities, phones = written(some, "country"), written(some, "city"), written(some, "phone")
    assert len({*lands}) == 12
    assert "France" in lands
    for land, city, phone in zip(lands, cities, phones, strict=True):
        home = lists.known_countries()[f"{lists.country_of(land)}"]
        assert city in [c.name for c in home.cities]
        assert phone.startswith(f"+{home.dial} ")
    one = FakedRows(FakeRows(home="FR"), np.arange(300), 300, 7, {})
    assert {*written(one, "country")} == {"France"}


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_texts_repeat_as_often_as_in_the_source(share: float) -> None:
    texts = written(rows(4_000), "words", text=TextPlan(distinct=share))
    assert len({*texts}) / 4_000 == pytest.approx(share, abs=0.03)


def test_regions_are_null_where_a_country_has_none() -> None:
    made = rows(400, country=["USA", "Germany", "Peru", "Kenya"] * 100)
    fake = Fake(kind="region", nulls={"US": 0.0, "DE": 1.0, "": 0.5})
    assert made.nulls(fake, 0.3).tolist() == [0.0, 1.0, 0.5, 0.5] * 100
    assert made.nulls(Fake(kind="region"), 0.3).tolist() == [0.3] * 400


def test_two_partners_have_no_sons_beside_them() -> None:
    firms = written(rows(2_000, country=["USA", "UK"] * 1_000), "company")
    assert max(firm.count("&") for firm in firms) == 1
    assert any(firm.endswith("& Sons") for firm in firms)


def test_numbers_are_those_that_programs_accept() -> None:
    countries = [c for code in lists.known_countries() for c in [code] * 30]
    made = rows(len(countries), country=countries)
    assert all(map(luhn.is_valid, written(made, "card")))
    assert all(iban.is_valid(v, check_country=False) for v in written(made, "iban"))
    phones = written(made, "phone")
    possible = [phonenumbers.is_possible_number(phonenumbers.parse(p)) for p in phones]
    assert sum(possible) / len(possible) > 0.97
    assert all(p.isdigit() for p in written(made, "phone", form="digits"))


def test_no_name_of_the_source_is_written() -> None:
    names = lists.names(True)["en_US"]
    real = {*names.given["female"][:80], *names.given["male"][:80], *names.family["male"][:200]}
    size = 8 * (-(-len(real) * 4 // 8))
    held = WordFilter.of((zlib.crc32(f"held{w.lower()}".encode()) % size for w in real), size, "held")
    made = rows(held=held)
    for kind in ("given_name", "family_name"):
        assert real.isdisjoint(written(made, kind))
    assert real.isdisjoint(w for text in written(made, "company") for w in text.replace(",", "").split())
    assert written(rows(), "family_name") != written(made, "family_name")
    every = WordFilter(bits="ff" * 8, salt="held")
    assert every.free(names.given["male"]) == names.given["male"], "names that all are in the source stay"


def test_what_a_column_holds_and_how_it_is_written() -> None:
    made = rows(200)
    assert all(v == v.upper() for v in written(made, "person", case="upper"))
    assert all(w[0].isupper() for v in written(made, "job", case="title") for w in v.split() if w[0].isalpha())
    assert all(len(v) <= 9 for v in written(made, "street", width=9))


def test_all_kinds_have_words_for_all_countries() -> None:
    for code in lists.known_countries():
        made = rows(40, country=[code] * 40)
        for kind in FAKED:
            assert any(written(made, kind)) or kind == "region", (code, kind)
