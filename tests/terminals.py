"""What a pseudo-terminal was sent."""

from __future__ import annotations

import os

AT_ONCE = 65_536  # bytes


def read_terminal(terminal: int) -> str:
    """All that was written on the other side of a pseudo-terminal until that side was closed."""
    parts = []
    while True:
        try:
            part = os.read(terminal, AT_ONCE)
        except OSError:  # Linux: the other side has closed
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()
