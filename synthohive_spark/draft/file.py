"""The metadata draft as a YAML file: what is proposed, and the evidence of each proposal as a comment beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import yaml


@dataclass(frozen=True)
class DraftedKey:
    """A foreign key with its evidence; ``policy`` is what becomes of its rows without a parent."""

    columns: tuple[str, ...]
    references: str
    referenced_columns: tuple[str, ...]
    evidence: str
    nulls: int = 0
    orphans: int = 0
    policy: str = "drop"
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class DraftedPersonal:
    """A personal column: what its values are, and why it is one."""

    kind: str
    evidence: str


@dataclass(frozen=True)
class DraftedTable:
    """A table's proposals.

    Attributes:
        columns: Spark type and remark of each column.
        evidence: of the primary key, or why there is none.
        notes: what a person may want to know beside the proposals.
        checks: expressions of the constraints that the table declares.
        pii: the personal columns.
        reference: why the table may be copied as it is; empty for others.
        exclude: columns of types that are not carried.
    """

    rows: int
    primary_key: tuple[str, ...]
    evidence: str
    foreign_keys: tuple[DraftedKey, ...]
    columns: Mapping[str, tuple[str, str]]
    alternatives: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    pii: Mapping[str, DraftedPersonal] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    reference: str = ""


def draft_text(tables: Mapping[str, DraftedTable], place: str, problems: Iterable[str] = ()) -> str:
    """The file: valid metadata that ``Metadata.load`` reads as it is."""
    lines = [
        f"# Drafted from {_remark(place)}. Each comment says what was seen in the data, or declared (NOT NULL, CHECK).",
        "# Keys are proposals: look at each, correct it, then name this file as `metadata` in the configuration.",
        *(f"# TO MEND: {_remark(p)}" for p in problems),
        *_subject(tables),
        "tables:" if tables else "tables: {}",
    ]
    for name, table in tables.items():
        lines += _table(name, table)
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """A text as YAML: bare where it is a plain word, else in double quotes."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and yaml.safe_load(text) == text:
        return text
    return '"' + "".join(_escaped(ch) for ch in text) + '"'


def listed(names: Sequence[str]) -> str:
    """Names as a YAML list in one line."""
    return f"[{', '.join(scalar(n) for n in names)}]"


def rows(count: int) -> str:
    """A number of rows in words."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def _escaped(ch: str) -> str:
    if ch in '"\\':
        return "\\" + ch
    if ch.isprintable():
        return ch
    return f"\\U{ord(ch):08x}"


def _subject(tables: Mapping[str, DraftedTable]) -> list[str]:
    """A line with the table whose rows may be the people: of those that look personal, the one that most lead to."""
    leading = {name: len(_below(name, tables)) for name, table in tables.items() if table.pii}
    if not any(leading.values()):
        return []
    name = max(leading, key=lambda n: (leading[n], tables[n].rows))
    why = f"it has personal columns, by their names, and {leading[name]} of the tables lead to it"
    return [
        f"# subject: {_remark(scalar(name))}  # the people whose privacy counts: {why}; remove the first # to say so"
    ]


def _below(name: str, tables: Mapping[str, DraftedTable]) -> set[str]:
    """The tables whose keys lead to one, however many lie between."""
    found, waiting = set[str](), [name]
    while waiting:
        above = waiting.pop()
        more = {n for n, t in tables.items() if any(k.references == above for k in t.foreign_keys)} - found - {name}
        found |= more
        waiting += sorted(more)
    return found


def _remark(text: str) -> str:
    """Text that stays on its comment line."""
    return "".join(ch if ch.isprintable() else "?" for ch in text)


def _table(name: str, table: DraftedTable) -> list[str]:
    lines = [
        f"  {scalar(name)}:  # {rows(table.rows)}",
        f"    primary_key: {listed(table.primary_key) if table.primary_key else 'null'}  # {_remark(table.evidence)}",
        *(f"    # or: {_remark(text)}" for text in table.alternatives),
        *(f"    # {_remark(text)}" for text in table.notes),
    ]
    if table.reference:
        lines.append(
            f"    reference: true  # copied as it is: {_remark(table.reference)}; false if its rows are secret"
        )
    if table.foreign_keys:
        lines.append("    foreign_keys:")
    for key in table.foreign_keys:
        lines += _key(key)
    if table.checks:
        lines.append("    constraints:  # declared on the table")
        lines += [f"      - expression: {scalar(text)}" for text in table.checks]
    if table.exclude:
        lines.append(f"    exclude: {listed(table.exclude)}  # of types that are not carried: null, or not on the copy")
    if table.pii:
        lines.append("    pii:  # written as fakes; `action: keep` publishes a column, mask and drop are stricter")
    for column, found in table.pii.items():
        said = f"{{kind: {found.kind}, action: fake}}"
        lines.append(f"      {scalar(column)}: {said}  # {_remark(found.evidence)}")
    lines.append("    columns:" if table.columns else "    columns: {}")
    for column, (kind, remark) in table.columns.items():
        lines.append(f"      {scalar(column)}: {scalar(kind)}" + (f"  # {_remark(remark)}" if remark else ""))
    return lines


def _key(key: DraftedKey) -> list[str]:
    nullable = f"true  # {rows(key.nulls)} with null" if key.nulls else "false  # no null"
    lines = [
        f"      - columns: {listed(key.columns)}  # {_remark(key.evidence)}",
        f"        references: {scalar(key.references)}",
        f"        referenced_columns: {listed(key.referenced_columns)}",
        f"        nullable: {nullable}",
    ]
    if key.orphans:
        policy = '"null"' if key.policy == "null" else key.policy
        lines.append(f"        orphans: {policy}  # {rows(key.orphans)} without a parent")
    return [*lines, *(f"        # or: {_remark(text)}" for text in key.alternatives)]
