"""Names and texts in Spark SQL: quoted, whatever characters they hold."""

from __future__ import annotations

import re
from collections.abc import Collection


def quote(identifier: str) -> str:
    """An identifier in backticks, whatever characters it holds."""
    return "`" + identifier.replace("`", "``") + "`"


def text_literal(value: str) -> str:
    """A text as a literal of Spark SQL, whatever characters it holds."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def without_globs(path: str) -> str:
    """A path as Spark's readers take it: they would expand what looks like a pattern."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


def names_in(sql: str, columns: Collection[str], quoted_only: bool = False) -> set[str]:
    """Columns that an expression may refer to: those whose name appears in it in backticks, or as a word."""
    words = set() if quoted_only else {w.lower() for w in re.findall(r"\w+", sql)}
    quoted = {q.replace("``", "`").lower() for q in re.findall(r"`((?:[^`]|``)+)`", sql)}
    return {c for c in columns if c.lower() in words | quoted}
