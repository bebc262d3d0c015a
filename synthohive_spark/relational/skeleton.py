"""The skeleton of a table: how many rows each family has, where its work is done, which other parents its rows take.

All of it is Spark SQL over key columns. Every parent gets a rank by the hash of its key; ranks give children
(``LinkageModel``), prefix sums give positions, positions give keys. So nothing depends on partitions or row order.

Terms: a *unit* (block, slice) is what one task generates at a time: a block of whole families, of which those longer
than ``FAMILY_SLICE`` are cut. A *slot* is one place for a child below a parent that is not the driving one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from synthohive_spark.lake.location import quote
from synthohive_spark.relational.capacity import without_parent
from synthohive_spark.relational.context import Reader, context_of, degree_of, parent_rows, with_ancestors
from synthohive_spark.relational.counting import Counter, Patterns, running
from synthohive_spark.relational.groups import group_text, one_each, pieces, running_within
from synthohive_spark.relational.linkage import LinkageModel, law_seed
from synthohive_spark.relational.plan import ForeignKeyPlan, TablePlan
from synthohive_spark.relational.slots import FAMILY_SLICE, UNIT, Slots
from synthohive_spark.relational.strata import count_strata, stratum

UNIT_ROWS = 16_384  # rows that a block holds on average: enough to make the cost of each column per call small
UNIT_FAMILIES = 64  # families that a block holds at least, so that other parents can be matched to them
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
            return min([self.wanted or 0, *self._rooms])
        return self._owned + self._without_parent(fk)

    @property
    def asked(self) -> int:
        """Rows that the table would have if parents never ran out."""
        return (self.wanted or 0) if self.plan.driving is None else self._with_all(self._uncut(self.plan.driving))

    @functools.cached_property
    def _owned(self) -> int:
        """Rows with a driving parent."""
        fk = self.plan.driving
        assert fk is not None
        if not self._capped:
            return self._children(fk)
        row = self.families.agg(F.sum("total").alias("n")).first()
        return int(row["n"] or 0) if row is not None else 0

    @property
    def patterns(self) -> Patterns:
        """Which of the dealt keys are set on which rows."""
        first_free = self._owned if self.plan.driving else self.total
        return Patterns(self.plan.patterns, self.plan.free_patterns, first_free, self.total)

    def size(self, table: str) -> int:
        """Rows of a table: this one, one before it, or one that late keys refer to."""
        return self.total if table == self.plan.table else self.sizes[table]

    def candidates(self, fk: ForeignKeyPlan) -> int:
        """Parents that may have children behind a key which need not agree with another."""
        if not fk.part_of:
            return self.size(fk.references)
        row = self.groups(fk).first()
        return int(row["k"]) if row is not None else 0

    @property
    def _rooms(self) -> list[int]:
        """Rows at most, by each key that all rows have and that no two rows may share."""
        others = [k for k in self.plan.dealt if k.references != self.plan.table]
        return [self.candidates(k) for k in others if k.once and k.required]

    @property
    def _capped(self) -> bool:
        """Whether some families may be cut, because the parents that may be paired with them run out."""
        fk = self.plan.driving
        paired = [k for k in self.plan.dealt if k.required and k.bucket]
        if fk is None or not paired:
            return False
        largest = int(LinkageModel.from_dict(fk.law).values.max())
        whole = all(k.anchor is None and set(k.bucket or ()) == set(fk.referenced_columns) for k in paired)
        return not whole or self.wanted is not None or any(self.candidates(k) < largest for k in paired)

    def _children(self, fk: ForeignKeyPlan) -> int:
        """Rows with a driving parent, before families are cut."""
        return min([self._uncut(fk), *self._rooms, *([self._parents] if fk.once else [])])

    def _uncut(self, fk: ForeignKeyPlan) -> int:
        """Rows with a driving parent, however few other parents there are."""
        if self.wanted is not None:
            return self.wanted - self._without_parent(fk)
        law = LinkageModel.from_dict(fk.law) if self._restricted else self._law
        if self._restricted:  # how many find somebody to agree with says nothing of how many rows there should be
            source = self.plans[fk.references].rows
            total = round(self.plan.rows * (1 - fk.null_share) * self.sizes[fk.references] / max(1, source))
        else:
            total = law.leaves.total(self._strata) if law.leaves is not None else law.total(self._parents)
        least = int(self._parents > 0 and law.mean > 0)  # a table with rows keeps one at any scale
        return max(total, least)

    def _without_parent(self, fk: ForeignKeyPlan) -> int:
        if self.wanted is not None:
            return round(self.wanted * fk.null_share)
        return without_parent(fk, self._owned)

    @property
    def _counted_once(self) -> bool:
        """Whether so many parents have one child each, whatever their attributes."""
        fk = self.plan.driving
        return fk is not None and fk.once and (self.wanted is not None or self._restricted)

    @functools.cached_property
    def _law(self) -> LinkageModel:
        """The law of the driving key; a conditional one is balanced over the parents that there are."""
        fk = self.plan.driving
        assert fk is not None
        law = LinkageModel.from_dict(fk.law)
        if self._counted_once:  # a number of its own must not give a parent two children
            parents, asked = self._parents, self._children(fk)
            return LinkageModel().fit({0: parents - asked, 1: asked})
        law.leaves = law.leaves.balanced(self._strata, law) if law.leaves is not None else None
        return law

    @functools.cached_property
    def _strata(self) -> tuple[int, ...]:
        """Parents in each leaf of a conditional law; () for other laws."""
        fk = self.plan.driving
        leaves = LinkageModel.from_dict(fk.law).leaves if fk is not None else None
        if fk is None or leaves is None or self._counted_once:
            return ()
        return count_strata(self._parent_frame(fk), self.plan, fk, leaves)

    @functools.cached_property
    def _parents(self) -> int:
        """Parents that may have children: all of them, unless a key that all rows have finds nobody for some."""
        fk = self.plan.driving
        assert fk is not None
        return self._parent_frame(fk).count() if self._restricted else self.sizes[fk.references]

    @property
    def _restricted(self) -> bool:
        """Whether only some of the parents may have children."""
        fk = self.plan.driving
        return fk is not None and (bool(fk.part_of) or any(k.required for k in self.plan.anchored(fk)))

    def frame(self) -> DataFrame:
        """Families (kind 0), the head of each unit (kind -1) and the parents dealt to it (kind 1, 2, ...)."""
        fk = self.plan.driving
        if fk is None:
            made, units = self._roots()
        else:
            every = self._with_orphans(self.sliced, fk)
            made, units = self._with_context(every, fk), self._units(every)
        return made.unionByName(Slots(self).frame(units), allowMissingColumns=True)

    def _units(self, families: DataFrame) -> DataFrame:
        """Units with their rows and the rows before them."""
        units = families.groupBy(*UNIT).agg(F.sum("rows").alias("unit_rows"))
        before = Window.orderBy(*UNIT).rowsBetween(Window.unboundedPreceding, -1)
        return units.withColumn("offset", F.coalesce(F.sum("unit_rows").over(before), F.lit(0)))

    def _roots(self) -> tuple[DataFrame, DataFrame]:
        """Blocks of rows without parents, and their units."""
        rows = F.least(F.lit(UNIT_ROWS), F.lit(self.total) - F.col("id") * UNIT_ROWS)
        blocks = self.spark.range(math.ceil(self.total / UNIT_ROWS)).select(
            F.col("id").alias("block"), *constants(slice=0, slices=1, kind=0, rank=0, start=0), rows.alias("rows")
        )
        offset = F.col("block") * UNIT_ROWS
        units = blocks.select(*UNIT, F.col("rows").alias("unit_rows"), offset.alias("offset"))
        return blocks.withColumn("total", F.col("rows")), units

    @property
    def blocks(self) -> int:
        """Blocks of families."""
        fk = self.plan.driving
        assert fk is not None
        by_rows = math.ceil(self._with_all(self._children(fk)) / UNIT_ROWS)
        return max(1, min(by_rows, self._parents // UNIT_FAMILIES))

    def _with_all(self, children: int) -> int:
        """Rows with a driving parent and those without one."""
        fk = self.plan.driving
        assert fk is not None
        asked = None if self.wanted is None else round(self.wanted * fk.null_share)
        return children + (without_parent(fk, children) if asked is None else asked)

    def _parent_frame(self, fk: ForeignKeyPlan) -> DataFrame:
        """The driving parents that may have children.

        With the groups (``g`` and position) that their rows' other keys must lie in and how many candidates these have
        (``k`` and position), and what other families they share a bucket (``b`` and position) or a count (``s``) with.
        """
        bound, wanted = self.plan.anchored(fk), context_of(self.plan, fk.position)
        extra, kinds = list[str](), self.plans[fk.references].types()

        def text(columns: Sequence[str]) -> Column:
            names = [f"__t{len(extra) + n}" for n in range(len(columns))]
            extra.extend(columns)
            return group_text([F.col(n) for n in names], [kinds[c] for c in columns])

        named = {f"g{k.position}": text([p for p, _ in k.tie]) for k in bound}
        named |= {f"b{k.position}": text(k.bucket or ()) for k in self.plan.dealt if self.shares_bucket(k)}
        if self.plan.sequence is not None and self.plan.sequence.within:
            named["s"] = text(self.plan.sequence.within)
        named |= {f"__u{n}": F.col(f"__t{len(extra) + n}") for n in range(len(self.plan.together))}
        extra.extend(self.plan.together)
        part = text(fk.part_of) if fk.part_of else None
        parents = parent_rows(self.plan, fk, wanted, self.read, self.plans, extra)
        parents = one_each(parents, part) if part is not None else parents
        parents = parents.withColumns(named) if named else parents
        for other in bound:
            groups = self.groups(other).select(
                F.col("g").alias(f"g{other.position}"), F.col("k").alias(f"k{other.position}")
            )
            parents = parents.join(groups, f"g{other.position}", "inner" if other.required else "left")
        return parents.drop(*(f"__t{n}" for n in range(len(extra))))

    def shares_bucket(self, fk: ForeignKeyPlan) -> bool:
        """Whether several families are one bucket of a key."""
        driving = self.plan.driving
        return bool(fk.bucket) and driving is not None and set(fk.bucket or ()) < set(driving.referenced_columns)

    def groups(self, fk: ForeignKeyPlan) -> DataFrame:
        """The groups of candidates of a bound key (``g``), and how many each has (``k``)."""
        kinds = self.plans[fk.references].types()
        columns = [q for _, q in fk.tie]
        text = group_text([F.col(quote(q)) for q in columns], [kinds[q] for q in columns])
        part = group_text([F.col(quote(c)) for c in fk.part_of], [kinds[c] for c in fk.part_of])
        known = self.read(fk.references).select(text.alias("g"), part.alias("part")).where("g is not null")
        return known.groupBy("g").agg((F.countDistinct("part") if fk.part_of else F.count("*")).alias("k"))

    @functools.cached_property
    def families(self) -> DataFrame:
        """Families with a driving parent, uncut: who has how many rows (``total``), and in which block."""
        fk = self.plan.driving
        assert fk is not None
        keys = [f"__k{i}" for i in range(len(fk.columns))]
        shared = [f"__u{i}" for i in range(len(self.plan.together))]
        text = [F.col(k).cast("string") for k in shared or keys]  # keys that agree may differ in their integer type
        block = F.pmod(F.xxhash64(*text), F.lit(self.blocks))
        placed = self._parent_frame(fk).withColumn("block", block)
        by, leaves = ["block"], self._law.leaves
        if leaves is not None:
            by, placed = ["stratum", "block"], placed.withColumn("stratum", stratum(self.plan, fk, leaves))
        ranks = running(placed, by, [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        asked = self._children(fk)
        natural = self.wanted is None and not self._rooms and not self._restricted and asked > 1
        law = Counter(self._law.to_dict(), self._parents, self.salt(fk), None if natural else asked, self._strata)
        sized = ranks.withColumn("total", law("rank"))
        for key in (k for k in self.plan.dealt if k.required and k.bucket):
            sized = self._cut(sized, key)
        sized = sized.where("total > 0")
        if self.plan.sequence is not None and self.plan.sequence.within:
            sized = self.counted(sized, "s", "before")
        return sized

    def _cut(self, families: DataFrame, fk: ForeignKeyPlan) -> DataFrame:
        """Families no longer than there are parents to pair their rows with."""
        room = self.room(fk)
        if not self.shares_bucket(fk):
            return families.withColumn("total", F.least("total", room))
        counted = self.counted(families, f"b{fk.position}", "before").drop("before_all")
        left = F.greatest(room - F.col("before"), F.lit(0))
        return counted.withColumn("total", F.least("total", left)).drop("before")

    def room(self, fk: ForeignKeyPlan) -> Column:
        """Rows that a bucket of a key may have at most: its candidates, times those of the keys that follow."""
        own = F.col(f"k{fk.position}") if self._driven(fk) else F.lit(self.candidates(fk))
        return own.cast("long") * F.lit(self.repeats(fk))

    def _driven(self, fk: ForeignKeyPlan) -> bool:
        return fk.anchor is not None and self.plan.driving is not None and fk.anchor == self.plan.driving.position

    def repeats(self, fk: ForeignKeyPlan) -> int:
        """How often a bucket may take one candidate: as often as later keys can tell the rows apart, surely."""
        product = 1
        for position in fk.before:
            later = self.plan.key_at(position)
            held = self.candidates(later)
            if later.anchor is not None:
                row = self.groups(later).agg(F.min("k").alias("k")).first()
                held = int(row["k"] or 1) if row is not None else 1
            product = min(product * held, 2**20)
        return product

    def counted(self, families: DataFrame, group: str, name: str) -> DataFrame:
        """Rows of the families before each one within a group, and of the whole group (``name_all``)."""
        keys = [c for c in families.columns if c.startswith("__k")]
        placed = families.withColumn("piece", pieces(F.xxhash64(*keys), F.lit(self._parents)))
        return running_within(placed, [group], [F.xxhash64(*keys), *keys], F.col("total"), name)

    @functools.cached_property
    def sliced(self) -> DataFrame:
        """Families by slice: a long one has its part in every slice of its block, another one lies in one of them.

        So each slice has nearly the mixture of families that the block has.
        """
        long = F.col("total") > FAMILY_SLICE
        every = F.sequence(F.lit(0).cast("long"), F.col("slices") - 1)
        placed = self.placed(self.families)
        cut = placed.withColumn("slice", F.explode(F.when(long, every).otherwise(F.array(F.pmod("rank", "slices")))))
        part, parts = F.when(long, F.col("slice")).otherwise(0), F.when(long, F.col("slices")).otherwise(1)
        start, end = F.floor(F.col("total") * part / parts), F.floor(F.col("total") * (part + 1) / parts)
        return cut.withColumns({"start": start, "rows": end - start})

    def placed(self, sized: DataFrame) -> DataFrame:
        """Families with the number of slices of their block."""
        long, block = F.col("total") > FAMILY_SLICE, Window.partitionBy("block")
        longest = F.max(F.when(long, F.ceil(F.col("total") / FAMILY_SLICE)).otherwise(1)).over(block)
        by_rows = F.ceil(F.sum(F.when(long, F.col("total"))).over(block) / SLICE_ROWS)
        crowd = F.ceil(F.sum("total").over(block) / SLICE_ROWS)  # of families that are kept together
        every = [longest, by_rows, *([crowd] if self.plan.together else [])]
        return sized.withColumn("slices", F.greatest(*every))

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
            rows.alias("rows"),
            rows.alias("total"),
        )
        return families.unionByName(free, allowMissingColumns=True)

    def salt(self, fk: ForeignKeyPlan) -> int:
        """What scatters the parents behind a key over its law."""
        return law_seed(self.seed, self.plan.table, fk.position)

    def _with_context(self, sized: DataFrame, fk: ForeignKeyPlan) -> DataFrame:
        """Families with what the model sees of all their ancestors."""
        wanted = context_of(self.plan, fk.position)
        whole = with_ancestors(sized, self.plan, fk, wanted, self.read, self.plans)
        degree = degree_of(self.plan, fk.position)
        counted = self.plan.sequence is not None and bool(self.plan.sequence.within)
        return whole.select(
            *UNIT,
            *("slices", "rank", "start", "rows", "total"),
            *constants(kind=0),
            *(F.col(f"__k{i}").alias(f"d{i}") for i in range(len(fk.columns))),
            *(F.col(f"g{k.position}") for k in self.plan.anchored(fk)),
            *(F.col(f"c{i}") for i in wanted),
            *([F.col("total").alias(degree)] if degree else []),
            *([F.xxhash64("s").alias("s"), F.col("before"), F.col("before_all")] if counted else []),
        )


def constants(**values: int) -> list[Column]:
    """Literal columns; ``kind`` as an int, others as longs."""
    return [F.lit(v).cast("int" if k == "kind" else "long").alias(k) for k, v in values.items()]
