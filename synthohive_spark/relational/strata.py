"""Parents by the leaf of a conditional law: which leaf each is in, and how many are in each."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.relational.linkage import Leaves
from synthohive_spark.relational.plan import ForeignKeyPlan, TablePlan


def stratum(plan: TablePlan, fk: ForeignKeyPlan, leaves: Leaves) -> Column:
    """The leaf of a parent behind a key, from its context columns (``context.parent_rows``)."""
    own = {c.column: (f"c{i}", c.type) for i, c in enumerate(plan.context) if c.path == (fk.position,)}
    features = leaves.features.sql({c: n for c, (n, _) in own.items()}, {c: t for c, (_, t) in own.items()})
    return F.expr(leaves.tree.sql(features)).alias("stratum")


def count_strata(parents: DataFrame, plan: TablePlan, fk: ForeignKeyPlan, leaves: Leaves) -> tuple[int, ...]:
    """How many of the parents are in each leaf: one Spark query."""
    found = parents.groupBy(stratum(plan, fk, leaves)).agg(F.count("*").alias("n")).collect()
    counts = {int(r["stratum"]): int(r["n"]) for r in found}
    return tuple(counts.get(i, 0) for i in range(len(leaves.laws)))
