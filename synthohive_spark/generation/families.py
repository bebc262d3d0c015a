"""The families of a table: how many rows each parent gets, and in which generation batch they are made.

All of it is Spark SQL over key columns. Every parent gets a rank by the hash of its key; ranks give children
(``LinkageModel``), prefix sums give positions, positions give keys. So nothing depends on partitions or row order.

A generation batch (block, slice) is what one task generates at a time: a block of whole families, of which those
longer than ``FAMILY_SLICE`` are cut.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.generation.family_counts import BLOCK_ROWS, Candidates, FamilyCounts
from synthohive_spark.generation.groups import pieces, running_within
from synthohive_spark.generation.prefix_sums import Counter, running
from synthohive_spark.generation.stage_input import SHARED, StageInput
from synthohive_spark.generation.tree_leaves import LEAF, leaf
from synthohive_spark.schema import frames
from synthohive_spark.schema.keys import ForeignKeyPlan

FAMILY_SLICE = 10_000  # rows after which a family is cut (DESIGN.md, promise 2)
SLICE_ROWS = 32_768  # rows of long families that a slice holds at most: what a task holds stays bounded


@dataclass(frozen=True)
class Families:
    """Families of one stage.

    Attributes:
        stage: the inputs.
        fk: the driving key.
        counts: numbers of families.
        candidates: of the other keys.
    """

    stage: StageInput
    fk: ForeignKeyPlan
    counts: FamilyCounts
    candidates: Candidates

    @functools.cached_property
    def whole(self) -> DataFrame:
        """Families with a driving parent, uncut: who has how many rows (``total``), and in which block."""
        stage, counts = self.stage, self.counts
        keys = [frames.referenced(i) for i in range(len(self.fk.columns))]
        shared = [frames.together(i) for i in range(len(stage.keys.together))]
        text = [F.col(k).cast("string") for k in shared or keys]  # keys that agree may differ in their integer type
        block = F.pmod(F.xxhash64(*text), F.lit(counts.blocks))
        placed = stage.driving_parents(self.fk).withColumn("block", block)
        by, leaves = ["block"], counts.distribution.leaves
        if leaves is not None:
            by, placed = [LEAF, "block"], placed.withColumn(LEAF, leaf(stage.plan.context, self.fk, leaves))
        ranks = running(placed, by, [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        total = counts.children if counts.given else None
        count = Counter(counts.distribution.to_dict(), counts.parents, stage.salt(self.fk), total, counts.leaves)
        sized = ranks.withColumn("total", count("rank"))
        for key in (k for k in stage.keys.dealt if k.required and k.bucket):
            sized = self._cut(sized, key)
        sized = sized.where("total > 0")
        if stage.keys.sequence is not None and stage.keys.sequence.within:
            sized = self.counted(sized, SHARED, "before")
        return sized

    def _cut(self, families: DataFrame, fk: ForeignKeyPlan) -> DataFrame:
        """Families no longer than there are parents to pair their rows with."""
        room = self._room(fk)
        if not self.stage.shares_bucket(fk):
            return families.withColumn("total", F.least("total", room))
        counted = self.counted(families, frames.bucket(fk.position), "before").drop("before_all")
        left = F.greatest(room - F.col("before"), F.lit(0))
        return counted.withColumn("total", F.least("total", left)).drop("before")

    def _room(self, fk: ForeignKeyPlan) -> Column:
        """Rows that a bucket of a key may have at most: its candidates, times those of the keys that follow."""
        driven = fk.anchor is not None and fk.anchor == self.fk.position
        own = F.col(frames.candidates(fk.position)) if driven else F.lit(self.candidates.count[fk.position])
        return own.cast("long") * F.lit(self.candidates.repeats[fk.position])

    def counted(self, families: DataFrame, group: str, name: str) -> DataFrame:
        """Rows of the families before each one within a group, and of the whole group (``name_all``)."""
        keys = [frames.referenced(i) for i in range(len(self.fk.columns))]
        placed = families.withColumn("piece", pieces(F.xxhash64(*keys), F.lit(self.counts.parents)))
        return running_within(placed, [group], [F.xxhash64(*keys), *keys], F.col("total"), name)

    @functools.cached_property
    def sliced(self) -> DataFrame:
        """Families by slice: a long one has its part in every slice of its block, another one lies in one of them.

        So each slice has nearly the mixture of families that the block has.
        """
        long = F.col("total") > FAMILY_SLICE
        every = F.sequence(F.lit(0).cast("long"), F.col("slices") - 1)
        cut = self.placed.withColumn(
            "slice", F.explode(F.when(long, every).otherwise(F.array(F.pmod("rank", "slices"))))
        )
        part, parts = F.when(long, F.col("slice")).otherwise(0), F.when(long, F.col("slices")).otherwise(1)
        start, end = F.floor(F.col("total") * part / parts), F.floor(F.col("total") * (part + 1) / parts)
        return cut.withColumns({"start": start, "rows": end - start})

    @property
    def placed(self) -> DataFrame:
        """``whole`` with the number of slices of each family's block."""
        long, block = F.col("total") > FAMILY_SLICE, Window.partitionBy("block")
        longest = F.max(F.when(long, F.ceil(F.col("total") / FAMILY_SLICE)).otherwise(1)).over(block)
        by_rows = F.ceil(F.sum(F.when(long, F.col("total"))).over(block) / SLICE_ROWS)
        crowd = F.ceil(F.sum("total").over(block) / SLICE_ROWS)  # of families that are kept together
        every = [longest, by_rows, *([crowd] if self.stage.keys.together else [])]
        return self.whole.withColumn("slices", F.greatest(*every))

    def with_orphans(self, orphans: int) -> DataFrame:
        """``sliced``, and so many rows whose driving key is null, in blocks of their own."""
        if not orphans:
            return self.sliced
        rows = F.least(F.lit(BLOCK_ROWS), F.lit(orphans) - F.col("id") * BLOCK_ROWS)
        free = self.stage.spark.range(math.ceil(orphans / BLOCK_ROWS)).select(
            (F.col("id") + self.counts.blocks).alias("block"),
            *constants(slice=0, slices=1, start=0),
            (F.lit(-1) - F.col("id")).alias("rank"),
            rows.alias("rows"),
            rows.alias("total"),
        )
        return self.sliced.unionByName(free, allowMissingColumns=True)

    def frame(self, families: DataFrame) -> DataFrame:
        """Families as rows of ``frames.batch_frame``, with what the model sees of all their ancestors."""
        stage, position = self.stage, self.fk.position
        whole = stage.ancestors.with_higher(families, self.fk)
        degree, sequence = stage.plan.context.degree(position), stage.keys.sequence
        counted = [F.xxhash64(SHARED).alias(SHARED), F.col("before"), F.col("before_all")]
        return whole.select(
            *frames.BATCH,
            *("slices", "rank", "start", "rows", "total"),
            *constants(kind=frames.FAMILY),
            *(F.col(frames.referenced(i)).alias(frames.driving(i)) for i in range(len(self.fk.columns))),
            *(F.col(frames.group(k.position)) for k in stage.keys.anchored(self.fk)),
            *(F.col(frames.context(i)) for i in stage.plan.context.behind(position)),
            *([F.col("total").alias(frames.context(degree))] if degree is not None else []),
            *(counted if sequence is not None and sequence.within else []),
        )


def batches(families: DataFrame) -> DataFrame:
    """Generation batches with their rows and the rows before them: (block, slice, batch_rows, offset)."""
    rows = families.groupBy(*frames.BATCH).agg(F.sum("rows").alias("batch_rows"))
    before = Window.orderBy(*frames.BATCH).rowsBetween(Window.unboundedPreceding, -1)
    return rows.withColumn("offset", F.coalesce(F.sum("batch_rows").over(before), F.lit(0)))


def root_blocks(stage: StageInput, total: int) -> tuple[DataFrame, DataFrame]:
    """Blocks of the rows of a table without parents, as families, and their batches."""
    rows = F.least(F.lit(BLOCK_ROWS), F.lit(total) - F.col("id") * BLOCK_ROWS)
    blocks = stage.spark.range(math.ceil(total / BLOCK_ROWS)).select(
        F.col("id").alias("block"),
        *constants(slice=0, slices=1, kind=frames.FAMILY, rank=0, start=0),
        rows.alias("rows"),
    )
    offset = F.col("block") * BLOCK_ROWS
    batches_of = blocks.select(*frames.BATCH, F.col("rows").alias("batch_rows"), offset.alias("offset"))
    return blocks.withColumn("total", F.col("rows")), batches_of


def constants(**values: int) -> list[Column]:
    """Literal columns; ``kind`` as an int, others as longs."""
    return [F.lit(v).cast("int" if k == "kind" else "long").alias(k) for k, v in values.items()]
