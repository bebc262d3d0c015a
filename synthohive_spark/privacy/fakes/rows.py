"""Fakes of the rows of a batch: one person, one company and one place per row, all from the row's position.

Position i of a table has the i-th pair of names, the i-th number: a bijection, so that what is unique in the source is
unique in the copy. Everything else is a hash of the position.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from synthohive_spark.privacy.fakes import lists, numbers
from synthohive_spark.privacy.fakes.lists import ANYWHERE, GENDERS, City, Country
from synthohive_spark.privacy.fakes.plan import TEXTS, Fake, FakeRows
from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.privacy.words.plan import TextPlan
from synthohive_spark.privacy.words.writer import TextWriter
from synthohive_spark.randomness import Ints, mix, scatter, seed_of, uniform

T = TypeVar("T")
Texts = npt.NDArray[np.object_]
MAIL = ("example.com", "example.org", "example.net")  # reserved: nobody has an address there (RFC 2606)
TOGETHER = 0.4  # of the companies: those of two partners
COURTESY = {  # of women and of men, by language
    "en": ("Ms.", "Mr."),
    "de": ("Frau", "Herr"),
    "fr": ("Mme", "M."),
    "es": ("Sra.", "Sr."),
    "pt": ("Sra.", "Sr."),
    "it": ("Sig.ra", "Sig."),
    "nl": ("Mevr.", "Dhr."),
}
MOST_OPTIONS = 100  # texts for each row at most, of which 99.5 % are different
HOUSES = 120  # numbers of a street
WOMEN = ("f", "w", "mrs", "miss", "ms", "mme", "mlle", "sra", "srta", "muj", "mul", "kvin", "kob", "donna")
MEN = ("m", "h", "sr", "u")  # asked after women


@dataclass(frozen=True)
class FakedRows:
    """The rows of a batch, as far as fakes need them.

    Attributes:
        plan: what the table's fakes have in common.
        index: position of each row in the table, shape (n,).
        total: rows of the table.
        salt: of the seed and the table.
        seen: {column: its values}, those that ``plan`` names, as far as the row has them.
        writers: {salt of a column: what writes its texts}; kept from batch to batch.
    """

    plan: FakeRows
    index: Ints
    total: int
    salt: int
    seen: Mapping[str, Sequence[Any]]
    writers: dict[int, TextWriter] = field(default_factory=dict)

    def write(self, fake: Fake, column: str) -> Texts:
        """The values of a column, shape (n,); None where a place has none."""
        made = _WRITERS[fake.kind](self, fake, seed_of(self.salt, column))
        if fake.case != "name":
            made = _texts(t if t is None else _CASES[fake.case](t) for t in made)
        if fake.width is not None and fake.kind not in TEXTS:
            made = _texts(t if t is None else t[: fake.width].rstrip() for t in made)
        return made

    def nulls(self, fake: Fake, share: float) -> npt.NDArray[np.float64]:
        """How likely each row has no value of a column, of which a share is null: some countries have no regions."""
        if not fake.nulls:
            return np.full(len(self.index), share)
        rest = fake.nulls.get("", share)
        return np.array([fake.nulls.get(country.code, rest) for country in self.countries(fake.nth)], np.float64)

    @functools.cached_property
    def _kept(self) -> dict[Any, Any]:
        return {}

    def _once(self, key: tuple[str, int], make: Callable[[int], T]) -> T:
        """What columns share is made once."""
        if key not in self._kept:
            self._kept[key] = make(key[1])
        made: T = self._kept[key]
        return made

    def countries(self, nth: int) -> Texts:
        """The country of each row's n-th place."""
        return self._once(("countries", nth), self._countries)

    def _countries(self, nth: int) -> Texts:
        known, named = lists.known_countries(), self.plan.countries
        home = known.get(self.plan.home, known[ANYWHERE])
        said = self.seen.get(named[min(nth, len(named) - 1)]) if named else None
        if said is None:
            rng = np.random.default_rng(seed_of(self.salt, "countries"))
            others = [c for c in known.values() if c != home]
            some = [home, *(others[i] for i in rng.permutation(len(others))[: self.plan.many - 1])]
            drawn = mix(self.index, seed_of(self.salt, "country", nth)) % np.uint64(len(some))
            return _texts(some[d] for d in drawn.tolist())
        codes = (lists.country_of(text) if isinstance(text, str) else None for text in said)
        return _texts(known[code] if code is not None else home for code in codes)

    def cities(self, nth: int) -> Texts:
        """The n-th place of each row."""
        return self._once(("cities", nth), self._cities)

    def _cities(self, nth: int) -> Texts:
        drawn = (mix(self.index, seed_of(self.salt, "place", nth)) >> np.uint64(1)).astype(np.int64)
        return _texts(c.cities[d % len(c.cities)] for c, d in zip(self.countries(nth), drawn.tolist(), strict=True))

    def women(self, nth: int) -> npt.NDArray[np.bool_]:
        """Whether each row's n-th person is a woman."""
        made = uniform(self.index, seed_of(self.salt, "gender", nth)) < 0.5
        named = self.plan.genders
        said = self.seen.get(named[nth]) if nth < len(named) else None
        for i, text in enumerate(said if said is not None else ()):
            word = f"{text}".strip().lower().rstrip(".") if isinstance(text, str) else ""
            if word.startswith(WOMEN):
                made[i] = True
            elif word.startswith(MEN):
                made[i] = False
        return made

    def people(self, nth: int) -> tuple[Texts, Texts]:
        """Given and family name of the n-th person of each row."""
        return self._once(("people", nth), self._people)

    def _people(self, nth: int) -> tuple[Texts, Texts]:
        given, family = np.empty(len(self.index), object), np.empty(len(self.index), object)
        for country, here in self._by_country(nth):
            women = self.women(nth)
            for gender, group in zip(GENDERS, (women, ~women), strict=True):
                rows = here & group
                firsts, lasts = self._names(country.names, gender, nth)
                turn, at = np.divmod(self.index[rows], len(lasts))
                family[rows] = lasts[at]
                more, first = np.divmod(turn, len(firsts))
                given[rows] = _more(firsts[(first + at) % len(firsts)], more, firsts, " ")
        return given, family

    def _names(self, locale: str, gender: lists.Gender, nth: int) -> tuple[Texts, Texts]:
        """Given and family names of a locale in an order of their own for each table and person."""
        given, family = _free(self.plan.held, locale, self.plan.latin)[gender]
        rng = np.random.default_rng(seed_of(self.salt, "names", nth, locale, gender))
        return rng.permutation(given), rng.permutation(family)

    def companies(self, nth: int) -> tuple[Texts, Texts]:
        """Names of the owners of the n-th company of each row; the second is None where there is one."""
        return self._once(("companies", nth), self._companies)

    def _companies(self, nth: int) -> tuple[Texts, Texts]:
        first, second = np.empty(len(self.index), object), np.empty(len(self.index), object)
        for country, here in self._by_country(nth):
            names = self._names(country.names, "male", nth + 1000)[1]
            turn, at = np.divmod(self.index[here], len(names))
            first[here] = _more(names[at], turn // len(names), names, ", ")
            alone = (turn == 0) & (uniform(self.index[here], seed_of(self.salt, "alone", nth)) >= TOGETHER)
            second[here] = np.where(alone, None, names[(at + turn + 1) % len(names)])
        return first, second

    def _by_country(self, nth: int) -> list[tuple[Country, npt.NDArray[np.bool_]]]:
        """Each country with its rows."""
        all_of = self.countries(nth)
        codes = np.array([c.code for c in all_of])
        return [(lists.known_countries()[code], codes == code) for code in np.unique(codes).tolist()]


def _texts(values: Any) -> Texts:
    each = list(values)
    made = np.empty(len(each), dtype=object)
    made[:] = each
    return made


def _more(texts: Texts, turn: Ints, words: Texts, mark: str) -> Texts:
    """Texts with further words behind them, as many as it takes to tell the turns apart: none in the first one."""
    while (turn > 0).any():
        further = texts + mark + words[(turn - 1) % len(words)]
        texts, turn = np.where(turn > 0, further, texts), np.where(turn > 0, (turn - 1) // len(words), 0)
    return texts


@functools.lru_cache(maxsize=256)
def _free(held: WordFilter, locale: str, latin: bool) -> dict[lists.Gender, tuple[Texts, Texts]]:
    """Names of a locale that the source does not hold, by gender."""
    own = lists.names(latin)[locale]
    return {g: (_texts(held.free(own.given[g])), _texts(held.free(own.family[g]))) for g in GENDERS}


def _given(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    return rows.people(fake.nth)[0]


def _family(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    return rows.people(fake.nth)[1]


def _person(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    pairs = zip(*rows.people(fake.nth), strict=True)
    return _texts(f"{f}, {g}" if fake.form == "comma" else f"{g} {f}" for g, f in pairs)


def _company(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    drawn = (mix(rows.index, salt) >> np.uint64(1)).astype(np.int64).tolist()
    owners = zip(*rows.companies(fake.nth), rows.countries(fake.nth), drawn, strict=True)
    return _texts(f"{a} {_firm(c, d)}" if b is None else f"{a} & {b} {_firm(c, d, '&')}" for a, b, c, d in owners)


def _firm(country: Country, drawn: int, but: str | None = None) -> str:
    """What stands behind the name of a company, of what holds no such mark."""
    fitting = [f for f in country.firms if but is None or but not in f] or country.firms
    return fitting[drawn % len(fitting)]


def _email(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    at = (mix(rows.index, salt) % np.uint64(len(MAIL))).astype(np.int64).tolist()
    each = zip(*rows.people(fake.nth), _counters(rows, salt), at, strict=True)
    return _texts(f"{lists.spelt_plainly(g)}.{lists.spelt_plainly(f)}{n}@{MAIL[d]}" for g, f, n, d in each)


def _user(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    each = zip(*rows.people(fake.nth), _counters(rows, salt), strict=True)
    return _texts(f"{lists.spelt_plainly(g)[:1]}{lists.spelt_plainly(f)}{n}" for g, f, n in each)


def _counters(rows: FakedRows, salt: int) -> list[int]:
    """A number for each row that no other has: what tells two of one name apart."""
    found: list[int] = numbers.each(rows.index, rows.total, 2, salt).tolist()
    return found


def _phone(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    made = np.empty(len(rows.index), dtype=object)
    places = zip(rows.countries(fake.nth), rows.cities(fake.nth), strict=True)
    dialled = [(c.dial, place.area, c.digits - len(place.area)) for c, place in places]
    for form in set(dialled):
        here = np.array([d == form for d in dialled])
        dial, area, digits = form
        own = map(str, numbers.each(rows.index[here], rows.total, max(4, digits), salt).tolist())
        made[here] = (
            _texts(f"{dial}{area}{n}" for n in own)
            if fake.form == "digits"
            else _texts(f"+{dial} {area} {n[:-4]} {n[-4:]}" for n in own)
        )
    return made


def _street(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    made = np.empty(len(rows.index), dtype=object)
    for country, here in rows._by_country(fake.nth):
        names = rows._names(country.names, "male", fake.nth + 2000)[1]
        turn, at = np.divmod(rows.index[here], len(names))
        house = 1 + turn + (mix(at, salt) % np.uint64(HOUSES)).astype(np.int64)
        each = zip(names[at], house.tolist(), strict=True)
        made[here] = _texts(country.street.format(f=f, n=n) for f, n in each)
    return made


def _of_city(part: Callable[[City], str | None]) -> Callable[[FakedRows, Fake, int], Texts]:
    return lambda rows, fake, salt: _texts(part(city) for city in rows.cities(fake.nth))


def _region(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    return _texts((c.region if fake.form == "plain" else c.code) or None for c in rows.cities(fake.nth))


def _country(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    shown = lists.country_names({"short": "two", "three": "three"}.get(fake.form, "name"))
    return _texts(shown[c.code] for c in rows.countries(fake.nth))


def _postal(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    made, forms = np.empty(len(rows.index), dtype=object), [c.postal for c in rows.cities(fake.nth)]
    every = np.array(forms)
    for form in set(forms):
        here = every == form
        made[here] = numbers.of_form(form, rows.index[here], salt)
        if fake.form == "digits":
            made[here] = _texts("".join(ch for ch in text if ch.isdigit()) for text in made[here])
    return made


def _iban(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    return numbers.ibans([c.code for c in rows.countries(fake.nth)], rows.index, rows.total, salt)


def _card(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    return numbers.cards(rows.index, rows.total, salt)


def _domain(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    each = zip(*rows.companies(fake.nth), _counters(rows, seed_of(rows.salt, "domain")), strict=True)
    return _texts(
        f"{lists.spelt_plainly(a)}{'' if b is None else '-' + lists.spelt_plainly(b)}{n}.example" for a, b, n in each
    )


def _url(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    return _texts(f"https://www.{name}/" for name in _domain(rows, fake, salt))


def _job(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    known = lists.jobs()
    return _texts(known[d % len(known)] for d in (mix(rows.index, salt) >> np.uint64(1)).tolist())


def _courtesy(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    each = zip(rows.women(fake.nth), rows.countries(fake.nth), strict=True)
    return _texts(COURTESY.get(c.names[:2], COURTESY["en"])[int(not woman)] for woman, c in each)


def _modelled(rows: FakedRows, fake: Fake, salt: int) -> Texts:
    """Texts of the source's kind: one for each position, or as many different ones as the source has."""
    plan = fake.text or TextPlan()
    if salt not in rows.writers:
        rows.writers[salt] = TextWriter(plan, salt, rows.plan.held)
    writer, total = rows.writers[salt], max(1, rows.total)
    number = scatter(rows.index, total, salt)
    if plan.distinct < 1:
        total = _options(total, plan.distinct)
        number = (mix(rows.index, salt) % np.uint64(total)).astype(np.int64)
    return _texts(writer.write(n, total, fake.width) for n in number.tolist())


def _options(rows: int, distinct: float) -> int:
    """Of how many texts so many rows draw a share of different ones, if each draws alone."""
    low, high = 1.0, float(MOST_OPTIONS * rows)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if middle * -math.expm1(-rows / middle) > distinct * rows else (middle, high)
    return max(1, round(high))


_CASES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": lambda text: " ".join(word[:1].upper() + word[1:] for word in text.split(" ")),
}
_WRITERS: dict[str, Callable[[FakedRows, Fake, int], Texts]] = {
    "given_name": _given,
    "family_name": _family,
    "person": _person,
    "company": _company,
    "email": _email,
    "user_name": _user,
    "phone": _phone,
    "street": _street,
    "city": _of_city(lambda city: city.name),
    "region": _region,
    "country": _country,
    "postal_code": _postal,
    "iban": _iban,
    "card": _card,
    "url": _url,
    "domain": _domain,
    "job": _job,
    "courtesy": _courtesy,
    "text": _modelled,
    "words": _modelled,
}
