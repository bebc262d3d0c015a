"""The kinds of rules, one file each. A kind registers itself when its file is imported."""

from __future__ import annotations

import functools
import importlib
import pkgutil


@functools.lru_cache(maxsize=1)
def load() -> None:
    """Import every kind: before a search, and before a plan is read."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
