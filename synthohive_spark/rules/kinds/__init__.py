"""The kinds of rules, one file each. A kind registers itself when its file is imported."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

from synthohive_spark.schema.table_plan import TablePlan


@functools.lru_cache(maxsize=1)
def load() -> None:
    """Import every kind: before a search, and before a plan is read."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def read_plan(plan: str | dict[str, Any]) -> TablePlan:
    """A plan that was kept as JSON, or as values of JSON; its rules are of their kinds.

    Raises:
        ValidationError: it was written by another version.
    """
    load()
    return TablePlan.model_validate_json(plan) if isinstance(plan, str) else TablePlan.model_validate(plan)
