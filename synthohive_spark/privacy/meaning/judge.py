"""What a column means: the names and the values of its table together. Values are stronger than names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from synthohive_spark.personal import BESIDE_PEOPLE, PERSONAL
from synthohive_spark.privacy.meaning import lexicons, people
from synthohive_spark.privacy.meaning import standards as std
from synthohive_spark.privacy.meaning.found import ColumnSample, Meaning, folded
from synthohive_spark.privacy.meaning.headings import Heading, heading, of_people, spelled
from synthohive_spark.tables import INTEGRAL

ENOUGH = 4  # distinct values from which on values alone may speak
ALL_WORDS = 0.9  # of the values that are words, so that the column holds words
LOOKED = 400  # values that dear tests look at


@dataclass(frozen=True)
class _Column:
    """A column with what its name says."""

    sample: ColumnSample
    says: Heading
    people: bool  # whether the table's name says that rows are people

    @property
    def few(self) -> ColumnSample:
        return replace(self.sample, values=tuple(self.sample.known[:LOOKED]))

    def found(self, kind: str, share: float, why: str, texts: Sequence[str] = ()) -> Meaning:
        """A meaning with its evidence."""
        told = (
            f"the name says so, {share:.0%} of the values are {why}"
            if self.says.kind == kind
            else (f"{share:.0%} of the values are {why}")
        )
        return Meaning(
            kind=kind, share=round(share, 3), evidence=told, locale=people.locale_of(texts) if texts else None
        )


# Tests of one value, with the share of values that must fit with a name that says so and without one.
_STANDARDS: tuple[tuple[str, Callable[[str], bool], float, float, str], ...] = (
    ("uuid", std.is_uuid, 0.5, 0.8, "UUIDs"),
    ("email", std.is_email, 0.2, 0.4, "addresses of e-mail"),
    ("url", std.is_url, 0.3, 0.6, "addresses of the web"),
    ("mac", std.is_mac, 0.3, 0.6, "MAC addresses"),
    ("ip", std.is_ip, 0.3, 0.7, "IP addresses"),
    ("iban", std.is_iban, 0.3, 0.6, "IBANs with valid check digits"),
    ("card", std.is_card, 0.4, 0.85, "numbers of cards by Luhn"),
)  # fmt: skip


def meanings(table: str, columns: Sequence[ColumnSample]) -> dict[str, Meaning]:
    """{column: what it means}, of the columns of one table; those that say nothing are ``unknown``."""
    named = [_Column(c, heading(c.name), of_people(table)) for c in columns]
    found = {c.sample.name: _meaning(c) for c in named}
    found.update(_parties(named, found))
    kinds = {m.kind for m in found.values()}
    reached = bool(kinds & {"email", "phone", "street", "person", "given_name", "family_name"})
    about = reached or bool(kinds & PERSONAL)
    for c in named:
        name, m = c.sample.name, found[c.sample.name]
        if m.kind == "unknown" and reached and _is_extension(c):
            m = c.found("extension", 1.0, "short numbers beside phones")
        personal = m.kind in PERSONAL or (m.kind in BESIDE_PEOPLE and (reached if m.kind == "company" else about))
        if m.kind == "text" and not (kinds & {"person", "family_name", "email", "given_name"}):
            personal = False
        if m.kind == "extension" and not reached:
            m = m.model_copy(update={"kind": "code"})
            personal = False
        words = c.sample.text and c.few.share(people.is_words) >= ALL_WORDS
        found[name] = m.model_copy(update={"personal": personal, "words": words})
    return found


def _meaning(c: _Column) -> Meaning:
    """What one column means by itself."""
    if not c.sample.known:
        return Meaning(kind="unknown", share=0.0, evidence="no values")
    if c.sample.dated:
        return _date(c)
    if not c.sample.text:
        return _number(c)
    for judge in (_standard, _dated_text, _phone, _identity, _secret, _name, _place, _company, _street, _written):
        found = judge(c)
        if found is not None:
            return found
    return Meaning(kind="unknown", share=0.0, evidence="nothing that is known")


def _date(c: _Column) -> Meaning:
    if c.says.kind == "birth_date":
        return c.found("birth_date", 1.0, "dates")
    return Meaning(kind="unknown", share=0.0, evidence="dates")


def _dated_text(c: _Column) -> Meaning | None:
    if c.says.kind != "birth_date":
        return None
    share = c.sample.share(lambda v: sum(ch.isdigit() for ch in v) >= 4)
    return c.found("birth_date", share, "dates") if share >= 0.5 else None


def _number(c: _Column) -> Meaning:
    """What a column of numbers means; its name must say so, for numbers alone look alike."""
    says, few = c.says.kind, c.few
    whole = c.sample.type in INTEGRAL or c.sample.type.endswith(",0)")
    if says in ("latitude", "longitude") and c.sample.fractional:
        most = 90 if says == "latitude" else 180
        share = few.share(lambda v: _float(v) is not None and abs(_float(v) or 0) <= most)
        return c.found(says, share, "numbers of that range") if share > 0.9 else _none()
    if whole and says in ("phone", "national_id", "account", "card"):
        long = few.share(lambda v: 6 <= len(v.lstrip("-")) <= 19)
        return c.found(says, long, "numbers of that length") if long >= 0.6 else _none()
    if whole and says == "extension":
        return c.found("extension", 1.0, "short numbers")
    if whole and len(few.known) >= 20 and (share := few.share(lambda v: len(v) >= 14 and std.is_card(v))) >= 0.9:
        return c.found("card", share, "numbers of cards by Luhn")
    if says in ("amount", "percentage"):
        return c.found(says, 1.0, "numbers")
    return _none()


def _none() -> Meaning:
    return Meaning(kind="unknown", share=0.0, evidence="numbers")


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _standard(c: _Column) -> Meaning | None:
    """Kinds whose values are told one by one."""
    for kind, fits, named, alone, why in _STANDARDS:
        some = c.few
        share = some.share(fits)
        if share >= (named if c.says.kind == kind else alone) and (c.says.kind == kind or len(some.known) >= 2):
            return c.found(kind, share, why)
    if c.says.kind == "iban" and (share := c.few.share(std.is_iban_shaped)) >= 0.5:
        return c.found("iban", share, "written as IBANs")
    if c.says.kind == "domain" and (share := c.few.share(std.is_domain)) >= 0.5:
        return c.found("domain", share, "domains")
    return None


def _phone(c: _Column) -> Meaning | None:
    if c.says.kind not in (None, "phone", "person", "text", "account", "postal_code", "extension"):
        return None
    few = c.few
    called = few.share(std.is_called)
    if c.says.kind == "phone" and called >= 0.4:
        return c.found("phone", called, "written as they are dialled")
    if c.says.kind in (None, "person") and not c.says.thing and len(few.known) >= ENOUGH:
        dialled = few.share(std.is_dialled)
        if dialled >= 0.6 and _personal_number(few)[1] < 0.6:
            return c.found("phone", dialled, "written as only phone numbers are")
    return None


def _personal_number(few: ColumnSample) -> tuple[str, float]:
    return std.personal_number(few.known)


def _identity(c: _Column) -> Meaning | None:
    """Numbers that name one person or account."""
    few = c.few
    coded = few.share(lambda v: 4 <= len(v) <= 24 and sum(ch.isdigit() for ch in v) >= 4 and v.count(" ") <= 4)
    if c.says.kind in ("national_id", "account") and coded >= 0.5:
        return c.found(c.says.kind, coded, "numbers of that length")
    if c.says.kind == "card" and few.share(lambda v: sum(ch.isdigit() for ch in v) >= 12) >= 0.5:
        return c.found("card", coded, "numbers of that length")
    if c.says.kind == "extension" and few.share(lambda v: len(v) <= 8 and any(map(str.isdigit, v))) >= 0.5:
        return c.found("extension", 1.0, "short numbers")
    if c.says.kind in (None, "person") and len(few.known) >= 12:
        ssn = few.share(std.is_ssn)
        if ssn >= 0.8:
            return c.found("national_id", ssn, "written as social security numbers")
        name, share = _personal_number(few)
        if share >= 0.85 and few.share(std.is_trade_number) < 0.5:
            return c.found("national_id", share, f"valid personal numbers ({name})")
    return None


def _secret(c: _Column) -> Meaning | None:
    few = c.few
    if c.says.kind == "password" and few.share(lambda v: " " not in v and len(v) >= 4) >= 0.5:
        return c.found("password", 1.0, "without blanks")
    if c.says.kind == "user_name" and (share := few.share(lambda v: v.count(" ") <= 1 and len(v) <= 64)) >= 0.6:
        return c.found("user_name", share, "short and without blanks")
    hashed = few.share(std.is_hash)
    if hashed >= 0.8 and few.share(str.isdecimal) < 0.5:
        return c.found("hash", hashed, "what hash functions give")
    return None


def _name(c: _Column) -> Meaning | None:
    """Names of people: with a name of the column that says so less of the values must be on lists."""
    few, kind, sure = c.few, c.says.kind, c.says.sure
    shaped = few.share(people.is_name_shaped)
    if shaped < 0.5 or kind in ("street", "city", "region", "country", "job", "courtesy", "gender", "currency", "text"):
        return None
    texts = few.known
    if kind in ("given_name", "family_name"):
        listed = few.share(people.is_given_name if kind == "given_name" else people.is_family_name)
        everyday = few.share(lambda v: all(map(people.is_everyday, people.words_of_name(v) or ["the"])))
        several = few.share(lambda v: len(people.words_of_name(v)) >= 2)
        if listed >= 0.1 or everyday < 0.5:
            full = few.share(people.is_full_name) if several > 0.6 else 0.0
            return c.found("person" if full >= 0.4 else kind, max(listed, full), "such names on lists", texts)
        return None
    if c.says.thing or (kind == "company" and few.share(people.is_company) >= 0.2):
        return None
    full, known = few.share(people.is_full_name), few.share(people.is_known_full_name)
    if kind == "person" and sure and not (few.share(people.is_company) >= 0.25):
        least = (0.05, 0.0)
    elif kind == "person":
        least = (0.4, 0.25) if c.people else (0.5, 0.3)
    elif kind is None:
        least = (0.55, 0.25) if c.people else (0.6, 0.35)
    else:
        least = (0.7, 0.45)
    listed = full >= max(0.85, least[0]) or (full >= least[0] and known >= least[1])
    if listed and (len(texts) >= ENOUGH or kind == "person") and few.share(people.is_city) < 0.3:
        return c.found("person", full, "names with a given name on lists", texts)
    return _single_name(c, few, texts)


def _single_name(c: _Column, few: ColumnSample, texts: list[str]) -> Meaning | None:
    """A given or family name alone, where the column's name does not tell which."""
    if c.says.kind not in (None, "person") or few.share(lambda v: people.lone_name(v) is not None) < 0.8:
        return None
    if few.share(lambda v: len(people.words_of_name(v)) == 1) < 0.5:
        return None
    given, family = few.share(people.is_given_name), few.share(people.is_family_name)
    is_name = people.is_given_name if given >= family else people.is_family_name
    city, listed = few.share(people.is_city), max(given, family)
    other = few.share(lambda v: not is_name(v) and (people.is_city(v) or people.is_everyday(v)))
    capital = few.share(lambda v: not v[0].islower())
    named = c.says.kind == "person" and (c.people or c.says.sure)
    enough = len(texts) >= (ENOUGH if named else 8)
    if enough and capital >= 0.7 and listed >= (0.5 if named else 0.75) and city < 0.6 * listed and other < 0.2:
        return c.found("given_name" if given >= family else "family_name", listed, "names on lists", texts)
    return None


def _place(c: _Column) -> Meaning | None:
    few, says = c.few, c.says.kind
    country = few.share(lambda v: folded(v) in lexicons.countries() or v.strip(".") in lexicons.country_codes())
    if country >= (0.4 if says == "country" else 0.8) and not (says == "region" and _abbreviated(few)):
        codes = few.share(lambda v: v in lexicons.country_codes())
        return c.found("country", country, "codes of countries" if codes > 0.5 else "countries")
    city, region = few.share(people.is_city), few.share(lambda v: folded(v) in lexicons.regions())
    towns = says == "region" and region < 0.1 and city >= 0.2  # the territory of a salesman may be a town
    if (says == "region" and not towns) or (
        says is None and few.share(lambda v: folded(v) in lexicons.regions() and len(v) > 3) >= 0.7
    ):
        return c.found("region", region, "regions on lists")
    if (says == "city" and few.share(people.is_name_shaped) >= 0.4) or (says is None and city >= 0.6) or towns:
        return c.found("city", city, "cities on lists")
    if says == "postal_code" and few.share(lambda v: len(v) <= 12 and not v.isalpha()) >= 0.5:
        return c.found("postal_code", 1.0, "short codes")
    currency = few.share(lambda v: v in lexicons.currencies())
    if currency >= (0.5 if says == "currency" else 0.9):
        return c.found("currency", currency, "codes of currencies")
    return None


def _abbreviated(few: ColumnSample) -> bool:
    return few.share(lambda v: len(v) <= 3) > 0.5


def _company(c: _Column) -> Meaning | None:
    few, says = c.few, c.says.kind
    marked = few.share(people.is_company)
    if says == "company" and few.share(lambda v: any(map(str.isalpha, v)) and len(v) > 2) >= 0.6:
        return c.found("company", marked, "names with the mark of a company")
    own = c.sample.repeats < 3  # what repeats on many rows is a category: carriers, makers
    meant = says in (None, "person") and not c.says.thing and (own or says == "person")
    if meant and marked >= 0.3 and len(few.known) >= ENOUGH:
        return c.found("company", marked, "names with the mark of a company")
    return None


def _street(c: _Column) -> Meaning | None:
    few, says = c.few, c.says.kind
    letters = few.share(lambda v: sum(map(str.isalpha, v)) >= 3)
    if says == "street" and letters >= 0.5:
        return c.found("street", few.share(people.is_numbered), "words with a number")
    open_ = says in (None, "person", "city", "text") and not c.says.thing and len(few.known) >= ENOUGH
    if open_ and (share := few.share(people.is_street)) >= 0.6:
        return c.found("street", share, "words of streets with a number")
    return None


def _written(c: _Column) -> Meaning | None:
    """Texts, codes and categories."""
    few, says = c.few, c.says.kind
    working = spelled(c.sample.name) != "title" or few.share(people.is_working) >= 0.5
    if says in ("gender", "courtesy", "job") and few.share(lambda v: len(v) <= 40) >= 0.5 and working:
        return c.found(says, 1.0, "short texts")
    words = few.share(lambda v: v.count(" ") >= 5 and len(v) >= 30)
    if words >= (0.3 if says == "text" else 0.6):
        return c.found("text", words, "long texts")
    money = few.share(std.is_money)
    if money >= 0.6 and (says == "amount" or few.share(str.isdecimal) < 0.2):
        return c.found("amount", money, "sums with a currency")
    if few.share(lambda v: v.endswith("%")) >= 0.6:
        return c.found("percentage", 1.0, "shares")
    numbered = few.share(lambda v: " " not in v and any(map(str.isdigit, v)))
    if numbered >= 0.7:
        labelled = few.share(lambda v: any(map(str.isalpha, v)) and ("-" in v or "_" in v))
        return c.found("coded" if labelled >= 0.6 else "code", numbered, "codes")
    if c.sample.repeats >= 3 or len(few.known) <= 12:
        return c.found("category", 1.0, "few and repeated")
    return None


def _is_extension(c: _Column) -> bool:
    return c.says.kind == "extension"


def _parties(columns: Sequence[_Column], found: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """Names that stand beside an address of the same prefix: whom an order is shipped to, whoever that is."""
    streets = [spelled(n).split() for n, m in found.items() if m.kind == "street"]
    made = {}
    for c in columns:
        words = spelled(c.sample.name).split()
        if found[c.sample.name].kind not in ("unknown", "category", "text") or not c.sample.text:
            continue
        beside = any(words[:-1] == street[:-1] for street in streets)
        if words[-1:] == ["name"] and beside and c.few.share(lambda v: any(map(str.isalpha, v))) > 0.8:
            made[c.sample.name] = c.found("company", 1.0, "names beside an address")
    return made
