"""How many rows are wanted, and whether every table has keys for them: known before a model is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.errors import ConfigError
from synthohive_spark.schema.key_format import KeyFormat
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan
from synthohive_spark.schema.table_plan import Plans

AT_ONCE = 65_536  # parents whose children are counted in one piece


def wanted_rows(plans: Plans, asked: Mapping[str, int]) -> dict[str, int]:
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
    empty = sorted(t for t, rows in asked.items() if rows and not plans[t].rows)
    if empty:
        raise ConfigError(f"rows are wanted of {', '.join(empty)}, which has none in the source to learn from")
    few = sorted(t for t, rows in asked.items() if rows < 1 and plans[t].rows)
    if few:
        raise ConfigError(f"less than one row is wanted of {', '.join(few)}; give 1 or more")
    roots = {t: p.rows for t, p in plans.items() if p.keys.driving is None}
    wanted = {**roots, **asked, **{t: p.rows for t, p in plans.items() if p.reference}}
    sizes = planned_sizes(plans, wanted)
    found = [
        line
        for table, plan in plans.items()
        if not plan.reference
        for line in _problems(table, plan.columns.types(), plan.keys, sizes[table])
    ]
    if found:
        raise ConfigError("\n  - ".join(["keys have fewer values than rows are wanted:", *found]))
    return wanted


def scaled_rows(plans: Plans, scale: float) -> dict[str, int]:
    """Rows of the root tables, so many times those of the source; at least one if it has any."""
    return {t: max(min(1, p.rows), round(p.rows * scale)) for t, p in plans.items() if p.keys.driving is None}


def _problems(table: str, types: Mapping[str, str], keys: KeysPlan, rows: int) -> Iterator[str]:
    for column, form, values in _formats(keys, rows):
        if not form.holds(values):
            yield (
                f"{table}.{column}: {values} different keys of type {types[column]} are needed for {rows} rows, "
                "and it, or a column that refers to it, has room for fewer; lower generate.scale or "
                f"generate.rows.{table}, or make the column wider"
            )


def _formats(keys: KeysPlan, rows: int) -> Iterator[tuple[str, KeyFormat, int]]:
    """Key columns that are made, and how many values each needs."""
    for column, form in {**keys.positions.surrogate, **keys.positions.unique}.items():
        yield column, form, rows
    if keys.grid:
        rest = math.prod(p.size for p in keys.grid[1:])
        yield keys.grid[0].column, keys.grid[0].format, max(keys.grid[0].size, -(-rows // rest))


def without_parent(fk: ForeignKeyPlan, children: int) -> int:
    """Rows of a table whose driving key is null, beside so many with a parent."""
    share = fk.null_share
    return round(children * share / (1 - share)) if 0 < share < 1 else 0


def planned_cells(plans: Plans, sizes: Mapping[str, int]) -> int:
    """Rows by columns of tables, as far as they are known before any is made."""
    return sum(rows * len(plans[table].columns.each) for table, rows in sizes.items())


def planned_sizes(plans: Plans, wanted: Mapping[str, int]) -> dict[str, int]:
    """Rows of every table before any is made: they follow from the driving keys alone.

    Exact for ``keys.foreseen``; of other tables some families may be cut.

    Raises:
        ConfigError: a table would have more rows than one whose rows it may not share.
    """
    sizes: dict[str, int] = {}

    def size(table: str) -> int:
        if table not in sizes:
            plan = plans[table]
            rooms = [size(k.references) for k in plan.keys.dealt if k.once and k.required and k.role == "drawn"]
            fk = plan.keys.driving
            if fk is None or table in wanted:
                sizes[table] = min([wanted.get(table, plan.rows), *rooms])
            else:
                room = min([size(k.references) for k in plan.keys.dealt if k.required and k.bucket], default=0)
                children = min([_cut_total(fk, size(fk.references), room), *rooms])
                sizes[table] = children + without_parent(fk, children)
        return sizes[table]

    for table in plans:
        size(table)
    for table, plan in plans.items():
        for fk in plan.keys.dealt:
            if fk.role == "late" and fk.once and fk.required and sizes[table] > sizes[fk.references]:
                raise ConfigError(
                    f"{table}({', '.join(fk.columns)}): {sizes[table]:,} rows need as many different rows of "
                    f"{fk.references}, which will have {sizes[fk.references]:,}; correct generate.rows"
                )
    return sizes


def _cut_total(fk: ForeignKeyPlan, parents: int, room: int) -> int:
    """Children of all parents, at most ``room`` each; 0 for no such limit."""
    law = LinkageModel.from_dict(fk.distribution)
    if not room or int(law.values.max()) <= room:
        return law.total(parents)
    starts = range(0, parents, AT_ONCE)
    return sum(int(np.minimum(law.at(np.arange(i, min(i + AT_ONCE, parents)), parents), room).sum()) for i in starts)
