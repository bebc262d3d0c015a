"""The graph of a schema: which table comes before which, and which key drives a child."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthohive_spark.metadata import ForeignKey, Table


def stages(tables: Mapping[str, Table]) -> list[list[str]]:
    """Tables in topological order: each stage holds tables whose parents all stand in earlier stages.

    A foreign key of a table to itself does not count. Within a stage the order is that of the metadata.
    """
    sorter = TopologicalSorter({n: _parents(n, t) for n, t in tables.items()})
    sorter.prepare()
    order = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=list(tables).index)
        order.append(ready)
        sorter.done(*ready)
    return order


def cycle_problems(tables: Mapping[str, Table]) -> list[str]:
    """A line that names the cycle, if the tables have one; else nothing."""
    try:
        TopologicalSorter({n: _parents(n, t) for n, t in tables.items()}).prepare()
    except CycleError as e:
        chain = " -> ".join(reversed(e.args[1]))
        return [f"foreign keys form a cycle: {chain}; leave one of its keys out of the metadata"]
    return []


def _parents(name: str, table: Table) -> set[str]:
    return {fk.references for fk in table.foreign_keys if fk.references != name}


def driving_key(name: str, table: Table, rows: Mapping[str, int]) -> ForeignKey | None:
    """The foreign key along which a table is sampled and generated; None for a root.

    The declared one; else a key inside the primary key, that with the most parent rows (the most selective) first;
    else the first key that is not nullable; else the first.

    Args:
        name: the table.
        table: its metadata.
        rows: rows of each table in the source.
    """
    keys = [fk for fk in table.foreign_keys if fk.references != name]
    inside = [fk for fk in keys if set(fk.columns) <= set(table.primary_key)]
    candidates = [
        *(fk for fk in keys if fk.driving),
        *sorted(inside, key=lambda fk: -rows[fk.references]),
        *(fk for fk in keys if not fk.nullable),
        *keys,
    ]
    return candidates[0] if candidates else None
