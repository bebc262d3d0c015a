"""The skeleton of a table: how many rows each family has, where its work is done, which other parents its rows take.

All of it is Spark SQL over key columns. Every parent gets a rank by the hash of its key; ranks give children
(``LinkageModel``), prefix sums give positions, positions give keys. So nothing depends on partitions or row order.

Terms: a *unit* (block, slice) is what one call of a model generates: a block of whole families, or one slice of
families longer than ``FAMILY_SLICE``. A *slot* is one place for a child below a drawn parent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from synthohive_spark.randomness import seed_of, stride
from synthohive_spark.relational.context import Reader, ancestors, context_of
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import ForeignKeyPlan, TablePlan

if TYPE_CHECKING:
    Longs: TypeAlias = pd.Series[Any]
else:
    Longs = pd.Series  # Spark reads a UDF's kind from its hints, and pandas' own class takes no parameters at run time

UNIT_ROWS = 4_096  # rows that a unit holds on average
FAMILY_SLICE = 10_000  # rows after which a family is cut
PARENT_BLOCK = 65_536  # drawn parents whose prefix sums are made together
BIN = 8_192  # demand positions that are matched with units together
UNIT = ("block", "slice")


@dataclass(frozen=True)
class Skeleton:
    """Inputs of one stage.

    Attributes:
        spark: the session.
        plan: the table.
        plans: all tables.
        read: synthetic tables that are complete, by name.
        sizes: their rows.
        root_rows: rows of this table if it is a root.
        seed: the generation seed.
    """

    spark: SparkSession
    plan: TablePlan
    plans: Mapping[str, TablePlan]
    read: Reader
    sizes: Mapping[str, int]
    root_rows: int
    seed: int

    @property
    def total(self) -> int:
        """Rows that the table will have: exact, before any of them is made."""
        if self.plan.driving is None:
            return self.root_rows
        return self._children + self._without_parent

    @property
    def _children(self) -> int:
        fk = self.plan.driving
        return LinkageModel.from_dict(fk.law).total(self.sizes[fk.references]) if fk else 0

    @property
    def _without_parent(self) -> int:
        share = self.plan.driving.null_share if self.plan.driving else 0.0
        return round(self._children * share / (1 - share)) if 0 < share < 1 else 0

    def frame(self) -> DataFrame:
        """Families (kind 0) and the slots of each drawn key (kind 1, 2, ...), unit by unit."""
        families = self._families() if self.plan.driving else self._roots()
        units = families.groupBy(*UNIT).agg(F.sum("rows").alias("unit_rows"))
        before = Window.orderBy(*UNIT).rowsBetween(Window.unboundedPreceding, -1)
        units = units.withColumn("offset", F.coalesce(F.sum("unit_rows").over(before), F.lit(0)))
        result = families.join(F.broadcast(units.select(*UNIT, "offset")), list(UNIT))
        for i, fk in enumerate(self.plan.drawn):
            slots = self._slots(fk, units)
            if slots is not None:
                result = result.unionByName(slots.withColumn("kind", F.lit(i + 1)), allowMissingColumns=True)
        return result

    def _roots(self) -> DataFrame:
        blocks = math.ceil(self.root_rows / UNIT_ROWS)
        rows = F.least(F.lit(UNIT_ROWS), F.lit(self.root_rows) - F.col("id") * UNIT_ROWS)
        return self.spark.range(blocks).select(
            F.col("id").alias("block"),
            *_constants(slice=0, slices=1, kind=0, rank=0, start=0),
            rows.alias("rows"),
            rows.alias("total"),
        )

    def _families(self) -> DataFrame:
        fk = self.plan.driving
        assert fk is not None
        blocks = max(1, math.ceil(self.total / UNIT_ROWS))
        parents = ancestors(self.plan, fk, context_of(self.plan, fk.position), self.read, self.plans)
        keys = [f"__k{i}" for i in range(len(fk.columns))]
        together = [f"__k{fk.referenced_columns.index(c)}" for c in self.plan.unit_columns]
        placed = parents.withColumn("block", F.pmod(F.xxhash64(*together), F.lit(blocks)))
        ranked = running(placed, ["block"], [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        sized = ranked.withColumn("total", self._counts(fk)("rank"))
        cut = sized.where("total > 0").withColumn("parts", F.ceil(F.col("total") / FAMILY_SLICE))
        cut = cut.withColumn("slices", F.max("parts").over(Window.partitionBy("block")))
        cut = cut.withColumn("slice", F.explode(F.sequence(F.lit(0).cast("long"), F.col("parts") - 1)))
        start = F.col("slice") * FAMILY_SLICE
        families = cut.select(
            "block",
            "slice",
            "slices",
            F.lit(0).alias("kind"),
            "rank",
            start.alias("start"),
            F.least(F.lit(FAMILY_SLICE), F.col("total") - start).alias("rows"),
            "total",
            *(F.col(k).alias(f"d{i}") for i, k in enumerate(keys)),
            *(F.col(c) for c in parents.columns if c not in keys),
        )
        return self._with_orphans(families, blocks)

    def _with_orphans(self, families: DataFrame, blocks: int) -> DataFrame:
        """The rows whose driving key is null, in blocks of their own."""
        orphans = self._without_parent
        if not orphans:
            return families
        rows = F.least(F.lit(UNIT_ROWS), F.lit(orphans) - F.col("id") * UNIT_ROWS)
        free = self.spark.range(math.ceil(orphans / UNIT_ROWS)).select(
            (F.col("id") + blocks).alias("block"),
            *_constants(slice=0, slices=1, kind=0, start=0),
            (F.lit(-1) - F.col("id")).alias("rank"),
            rows.alias("rows"),
            rows.alias("total"),
        )
        return families.unionByName(free, allowMissingColumns=True)

    def _counts(self, fk: ForeignKeyPlan) -> Counter:
        return Counter(fk.law, self.sizes[fk.references], seed_of(self.seed, self.plan.table, fk.position) % 2**31)

    def demand(self, fk: ForeignKeyPlan, rows: int) -> int:
        """Of the first ``rows`` rows of the table, those whose key is set."""
        return rows - math.floor(rows * fk.null_share)

    def _slots(self, fk: ForeignKeyPlan, units: DataFrame) -> DataFrame | None:
        """One row per child below a drawn parent, in the unit of that child.

        Degrees follow the law; the copies of one parent are spread over all units.
        """
        wanted = self.demand(fk, self.total)
        if not wanted:
            return None
        parents = ancestors(self.plan, fk, context_of(self.plan, fk.position), self.read, self.plans)
        keys = [f"__k{i}" for i in range(len(fk.columns))]
        count = self.sizes[fk.references]
        placed = parents.withColumn("pblock", F.pmod(F.xxhash64(*keys), F.lit(max(1, math.ceil(count / PARENT_BLOCK)))))
        ranked = running(placed, ["pblock"], [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        capacity = LinkageModel.from_dict(fk.law).total(count)
        weight = self._counts(fk)("rank") if capacity else F.lit(1).cast("long")
        weighed = running(ranked.withColumn("weight", weight), ["pblock"], ["rank"], F.col("weight"), "before")
        first = _share(F.col("before"), wanted, capacity or count)
        last = _share(F.col("before") + F.col("weight"), wanted, capacity or count)
        copies = weighed.withColumn("first", first).withColumn("last", last).where("last > first")
        copies = copies.withColumn("copy", F.explode(F.sequence("first", F.col("last") - 1)))
        salt = seed_of(self.seed, self.plan.table, fk.position, "slots") % wanted
        copies = copies.withColumn("rank", F.pmod(F.col("copy") * stride(wanted) + salt, F.lit(wanted)))
        return self._in_units(copies, fk, units).select(
            *UNIT,
            "rank",
            *(F.col(k).alias(f"f{fk.position}_{i}") for i, k in enumerate(keys)),
            *(F.col(c) for c in parents.columns if c not in keys),
        )

    def _in_units(self, slots: DataFrame, fk: ForeignKeyPlan, units: DataFrame) -> DataFrame:
        """Slots joined with the unit that holds their position in the demand."""

        def set_rows(rows: Column) -> Column:
            return rows - F.floor(rows * F.lit(fk.null_share))

        low, high = set_rows(F.col("offset")), set_rows(F.col("offset") + F.col("unit_rows"))
        spans = units.select(*UNIT, low.alias("low"), high.alias("high")).where("high > low")
        bins = F.sequence(_div(F.col("low"), BIN), _div(F.col("high") - 1, BIN))
        spans = spans.withColumn("bin", F.explode(bins))
        placed = slots.withColumn("bin", _div(F.col("rank"), BIN)).join(spans, "bin")
        return placed.where((F.col("rank") >= F.col("low")) & (F.col("rank") < F.col("high")))


@dataclass(frozen=True)
class Counter:
    """Children of parents by rank, as a pandas UDF."""

    law: Mapping[str, object]
    parents: int
    seed: int

    def __call__(self, column: str) -> Column:
        """The counts of the parents whose ranks are in ``column``."""
        law, parents, seed = dict(self.law), self.parents, self.seed

        def count(batches: Iterator[Longs]) -> Iterator[Longs]:
            model = LinkageModel.from_dict(law)
            for ranks in batches:
                yield pd.Series(model.sample(parents, seed, ranks.to_numpy(np.int64)))

        counted: Column = pandas_udf(count, "long")(F.col(column))
        return counted


def running(frame: DataFrame, blocks: list[str], order: list[Column | str], value: Column, name: str) -> DataFrame:
    """Add the sum of ``value`` over all rows before each row, in the order (blocks, order).

    Two levels: sums per block are few enough for one task; within a block a window runs on. Exact and independent of
    the partitioning.
    """
    sums = frame.groupBy(*blocks).agg(F.sum(value).alias("__sum"))
    before = Window.orderBy(*blocks).rowsBetween(Window.unboundedPreceding, -1)
    bases = sums.select(*blocks, F.coalesce(F.sum("__sum").over(before), F.lit(0)).alias("__base"))
    inside = Window.partitionBy(*blocks).orderBy(*order).rowsBetween(Window.unboundedPreceding, -1)
    total = F.col("__base") + F.coalesce(F.sum(value).over(inside), F.lit(0))
    return frame.join(F.broadcast(bases), blocks).withColumn(name, total).drop("__base")


def _share(part: Column, wanted: int, capacity: int) -> Column:
    """floor(part * wanted / capacity) in exact decimals."""
    product = part.cast("decimal(18,0)") * F.lit(wanted).cast("decimal(18,0)")
    return F.floor(product / F.lit(capacity).cast("decimal(18,0)")).cast("long") if capacity != wanted else part


def _div(column: Column, by: int) -> Column:
    return F.floor(column / by).cast("long")


def _constants(**values: int) -> list[Column]:
    return [F.lit(v).cast("int" if k == "kind" else "long").alias(k) for k, v in values.items()]
