"""The skeleton of a table: how many rows each family has, where its work is done, which other parents its rows take.

All of it is Spark SQL over key columns. Every parent gets a rank by the hash of its key; ranks give children
(``LinkageModel``), prefix sums give positions, positions give keys. So nothing depends on partitions or row order.

Terms: a *unit* (block, slice) is what one task generates at a time: a block of whole families, of which those longer
than ``FAMILY_SLICE`` are cut. A *slot* is one place for a child below a parent that is not the driving one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from synthohive_spark.lake.location import quote
from synthohive_spark.relational.context import Reader, context_of, degree_of, parent_rows, with_ancestors
from synthohive_spark.relational.counting import Counter, Patterns, running
from synthohive_spark.relational.linkage import LinkageModel, law_seed
from synthohive_spark.relational.plan import ForeignKeyPlan, TablePlan
from synthohive_spark.relational.slots import UNIT, Slots
from synthohive_spark.relational.strata import count_strata, stratum

UNIT_ROWS = 16_384  # rows that a block holds on average: enough to make the cost of each column per call small
UNIT_FAMILIES = 64  # families that a block holds at least, so that other parents can be matched to them
FAMILY_SLICE = 10_000  # rows after which a family is cut
SLICE_ROWS = 32_768  # rows of long families that a slice holds at most


@dataclass(frozen=True)
class Skeleton:
    """Inputs of one stage.

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

    @functools.cached_property
    def total(self) -> int:
        """Rows that the table will have: exact, before any of them is made."""
        fk = self.plan.driving
        if fk is None:
            return self.wanted or 0
        return self._children(fk) + self._without_parent(fk)

    @property
    def patterns(self) -> Patterns:
        """Which of the dealt keys are set on which rows."""
        first_free = self.total - (self._without_parent(self.plan.driving) if self.plan.driving else 0)
        return Patterns(self.plan.patterns, self.plan.free_patterns, first_free, self.total)

    def _children(self, fk: ForeignKeyPlan) -> int:
        """Rows with a driving parent."""
        if self.wanted is not None:
            return self.wanted - self._without_parent(fk)
        law = self._law
        return law.leaves.total(self._strata) if law.leaves is not None else law.total(self._parents)

    def _without_parent(self, fk: ForeignKeyPlan) -> int:
        if self.wanted is not None:
            return round(self.wanted * fk.null_share)
        return without_parent(fk, self._children(fk))

    @functools.cached_property
    def _law(self) -> LinkageModel:
        """The law of the driving key; a conditional one is balanced over the parents that there are."""
        fk = self.plan.driving
        assert fk is not None
        law = LinkageModel.from_dict(fk.law)
        law.leaves = law.leaves.balanced(self._strata, law) if law.leaves is not None else None
        return law

    @functools.cached_property
    def _strata(self) -> tuple[int, ...]:
        """Parents in each leaf of a conditional law; () for other laws."""
        fk = self.plan.driving
        leaves = LinkageModel.from_dict(fk.law).leaves if fk is not None else None
        if fk is None or leaves is None:
            return ()
        return count_strata(self._parent_frame(fk), self.plan, fk, leaves)

    @functools.cached_property
    def _parents(self) -> int:
        """Parents that may have children: all of them, unless keys are tied and some have nobody to agree with."""
        fk = self.plan.driving
        assert fk is not None
        if not any(k.role == "bound" for k in self.plan.dealt):
            return self.sizes[fk.references]
        return self._parent_frame(fk).count()

    def frame(self) -> DataFrame:
        """Families (kind 0), the head of each unit (kind -1) and the parents dealt to it (kind 1, 2, ...)."""
        if self.plan.driving is None:
            families, units = self._roots()
        else:
            sized = self._sized(self.plan.driving)
            families, units = self._families(sized, self.plan.driving), self._units(sized)
        return families.unionByName(Slots(self).frame(units), allowMissingColumns=True)

    def _units(self, families: DataFrame) -> DataFrame:
        """Units with their rows and the rows before them."""
        units = families.groupBy(*UNIT).agg(F.sum("rows").alias("unit_rows"), F.max("tie_block").alias("tie_block"))
        before = Window.orderBy(*UNIT).rowsBetween(Window.unboundedPreceding, -1)
        return units.withColumn("offset", F.coalesce(F.sum("unit_rows").over(before), F.lit(0)))

    def _roots(self) -> tuple[DataFrame, DataFrame]:
        """Blocks of rows without parents, and their units."""
        rows = F.least(F.lit(UNIT_ROWS), F.lit(self.total) - F.col("id") * UNIT_ROWS)
        blocks = self.spark.range(math.ceil(self.total / UNIT_ROWS)).select(
            F.col("id").alias("block"), *constants(slice=0, slices=1, kind=0, rank=0, start=0), rows.alias("rows")
        )
        offset = F.col("block") * UNIT_ROWS
        units = blocks.select(*UNIT, F.col("rows").alias("unit_rows"), offset.alias("offset"), *constants(tie_block=0))
        return blocks.withColumn("total", F.col("rows")), units

    @property
    def blocks(self) -> int:
        """Blocks of families."""
        by_rows = math.ceil(self.total / UNIT_ROWS)
        return max(1, min(by_rows, self._parents // UNIT_FAMILIES))

    def block_of(self, columns: list[str]) -> Column:
        """The block of the families whose unit columns are in ``columns``."""
        text = [F.col(c).cast("string") for c in columns]  # keys that agree may differ in their integer type
        return F.pmod(F.xxhash64(*text), F.lit(self.blocks))

    def _parent_frame(self, fk: ForeignKeyPlan) -> DataFrame:
        """The driving parents that may have children, with their unit columns as ``__t0``.."""
        wanted = context_of(self.plan, fk.position)
        parents = parent_rows(self.plan, fk, wanted, self.read, self.plans, self.plan.tie)
        for other in (k for k in self.plan.dealt if k.role == "bound"):
            there = self.read(other.references).select(
                *(F.col(quote(q)).alias(f"__q{i}") for i, (_, q) in enumerate(other.tie))
            )
            same = [F.col(f"__t{i}") == F.col(f"__q{i}") for i in range(len(other.tie))]
            parents = parents.join(there.distinct(), same, "leftsemi")
        return parents

    def _sized(self, fk: ForeignKeyPlan) -> DataFrame:
        """Families and their slices, with what the parents' own table says: who has how many rows, and where."""
        parents = self._parent_frame(fk)
        keys = [f"__k{i}" for i in range(len(fk.columns))]
        placed = parents.withColumn("block", self.block_of([f"__t{i}" for i in range(len(self.plan.tie))]))
        by, leaves = ["block"], self._law.leaves
        if leaves is not None:
            by, placed = ["stratum", "block"], placed.withColumn("stratum", stratum(self.plan, fk, leaves))
        ranked = running(placed, by, [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        total = self._children(fk) if self.wanted is not None else None
        law = Counter(self._law.to_dict(), self._parents, self.salt(fk), total, self._strata)
        sized = ranked.withColumn("total", law("rank")).where("total > 0")
        return self._with_orphans(self._sliced(sized), fk)

    def _sliced(self, sized: DataFrame) -> DataFrame:
        """Families by slice: a long one has its part in every slice of its block, another one lies in one of them.

        So each slice has nearly the mixture of families that the block has.
        """
        long, block = (F.col("total") > FAMILY_SLICE) & F.lit(not self.plan.linked), Window.partitionBy("block")
        longest = F.max(F.when(long, F.ceil(F.col("total") / FAMILY_SLICE)).otherwise(1)).over(block)
        by_rows = F.ceil(F.sum(F.when(long, F.col("total"))).over(block) / SLICE_ROWS)
        placed = sized.withColumn("slices", F.greatest(longest, by_rows))
        every = F.sequence(F.lit(0).cast("long"), F.col("slices") - 1)
        cut = placed.withColumn("slice", F.explode(F.when(long, every).otherwise(F.array(F.pmod("rank", "slices")))))
        part, parts = F.when(long, F.col("slice")).otherwise(0), F.when(long, F.col("slices")).otherwise(1)
        start, end = F.floor(F.col("total") * part / parts), F.floor(F.col("total") * (part + 1) / parts)
        return cut.withColumns({"start": start, "rows": end - start, "tie_block": F.col("block")})

    def _with_orphans(self, families: DataFrame, fk: ForeignKeyPlan) -> DataFrame:
        """The rows whose driving key is null, in blocks of their own."""
        orphans = self._without_parent(fk)
        if not orphans:
            return families
        rows = F.least(F.lit(UNIT_ROWS), F.lit(orphans) - F.col("id") * UNIT_ROWS)
        free = self.spark.range(math.ceil(orphans / UNIT_ROWS)).select(
            (F.col("id") + self.blocks).alias("block"),
            *constants(slice=0, slices=1, start=0),
            (F.lit(-1) - F.col("id")).alias("rank"),
            F.pmod(F.col("id"), F.lit(self.blocks)).alias("tie_block"),
            rows.alias("rows"),
            rows.alias("total"),
        )
        return families.unionByName(free, allowMissingColumns=True)

    def salt(self, fk: ForeignKeyPlan) -> int:
        """What scatters the parents behind a key over its law."""
        return law_seed(self.seed, self.plan.table, fk.position)

    def _families(self, sized: DataFrame, fk: ForeignKeyPlan) -> DataFrame:
        """Families with what the model sees of all their ancestors."""
        wanted = context_of(self.plan, fk.position)
        whole = with_ancestors(sized, self.plan, fk, wanted, self.read, self.plans)
        degree = degree_of(self.plan, fk.position)
        return whole.select(
            *UNIT,
            *("slices", "rank", "start", "rows", "total"),
            *constants(kind=0),
            *(F.col(f"__k{i}").alias(f"d{i}") for i in range(len(fk.columns))),
            *(F.col(f"__t{i}").alias(f"t{i}") for i in range(len(self.plan.tie))),
            *(F.col(f"c{i}") for i in wanted),
            *([F.col("total").alias(degree)] if degree else []),
        )


def without_parent(fk: ForeignKeyPlan, children: int) -> int:
    """Rows of a table whose driving key is null, beside so many with a parent."""
    share = fk.null_share
    return round(children * share / (1 - share)) if 0 < share < 1 else 0


def planned_sizes(plans: Mapping[str, TablePlan], wanted: Mapping[str, int]) -> dict[str, int]:
    """Rows of every table before any is made: they follow from the driving keys alone.

    Exact for ``roles.foreseen``, whose keys have no ties; of other tables some parents may be left without children.
    """
    sizes: dict[str, int] = {}

    def size(table: str) -> int:
        if table not in sizes:
            fk = plans[table].driving
            if fk is None or table in wanted:
                sizes[table] = wanted.get(table, plans[table].rows)
            else:
                children = LinkageModel.from_dict(fk.law).total(size(fk.references))
                sizes[table] = children + without_parent(fk, children)
        return sizes[table]

    for table in plans:
        size(table)
    return sizes


def constants(**values: int) -> list[Column]:
    """Literal columns; ``kind`` as an int, others as longs."""
    return [F.lit(v).cast("int" if k == "kind" else "long").alias(k) for k, v in values.items()]
