"""Tables of many trades and twenty locales, with the truth of each column: what it means, and whether it is personal.

Half of the family names are of no list: two names of the locale are cut and joined. Values are dirty: blanks, capitals,
placeholders, nulls.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from faker import Faker

LOCALES = yaml.safe_load(
    "[en_US, en_GB, de_DE, fr_FR, es_ES, it_IT, pt_BR, nl_NL, pl_PL, sv_SE, da_DK, cs_CZ, tr_TR, fi_FI, hu_HU, ro_RO,"
    " ru_RU, ja_JP, zh_CN, el_GR]"
)
WORDS = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Told:
    """A column with its truth; ``kind`` None where any answer that is not personal is right."""

    name: str
    type: str
    values: list[str]
    kind: str | None
    personal: bool


@dataclass(frozen=True)
class Drawn:
    """A table with its truth."""

    name: str
    locale: str
    columns: list[Told]


Make = Callable[[], str]


class Maker:
    """Values of one locale."""

    def __init__(self, locale: str, seed: int) -> None:
        self.locale, self.rng = locale, random.Random(seed)
        self.fake = Faker(locale)
        self.fake.seed_instance(seed)
        self.lang = locale[:2]

    def family(self) -> str:
        one, other = self.fake.last_name(), self.fake.last_name()
        if self.locale in ("ja_JP", "zh_CN") or self.rng.random() < 0.5 or min(len(one), len(other)) < 4:
            return one
        return one[: len(one) // 2] + other[len(other) // 2 :].lower()

    def full(self) -> str:
        given, family = self.fake.first_name(), self.family()
        if self.locale in ("zh_CN",):
            return family + given
        if self.locale in ("ja_JP", "hu_HU"):
            return f"{family} {given}"
        return f"{given} {family}"

    def turned(self) -> str:
        return f"{self.family()}, {self.fake.first_name()}"

    def user(self) -> str:
        return self.fake.user_name()

    def national(self) -> str:
        return self.fake.ssn()

    def of(self, values: list[str] | tuple[str, ...]) -> Make:
        return lambda: self.rng.choice(list(values))

    def column(self, name: str, make: Make, rows: int, dirt: float = 0.04) -> list[str]:
        made = []
        for _ in range(rows):
            value, luck = make(), self.rng.random()
            if luck < dirt:
                value = self.rng.choice(["n/a", "-", "?", "unknown", "", "NULL", "test"])
            elif luck < 2 * dirt:
                value = f" {value} "
            elif luck < 3 * dirt:
                value = value.upper()
            if self.rng.random() > 0.1:
                made.append(value)
        return made


def _personal(m: Maker) -> dict[str, tuple[Make, str]]:
    """{kind: how to make it, Spark type}, personal ones."""
    f = m.fake
    return {
        "given_name": (f.first_name, "string"),
        "family_name": (m.family, "string"),
        "person": (m.full, "string"),
        "turned": (m.turned if m.locale not in ("ja_JP", "zh_CN") else m.full, "string"),
        "email": (f.email, "string"),
        "phone": (f.phone_number, "string"),
        "street": (lambda: f.street_address().replace("\n", ", "), "string"),
        "iban": (f.iban, "string"),
        "card": (f.credit_card_number, "string"),
        "national_id": (m.national, "string"),
        "birth_date": (lambda: f.date_of_birth().isoformat(), "date"),
        "user_name": (m.user, "string"),
        "password": (f.password, "string"),
        "ip": (f.ipv4, "string"),
        "mac": (f.mac_address, "string"),
    }


def _plain(m: Maker) -> dict[str, tuple[Make, str, str | None]]:
    """{name: how to make it, Spark type, kind}, none of them personal."""
    f, r = m.fake, m.rng
    made: dict[str, tuple[Make, str, str | None]] = {
        "amount": (lambda: f"{r.uniform(1, 900):.2f}", "decimal(10,2)", "amount"),
        "price": (lambda: f"{r.uniform(1, 900):.2f}", "double", "amount"),
        "quantity": (lambda: str(r.randint(1, 90)), "int", None),
        "created_at": (lambda: f.date_this_decade().isoformat(), "date", None),
        "order_date": (lambda: f.date_this_decade().isoformat(), "date", None),
        "uuid": (f.uuid4, "string", "uuid"),
        "sku": (lambda: f"{r.choice('ABC')}{r.choice('XYZ')}-{r.randint(0, 9999):04d}", "string", "code"),
        "code": (lambda: "".join(r.choice("ABCDEFGHJK") for _ in range(3)), "string", None),
        "reference_number": (lambda: str(r.randint(10**7, 10**8)), "string", None),
        "barcode": (f.ean13, "string", None),
        "isbn": (f.isbn13, "string", None),
        "version": (lambda: f"{r.randint(0, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}", "string", None),
        "phone_model": (m.of(WORDS["phones"]), "string", None),
        "email_verified": (m.of(["true", "false"]), "boolean", None),
        "address_type": (m.of(["billing", "shipping", "home"]), "string", None),
        "name_type": (m.of(["legal", "trade"]), "string", None),
        "latency_ms": (lambda: f"{r.uniform(0, 90):.3f}", "double", None),
        "ip_version": (m.of(["4", "6"]), "int", None),
        "card_type": (m.of(["visa", "amex", "maestro"]), "string", None),
        "discount_pct": (lambda: f"{r.uniform(0, 1):.2f}", "double", "percentage"),
        "currency": (m.of(["EUR", "USD", "GBP", "JPY", "CHF"]), "string", "currency"),
        "country": (f.country, "string", "country"),
        "country_code": (f.country_code, "string", "country"),
        "city": (m.of(WORDS["cities"]), "string", "city"),
        "destination": (m.of(WORDS["cities"]), "string", None),
        "job_title": (m.of(WORDS["jobs"]), "string", None),
        "position": (f.job, "string", None),
        "size": (m.of(["S", "M", "L", "XL"]), "string", "category"),
    }
    for name, values in WORDS["lists"].items():
        made[name] = (m.of(values), "string", None)
    return made


def _shape(rng: random.Random, name: str) -> str:
    """A name of the same words in another style."""
    parts = name.split("_")
    camel = "".join(p.title() for p in parts)
    return rng.choice([name, name, name.upper(), camel, camel[:1].lower() + camel[1:]])


def tables(seed: int = 1, per_locale: int = 7) -> Iterator[Drawn]:
    """Tables of people and of things, with their truth."""
    for number, locale in enumerate(LOCALES):
        m = Maker(locale, seed * 1000 + number)
        personal, plain = _personal(m), _plain(m)
        for at in range(per_locale):
            rows = m.rng.choice([12, 40, 150, 400])
            things = at % 3 == 2
            trade = m.rng.choice(WORDS["things"] if things else WORDS["people"])
            told, names = [], set[str]()
            if not things:
                told += list(_people(m, personal, rows))
            for name in m.rng.sample(sorted(plain), 9):
                make, kind, meaning = plain[name]
                shown = _shape(m.rng, m.rng.choice(WORDS["aliases"].get(name, [name])))
                if shown.lower() in {"name", "title", "label", "description"} and not things:
                    shown = name  # in a table of people these would say whose
                told.append(Told(shown, kind, m.column(shown, make, rows, 0.03), meaning, False))
            kept = [c for c in told if not (c.name.lower() in names or names.add(c.name.lower()))]
            yield Drawn(trade, locale, kept)


def _people(m: Maker, personal: dict[str, tuple[Make, str]], rows: int) -> Iterator[Told]:
    kinds = m.rng.choice(
        [
            ["given_name", "family_name", "email", "phone", "street"],
            ["person", "email", "street", "birth_date"],
            ["turned", "phone", "national_id", "birth_date"],
            ["person", "iban", "card", "phone", "user_name"],
            ["user_name", "password", "email", "ip", "mac"],
            ["given_name", "family_name", "birth_date", "national_id", "iban"],
        ]
    )
    blind = {"person", "email", "iban", "card", "ip", "mac", "given_name", "turned"}
    for kind in kinds:
        make, spark = personal[kind]
        known = WORDS["names"][kind]
        options = known.get(m.lang, []) + known["en"]
        name = m.rng.choice(options)
        if kind in blind and m.rng.random() < 0.2:
            name = m.rng.choice(["col_7", "attr3", "field", "x", "value", "info"])
        values = m.column(name, make, rows)
        if spark == "date":
            values = [make() for _ in range(rows)]
        yield Told(_shape(m.rng, name), spark, values, "person" if kind == "turned" else kind, True)
