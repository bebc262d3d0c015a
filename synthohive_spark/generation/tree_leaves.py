"""Parents by the leaf of a conditional distribution: which leaf each is in, and how many are in each."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.counts.distribution import Leaves
from synthohive_spark.schema import frames
from synthohive_spark.schema.context import ContextPlan
from synthohive_spark.schema.keys import ForeignKeyPlan

LEAF = "leaf"


def leaf(seen: ContextPlan, fk: ForeignKeyPlan, leaves: Leaves) -> Column:
    """The leaf of a parent behind a key, from its context columns (``Ancestors.own_rows``)."""
    own = {c.column: (frames.context(i), c.type) for i, c in enumerate(seen.each) if c.path == (fk.position,)}
    features = leaves.features.sql({c: n for c, (n, _) in own.items()}, {c: t for c, (_, t) in own.items()})
    return F.expr(leaves.tree.sql(features)).alias(LEAF)


def count_leaves(parents: DataFrame, seen: ContextPlan, fk: ForeignKeyPlan, leaves: Leaves) -> tuple[int, ...]:
    """How many of the parents are in each leaf: one Spark query."""
    found = parents.groupBy(leaf(seen, fk, leaves)).agg(F.count("*").alias("n")).collect()
    counts = {int(r[LEAF]): int(r["n"]) for r in found}
    return tuple(counts.get(i, 0) for i in range(len(leaves.laws)))
