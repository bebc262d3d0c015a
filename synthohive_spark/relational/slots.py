"""Slots: the places for children below the parents that do not drive, dealt to the units of the child table.

Degrees follow the law of each key. The demand of all units is one line of positions; a bijection scatters it over the
law of children per parent, so that every unit gets parents from all over the law. A unit works out by itself which
parents it gets and how often, from its first position and its length; only then are their rows joined to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.randomness import scatter, seed_of, stride
from synthohive_spark.relational.context import context_of, parent_rows, with_ancestors
from synthohive_spark.relational.counting import Counter, Patterns, running
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import ForeignKeyPlan

if TYPE_CHECKING:
    from synthohive_spark.relational.skeleton import Skeleton

PARENT_BLOCK = 65_536  # parents whose prefix sums are made together
UNIT = ("block", "slice")
HEAD = -1  # the kind of the row that says how many rows come before a unit
SHARES = "block long, slice long, kind int, who long, copies long, degree long, offset long"


@dataclass(frozen=True)
class Key:
    """One dealt key as the units see it.

    Attributes:
        law: a ``LinkageModel.to_dict``.
        parents: parents in all.
        wanted: rows of the whole table that have the key set.
        seed: scatters the demand over the law.
        expanded: its parents are dealt; those of a bound key are chosen among candidates instead.
    """

    law: dict[str, Any]
    parents: int
    wanted: int
    seed: int
    expanded: bool


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


def _head(units: pd.DataFrame) -> pd.DataFrame:
    return units[[*UNIT, "offset"]].assign(kind=HEAD, who=0, copies=0, degree=0)


def _shares(key: Key, first: int, last: int) -> pd.DataFrame:
    law = LinkageModel.from_dict(key.law)
    child = scatter(np.arange(first, last, dtype=np.int64), key.wanted, key.seed)
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
            units: (block, slice, unit_rows, offset, tie_block).
        """
        dealt = self.skeleton.plan.dealt
        if not dealt:
            return units.select(*UNIT, F.lit(HEAD).alias("kind"), "offset")
        keys = tuple(self._key(i, fk) for i, fk in enumerate(dealt))
        shares = units.select(*UNIT, "unit_rows", "offset").mapInPandas(Dealer(keys, self.skeleton.patterns), SHARES)
        parents: DataFrame | None = None
        for i, fk in enumerate(dealt):
            if fk.role == "drawn":
                known = self._ranked(fk).withColumn("kind", F.lit(i + 1))
                parents = known if parents is None else parents.unionByName(known, allowMissingColumns=True)
        if parents is not None:
            shares = shares.join(parents, ["kind", "who"], "left")
        for i, fk in enumerate(dealt):
            if fk.role == "bound":
                candidates = self._candidates(fk, units).withColumn("kind", F.lit(i + 1))
                shares = shares.unionByName(candidates, allowMissingColumns=True)
        return shares

    def _key(self, index: int, fk: ForeignKeyPlan) -> Key:
        s = self.skeleton
        wanted = s.patterns.set_before(index, s.total)
        return Key(fk.law, s.sizes[fk.references], wanted, _seed(s, fk), fk.role != "bound")

    def _ranked(self, fk: ForeignKeyPlan) -> DataFrame:
        """Parents with their place on the law (``who``), key, context and, for a bound key, the tie."""
        s, count = self.skeleton, self.skeleton.sizes[fk.references]
        wanted = context_of(s.plan, fk.position)
        keys = [f"__k{i}" for i in range(len(fk.columns))]
        rows = parent_rows(s.plan, fk, wanted, s.read, s.plans, [q for _, q in fk.tie])
        rows = rows.withColumn("pblock", F.pmod(F.xxhash64(*keys), F.lit(max(1, math.ceil(count / PARENT_BLOCK)))))
        ranked = running(rows, ["pblock"], [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        ranked = with_ancestors(ranked, s.plan, fk, wanted, s.read, s.plans)
        return ranked.select(
            _place(F.col("rank"), count, _seed(s, fk)).alias("who"),
            *(F.col(k).alias(f"f{fk.position}_{i}") for i, k in enumerate(keys)),
            *(F.col(f"__t{i}").alias(f"t{i}") for i in range(len(fk.tie))),
            *(F.col(c) for c in ranked.columns if c.startswith("c")),
            F.lit(1).alias("met"),
        )

    def _candidates(self, fk: ForeignKeyPlan, units: DataFrame) -> DataFrame:
        """Each parent once per unit whose rows may agree with it."""
        s, ties = self.skeleton, [f"t{i}" for i in range(len(fk.tie))]
        law = Counter(fk.law, s.sizes[fk.references], _seed(s, fk))
        placed = self._ranked(fk).withColumn("tie_block", s.block_of(ties)).withColumn("degree", law("who"))
        return placed.join(units.select(*UNIT, "tie_block"), "tie_block").drop("tie_block")


def _seed(skeleton: Skeleton, fk: ForeignKeyPlan) -> int:
    return seed_of(skeleton.seed, skeleton.plan.table, fk.position) % 2**31


def _place(rank: Column, parents: int, salt: int) -> Column:
    """``scatter`` of ranks, in SQL."""
    return F.pmod(rank * stride(parents) + salt % parents, F.lit(parents))
