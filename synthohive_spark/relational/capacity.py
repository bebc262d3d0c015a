"""How many rows are wanted, and whether every table has keys for them: known before a model is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from synthohive_spark.errors import ConfigError
from synthohive_spark.relational.keyformat import KeyFormat
from synthohive_spark.relational.plan import TablePlan
from synthohive_spark.relational.skeleton import planned_sizes


def wanted_rows(plans: Mapping[str, TablePlan], asked: Mapping[str, int]) -> dict[str, int]:
    """Rows of the root tables, and of other tables for which a number was given.

    Args:
        plans: all tables.
        asked: numbers that were given; a root without one has as many rows as the source.

    Raises:
        ConfigError: a name is not that of a table, or there are too few keys for so many rows, in any of the tables.
    """
    wrong = [t for t in asked if t not in plans]
    if wrong:
        raise ConfigError(f"rows are given for unknown tables {wrong}; tables are {sorted(plans)}")
    few = sorted(t for t, rows in asked.items() if rows < 1)
    if few:
        raise ConfigError(f"less than one row is wanted of {', '.join(few)}; give 1 or more")
    roots = {t: p.rows for t, p in plans.items() if p.driving is None}
    wanted = {**roots, **asked, **{t: p.rows for t, p in plans.items() if p.reference}}
    sizes = planned_sizes(plans, wanted)
    found = [line for table, plan in plans.items() for line in _problems(plan, sizes[table])]
    if found:
        raise ConfigError("\n  - ".join(["keys have fewer values than rows are wanted:", *found]))
    return wanted


def _problems(plan: TablePlan, rows: int) -> Iterator[str]:
    types = plan.types()
    for column, form, values in _formats(plan, rows):
        if not form.holds(values):
            yield (
                f"{plan.table}.{column}: {values} different keys of type {types[column]} are needed for {rows} rows, "
                "and it, or a column that refers to it, has room for fewer; lower generate.scale or "
                f"generate.rows.{plan.table}, or make the column wider"
            )


def _formats(plan: TablePlan, rows: int) -> Iterator[tuple[str, KeyFormat, int]]:
    """Key columns that are made, and how many values each needs."""
    if plan.reference:
        return
    for column, form in {**plan.positions.surrogate, **plan.positions.unique}.items():
        yield column, form, rows
    if plan.grid:
        rest = math.prod(p.size for p in plan.grid[1:])
        yield plan.grid[0].column, plan.grid[0].format, max(plan.grid[0].size, -(-rows // rest))
