"""Kinds of values that follow a standard: each is a test of one text, exact enough to need no name of a column."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import phonenumbers
from phonenumbers import NumberParseException
from stdnum import ean, iban, isbn, luhn

TRIED = 60  # values that checksums are asked of: by chance one in ten fits one
_EMAIL = re.compile(r"[^@\s,;<>()]{1,64}@[\w-]+(\.[\w-]+)*\.\w{2,24}")
_URL = re.compile(r"#?(https?|ftp)://\S+|.*#https?://\S+#?|www\.[\w-]+(\.[\w-]+)+(/\S*)?", re.IGNORECASE)
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,12}", re.IGNORECASE)
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP = re.compile(
    rf"{_OCTET}(\.{_OCTET}){{3}}(/\d\d?|:\d{{2,5}})?|([0-9a-f]{{1,4}}:){{7}}[0-9a-f]{{1,4}}|[0-9a-f:]*::[0-9a-f:]+",
    re.IGNORECASE,
)
_MAC = re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}", re.IGNORECASE)
_UUID = re.compile(r"\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}|\$2[aby]\$.{50,60}"
                   r"|\$argon2.+|[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==", re.IGNORECASE)  # fmt: skip
_CALLED = re.compile(r"(\+|00)?[\d\s().\-/]{6,22}((x|ext\.?|#)\s*\d{1,6})?", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:\d{2})?.*")
_SSN = re.compile(r"(?!000|666)[0-8]\d{2}-\d{2}-\d{4}")
_CURRENCY = re.compile(r"([$€£¥₽₺₹] ?|[A-Z]{3} )-?[\d.,' ]+|-?[\d.,' ]+( ?[$€£¥₽₺₹]| [A-Z]{3})")
# Identity numbers of persons that hold a checksum, by country.
_PERSONAL_NUMBERS = [
    "at.vnr",
    "be.nn",
    "bg.egn",
    "br.cpf",
    "ch.ssn",
    "cn.ric",
    "cz.rc",
    "de.idnr",
    "dk.cpr",
    "ee.ik",
    "es.dni",
    "es.nie",
    "fi.hetu",
    "fr.nir",
    "gb.nhs",
    "gr.amka",
    "hr.oib",
    "hu.anum",
    "it.codicefiscale",
    "kr.rrn",
    "lt.asmens",
    "lv.pk",
    "mx.curp",
    "nl.bsn",
    "no.fodselsnummer",
    "pl.pesel",
    "ro.cnp",
    "se.personnummer",
    "tr.tckimlik",
    "za.idnr",
    "in_.aadhaar",
    "th.pin",
    "il.idnr",
]


def is_email(text: str) -> bool:
    """An address of e-mail."""
    return _EMAIL.fullmatch(text) is not None


def is_url(text: str) -> bool:
    """An address of the web."""
    return _URL.fullmatch(text) is not None


def is_domain(text: str) -> bool:
    """A domain or host."""
    return _DOMAIN.fullmatch(text) is not None


def is_ip(text: str) -> bool:
    """An IP address or network."""
    return _IP.fullmatch(text) is not None


def is_mac(text: str) -> bool:
    """An address of a network card."""
    return _MAC.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """A UUID."""
    return _UUID.fullmatch(text) is not None


def is_hash(text: str) -> bool:
    """What hash functions give."""
    return _HASH.fullmatch(text) is not None


def is_iban(text: str) -> bool:
    """An IBAN with its check digits."""
    return text[:2].isalpha() and bool(iban.is_valid(text, check_country=False))


def is_iban_shaped(text: str) -> bool:
    """A country, check digits and an account, with or without blanks."""
    return re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", text.replace(" ", "").upper()) is not None


def is_card(text: str) -> bool:
    """The number of a payment card: its first digit, its length, Luhn."""
    digits = re.sub(r"[ -]", "", text)
    return 12 <= len(digits) <= 19 and digits.isdecimal() and digits[0] in "2345679" and bool(luhn.is_valid(digits))


def is_trade_number(text: str) -> bool:
    """The number of a book or of goods, with its check digit."""
    return bool(isbn.is_valid(text)) or bool(ean.is_valid(text))


def is_ssn(text: str) -> bool:
    """A social security number of the USA as it is written."""
    return _SSN.fullmatch(text) is not None


def is_money(text: str) -> bool:
    """A sum with its currency."""
    return _CURRENCY.fullmatch(text) is not None and any(ch.isdigit() for ch in text)


def is_called(text: str) -> bool:
    """Digits as a number is dialled, and no date."""
    digits = sum(ch.isdigit() for ch in text)
    return 6 <= digits <= 16 and _CALLED.fullmatch(text) is not None and _DATE.fullmatch(text) is None


def is_dialled(text: str) -> bool:
    """What is written as phone numbers alone are: with the country, brackets, or in several groups."""
    if not is_called(text) or is_ip(text) or is_ssn(text) or is_trade_number(text) or is_card(text):
        return False
    digits, groups = sum(ch.isdigit() for ch in text), len(re.findall(r"\d+", text))
    marked = text.startswith(("+", "00")) or "(" in text
    return digits >= 7 and (marked or (groups >= 3 and digits >= 9) or (groups == 2 and digits >= 9 and text[0] == "0"))


def is_phone_of(text: str, region: str | None) -> bool:
    """A phone number that exists in a region, or anywhere if it says where."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, region))
    except NumberParseException:
        return False


@functools.lru_cache(maxsize=1)
def _checks() -> tuple[tuple[str, Callable[[str], bool]], ...]:
    found: list[tuple[str, Any]] = []
    for name in _PERSONAL_NUMBERS:
        try:
            found.append((name, importlib.import_module(f"stdnum.{name}").is_valid))
        except ImportError:
            continue
    return tuple(found)


def personal_number(texts: Sequence[str]) -> tuple[str, float]:
    """The personal number that most texts are, as country and name, and their share."""
    best, some = ("", 0.0), texts[:TRIED]
    likely = [t for t in some if 7 <= sum(ch.isalnum() for ch in t) <= 20 and sum(ch.isdigit() for ch in t) >= 6]
    if len(likely) < 0.5 * len(some):
        return best
    for name, valid in _checks():
        share = sum(map(valid, likely)) / len(some)
        if share > best[1]:
            best = (name, share)
    return best
