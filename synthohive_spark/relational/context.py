"""What a row sees of its ancestors: the same joins when a model is trained and when it generates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.location import quote
from synthohive_spark.relational.plan import ForeignKeyPlan, TablePlan

Reader = Callable[[str], DataFrame]


def context_of(plan: TablePlan, position: int) -> dict[int, tuple[int, ...]]:
    """Context columns behind one foreign key: {position in ``plan.context``: path from the parent on}."""
    return {i: c.path[1:] for i, c in enumerate(plan.context) if c.path[0] == position}


def add_context(
    frame: DataFrame, keys: Mapping[int, list[str]], plan: TablePlan, read: Reader, plans: Mapping[str, TablePlan]
) -> DataFrame:
    """Join the ancestors' columns that the table's model sees, as columns ``c0``, ``c1``, ... in the plan's order.

    Args:
        frame: rows with the key columns named by ``keys``.
        keys: for some of the table's foreign keys (by position), the columns of ``frame`` that hold the key.
        plan: the table's plan.
        read: a table by its name: the source when training, the synthetic lake when generating.
        plans: plans of all tables.
    """
    own = frame.columns
    for position, columns in keys.items():
        fk = next(k for k in plan.foreign_keys if k.position == position)
        wanted = context_of(plan, position)
        if not wanted:
            continue
        parent = ancestors(plan, fk, wanted, read, plans)
        joined = frame.join(parent, [F.col(quote(c)) == F.col(f"__k{i}") for i, c in enumerate(columns)], "left")
        frame = joined.select(*(F.col(quote(c)) for c in own), *(F.col(f"c{i}") for i in wanted))
        own = frame.columns
    return frame


def ancestors(
    plan: TablePlan,
    fk: ForeignKeyPlan,
    wanted: Mapping[int, tuple[int, ...]],
    read: Reader,
    plans: Mapping[str, TablePlan],
) -> DataFrame:
    """The parent behind a key: its referenced columns as ``__k0``.. and the wanted context columns ``c0``..

    ``wanted`` maps positions in ``plan.context`` to the path of keys that leads on from that parent.
    """
    parent, frame = plans[fk.references], read(fk.references)
    direct = [i for i, path in wanted.items() if not path]
    above = {i: path for i, path in wanted.items() if path}
    columns = [
        *(F.col(quote(r)).alias(f"__k{n}") for n, r in enumerate(fk.referenced_columns)),
        *(F.col(quote(plan.context[i].column)).alias(f"c{i}") for i in direct),
    ]
    if not above:
        return frame.select(*columns)
    up = next(k for k in parent.foreign_keys if k.position == next(iter(above.values()))[0])
    held = [F.col(quote(c)).alias(f"__up{n}") for n, c in enumerate(up.columns)]
    frame = frame.select(*columns, *held)
    higher = ancestors(plan, up, {i: path[1:] for i, path in above.items()}, read, plans)
    higher = higher.select(
        *(F.col(f"__k{n}").alias(f"__h{n}") for n in range(len(up.columns))), *(F.col(f"c{i}") for i in above)
    )
    joined = frame.join(higher, [F.col(f"__up{n}") == F.col(f"__h{n}") for n in range(len(up.columns))], "left")
    kept = [*(f"__k{n}" for n in range(len(fk.referenced_columns))), *(f"c{i}" for i in wanted)]
    return joined.select(*(F.col(c) for c in kept))
