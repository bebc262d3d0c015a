"""What a row sees of its ancestors: the same joins when a model is trained and when it generates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.location import quote
from synthohive_spark.relational.plan import DEGREE, ForeignKeyPlan, TablePlan

Reader = Callable[[str], DataFrame]
Paths = Mapping[int, tuple[int, ...]]


def context_of(plan: TablePlan, position: int) -> dict[int, tuple[int, ...]]:
    """Context columns behind one foreign key: {position in ``plan.context``: path from the parent on}."""
    return {i: c.path[1:] for i, c in enumerate(plan.context) if c.path[0] == position and c.column != DEGREE}


def degree_of(plan: TablePlan, position: int) -> str | None:
    """The context column that holds how many children the parent behind a key has."""
    return next((f"c{i}" for i, c in enumerate(plan.context) if c.path == (position,) and c.column == DEGREE), None)


def add_context(
    frame: DataFrame, keys: Mapping[int, list[str]], plan: TablePlan, read: Reader, plans: Mapping[str, TablePlan]
) -> DataFrame:
    """Join what the table's model sees of its ancestors, as columns ``c0``, ``c1``, ... in the plan's order.

    Args:
        frame: rows of the table with the key columns named by ``keys``.
        keys: for some of the table's foreign keys (by position), the columns of ``frame`` that hold the key.
        plan: the table's plan.
        read: tables by name.
        plans: plans of all tables.
    """
    own = frame.columns
    for position, columns in keys.items():
        fk = next(k for k in plan.foreign_keys if k.position == position)
        wanted = context_of(plan, position)
        if wanted:
            parent = ancestors(plan, fk, wanted, read, plans)
            same = [F.col(c) == F.col(f"__k{i}") for i, c in enumerate(columns)]
            frame = frame.join(parent, same, "left").drop(*(f"__k{i}" for i in range(len(columns))))
        degree = degree_of(plan, position)
        if degree is not None:
            named = [F.col(quote(c)).alias(f"__k{i}") for i, c in enumerate(fk.columns)]
            counts = read(plan.table).groupBy(*named).agg(F.count("*").alias(degree))
            same = [F.col(c) == F.col(f"__k{i}") for i, c in enumerate(columns)]
            frame = frame.join(counts, same, "left").drop(*(f"__k{i}" for i in range(len(columns))))
    return frame.select(*own, *(f"c{i}" for i in range(len(plan.context))))


def ancestors(
    plan: TablePlan, fk: ForeignKeyPlan, wanted: Paths, read: Reader, plans: Mapping[str, TablePlan]
) -> DataFrame:
    """The parent behind a key, row by row: ``parent_rows`` with ``with_ancestors``."""
    return with_ancestors(parent_rows(plan, fk, wanted, read, plans), plan, fk, wanted, read, plans)


def parent_rows(
    plan: TablePlan,
    fk: ForeignKeyPlan,
    wanted: Paths,
    read: Reader,
    plans: Mapping[str, TablePlan],
    extra: Sequence[str] = (),
) -> DataFrame:
    """The rows of the parent behind a key, with what lies in its own table.

    Args:
        plan: the table whose context is wanted.
        fk: a key of it, or of an ancestor.
        wanted: positions in ``plan.context``, with the path of keys that leads on from that parent.
        read: tables by name.
        plans: plans of all tables.
        extra: further columns of the parent.

    Returns:
        Its referenced columns as ``__k0``.., the extra ones as ``__t0``.., the wanted context as ``c0``.. by position,
        and as ``__up0``.. the key that leads to the rest of it.
    """
    held = _upward(fk, wanted, plans)
    return read(fk.references).select(
        *(F.col(quote(r)).alias(f"__k{n}") for n, r in enumerate(fk.referenced_columns)),
        *(F.col(quote(e)).alias(f"__t{n}") for n, e in enumerate(extra)),
        *(F.col(quote(plan.context[i].column)).alias(f"c{i}") for i, path in wanted.items() if not path),
        *(F.col(quote(c)).alias(f"__up{n}") for n, c in enumerate(held.columns if held else ())),
    )


def with_ancestors(
    frame: DataFrame, plan: TablePlan, fk: ForeignKeyPlan, wanted: Paths, read: Reader, plans: Mapping[str, TablePlan]
) -> DataFrame:
    """Join the context that ``parent_rows`` found to lie higher up; ``__up0``.. are dropped."""
    up = _upward(fk, wanted, plans)
    if up is None:
        return frame
    above = {i: path for i, path in wanted.items() if path}
    higher = ancestors(plan, up, {i: path[1:] for i, path in above.items()}, read, plans).select(
        *(F.col(f"__k{n}").alias(f"__h{n}") for n in range(len(up.columns))), *(F.col(f"c{i}") for i in above)
    )
    joined = frame.join(higher, [F.col(f"__up{n}") == F.col(f"__h{n}") for n in range(len(up.columns))], "left")
    return joined.drop(*(f"__{side}{n}" for n in range(len(up.columns)) for side in ("up", "h")))


def _upward(fk: ForeignKeyPlan, wanted: Paths, plans: Mapping[str, TablePlan]) -> ForeignKeyPlan | None:
    """The key of the parent that leads to the context above it; None if all of it lies in the parent."""
    first = next((path[0] for path in wanted.values() if path), None)
    return next((k for k in plans[fk.references].foreign_keys if k.position == first), None)
