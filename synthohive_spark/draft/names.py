"""What the names of tables and columns say of keys. Names only: nothing here looks at data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

# Scores in order of trust; only their order and the cuts at STRONG and DOUBT decide.
EXACT, STRONG, LIKELY = 1.0, 0.9, 0.6
"""Name scores of a foreign key: the parent's own name, a name that ends with it, a weaker hint."""

_LAYERS = {"dim", "fact", "fct", "tbl", "stg", "raw", "lkp", "lookup"}  # prefixes of a table name that name no thing
_SUFFIXES = ("id", "key", "fk", "pk", "sk", "code", "ref", "uuid", "guid")
_NUMBERS = ("no", "nr", "num", "number")  # of a thing's own: the track number of an album is no key of a track
_BARE = {*_SUFFIXES, *_NUMBERS, "rowid", "oid", "name", "date", "type"}
_LINKS = {"to", "by", "via", "from", "of"}
_SELF = re.compile("parent|manager|supervisor|superior|boss|reports|reply|previous|prev|next|root|predecessor")
_ROLES = re.compile(
    "rep|representative|manager|agent|seller|salesperson|clerk|owner|author|creator|assignee|approver|reviewer|editor"
    "|supervisor|operator|driver|advisor|sender|receiver|recipient|technician|inspector|planner|buyer|handler|auditor"
    "|instructor|trainer|coach|mechanic|engineer|consultant|coordinator|controller|examiner|assistant|cashier|courier"
)
_PEOPLE = {"employee", "user", "staff", "person", "people", "member", "worker"}
_TEXTS = {"name", "title", "description", "label", "comment", "note", "notes", "text", "url"}


@dataclass(frozen=True)
class Hint:
    """How strongly a name speaks for a key (0 to 1), and in what words."""

    score: float
    reason: str


NOTHING = Hint(0.0, "the name says nothing")


def words(name: str) -> list[str]:
    """A name's words in lower case: ``OrderDetail_ID`` is order, detail, id."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.findall(r"[^\W_]+", parted.lower())


def same_name(a: str, b: str) -> bool:
    """Whether two column names differ in case, separators and the short prefix of a table alone."""
    return "".join(_column(a)) == "".join(_column(b))


def is_reference(column: str) -> bool:
    """Whether a name has the form of a reference: order_id, ship_via."""
    parts = _column(column)
    return len(parts) > 1 and parts[-1] in {*_SUFFIXES, *_LINKS}


def is_keylike(table: str, column: str) -> bool:
    """Whether a name has the form of a key or number, or is that of the table's own thing."""
    parts = _column(column)
    return bool(parts) and (
        parts[-1] in {*_SUFFIXES, *_NUMBERS} or parts[-1].endswith(("key", "number")) or _same(parts, _stem(table))
    )


def names_both(table: str, parents: Iterable[str]) -> bool:
    """Whether a table is called after two of its parents or more, as employee_territories is."""
    parts = words(table)
    return sum(_holds(parts, _stem(parent)) for parent in parents) > 1


def primary(table: str, column: str, tables: Sequence[str]) -> Hint:
    """What a column's name says for it as the primary key of its table, among all ``tables``."""
    parts, stem = _column(column), _stem(table)
    body = _body(parts, (*_SUFFIXES, *_NUMBERS))
    if len(parts) == 1 and parts[0] in {*_SUFFIXES, "rowid", "oid"}:
        return Hint(0.95, "name of a key")
    if body and (_same(body, stem) or _joined(parts, stem)):
        return Hint(1.0, "name matches the table")
    if _same(parts, stem):
        return Hint(0.9, "name is the table's")
    if body and any(_ends(body, _stem(other)) for other in tables if other != table):
        return Hint(0.3, "name is that of another table's key")
    if body:
        return Hint(0.8 if _ends(stem, body) or _ends(body, stem) else 0.6, "name of a key")
    if parts and parts[-1] in _TEXTS:
        return Hint(0.25, "name of a text")
    return Hint(0.4, "no name of a key")


def foreign(table: str, column: str, parent: str, referenced: str) -> Hint:
    """What a column's name says for it as a foreign key to one column of a parent."""
    parts, stem, target = _column(column), _stem(parent), _column(referenced)
    body = _body(parts, _SUFFIXES)
    told = len(target) > 1 or target[0] not in _BARE if target else False  # `id` alone tells no table from another
    thing = body or parts
    if parent == table:
        return _within(parts, thing, stem, target)
    if (told and parts == target) or _same(thing, stem) or _joined(parts, stem):
        return Hint(EXACT, "name matches")
    if _ends(thing, stem) or (told and _ends(parts, target)):
        return Hint(STRONG, "name ends with the parent's")
    if thing and (_ROLES.fullmatch(thing[-1]) or parts[-1] == "by") and stem[-1:] and _forms(stem[-1]) & _PEOPLE:
        return Hint(0.7, "name of a person's role")
    if not is_reference(column) or not stem:
        return NOTHING
    last = (body or parts[:-1])[-1]
    if SequenceMatcher(None, "".join(body or parts[:-1]), "".join(stem)).ratio() >= 0.8:
        return Hint(0.7, "name is like the parent's")
    if _abbreviates(last, stem[-1]) or (len(stem) > 1 and _abbreviates(last, "".join(stem))):
        return Hint(LIKELY, "name may be short for the parent's")
    return NOTHING


def _within(parts: list[str], thing: list[str], stem: list[str], target: list[str]) -> Hint:
    """A column of a table as a reference to the table itself."""
    if any(_SELF.fullmatch(part) for part in parts):
        return Hint(0.85, "name of a self reference")
    if (len(thing) > len(stem) and _ends(thing, stem)) or (len(parts) > len(target) > 1 and _ends(parts, target)):
        return Hint(0.8, "name ends with the table's own")
    return NOTHING


def _stem(table: str) -> list[str]:
    parts = words(table)
    return parts[1:] if len(parts) > 1 and parts[0] in _LAYERS else parts


def _column(name: str) -> list[str]:
    """A column's words, its mark of a key last and a table's short prefix gone: id_client, l_orderkey."""
    parts = words(name)
    if len(parts) > 1 and parts[0] in ("id", "fk", "pk"):
        return [*parts[1:], *(parts[:1] if parts[-1] not in _SUFFIXES else [])]
    if len(parts) > 1 and len(parts[0]) <= 2 and "".join(parts[1:]) not in _BARE:
        return parts[1:]
    return parts


def _body(parts: list[str], suffixes: Sequence[str]) -> list[str]:
    """What a name says before its suffix; empty without one."""
    return parts[:-1] if len(parts) > 1 and parts[-1] in suffixes else []


def _joined(parts: list[str], stem: list[str]) -> bool:
    """``trackid`` for track."""
    text = "".join(parts)
    return any(text.endswith(s) and _same([text.removesuffix(s)], ["".join(stem)]) for s in _SUFFIXES)


def _forms(word: str) -> set[str]:
    """A word with its possible singulars."""
    found = {word}
    if word.endswith("s") and len(word) > 3:
        found.add(word[:-1])
        if word.endswith("es"):
            found.add(word[:-2])
        if word.endswith("ies"):
            found.add(word[:-3] + "y")
    return found


def _same(a: Sequence[str], b: Sequence[str]) -> bool:
    return bool(a) and len(a) == len(b) and _ends(a, b)


def _ends(longer: Sequence[str], shorter: Sequence[str]) -> bool:
    n = len(shorter)
    return 0 < n <= len(longer) and all(_forms(x) & _forms(y) for x, y in zip(longer[-n:], shorter, strict=True))


def _holds(parts: Sequence[str], stem: Sequence[str]) -> bool:
    return len(parts) > len(stem) and any(_ends(parts[: i + 1], stem) for i in range(len(parts)))


def _abbreviates(short: str, full: str) -> bool:
    """``emp`` or ``dept`` for employee and department, ``ship`` for shippers."""
    if not 3 <= len(short) < len(full) or short[0] != full[0]:
        return False
    rest = iter(full)
    return all(letter in rest for letter in short)
