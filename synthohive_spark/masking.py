"""Messages of Spark, Java and Arrow without the values that they quote: a log must not hold what a table holds."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
SPOKEN = re.compile(r'"(?:[A-Z_]+(?:\(\d+(?:,\s*\d+)?\))?|spark\.[\w.]+)"')  # types and settings, which Spark quotes
NUMBER = re.compile(r"(?<![\w/.#-])[-+]?\d[\w.:+-]*")  # not inside a name, a path or a setting
STACK = re.compile(r'^\s+(at |\.\.\. \d+ more|File "[^"]*", line \d+)')  # where it happened, in Java and Python
HIDDEN = "#"
GONE = "Java is gone"


def masked(text: str) -> str:
    """A message with its quoted texts and its numbers hidden; types, settings, names and paths stay."""

    def hide(quoted: re.Match[str]) -> str:
        found = quoted.group()
        return found if SPOKEN.fullmatch(found) else f"{found[0]}{HIDDEN}{found[0]}"

    lines = (line if STACK.match(line) else NUMBER.sub(HIDDEN, QUOTED.sub(hide, line)) for line in text.splitlines())
    return "\n".join(lines)


def message_of(error: BaseException) -> str:
    """What an error says. One that Java raised asks Java for it, which may be gone by then."""
    try:
        return str(error)
    except Exception:
        return GONE


def masked_traceback(error: BaseException) -> str:
    """The traceback of an error and of its causes: the code as it stands, the messages masked."""
    return "\n\nwhich was followed by:\n\n".join(reversed([*_parts(error)]))


def _parts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        where = "".join(traceback.format_tb(error.__traceback__))
        yield f"Traceback (most recent call last):\n{where}{type(error).__name__}: {masked(message_of(error))}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
