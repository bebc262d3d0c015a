"""The role of each foreign key and key column, from metadata and row counts alone. No Spark."""

from __future__ import annotations

from collections.abc import Mapping

from synthohive_spark import graph
from synthohive_spark.metadata import ForeignKey, Table
from synthohive_spark.relational.plan import KeyRole


def key_roles(name: str, tables: Mapping[str, Table], rows: Mapping[str, int]) -> dict[int, KeyRole]:
    """The role of each foreign key of a table, by its position.

    ``self`` refers to the table itself; ``driving`` makes families; ``implied`` follows from a wider key whose parent
    has the same key; ``bound`` shares columns with keys that are set before it; ``late`` closes a cycle of tables;
    ``drawn`` takes a parent under its degree.
    """
    spec = tables[name]
    late = graph.late_keys(tables)
    driving = graph.driving_key(name, tables, rows)
    order = sorted(range(len(spec.foreign_keys)), key=lambda i: _first_to_last(spec.foreign_keys[i], i, driving))
    roles: dict[int, KeyRole] = {}
    taken: set[str] = set()
    for i in order:
        fk = spec.foreign_keys[i]
        wider = [spec.foreign_keys[j] for j in roles]
        if fk.references == name:
            roles[i] = "self"
        elif fk is driving:
            roles[i] = "driving"
        elif any(implies(w, fk, tables[w.references]) for w in wider):
            roles[i] = "implied"
        elif (name, i) in late:
            roles[i] = "late"
        else:
            roles[i] = "bound" if taken & set(fk.columns) else "drawn"
        taken |= set(fk.columns)
    return dict(sorted(roles.items()))


def _first_to_last(fk: ForeignKey, position: int, driving: ForeignKey | None) -> tuple[bool, int, int]:
    return fk is not driving, -len(fk.columns), position


def implies(wider: ForeignKey, fk: ForeignKey, parent: Table) -> bool:
    """Whether the parent behind ``wider`` has itself a key to the table of ``fk``, over the same columns."""
    if not set(fk.columns) <= set(wider.columns):
        return False
    up = dict(zip(wider.columns, wider.referenced_columns, strict=True))
    through = {up[c]: r for c, r in zip(fk.columns, fk.referenced_columns, strict=True)}
    return any(
        other.references == fk.references and dict(zip(other.columns, other.referenced_columns, strict=True)) == through
        for other in parent.foreign_keys
    )


def foreseen(tables: Mapping[str, Table], rows: Mapping[str, int]) -> set[str]:
    """Tables whose rows must be known before any is made: those that late keys refer to, and those that drive them."""
    found: set[str] = set()
    for child, i in graph.late_keys(tables):
        table = tables[child].foreign_keys[i].references
        while table not in found:
            found.add(table)
            driving = graph.driving_key(table, tables, rows)
            table = driving.references if driving is not None else table
    return found


def unsupported(name: str, tables: Mapping[str, Table], rows: Mapping[str, int]) -> list[str]:
    """What of a table's keys cannot be generated, one line each with its remedy."""
    spec, problems = tables[name], []
    roles = key_roles(name, tables, rows)
    early = foreseen(tables, rows)
    foreign = {c for fk in spec.foreign_keys for c in fk.columns}
    free = [c for c in spec.primary_key if c not in foreign]
    surrogate = len(spec.primary_key) == 1 and bool(free)
    driving = graph.driving_key(name, tables, rows)
    taken = {
        c for i, fk in enumerate(spec.foreign_keys) if roles[i] in ("driving", "drawn", "late") for c in fk.columns
    }
    for i, fk in enumerate(spec.foreign_keys):
        place = f"{name}.foreign_keys({', '.join(fk.columns)})"
        if roles[i] == "self" and not (surrogate and fk.referenced_columns == spec.primary_key):
            problems.append(
                f"{place}: a key of a table to itself needs a primary key of one column that it refers to and that is "
                "no foreign key; leave the key out"
            )
        if roles[i] == "bound" and not set(fk.columns) & taken <= set(driving.columns if driving else ()):
            problems.append(
                f"{place}: shares columns with a key that is not the driving one; declare that key 'driving'"
            )
        if roles[i] == "bound" and name in early:
            problems.append(
                f"{place}: shares columns with the driving key, but a cycle of tables needs the rows of {name} before "
                "its parents are made; leave the key out"
            )
        if roles[i] == "late" and not _made_from_position(tables[fk.references], fk):
            problems.append(
                f"{place}: closes a cycle of tables, so {fk.references} needs a primary key of one column that is no "
                "foreign key; leave the key out"
            )
    mixed = bool(free) and len(free) < len(spec.primary_key)
    if mixed and not (driving and set(driving.columns) & set(spec.primary_key)):
        problems.append(
            f"{name}.primary_key: holds foreign keys, none of which drives; remove 'driving' from the other key"
        )
    if len(spec.primary_key) > 1 and not free and not (driving and set(driving.columns) <= set(spec.primary_key)):
        problems.append(
            f"{name}.primary_key: consists of foreign keys, so one of these must be the driving one; remove "
            "'driving' from the other key"
        )
    if len(spec.primary_key) == 1 and not free and not (driving and set(driving.columns) == set(spec.primary_key)):
        problems.append(f"{name}.primary_key: is a foreign key, which must drive; remove 'driving' from the other key")
    return problems


def _made_from_position(parent: Table, fk: ForeignKey) -> bool:
    foreign = {c for other in parent.foreign_keys for c in other.columns}
    return (
        len(parent.primary_key) == 1
        and fk.referenced_columns == parent.primary_key
        and not (set(parent.primary_key) & foreign)
    )
