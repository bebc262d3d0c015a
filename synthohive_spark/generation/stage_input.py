"""What a stage starts from: the plans, the tables that are written, the numbers that are asked for."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.counts.distribution import law_seed
from synthohive_spark.generation.groups import one_each
from synthohive_spark.schema import frames
from synthohive_spark.schema.ancestors import Ancestors, Reader, group_text, with_above
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.sql import quote

SHARED = "shared"  # families that count their sequence together agree in it


@dataclass(frozen=True)
class StageInput:
    """The inputs of one stage, and its frames of parents. Nothing here runs a Spark job.

    Attributes:
        spark: the session.
        plan: the table.
        plans: all tables.
        read: synthetic tables that are complete, by name.
        sizes: rows of the tables before it, and of those that late keys refer to.
        wanted: rows of this table if it is a root, or if the user wants a number of them; None otherwise.
        seed: the generation seed.
    """

    spark: SparkSession
    plan: TablePlan
    plans: Mapping[str, TablePlan]
    read: Reader
    sizes: Mapping[str, int]
    wanted: int | None
    seed: int

    @property
    def keys(self) -> KeysPlan:
        """The table's keys."""
        return self.plan.keys

    @functools.cached_property
    def ancestors(self) -> Ancestors:
        """Joins what rows see of their ancestors."""
        return Ancestors(self.plan.table, self.plan.context, {t: p.keys for t, p in self.plans.items()}, self.read)

    @property
    def restricted(self) -> bool:
        """Whether only some of the driving parents may have children."""
        fk = self.keys.driving
        return fk is not None and (bool(fk.part_of) or any(k.required for k in self.keys.anchored(fk)))

    def types(self, fk: ForeignKeyPlan) -> dict[str, str]:
        """Types of the columns of the parent behind a key."""
        return self.plans[fk.references].columns.types()

    def salt(self, fk: ForeignKeyPlan) -> int:
        """What scatters the parents behind a key over the distribution of their children."""
        return law_seed(self.seed, self.plan.table, fk.position)

    def shares_bucket(self, fk: ForeignKeyPlan) -> bool:
        """Whether several families are one bucket of a key."""
        driving = self.keys.driving
        return bool(fk.bucket) and driving is not None and set(fk.bucket or ()) < set(driving.referenced_columns)

    def groups(self, fk: ForeignKeyPlan) -> DataFrame:
        """The groups of candidates of a bound key (``g``), and how many each has (``k``)."""
        kinds, columns = self.types(fk), [q for _, q in fk.tie]
        text = group_text([F.col(quote(q)) for q in columns], [kinds.get(q, "string") for q in columns])
        part = group_text([F.col(quote(c)) for c in fk.part_of], [kinds[c] for c in fk.part_of])
        rows = with_above(self.read(fk.references), columns, self.plans[fk.references].keys.at, self.read)
        known = rows.select(text.alias("g"), part.alias("part")).where("g is not null")
        return known.groupBy("g").agg((F.countDistinct("part") if fk.part_of else F.count("*")).alias("k"))

    def driving_parents(self, fk: ForeignKeyPlan) -> DataFrame:
        """The driving parents that may have children.

        With the groups (``frames.group``) that their rows' other keys must lie in and how many candidates these have
        (``frames.candidates``), and what other families they share a bucket (``frames.bucket``), a count (``SHARED``)
        or a block (``frames.together``) with.
        """
        bound, kinds, extra = self.keys.anchored(fk), self.types(fk), list[str]()

        def text(columns: Sequence[str]) -> Column:
            names = [frames.extra(len(extra) + n) for n in range(len(columns))]
            extra.extend(columns)
            return group_text([F.col(n) for n in names], [kinds.get(c, "string") for c in columns])

        named = {frames.group(k.position): text([p for p, _ in k.tie]) for k in bound}
        named |= {frames.bucket(k.position): text(k.bucket or ()) for k in self.keys.dealt if self.shares_bucket(k)}
        if self.keys.sequence is not None and self.keys.sequence.within:
            named[SHARED] = text(self.keys.sequence.within)
        first = len(extra)
        named |= {frames.together(n): F.col(frames.extra(first + n)) for n in range(len(self.keys.together))}
        extra.extend(self.keys.together)
        part = text(fk.part_of) if fk.part_of else None
        parents = self.ancestors.own_rows(fk, extra=extra)
        parents = one_each(parents, part) if part is not None else parents
        parents = parents.withColumns(named) if named else parents
        for other in bound:
            group = frames.group(other.position)
            groups = self.groups(other).select(
                F.col("g").alias(group), F.col("k").alias(frames.candidates(other.position))
            )
            parents = parents.join(groups, group, "inner" if other.required else "left")
        return parents.drop(*(frames.extra(n) for n in range(len(extra))))
