"""The relational sample: rows chosen by key hash along the driving parents, each with its ancestors' columns beside it.

The sample stays a Spark frame: it streams into the training task and never reaches the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.location import quote
from synthohive_spark.relational.context import Reader, add_context
from synthohive_spark.relational.laws import key_set
from synthohive_spark.relational.plan import TablePlan

BUCKETS = 2**30
FAMILY_SHARE = 0.05  # families are kept whole at the highest ancestor where none is larger than this share of a sample
ORDER = "__order"


def training_frame(table: str, plans: Mapping[str, TablePlan], read: Reader, sample_rows: int, seed: int) -> DataFrame:
    """The rows that a table's model learns from.

    Columns: ``__order`` (hash of the row's key, by which the training task sorts), ``m0``.. (modelled columns),
    ``s0``.. (the table's own key columns, context too), ``n0``.. (whether a column of ``TablePlan.near`` equals the
    ancestor's), ``p0``.. (identity of the parent behind the
    driving and each dealt key, by position) and ``c0``.. (ancestors' columns), in the plan's order.
    """
    plan = plans[table]
    frame = _sampled(table, plans, read, sample_rows, seed)
    keys = {
        fk.position: [f"f{fk.position}_{i}" for i in range(len(fk.columns))]
        for fk in plan.foreign_keys
        if fk.role in ("driving", "drawn", "bound")
    }
    row_key = plan.primary_key or tuple(frame.columns)
    columns = [F.xxhash64(F.lit(seed), *(F.col(quote(c)) for c in row_key)).alias(ORDER)]
    columns += [F.col(quote(c)).alias(f"m{i}") for i, c in enumerate(plan.named("model"))]
    columns += [F.col(quote(c)).alias(f"s{i}") for i, c in enumerate(plan.named("sequence", "grid"))]
    columns += [F.col(quote(c)).alias(f"n{i}") for i, c in enumerate(plan.near)]
    for fk in plan.foreign_keys:
        columns += [F.col(quote(c)).alias(k) for c, k in zip(fk.columns, keys.get(fk.position, []), strict=False)]
    for fk in (k for k in plan.foreign_keys if k in plan.dealt or k.role == "driving"):
        known = key_set(fk.columns)
        columns.append(F.when(known, F.xxhash64(*(F.col(quote(c)) for c in fk.columns))).alias(f"p{fk.position}"))
    joined = add_context(frame.select(*columns), keys, plan, read, plans)
    place = {c.name: f"c{i}" for i, c in enumerate(plan.context)}
    same = {f"n{i}": F.col(f"n{i}").eqNullSafe(F.col(place[seen])) for i, seen in enumerate(plan.near.values())}
    hidden = [place[c.name] for c in plan.context if c.hidden]
    joined = joined.withColumns(same) if same else joined
    return joined.drop(*(k for names in keys.values() for k in names), *hidden)


def _sampled(table: str, plans: Mapping[str, TablePlan], read: Reader, sample_rows: int, seed: int) -> DataFrame:
    plan, frame = plans[table], read(table)
    share = sample_rows / max(plan.rows, 1)
    if share >= 1:
        return frame
    chained, levels = _chain(frame, plan, plans, read)
    own = F.xxhash64(F.lit(seed), *(F.col(quote(c)) for c in (plan.primary_key or frame.columns)))
    anchor = own
    for level in reversed(levels):  # from the root down: the highest ancestor with no family too large
        largest = chained.groupBy(level).agg(F.count(F.lit(1)).alias("n")).agg(F.max("n").alias("n")).first()
        if largest is not None and largest["n"] <= FAMILY_SHARE * sample_rows:
            key = F.xxhash64(F.lit(seed), F.col(level))
            anchor = F.when(F.col(level).isNull(), own).otherwise(key)
            break
    kept = chained.where(F.pmod(anchor, F.lit(BUCKETS)) < F.lit(int(share * BUCKETS)))
    return kept.select(*(F.col(quote(c)) for c in frame.columns))


def _chain(
    frame: DataFrame, plan: TablePlan, plans: Mapping[str, TablePlan], read: Reader
) -> tuple[DataFrame, list[str]]:
    """The frame with a hash of each driving ancestor's key: ``__a1`` the parent, ``__a2`` the grandparent, ..."""
    levels: list[str] = []
    own, step = frame.columns, plan.driving
    carried = [quote(c) for c in step.columns] if step else []
    while step is not None:
        level = f"__a{len(levels) + 1}"
        frame = frame.withColumn(level, _hash(carried))
        levels.append(level)
        parent = plans[step.references]
        upper = parent.driving
        if upper is None:
            break
        names = [f"__u{len(levels)}_{i}" for i in range(len(upper.columns))]
        keys = read(step.references).select(
            *(F.col(quote(c)).alias(f"__p{i}") for i, c in enumerate(step.referenced_columns)),
            *(F.col(quote(c)).alias(n) for c, n in zip(upper.columns, names, strict=True)),
        )
        frame = frame.join(keys, [F.col(c) == F.col(f"__p{i}") for i, c in enumerate(carried)], "left")
        frame = frame.drop(*(f"__p{i}" for i in range(len(carried))))
        carried, step = names, upper
    return frame.select(*(F.col(quote(c)) for c in own), *levels), levels


def _hash(columns: list[str]) -> Column:
    null = reduce(lambda a, b: a | b, [F.col(c).isNull() for c in columns])
    return F.when(null, F.lit(None)).otherwise(F.xxhash64(*(F.col(c) for c in columns)))
