"""The graph of a schema: which table comes before which, which key drives a child, where cycles are cut."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from synthohive_spark.tables import ForeignKey, Table

Edge = tuple[str, int]
"""A foreign key: its table and its position there."""
Reach = Literal["always", "set", "there"]
LEVELS = 3  # hops of a path of keys: an order's line, its order, the customer, the customer's region
MOST_HOPS = 48  # keys that the paths of one table follow together: each is a join


@dataclass(frozen=True)
class KeyPath:
    """A way from a row to an ancestor that names the same parent as one of the row's own keys may.

    Attributes:
        hops: positions of the keys to follow, from the table upwards.
        columns: of the table at the end, in the order of the key's columns.
        onward: the key of that table which has these columns; None if they are the parent's own.
        reach: where a key equals them: ``always``; where it is ``set``, for it may be null all the same; or where the
            key that leads is ``there``, for rows without that may name any parent.
        but: share of the rows with both keys on which they name different parents all the same.
    """

    hops: tuple[int, ...]
    columns: tuple[str, ...]
    onward: int | None = None
    reach: Reach = "always"
    but: float = 0.0

    @property
    def whole(self) -> tuple[int, ...]:
        """The keys that lead to the parent itself."""
        return self.hops if self.onward is None else (*self.hops, self.onward)

    def behind(self, first: KeyPath) -> KeyPath:
        """This path where its first key follows from another path itself."""
        return replace(self, hops=(*first.whole, *self.hops[1:]))


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
    """Keys that are left out so that no cycle of tables remains: their parents are known by position, not made yet.

    Of each cycle all keys from one table to the next: nullable ones if there are such, else ones that may be made late,
    and no driving one if another is left.

    Raises:
        CycleError: a cycle has no such keys.
    """
    return set[Edge]().union(*(_late_keys(part, tables) for part in _tangles(tables)))


def tangled(tables: Mapping[str, Table]) -> set[str]:
    """Tables of which the choice of late keys may depend: those in cycles, and those between cycles."""
    return set[str]().union(*_tangles(tables))


def _tangles(tables: Mapping[str, Table]) -> list[dict[str, Table]]:
    """The parts of a schema that hold cycles, each without the tables around it."""
    parents = {n: {k.references for k in t.foreign_keys if k.references != n} & {*tables} for n, t in tables.items()}
    core = dict(parents)
    while ends := [n for n in core if not core[n] or not any(n in above for above in core.values())]:
        core = {n: above - {*ends} for n, above in core.items() if n not in ends}
    parts: list[set[str]] = []
    for name, above in core.items():
        whole = {name, *above}.union(*(p for p in parts if p & {name, *above}))
        parts = [p for p in parts if not p & whole] + [whole]
    return [{n: t for n, t in tables.items() if n in part} for part in parts]


def _late_keys(part: Mapping[str, Table], tables: Mapping[str, Table]) -> set[Edge]:
    """The late keys of one part, of which every key to a table outside counts as none."""
    late: set[Edge] = set()
    while (cycle := find_cycle(part, late)) is not None:
        hops = {
            (child, parent): [
                (child, i)
                for i, fk in enumerate(tables[child].foreign_keys)
                if fk.references == parent and (child, i) not in late
            ]
            for child, parent in zip(cycle[1:], cycle, strict=False)
        }
        able = [h for h, edges in hops.items() if all(_may_be_late(tables, e) for e in edges)]
        able = able or [h for h, edges in hops.items() if all(_key(tables, e).nullable for e in edges)]
        if not able:
            raise CycleError("nodes are in a cycle", cycle)
        whole = [h for h in able if all(_key(tables, e).nullable for e in hops[h])] or able
        order = list(part).index
        chosen = min(whole, key=lambda h: min((_key(tables, e).driving, order(h[0]), e[1]) for e in hops[h]))
        late |= set(hops[chosen])
    return late


def made_from_position(columns: Collection[str], table: Table) -> bool:
    """Whether the values of these columns of a table can follow from the position of a row in it."""
    foreign = {c for fk in table.foreign_keys for c in fk.columns}
    return not foreign & set(columns) and (len(columns) == 1 or set(columns) == set(table.primary_key))


def _key(tables: Mapping[str, Table], edge: Edge) -> ForeignKey:
    return tables[edge[0]].foreign_keys[edge[1]]


def _may_be_late(tables: Mapping[str, Table], edge: Edge) -> bool:
    """Whether the parents behind a key can be known by position, and no other key has to agree with it."""
    fk, spec = _key(tables, edge), tables[edge[0]]
    others = {c for i, other in enumerate(spec.foreign_keys) if i != edge[1] for c in other.columns}
    own = set(fk.columns)
    inside = own & set(spec.primary_key) and own != set(spec.primary_key)
    told_apart = not inside or bool(set(spec.primary_key) - own - others)  # by a column of its own
    return not own & others and told_apart and made_from_position(fk.referenced_columns, tables[fk.references])


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
            f"foreign keys form a cycle and none of them can be made before its parents: {chain}; declare one "
            "nullable, let one refer to a primary key that is no foreign key, or leave one out"
        ]
    return []


def driving_key(
    name: str, tables: Mapping[str, Table], rows: Mapping[str, int], late: Collection[Edge] | None = None
) -> ForeignKey | None:
    """The foreign key along which a table is sampled and generated; None for a root.

    The declared one; else a key inside the primary key, that with the most parent rows (the most selective) first;
    else one inside a unique key of foreign keys; else the first key that is not nullable; else the first. A key that
    closes a cycle never drives.

    Args:
        name: the table.
        tables: all tables.
        rows: rows of each table in the source.
        late: as ``late_keys`` gives them; they are looked for if they are not known.
    """
    late = late_keys(tables) if late is None else late
    spec = tables[name]
    keys = [fk for i, fk in enumerate(spec.foreign_keys) if fk.references != name and (name, i) not in late]
    inside = [fk for fk in keys if set(fk.columns) <= set(spec.primary_key)]
    foreign = {c for fk in keys for c in fk.columns}
    paired = [fk for fk in keys for key in spec.unique if set(fk.columns) <= set(key) <= foreign]
    candidates = [
        *(fk for fk in keys if fk.driving),
        *sorted(inside, key=lambda fk: -rows[fk.references]),
        *sorted(paired, key=lambda fk: (fk.nullable, -rows[fk.references])),
        *(fk for fk in keys if not fk.nullable),
        *keys,
    ]
    return candidates[0] if candidates else None


def key_at(hops: tuple[int, ...], name: str, tables: Mapping[str, Table]) -> ForeignKey:
    """The last key of a path that begins at a table."""
    for hop in hops[:-1]:
        name = tables[name].foreign_keys[hop].references
    return tables[name].foreign_keys[hops[-1]]


def key_paths(name: str, tables: Mapping[str, Table], late: Collection[Edge]) -> Iterator[tuple[int, KeyPath]]:
    """Ways to the parent behind each key of a table that begin with another of its keys; short ones first.

    Args:
        name: the table.
        tables: all tables.
        late: as ``late_keys`` gives them: neither these nor keys of a table to itself are followed.

    Yields:
        The position of the key, and the path.
    """

    def followed(table: str) -> list[int]:
        keys = enumerate(tables[table].foreign_keys)
        return [i for i, fk in keys if fk.references != table and (table, i) not in late]

    ends: list[tuple[int, ...]] = [(i,) for i in followed(name)]
    seen = 0
    for _ in range(LEVELS):
        for hops in ends:
            for i in followed(name):
                if i != hops[0]:
                    yield from ((i, path) for path in _ends(hops, tables[name].foreign_keys[i], name, tables))
        seen += len(ends)
        ends = [(*hops, i) for hops in ends for i in followed(key_at(hops, name, tables).references)]
        ends = ends[: max(0, MOST_HOPS - seen)]


def _ends(hops: tuple[int, ...], fk: ForeignKey, name: str, tables: Mapping[str, Table]) -> Iterator[KeyPath]:
    """What names the parent behind a key at the end of these hops: its own columns, or keys to it."""
    last = key_at(hops, name, tables)
    named = len(hops) > 1 and set(last.referenced_columns) == set(fk.referenced_columns)
    if last.references == fk.references and not named:  # else the key that leads there has the same columns
        yield KeyPath(hops, fk.referenced_columns)
    for onward, up in enumerate(tables[last.references].foreign_keys):
        if up.references == fk.references and set(up.referenced_columns) == set(fk.referenced_columns):
            same = dict(zip(up.referenced_columns, up.columns, strict=True))
            yield KeyPath(hops, tuple(same[r] for r in fk.referenced_columns), onward)


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
