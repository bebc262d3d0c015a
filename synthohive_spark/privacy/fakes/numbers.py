"""Numbers of a form, one for each position: digits of phones, cards and accounts, with their check digits."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stdnum import numdb

from synthohive_spark.randomness import Ints, mix, scatter, seed_of

LETTERS = "ABCDEFGHJKLMNPRSTUVWXY"
FIRST = 4  # digit of a card
CARD = 14  # digits of a card between its first and its last one
ELSEWHERE = "DE"  # the country of accounts where the row's has no IBAN
NUMBERED = 16  # digits that carry the position


def each(index: Ints, total: int, digits: int, salt: int) -> Ints:
    """A number of so many digits, or more where these are too few, for each position: no two alike."""
    while 9 * 10 ** (digits - 1) < total:
        digits += 1
    first = 10 ** (min(digits, 18) - 1)
    made: Ints = first + scatter(index, 9 * first, salt)
    return made


def of_form(form: str, index: Ints, salt: int) -> npt.NDArray[np.object_]:
    """Texts of a form: ``#`` is a digit, ``?`` a capital letter, all else stands for itself."""
    parts = []
    for at, ch in enumerate(form):
        if ch in "#?":
            words = np.array(list("0123456789" if ch == "#" else LETTERS))
            parts.append(words[(mix(index, seed_of(salt, at)) % np.uint64(len(words))).astype(np.int64)])
        else:
            parts.append(np.full(len(index), ch))
    return functools.reduce(np.char.add, parts).astype(object)


def cards(index: Ints, total: int, salt: int) -> npt.NDArray[np.object_]:
    """Numbers of payment cards, valid by Luhn."""
    body = each(index, total, CARD, salt)
    rest, check = body.copy(), np.full(len(index), FIRST * (2 - CARD % 2), np.int64)  # every other digit doubles
    for place in range(CARD):
        rest, digit = np.divmod(rest, 10)
        digit = digit * (2 - place % 2)
        check += np.where(digit > 9, digit - 9, digit)
    made = np.empty(len(index), dtype=object)
    made[:] = [f"{FIRST}{n}{c}" for n, c in zip(body.tolist(), (-check % 10).tolist(), strict=True)]
    return made


def ibans(countries: Sequence[str], index: Ints, total: int, salt: int) -> npt.NDArray[np.object_]:
    """Accounts of some countries with valid check digits."""
    made = np.empty(len(index), dtype=object)
    all_of = np.array(countries)
    for code in set(countries):
        here = all_of == code
        made[here] = _ibans(code if _account(code) else ELSEWHERE, index[here], total, salt)
    return made


def _ibans(country: str, index: Ints, total: int, salt: int) -> npt.NDArray[Any]:
    parts = _account(country)
    size = sum(n for n, kind in parts if kind != "a")
    number = each(index, total, min(size, NUMBERED), salt)
    letters = of_form("?" * sum(n for n, kind in parts if kind == "a"), index, salt) if size < _length(parts) else None
    made = []
    for i, n in enumerate(number.tolist()):
        digits = f"{n:0{size}d}"
        own, rest = "" if letters is None else letters[i], digits
        text = ""
        for length, kind in parts:
            if kind == "a":
                text, own = text + own[:length], own[length:]
            else:
                text, rest = text + rest[:length], rest[length:]
        check = 98 - int("".join(str(int(ch, 36)) for ch in f"{text}{country}00")) % 97
        made.append(f"{country}{check:02d}{text}")
    return np.array(made, dtype=object)


def _length(parts: Sequence[tuple[int, str]]) -> int:
    return sum(n for n, _ in parts)


@functools.lru_cache(maxsize=64)
def _account(country: str) -> tuple[tuple[int, str], ...]:
    """The parts of an account number of a country: how many characters, and whether they are letters."""
    found = numdb.get("iban").info(country)
    form = found[0][1].get("bban", "") if found and found[0][1] else ""
    return tuple((int(n), kind) for n, kind in re.findall(r"(\d+)!([anc])", form))
