"""Keys that are texts of which parts follow from other columns: where their format leaves room to tell rows apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from synthohive_spark.graph import late_keys
from synthohive_spark.logs import get_logger
from synthohive_spark.privacy.masks import Mask
from synthohive_spark.profiling.key_formats import key_format
from synthohive_spark.rules.kinds.text import NUMBERS
from synthohive_spark.rules.kinds.written import WrittenKey
from synthohive_spark.schema.key_format import KeyFormat
from synthohive_spark.schema.keys import KeysPlan
from synthohive_spark.schema.people import People
from synthohive_spark.schema.rule import Rule
from synthohive_spark.sql import names_in

log = get_logger(__name__)


def with_written_keys(people: People, table: str, keys: KeysPlan, rules: Sequence[Rule]) -> tuple[KeysPlan, list[Rule]]:
    """Keys with marks in their formats, and the rules without those whose keys have no room for them.

    Args:
        people: the source's.
        table: the table.
        keys: its keys.
        rules: its rules.
    """
    kept, positions = list[Rule](), keys.positions
    for rule in rules:
        if not isinstance(rule, WrittenKey):
            kept.append(rule)
            continue
        form = None if _known_by_position(people, table, keys, rule) else _format(people, table, rule)
        if form is None:
            log.info("key_parts_left", table=table, column=rule.column)
            continue
        kept.append(rule)
        place = "surrogate" if rule.column in positions.surrogate else "unique"
        positions = positions.model_copy(update={place: {**getattr(positions, place), rule.column: form}})
    return keys.model_copy(update={"positions": positions}), kept


def _known_by_position(people: People, table: str, keys: KeysPlan, rule: WrittenKey) -> bool:
    """Whether other rows know the key by its position, before it is whole; or the parts are there only later."""
    tables = people.source.metadata.tables
    referred = any(fk.references == table for fk in tables[table].foreign_keys)
    referred |= any(tables[child].foreign_keys[i].references == table for child, i in late_keys(tables))
    late = {c for fk in keys.foreign if fk.role == "late" for c in fk.columns}
    return referred or any(names_in(value, late, quoted_only=True) for value in rule.values)


def _format(people: People, table: str, rule: WrittenKey) -> KeyFormat | None:
    """The format of the key with marks; None where the rest of it cannot tell rows apart for certain."""
    form, marks = key_format(people, table, rule.column, sql=rule.blank), rule.marks
    width = None if form.width is None else form.width - rule.longest + len(marks)
    masks = tuple(m for m in form.masks if width is None or m.length <= width)
    room = sum(mask.capacity for mask in masks) >= people.source.rows[table]
    apart = all(_stands_apart(mask, mark, pattern) for mask in masks for mark, pattern in marks.items())
    return form.model_copy(update={"masks": masks, "width": width}) if masks and room and apart else None


def _stands_apart(mask: Mask, mark: str, pattern: str) -> bool:
    """Whether a mark stands once in a mask, and beside nothing that could be taken for a part of what replaces it.

    What replaces it may have a fixed number of characters; then no neighbour can be taken for one of them.
    """
    if mask.tokens.count(mark) != 1:
        return False
    if not pattern.endswith("+"):
        return True
    at = mask.tokens.index(mark)
    beside: Iterable[str] = mask.tokens[max(at - 1, 0) : at] + mask.tokens[at + 1 : at + 2]
    letters = "".join("".join(mask.words(token)) for token in beside)
    return not any(ch.isdigit() if pattern == NUMBERS else ch.isalpha() for ch in letters)
