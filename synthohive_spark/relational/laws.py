"""Laws of keys, as Spark aggregates of the source: children per parent, null patterns, levels of a self-reference."""

from __future__ import annotations

import math
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.errors import SourceDataError
from synthohive_spark.lake.location import quote
from synthohive_spark.metadata import ForeignKey
from synthohive_spark.relational.linkage import LinkageModel, Method
from synthohive_spark.relational.plan import Forest, NullPattern

LAW_STEPS = 2_000  # distinct counts of children that a law keeps
LEVELS = 64  # depth of a self-reference that is kept; what lies deeper counts to the last level


def key_set(columns: tuple[str, ...]) -> Column:
    """Whether every column of a key is set."""
    return reduce(lambda a, b: a & b, [F.col(quote(c)).isNotNull() for c in columns])


def children_law(frame: DataFrame, columns: tuple[str, ...], parents: int, method: Method) -> tuple[LinkageModel, int]:
    """The law of children per parent, zero included, and the number of rows with a parent.

    A conditional law begins as the empirical one; what attributes say is learnt beside it.
    """
    families = frame.where(key_set(columns)).groupBy(*(F.col(quote(c)) for c in columns)).agg(F.count("*").alias("n"))
    histogram = families.groupBy("n").agg(F.count("*").alias("parents")).orderBy("n").limit(LAW_STEPS * 50).collect()
    law = {int(r["n"]): int(r["parents"]) for r in histogram}
    children = sum(v * n for v, n in law.items())
    law[0] = max(0, parents - sum(law.values()))
    fitted = LinkageModel("empirical" if method == "conditional" else method).fit(_thinned(law))
    return fitted, children


def _thinned(law: dict[int, int]) -> dict[int, int]:
    """A law of at most LAW_STEPS distinct counts: neighbours beyond are merged at their mean."""
    if len(law) <= LAW_STEPS:
        return law
    merged: dict[int, int] = {}
    ordered = sorted(law.items())
    width = math.ceil(len(ordered) / LAW_STEPS)
    for i in range(0, len(ordered), width):
        part = ordered[i : i + width]
        parents = sum(n for _, n in part)
        value = round(sum(v * n for v, n in part) / max(parents, 1))
        merged[value] = merged.get(value, 0) + parents
    return merged


def null_patterns(
    frame: DataFrame, driving: tuple[str, ...], dealt: list[tuple[str, ...]]
) -> tuple[tuple[NullPattern, ...], tuple[NullPattern, ...]]:
    """Which dealt keys are set together: on rows with a driving parent, and on rows without one."""
    if not dealt:
        return (), ()
    flags = [key_set(columns).alias(f"set{i}") for i, columns in enumerate(dealt)]
    owned = (key_set(driving) if driving else F.lit(True)).alias("owned")
    names = ["owned", *(f"set{i}" for i in range(len(dealt)))]
    rows = frame.select(owned, *flags).groupBy(*names).agg(F.count("*").alias("n")).orderBy(*names).collect()

    def among(with_parent: bool) -> tuple[NullPattern, ...]:
        mine = [r for r in rows if r["owned"] == with_parent]
        total = sum(r["n"] for r in mine)
        return tuple(
            NullPattern(set_keys=tuple(bool(r[f"set{i}"]) for i in range(len(dealt))), share=r["n"] / total)
            for r in mine
        )

    return among(True), among(False)


def forest(frame: DataFrame, fk: ForeignKey, position: int, table: str) -> Forest:
    """Levels of a self-reference, roots (null, or a row that refers to itself) first, and children per row of each.

    Raises:
        SourceDataError: no row is a root, or rows hang on a cycle.
    """
    key, up = quote(fk.referenced_columns[0]), quote(fk.columns[0])
    pairs = frame.select(F.col(key).alias("id"), F.col(up).alias("up"))
    is_root = F.col("up").isNull() | (F.col("up") == F.col("id"))
    roots = pairs.agg(
        F.count("*").alias("rows"),
        F.sum(F.when(is_root, 1).otherwise(0)).alias("roots"),
        F.sum(F.when(F.col("up") == F.col("id"), 1).otherwise(0)).alias("loops"),
    ).first()
    if roots is None or not roots["roots"]:
        raise SourceDataError(f"{table}({fk.columns[0]}): no row is a root (null, or its own key); mend the source")
    level, levels, laws = pairs.where(is_root).select("id"), [int(roots["roots"])], []
    below = pairs.where(~is_root)
    while sum(levels) < roots["rows"] and len(levels) < LEVELS:
        parents = level.select(F.col("id").alias("parent"))
        lower = below.join(parents, F.col("up") == F.col("parent"), "inner").select("id", "up")
        law, children = children_law(lower, ("up",), levels[-1], "empirical")
        if not children:
            break
        laws.append(law.to_dict())
        levels.append(children)
        level = lower.select("id")
    left = roots["rows"] - sum(levels)
    if left and len(levels) < LEVELS:
        raise SourceDataError(f"{table}({fk.columns[0]}): {left} rows hang on a cycle of rows; mend the source")
    levels[-1] += left
    return Forest(position=position, levels=tuple(levels), laws=tuple(laws), loops=roots["loops"] > 0)
