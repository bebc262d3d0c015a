"""The many names that Spark has for a type."""

from __future__ import annotations

import re

TEXTS = ("string", "varchar", "char", "character")


def canonical(name: str) -> str:
    """One name of a type for all that Spark knows; a text is a text, whatever its length."""
    base = name.lower().replace(" ", "")
    if base.split("(")[0] in TEXTS:
        return "string"
    base = re.sub(r"^(dec|numeric)\b", "decimal", base)
    base = {"decimal": "decimal(10,0)"}.get(base, re.sub(r"^decimal\((\d+)\)$", r"decimal(\1,0)", base))
    same = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint", "real": "float"}
    return {**same, "timestamp_ltz": "timestamp"}.get(base, base)
