"""Becomes the program that its arguments name, tied to the process that started it: who is killed takes it along.

On Linux only; elsewhere the program ends when it next writes to whom it was read by.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tied(words: Sequence[str]) -> list[str]:
    """The command that runs ``words`` so."""
    return [sys.executable, "-m", "synthohive_spark.launch.tied", *words]


def main() -> None:
    """Become the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
