"""Slots: the places for children below the parents that do not drive, dealt to the units of the child table.

Degrees follow the law of each key. The demand of all units is one line of positions; a bijection scatters it over the
law of children per parent, so that every unit gets parents from all over the law. A unit works out by itself which
parents it gets and how often, from its first position and its length; only then are their rows joined to it. Keys that
have to agree with others have such a line per group and class of candidates (``assignment.py``); where rows of a bucket
need different parents, each row of the table is told its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.randomness import scatter, stride
from synthohive_spark.relational.context import context_of, parent_rows, with_ancestors
from synthohive_spark.relational.counting import Patterns, running
from synthohive_spark.relational.groups import (
    ANYBODY,
    CHILDREN,
    Copies,
    Demand,
    Members,
    group_text,
    lined_up,
    one_each,
    ranked,
)
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import ForeignKeyPlan
from synthohive_spark.relational.strata import count_strata, stratum
from synthohive_spark.worker import forget_archives

if TYPE_CHECKING:
    from synthohive_spark.relational.skeleton import Skeleton

FAMILY_SLICE = 10_000  # rows after which a family is cut
PARENT_BLOCK = 65_536  # parents whose prefix sums are made together
UNIT = ("block", "slice")
HEAD = -1  # the kind of the row that says how many rows come before a unit
SHARES = "block long, slice long, kind int, who long, copies long, degree long, offset long"
FREE = "block long, slice long, g string, size long"


@dataclass(frozen=True)
class Key:
    """One dealt key as the units see it.

    Attributes:
        law: a ``LinkageModel.to_dict``.
        parents: parents in all.
        wanted: rows of the whole table that have the key set.
        seed: scatters the demand over the law.
        expanded: units work out its parents by themselves; those of groups and buckets are found in Spark.
        strata: parents in each leaf of a conditional law, by which they have their places; () for other laws.
        once: no parent is dealt twice; where parents run out, rows go without.
    """

    law: dict[str, Any]
    parents: int
    wanted: int
    seed: int
    expanded: bool
    strata: tuple[int, ...] = ()
    once: bool = False


@dataclass(frozen=True)
class Dealer:
    """What the Python workers run, as the function of ``mapInPandas``: units in, the parents of each unit out.

    Attributes:
        keys: the dealt keys, in the plan's order.
        patterns: which of the keys are set on which rows.
    """

    keys: tuple[Key, ...]
    patterns: Patterns

    def __call__(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """For each unit a head with its offset, and one row per parent that it gets: its place and its copies."""
        forget_archives()
        for units in frames:
            yield pd.concat([_head(units), *(s for row in units.itertuples() for s in self.shares(row))])

    def shares(self, unit: Any) -> Iterator[pd.DataFrame]:
        """The parents that one unit gets, key by key."""
        for i, key in enumerate(self.keys):
            if key.expanded:
                first = self.patterns.set_before(i, unit.offset)
                last = self.patterns.set_before(i, unit.offset + unit.unit_rows)
                if last > first:
                    yield _shares(key, first, last).assign(block=unit.block, slice=unit.slice, kind=i + 1, offset=0)


@dataclass(frozen=True)
class Strays:
    """Rows of units that have a key without its anchor, as the function of ``mapInPandas``: units in, FREE rows out.

    Attributes:
        key: the key's place among the dealt ones.
        anchor: likewise that of its anchor; None where the driving key is.
        patterns: which of the keys are set on which rows.
    """

    key: int
    anchor: int | None
    patterns: Patterns

    def __call__(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Units with such rows, and how many."""
        forget_archives()
        for units in frames:
            counts = np.array([self._strays(row) for row in units.itertuples()], np.int64)
            yield units[[*UNIT]].assign(g=ANYBODY, size=counts)[counts > 0]

    def _strays(self, unit: Any) -> int:
        alone = unit.offset >= self.patterns.first_free
        index = unit.offset + np.arange(unit.unit_rows, dtype=np.int64)
        which = self.patterns.which(index, alone)
        there = self.patterns.are_set(self.key, which, alone)
        if self.anchor is not None:
            there &= ~self.patterns.are_set(self.anchor, which, alone)
        return int(there.sum()) if alone or self.anchor is not None else 0


def _head(units: pd.DataFrame) -> pd.DataFrame:
    return units[[*UNIT, "offset"]].assign(kind=HEAD, who=0, copies=0, degree=0)


def _shares(key: Key, first: int, last: int) -> pd.DataFrame:
    law = LinkageModel.from_dict(key.law)
    child = scatter(np.arange(first, last, dtype=np.int64), key.wanted, key.seed)
    if key.once:
        who = np.sort(child[child < key.parents])
        return pd.DataFrame({"who": who, "copies": 1, "degree": 1})
    if law.leaves is not None:
        who, copies = np.unique(law.leaves.owner(child, key.strata, key.wanted), return_counts=True)
        return pd.DataFrame({"who": who, "copies": copies, "degree": law.leaves.at(who, key.strata, key.wanted)})
    who, copies = np.unique(law.owner(child, key.parents, key.wanted), return_counts=True)
    return pd.DataFrame({"who": who, "copies": copies, "degree": law.at(who, key.parents)})


@dataclass(frozen=True)
class Slots:
    """Slots of one stage.

    Attributes:
        skeleton: the stage.
    """

    skeleton: Skeleton

    def frame(self, units: DataFrame) -> DataFrame:
        """The head of each unit and the parents that its rows may take, with their keys (f*) and context (c*).

        Args:
            units: (block, slice, unit_rows, offset).
        """
        dealt = self.skeleton.plan.dealt
        if not dealt:
            return units.select(*UNIT, F.lit(HEAD).alias("kind"), "offset")
        keys = tuple(self._key(i, fk) for i, fk in enumerate(dealt))
        shares = units.select(*UNIT, "unit_rows", "offset").mapInPandas(Dealer(keys, self.skeleton.patterns), SHARES)
        parents: DataFrame | None = None
        for i, fk in enumerate(dealt):
            if keys[i].expanded and fk.role != "late":
                known = self._ranked(fk).withColumn("kind", F.lit(i + 1))
                parents = known if parents is None else parents.unionByName(known, allowMissingColumns=True)
        if parents is not None:
            shares = shares.join(parents, ["kind", "who"], "left")
        for frame in self._assigned(keys, units, shares).values():
            shares = shares.unionByName(frame, allowMissingColumns=True)
        return shares

    def _key(self, index: int, fk: ForeignKeyPlan) -> Key:
        s = self.skeleton
        wanted, parents = s.patterns.set_before(index, s.total), s.candidates(fk)
        law, strata = self._laws.get(fk.position, (None, ()))
        known = fk.law if law is None else law.to_dict()
        return Key(known, parents, wanted, s.salt(fk), not fk.grouped, strata, fk.once)

    @functools.cached_property
    def _laws(self) -> dict[int, tuple[LinkageModel, tuple[int, ...]]]:
        """The conditional laws of drawn keys, balanced over the parents that there are, and these by leaf."""
        s, laws = self.skeleton, {}
        for fk in s.plan.dealt:
            law = LinkageModel.from_dict(fk.law)
            if fk.role == "drawn" and fk.bucket is None and law.leaves is not None:
                rows = parent_rows(s.plan, fk, context_of(s.plan, fk.position), s.read, s.plans)
                strata = count_strata(rows, s.plan, fk, law.leaves)
                law.leaves = law.leaves.balanced(strata, law)
                laws[fk.position] = (law, strata)
        return laws

    def _assigned(self, keys: tuple[Key, ...], units: DataFrame, drawn: DataFrame) -> dict[int, DataFrame]:
        """Parents of keys with groups or buckets, turn by turn: {position: rows per unit, or per row of the table}."""
        made: dict[int, DataFrame] = {}
        for i, fk in enumerate(self.skeleton.plan.dealt):
            if keys[i].expanded:
                made[fk.position] = drawn.where(F.col("kind") == i + 1)
                continue
            taken = self._cells(i, fk, units, made) if fk.bucket is None else self._members(i, fk, made)
            if fk.free:
                anchor = next((n for n, k in enumerate(self.skeleton.plan.dealt) if k.position == fk.anchor), None)
                strays = units.mapInPandas(Strays(i, anchor, self.skeleton.patterns), FREE)
                everyone = strays.withColumn("k", F.lit(self.skeleton.candidates(fk)).cast("long"))
                taken = taken.unionByName(self._taken(i, fk, everyone))
            made[fk.position] = taken.join(self._candidates(fk), ["g", "who"], "inner")
        return {p: frame for p, frame in made.items() if not keys[self._index(p)].expanded}

    def _index(self, position: int) -> int:
        return next(i for i, fk in enumerate(self.skeleton.plan.dealt) if fk.position == position)

    def _cells(self, index: int, fk: ForeignKeyPlan, units: DataFrame, made: dict[int, DataFrame]) -> DataFrame:
        """Candidates for the rows of each unit that lie in a group: by what its families, or the anchor's, agree in."""
        s, group = self.skeleton, F.col(f"g{fk.position}").alias("g")
        driving = s.plan.driving
        if driving is not None and fk.anchor == driving.position:
            rows = s.sliced.select(*UNIT, group, F.col("rows").alias("n"))
        else:
            rows = made[fk.anchor if fk.anchor is not None else -1].select(*UNIT, group, F.col("copies").alias("n"))
        cells = rows.where("g is not null").groupBy(*UNIT, "g").agg(F.sum("n").alias("size"))
        return self._taken(index, fk, cells.join(s.groups(fk), "g", "inner"))

    def _taken(self, index: int, fk: ForeignKeyPlan, cells: DataFrame) -> DataFrame:
        """What cells (block, slice, g, size, k) take of their groups."""
        named = cells.select(
            F.concat_ws("/", *UNIT).alias("bucket"), "g", "k", "size", F.lit(0).cast("long").alias("m")
        )
        lines = lined_up(named, Demand(fk.fan_out, self.skeleton.salt(fk), False), self.skeleton.total)
        place = F.split("bucket", "/")
        cut = lines.withColumns({n: F.element_at(place, i + 1).cast("long") for i, n in enumerate(UNIT)}).drop("bucket")
        return cut.mapInPandas(Copies(index + 1), CHILDREN)

    def _members(self, index: int, fk: ForeignKeyPlan, made: dict[int, DataFrame]) -> DataFrame:
        """A candidate for each row of the table, so that no bucket takes one more often than it may."""
        s = self.skeleton
        families = self._families(fk)
        members = families if not fk.within else self._within(fk, families, made)
        if fk.anchor is None:
            members = members.withColumn("k", F.lit(s.candidates(fk)).cast("long"))
        else:
            members = members.where("g is not null").join(s.groups(fk), "g", "inner")
        repeats = F.lit(s.repeats(fk)).cast("long").alias("m")
        buckets = members.groupBy("bucket", "g", "k").agg(F.max("size").alias("size")).withColumn("m", repeats)
        lines = lined_up(buckets, Demand(fk.fan_out, s.salt(fk), True), s.total)
        whole = members.drop("g", "k", "size").join(lines, "bucket", "inner")
        return whole.mapInPandas(Members(index + 1, FAMILY_SLICE), CHILDREN)

    def _families(self, fk: ForeignKeyPlan) -> DataFrame:
        """Families as members of buckets of a key: (block, slices, rank, at, total, rows, bucket, begin, size, g)."""
        s, shared = self.skeleton, f"b{fk.position}"
        families = s.placed(s.families)
        own = {"bucket": F.col("rank").cast("string"), "begin": F.lit(0).cast("long"), "size": F.col("total")}
        if s.shares_bucket(fk):
            families = s.counted(families, shared, "begin")
            own = {"bucket": F.col(shared), "begin": F.col("begin"), "size": F.col("begin_all")}
        driven = fk.anchor is not None and f"g{fk.position}" in families.columns
        group = F.col(f"g{fk.position}") if driven else F.lit(ANYBODY if fk.anchor is not None else "=")
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
            group = [F.col(f"g{fk.position}").alias("own")] if fk.anchor == position else []
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
        """Parents with their place on the law (``who``), key, context and the groups of keys that must agree."""
        s, count = self.skeleton, self.skeleton.candidates(fk)
        wanted, keys = context_of(s.plan, fk.position), [f"__k{i}" for i in range(len(fk.columns))]
        rows = self._rows(fk)
        rows = rows.withColumn("pblock", F.pmod(F.xxhash64(*keys), F.lit(max(1, math.ceil(count / PARENT_BLOCK)))))
        law, strata = self._laws.get(fk.position, (None, ()))
        by, place = ["pblock"], _place(F.col("rank"), count, s.salt(fk))
        if law is not None and law.leaves is not None:
            by, place = ["stratum", "pblock"], _place_in(strata, s.salt(fk))
            rows = rows.withColumn("stratum", stratum(s.plan, fk, law.leaves))
        placed = running(rows, by, [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        placed = with_ancestors(placed, s.plan, fk, wanted, s.read, s.plans)
        return placed.select(place.alias("who"), *self._shown(fk, placed))

    def _rows(self, fk: ForeignKeyPlan) -> DataFrame:
        """The parents behind a key, with their group (``g``) and those of the keys that must agree with them."""
        s, kinds = self.skeleton, self.skeleton.plans[fk.references].types()
        extra, groups = [*(q for _, q in fk.tie), *fk.part_of], {"g": len(fk.tie), "part": len(fk.part_of)}
        for other in s.plan.anchored(fk):
            extra += [p for p, _ in other.tie]
            groups[f"g{other.position}"] = len(other.tie)
        rows, first = parent_rows(s.plan, fk, context_of(s.plan, fk.position), s.read, s.plans, extra), 0
        for name, width in groups.items():
            places = range(first, first + width)
            text = group_text([F.col(f"__t{n}") for n in places], [kinds[extra[n]] for n in places])
            rows, first = rows.withColumn(name, text), first + width
        if fk.part_of:
            rows = one_each(rows, F.concat("g", "part"))
        return rows.drop("part", *(f"__t{n}" for n in range(len(extra))))

    def _shown(self, fk: ForeignKeyPlan, rows: DataFrame) -> list[Column]:
        """What units see of a parent: its key (f*), context (c*) and the groups of the keys that agree with it (g*)."""
        return [
            *(F.col(f"__k{i}").alias(f"f{fk.position}_{i}") for i in range(len(fk.columns))),
            *(F.col(f"g{k.position}") for k in self.skeleton.plan.anchored(fk)),
            *(F.col(c) for c in rows.columns if c.startswith("c")),
            F.lit(1).alias("met"),
        ]

    def _candidates(self, fk: ForeignKeyPlan) -> DataFrame:
        """Candidates by group and rank; once more in the group of all, where some rows may take anybody."""
        s, keys = self.skeleton, [f"__k{i}" for i in range(len(fk.columns))]
        rows = self._rows(fk)
        known, _ = ranked(rows, keys)
        if fk.free:
            known = known.unionByName(ranked(rows.withColumn("g", F.lit(ANYBODY)), keys)[0])
        known = with_ancestors(known, s.plan, fk, context_of(s.plan, fk.position), s.read, s.plans)
        return known.select("g", "who", *self._shown(fk, known))


def _place_in(strata: Sequence[int], salt: int) -> Column:
    """``_place`` within the leaf of each row: its places come after those of the leaves before."""
    ends = np.cumsum(strata).tolist()
    places = [
        _place(F.col("rank") - (end - n), max(n, 1), salt) + (end - n) for n, end in zip(strata, ends, strict=True)
    ]
    return F.element_at(F.array(*places), F.col("stratum") + 1)


def _place(rank: Column, parents: int, salt: int) -> Column:
    """``scatter`` of ranks, in SQL."""
    return F.pmod(rank * stride(parents) + salt % parents, F.lit(parents))
