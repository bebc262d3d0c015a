"""Files and texts that somebody else may have written: plain, of bounded size, and JSON without surprises."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

MOST_ITEMS = 3_000_000  # of a JSON text: as Python objects they take some 300 MB
MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What reading a malformed value may raise, whichever library reads it; bugs of ours among them, as no reader can tell.
"""


def plain_bytes(path: Path, most: int) -> bytes:
    """What a regular file holds.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        ValueError: it is a link or no regular file, or it is larger.
        OSError: it cannot be read.
    """
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{path.name} is a link, a folder or a device, and a plain file is expected")
    if about.st_size > most:
        raise ValueError(f"{path.name} has {about.st_size:,} bytes, and at most {most:,} are read")
    return path.read_bytes()


def plain_json(text: str | bytes, most: int) -> Any:
    """The value of a JSON text: each key once, every number finite.

    Args:
        text: in UTF-8.
        most: bytes that it may have.

    Raises:
        ValueError: it is no such text, is larger, or has more items than fit into memory.
    """
    if len(text) > most:
        raise ValueError(f"a JSON text of {len(text):,} bytes, and at most {most:,} are read")
    written = text.encode() if isinstance(text, str) else text
    if sum(written.count(mark) for mark in (b",", b"[", b"{")) > MOST_ITEMS:
        raise ValueError(f"a JSON text of more than {MOST_ITEMS:,} items")
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite, object_pairs_hook=_once)
    except RecursionError as e:
        raise ValueError("a JSON text that is nested too deeply") from e


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found
