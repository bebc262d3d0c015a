"""The graph of a schema: which table comes before which, which key drives a child, where cycles are cut."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthohive_spark.metadata import ForeignKey, Table

Edge = tuple[str, int]
"""A foreign key: its table and its position there."""


def stages(tables: Mapping[str, Table]) -> list[list[str]]:
    """Tables in topological order: each stage holds tables whose parents all stand in earlier stages.

    A foreign key of a table to itself does not count, nor one that closes a cycle. Within a stage the order is that of
    the metadata.
    """
    sorter = _sorter(tables, late_keys(tables))
    sorter.prepare()
    order = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=list(tables).index)
        order.append(ready)
        sorter.done(*ready)
    return order


def late_keys(tables: Mapping[str, Table]) -> set[Edge]:
    """Nullable keys that are left out so that no cycle remains: one of each cycle, never a driving one if another is.

    Raises:
        CycleError: a cycle has no nullable key.
    """
    late: set[Edge] = set()
    while (cycle := find_cycle(tables, late)) is not None:
        edges = [
            (child, i)
            for child, parent in zip(cycle[1:], cycle, strict=False)
            for i, fk in enumerate(tables[child].foreign_keys)
            if fk.references == parent and fk.nullable and (child, i) not in late
        ]
        hops = {(child, parent) for child, parent in zip(cycle[1:], cycle, strict=False)}
        whole = [
            (child, parent)
            for child, parent in hops
            if all(fk.nullable for fk in tables[child].foreign_keys if fk.references == parent)
        ]
        cut = [e for e in edges if (e[0], tables[e[0]].foreign_keys[e[1]].references) in whole]
        if not cut:
            raise CycleError("nodes are in a cycle", cycle)
        chosen = min(cut, key=lambda e: (tables[e[0]].foreign_keys[e[1]].driving, list(tables).index(e[0]), e[1]))
        parent = tables[chosen[0]].foreign_keys[chosen[1]].references
        late |= {e for e in cut if e[0] == chosen[0] and tables[e[0]].foreign_keys[e[1]].references == parent}
    return late


def find_cycle(tables: Mapping[str, Table], without: Collection[Edge] = ()) -> list[str] | None:
    """Tables of a cycle, first and last the same; None where there is none."""
    try:
        _sorter(tables, without).prepare()
    except CycleError as e:
        return list(e.args[1])
    return None


def cycle_problems(tables: Mapping[str, Table]) -> list[str]:
    """A line that names a cycle that cannot be cut; else nothing."""
    try:
        late_keys(tables)
    except CycleError as e:
        chain = " -> ".join(reversed(e.args[1]))
        return [
            f"foreign keys form a cycle and none of them is nullable: {chain}; declare one nullable or leave it out"
        ]
    return []


def driving_key(name: str, tables: Mapping[str, Table], rows: Mapping[str, int]) -> ForeignKey | None:
    """The foreign key along which a table is sampled and generated; None for a root.

    The declared one; else a key inside the primary key, that with the most parent rows (the most selective) first;
    else the first key that is not nullable; else the first. A key that closes a cycle never drives.

    Args:
        name: the table.
        tables: all tables.
        rows: rows of each table in the source.
    """
    late = late_keys(tables)
    spec = tables[name]
    keys = [fk for i, fk in enumerate(spec.foreign_keys) if fk.references != name and (name, i) not in late]
    inside = [fk for fk in keys if set(fk.columns) <= set(spec.primary_key)]
    candidates = [
        *(fk for fk in keys if fk.driving),
        *sorted(inside, key=lambda fk: -rows[fk.references]),
        *(fk for fk in keys if not fk.nullable),
        *keys,
    ]
    return candidates[0] if candidates else None


def _sorter(tables: Mapping[str, Table], without: Collection[Edge]) -> TopologicalSorter[str]:
    return TopologicalSorter(
        {
            name: {
                fk.references
                for i, fk in enumerate(table.foreign_keys)
                if fk.references != name and (name, i) not in without
            }
            for name, table in tables.items()
        }
    )
