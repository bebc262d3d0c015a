"""Parents other than the driving one: each generation batch is told whom its rows may refer to, and how often.

Degrees follow the distribution of each key. The demand of all batches is one line of positions; a bijection scatters it
over the distribution of children per parent, so that every batch gets parents from all over it. A batch works out by
itself which parents it gets and how often, from its first position and its length; only then are their rows joined to
it. Keys that have to agree with others have such a line per group and class of candidates (``counts/fan_out.py``);
where rows of a bucket need different parents, each row of the table is told its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.generation.batch_parents import AssignedKey, Dealer, Strays
from synthohive_spark.generation.families import FAMILY_SLICE, Families
from synthohive_spark.generation.groups import ANYBODY, Copies, Demand, Members, lined_up, one_each, ranked
from synthohive_spark.generation.prefix_sums import running
from synthohive_spark.generation.stage_plan import StagePlan
from synthohive_spark.generation.tree_leaves import LEAF, leaf
from synthohive_spark.randomness import stride
from synthohive_spark.schema import frames
from synthohive_spark.schema.ancestors import group_text
from synthohive_spark.schema.keys import ForeignKeyPlan

PARENT_BLOCK = 65_536  # parents whose prefix sums are made together
LONGEST = 2**31  # parents from which on the product of a rank and a stride may leave a long


@dataclass(frozen=True)
class ParentAssignment:
    """The other parents of one stage.

    Attributes:
        plan: the stage.
    """

    plan: StagePlan

    def frame(self, batches: DataFrame) -> DataFrame:
        """The head of each batch and the parents that its rows may take, as rows of ``frames.batch_frame``.

        Args:
            batches: (block, slice, batch_rows, offset).
        """
        dealt = self.plan.stage.keys.dealt
        if not dealt:
            return batches.select(*frames.BATCH, F.lit(frames.HEAD).alias("kind"), "offset")
        keys = tuple(self._key(i, fk) for i, fk in enumerate(dealt))
        dealer = Dealer(keys, self.plan.patterns)
        shares = batches.select(*frames.BATCH, "batch_rows", "offset").mapInPandas(dealer, frames.SHARES)
        parents: DataFrame | None = None
        for i, fk in enumerate(dealt):
            if keys[i].expanded and fk.role != "late":
                known = self._ranked(fk).withColumn("kind", F.lit(i + 1))
                parents = known if parents is None else parents.unionByName(known, allowMissingColumns=True)
        if parents is not None:
            shares = shares.join(parents, ["kind", "who"], "left")
        for frame in self._assigned(keys, batches, shares).values():
            shares = shares.unionByName(frame, allowMissingColumns=True)
        return shares

    def _key(self, index: int, fk: ForeignKeyPlan) -> AssignedKey:
        plan = self.plan
        wanted, parents = plan.patterns.set_before(index, plan.total), plan.count(fk)
        law, leaves = plan.conditional.get(fk.position, (None, ()))
        known = fk.distribution if law is None else law.to_dict()
        expanded = not fk.grouped and fk.role != "following"
        return AssignedKey(known, parents, wanted, plan.stage.salt(fk), expanded, leaves, fk.once)

    def _assigned(self, keys: tuple[AssignedKey, ...], batches: DataFrame, drawn: DataFrame) -> dict[int, DataFrame]:
        """Parents of keys with groups or buckets, turn by turn: {position: rows per batch, or per row of the table}."""
        made: dict[int, DataFrame] = {}
        for i, fk in enumerate(self.plan.stage.keys.dealt):
            if keys[i].expanded:
                made[fk.position] = drawn.where(F.col("kind") == i + 1)
                continue
            if fk.role == "following":
                continue
            taken = self._cells(i, fk, batches, made) if fk.bucket is None else self._members(i, fk, made)
            if fk.free:
                anchor = next((n for n, k in enumerate(self.plan.stage.keys.dealt) if k.position == fk.anchor), None)
                strays = batches.mapInPandas(Strays(i, anchor, self.plan.patterns), frames.FREE)
                everyone = strays.withColumn("k", F.lit(self.plan.count(fk)).cast("long"))
                taken = taken.unionByName(self._taken(i, fk, everyone))
            made[fk.position] = taken.join(self._candidates(fk), ["g", "who"], "inner")
        return {p: frame for p, frame in made.items() if not keys[self._index(p)].expanded}

    def _index(self, position: int) -> int:
        return next(i for i, fk in enumerate(self.plan.stage.keys.dealt) if fk.position == position)

    def _cells(self, index: int, fk: ForeignKeyPlan, batches: DataFrame, made: dict[int, DataFrame]) -> DataFrame:
        """Candidates for the rows of each batch that lie in a group: what its families, or the anchor's, agree in."""
        group, families = F.col(frames.group(fk.position)).alias("g"), self.plan.families
        if families is not None and fk.anchor == families.fk.position:
            rows = families.sliced.select(*frames.BATCH, group, F.col("rows").alias("n"))
        else:
            assert fk.anchor is not None
            rows = made[fk.anchor].select(*frames.BATCH, group, F.col("copies").alias("n"))
        cells = rows.where("g is not null").groupBy(*frames.BATCH, "g").agg(F.sum("n").alias("size"))
        return self._taken(index, fk, cells.join(self.plan.stage.groups(fk), "g", "inner"))

    def _taken(self, index: int, fk: ForeignKeyPlan, cells: DataFrame) -> DataFrame:
        """What cells (block, slice, g, size, k) take of their groups."""
        named = cells.select(
            F.concat_ws("/", *frames.BATCH).alias("bucket"), "g", "k", "size", F.lit(0).cast("long").alias("m")
        )
        lines = lined_up(named, Demand(fk.fan_out, self.plan.stage.salt(fk), False), self.plan.total)
        place = F.split("bucket", "/")
        cut = lines.withColumns({n: F.element_at(place, i + 1).cast("long") for i, n in enumerate(frames.BATCH)}).drop(
            "bucket"
        )
        return cut.mapInPandas(Copies(index + 1), frames.PARENTS)

    def _members(self, index: int, fk: ForeignKeyPlan, made: dict[int, DataFrame]) -> DataFrame:
        """A candidate for each row of the table, so that no bucket takes one more often than it may."""
        stage, families = self.plan.stage, self._families(fk)
        members = families if not fk.within else self._within(fk, families, made)
        if fk.anchor is None:
            members = members.withColumn("k", F.lit(self.plan.count(fk)).cast("long"))
        else:
            members = members.where("g is not null").join(stage.groups(fk), "g", "inner")
        repeats = F.lit(self.plan.candidates.repeats[fk.position]).cast("long").alias("m")
        buckets = members.groupBy("bucket", "g", "k").agg(F.max("size").alias("size")).withColumn("m", repeats)
        lines = lined_up(buckets, Demand(fk.fan_out, stage.salt(fk), True), self.plan.total)
        whole = members.drop("g", "k", "size").join(lines, "bucket", "inner")
        return whole.mapInPandas(Members(index + 1, FAMILY_SLICE), frames.PARENTS)

    def _families(self, fk: ForeignKeyPlan) -> DataFrame:
        """Families as members of buckets of a key: (block, slices, rank, at, total, rows, bucket, begin, size, g)."""
        shared, driven = frames.bucket(fk.position), self.plan.families
        assert isinstance(driven, Families)
        families = driven.placed
        own = {"bucket": F.col("rank").cast("string"), "begin": F.lit(0).cast("long"), "size": F.col("total")}
        if self.plan.stage.shares_bucket(fk):
            families = driven.counted(families, shared, "begin")
            own = {"bucket": F.col(shared), "begin": F.col("begin"), "size": F.col("begin_all")}
        known = fk.anchor is not None and frames.group(fk.position) in families.columns
        group = F.col(frames.group(fk.position)) if known else F.lit(ANYBODY if fk.anchor is not None else "=")
        return families.select(
            *("block", "slices", "rank", "total"),
            F.lit(0).cast("long").alias("at"),
            F.col("total").alias("rows"),
            *(column.alias(name) for name, column in own.items()),
            group.alias("g"),
        )

    def _within(self, fk: ForeignKeyPlan, families: DataFrame, made: dict[int, DataFrame]) -> DataFrame:
        """Single rows as members of buckets that earlier keys' parents define, too."""
        whole = families.select("block", "slices", "rank", "total", F.col("bucket").alias("base"), "g")
        row = ["rank", "at"]
        joined: DataFrame | None = None
        for n, position in enumerate(fk.within):
            group = [F.col(frames.group(fk.position)).alias("own")] if fk.anchor == position else []
            rows = made[position].select(*row, F.concat_ws("/", "g", "who").alias(f"w{n}"), *group)
            joined = rows if joined is None else joined.join(rows, row, "inner")
        assert joined is not None
        members = joined.join(whole, "rank", "inner")
        if fk.anchor in fk.within:
            members = members.withColumn("g", F.col("own"))
        parts = [F.col("base"), *(F.col(f"w{n}") for n in range(len(fk.within)))]
        bucket = Window.partitionBy("bucket")
        counted = members.withColumn("bucket", group_text(parts)).withColumns(
            {"begin": F.row_number().over(bucket.orderBy(*row)).cast("long") - 1, "size": F.count("*").over(bucket)}
        )
        return counted.select(
            *("block", "slices", "rank", "total", "at"),
            F.lit(1).cast("long").alias("rows"),
            "bucket",
            "begin",
            "size",
            "g",
        )

    def _ranked(self, fk: ForeignKeyPlan) -> DataFrame:
        """Parents with their place on the distribution (``who``), key, context and groups of keys that must agree."""
        stage, count = self.plan.stage, self.plan.count(fk)
        keys = [frames.referenced(i) for i in range(len(fk.columns))]
        rows = self._rows(fk)
        rows = rows.withColumn("pblock", F.pmod(F.xxhash64(*keys), F.lit(max(1, math.ceil(count / PARENT_BLOCK)))))
        law, leaves = self.plan.conditional.get(fk.position, (None, ()))
        by, place = ["pblock"], _place(F.col("rank"), count, stage.salt(fk))
        if law is not None and law.leaves is not None:
            by, place = [LEAF, "pblock"], _place_in(leaves, stage.salt(fk))
            rows = rows.withColumn(LEAF, leaf(stage.plan.context, fk, law.leaves))
        placed = running(rows, by, [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        placed = stage.ancestors.with_higher(placed, fk)
        return placed.select(place.alias("who"), *self._shown(fk))

    def _rows(self, fk: ForeignKeyPlan) -> DataFrame:
        """The parents behind a key, with their group (``g``) and those of the keys that must agree with them."""
        stage, kinds = self.plan.stage, self.plan.stage.types(fk)
        extra, groups = [*(q for _, q in fk.tie), *fk.part_of], {"g": len(fk.tie), "part": len(fk.part_of)}
        for other in stage.keys.anchored(fk):
            extra += [p for p, _ in other.tie]
            groups[frames.group(other.position)] = len(other.tie)
        rows, first = stage.ancestors.own_rows(fk, extra=extra), 0
        for name, width in groups.items():
            places = range(first, first + width)
            text = group_text([F.col(frames.extra(n)) for n in places], [kinds.get(extra[n], "string") for n in places])
            rows, first = rows.withColumn(name, text), first + width
        if fk.part_of:
            rows = one_each(rows, F.concat("g", "part"))
        return rows.drop("part", *(frames.extra(n) for n in range(len(extra))))

    def _shown(self, fk: ForeignKeyPlan) -> list[Column]:
        """What batches see of a parent: its key, its context and the groups of the keys that agree with it."""
        stage = self.plan.stage
        return [
            *(F.col(frames.referenced(i)).alias(frames.key(fk.position, i)) for i in range(len(fk.columns))),
            *(F.col(frames.group(k.position)) for k in stage.keys.anchored(fk)),
            *(F.col(frames.context(i)) for i in stage.plan.context.behind(fk.position)),
            F.lit(1).alias("met"),
        ]

    def _candidates(self, fk: ForeignKeyPlan) -> DataFrame:
        """Candidates by group and rank; once more in the group of all, where some rows may take anybody."""
        keys = [frames.referenced(i) for i in range(len(fk.columns))]
        rows = self._rows(fk)
        known, _ = ranked(rows, keys)
        if fk.free:
            known = known.unionByName(ranked(rows.withColumn("g", F.lit(ANYBODY)), keys)[0])
        known = self.plan.stage.ancestors.with_higher(known, fk)
        return known.select("g", "who", *self._shown(fk))


def _place_in(leaf_sizes: Sequence[int], salt: int) -> Column:
    """``_place`` within the leaf of each row: its places come after those of the leaves before."""
    ends = np.cumsum(leaf_sizes).tolist()
    places = [
        _place(F.col("rank") - (end - n), max(n, 1), salt) + (end - n) for n, end in zip(leaf_sizes, ends, strict=True)
    ]
    return F.element_at(F.array(*places), F.col(LEAF) + 1)


def _place(rank: Column, parents: int, salt: int) -> Column:
    """``scatter`` of ranks, in SQL."""
    kind = "long" if parents < LONGEST else "decimal(19,0)"  # in which the product stays exact
    count, step, first = (F.lit(n).cast(kind) for n in (parents, stride(parents), salt % parents))
    return F.pmod(rank.cast(kind) * step + first, count).cast("long")
