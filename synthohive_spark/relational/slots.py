"""Slots: the places for children below the parents that do not drive, dealt to the units of the child table.

Degrees follow the law of each key. The demand of all units is one line of positions; a bijection scatters it over the
law of children per parent, so that every unit gets parents from all over the law. A unit works out by itself which
parents it gets and how often, from its first position and its length; only then are their rows joined to it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.randomness import scatter, stride
from synthohive_spark.relational.context import context_of, parent_rows, with_ancestors
from synthohive_spark.relational.counting import Counter, Patterns, running
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import ForeignKeyPlan
from synthohive_spark.relational.strata import count_strata, stratum
from synthohive_spark.worker import forget_archives

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
        strata: parents in each leaf of a conditional law, by which they have their places; () for other laws.
    """

    law: dict[str, Any]
    parents: int
    wanted: int
    seed: int
    expanded: bool
    strata: tuple[int, ...] = ()


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


def _head(units: pd.DataFrame) -> pd.DataFrame:
    return units[[*UNIT, "offset"]].assign(kind=HEAD, who=0, copies=0, degree=0)


def _shares(key: Key, first: int, last: int) -> pd.DataFrame:
    law = LinkageModel.from_dict(key.law)
    child = scatter(np.arange(first, last, dtype=np.int64), key.wanted, key.seed)
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
        law, strata = self._laws.get(fk.position, (None, ()))
        known = fk.law if law is None else law.to_dict()
        return Key(known, s.sizes[fk.references], wanted, s.salt(fk), fk.role != "bound", strata)

    @functools.cached_property
    def _laws(self) -> dict[int, tuple[LinkageModel, tuple[int, ...]]]:
        """The conditional laws of drawn keys, balanced over the parents that there are, and these by leaf."""
        s, laws = self.skeleton, {}
        for fk in s.plan.dealt:
            law = LinkageModel.from_dict(fk.law)
            if fk.role == "drawn" and law.leaves is not None:
                rows = parent_rows(s.plan, fk, context_of(s.plan, fk.position), s.read, s.plans)
                strata = count_strata(rows, s.plan, fk, law.leaves)
                law.leaves = law.leaves.balanced(strata, law)
                laws[fk.position] = (law, strata)
        return laws

    def _ranked(self, fk: ForeignKeyPlan) -> DataFrame:
        """Parents with their place on the law (``who``), key, context and, for a bound key, the tie."""
        s, count = self.skeleton, self.skeleton.sizes[fk.references]
        wanted = context_of(s.plan, fk.position)
        keys = [f"__k{i}" for i in range(len(fk.columns))]
        rows = parent_rows(s.plan, fk, wanted, s.read, s.plans, [q for _, q in fk.tie])
        rows = rows.withColumn("pblock", F.pmod(F.xxhash64(*keys), F.lit(max(1, math.ceil(count / PARENT_BLOCK)))))
        law, strata = self._laws.get(fk.position, (None, ()))
        by, place = ["pblock"], _place(F.col("rank"), count, s.salt(fk))
        if law is not None and law.leaves is not None:
            by, place = ["stratum", "pblock"], _place_in(strata, s.salt(fk))
            rows = rows.withColumn("stratum", stratum(s.plan, fk, law.leaves))
        ranked = running(rows, by, [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        ranked = with_ancestors(ranked, s.plan, fk, wanted, s.read, s.plans)
        return ranked.select(
            place.alias("who"),
            *(F.col(k).alias(f"f{fk.position}_{i}") for i, k in enumerate(keys)),
            *(F.col(f"__t{i}").alias(f"t{i}") for i in range(len(fk.tie))),
            *(F.col(c) for c in ranked.columns if c.startswith("c")),
            F.lit(1).alias("met"),
        )

    def _candidates(self, fk: ForeignKeyPlan, units: DataFrame) -> DataFrame:
        """Each parent once per unit whose rows may agree with it."""
        s, ties = self.skeleton, [f"t{i}" for i in range(len(fk.tie))]
        law = Counter(fk.law, s.sizes[fk.references], s.salt(fk))
        placed = self._ranked(fk).withColumn("tie_block", s.block_of(ties)).withColumn("degree", law("who"))
        return placed.join(units.select(*UNIT, "tie_block"), "tie_block").drop("tie_block")


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
