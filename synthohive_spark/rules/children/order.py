"""Which tables wait for others, so that they see what their ancestors become once the rows of these say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from synthohive_spark import graph
from synthohive_spark.rules.kinds.aggregate import aggregates
from synthohive_spark.schema.table_plan import Plans
from synthohive_spark.tables import Table

Before = Mapping[str, set[str]]  # {table: tables that are made before it}


def tables_before(stage: Sequence[str], plans: Plans, tables: Mapping[str, Table]) -> dict[str, tuple[str, ...]]:
    """{table: further tables that are made before it}: they say what its ancestors become.

    A table that is itself above one of them cannot wait for it; then its ancestors are as they were drawn.

    Args:
        stage: tables that are to be planned.
        plans: of the tables before them.
        tables: the metadata.
    """
    above, found = _parents(tables), dict[str, tuple[str, ...]]()
    before = {t: above[t] | ({*plans[t].after} if t in plans else set()) for t in tables}
    for name in stage:
        below = _reached([name], _turned(before))
        for ancestor in [t for t in plans if t in _reached(above[name], above)]:
            told = told_by(ancestor, plans, tables)
            before[name] |= told if below.isdisjoint(told) else set()
        found[name] = tuple(t for t in tables if t in before[name] and t not in above[name])
    return found


def told_by(table: str, plans: Plans, tables: Mapping[str, Table]) -> set[str]:
    """Tables that must be written before the columns of a table are what its children say; none without such columns.

    The children may wait for what their own children say, which nobody knows before they are planned.

    Args:
        table: a table that is planned.
        plans: of the tables so far.
        tables: the metadata.
    """
    children = {child.table for rule in aggregates(plans[table].rules) for child in rule.children}
    return _reached(children, _turned(_parents(tables)))


def _parents(tables: Mapping[str, Table]) -> dict[str, set[str]]:
    """{table: the tables that its keys refer to, but for those that may be made later}."""
    late = graph.late_keys(tables)
    return {
        name: {fk.references for i, fk in enumerate(spec.foreign_keys) if (name, i) not in late} - {name}
        for name, spec in tables.items()
    }


def _turned(before: Before) -> dict[str, set[str]]:
    return {t: {other for other, first in before.items() if t in first} for t in before}


def _reached(begin: Iterable[str], onward: Before) -> set[str]:
    """Some tables, and all to which they lead."""
    found, todo = set[str](), [*begin]
    while todo:
        if (table := todo.pop()) not in found:
            found.add(table)
            todo += onward[table]
    return found
