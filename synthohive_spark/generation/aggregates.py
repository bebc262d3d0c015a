"""When columns that are aggregates of children become exact: once all of these are written, and exact themselves."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import DataFrame

from synthohive_spark.rules.kinds.aggregate import aggregates, replaced
from synthohive_spark.schema.ancestors import Ancestors, Reader
from synthohive_spark.schema.table_plan import Plans


def next_due(plans: Plans, written: Collection[str], exact: Collection[str]) -> str | None:
    """A table whose aggregates can be made exact now; None where there is none.

    Args:
        plans: of the tables of the run.
        written: tables that are written.
        exact: tables whose aggregates are exact already.
    """
    waiting = {t: _needed(plans, t) for t in plans if t not in exact and t in written and aggregates(plans[t].rules)}
    pending = {t for t in plans if t not in exact and aggregates(plans[t].rules)}
    return next((t for t, needed in waiting.items() if needed <= {*written} - pending), None)


def _needed(plans: Plans, table: str) -> set[str]:
    """The child tables that a table's aggregates are made from."""
    return {child.table for rule in aggregates(plans[table].rules) for child in rule.children}


def exact_rows(plans: Plans, table: str, read: Reader) -> DataFrame:
    """The rows of a table with its aggregates as its children say.

    Args:
        plans: of all tables.
        table: its name.
        read: tables that are written, by name.
    """
    plan = plans[table]
    ancestors = Ancestors(table, plan.context, {t: p.keys for t, p in plans.items()}, read)
    return replaced(read(table), plan.rules, plan.columns, ancestors)
