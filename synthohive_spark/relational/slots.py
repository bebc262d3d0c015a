"""Slots: the places for children below the parents that do not drive, dealt to the units of the child table.

Degrees follow the law of each key. The demand of all units is one line of positions; parents cover stretches of it by
their degrees, a bijection scatters the positions, so that the copies of a parent are spread evenly over the units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from synthohive_spark.randomness import seed_of, stride
from synthohive_spark.relational.context import ancestors, context_of, degree_of
from synthohive_spark.relational.counting import Counter, Series, running
from synthohive_spark.relational.keyformat import KeyFormat
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import ForeignKeyPlan

if TYPE_CHECKING:
    from synthohive_spark.relational.skeleton import Skeleton

PARENT_BLOCK = 65_536  # parents whose prefix sums are made together
BIN = 8_192  # positions that are matched with units together
UNIT = ("block", "slice")


@dataclass(frozen=True)
class Slots:
    """Slots of one dealt key.

    Attributes:
        skeleton: the stage.
        fk: the key.
        index: its place among the dealt keys.
    """

    skeleton: Skeleton
    fk: ForeignKeyPlan
    index: int

    def frame(self, units: DataFrame) -> DataFrame | None:
        """Slots in their units: (block, slice, rank, f*, c*); for a bound key its candidates, with weight and t*."""
        parents = self._parents()
        if self.fk.role == "bound":
            return self._candidates(parents, units)
        found = units.agg(F.sum(f"need{self.index}").alias("n")).first()
        wanted = int(found["n"] or 0) if found is not None else 0
        if not wanted:
            return None
        placed = self._placed(parents, wanted)
        low = F.col(f"first{self.index}")
        spans = units.select(*UNIT, low.alias("low"), (low + F.col(f"need{self.index}")).alias("high"))
        bins = F.sequence(_div(F.col("low"), BIN), _div(F.col("high") - 1, BIN))
        spans = spans.where("high > low").withColumn("bin", F.explode(bins))
        matched = placed.withColumn("bin", _div(F.col("rank"), BIN)).join(spans, "bin")
        inside = matched.where((F.col("rank") >= F.col("low")) & (F.col("rank") < F.col("high")))
        return inside.select(*UNIT, "rank", "who", *self._carried(parents))

    def _parents(self) -> DataFrame:
        """Parents with their key, context and, for a bound key, the tie."""
        s, fk = self.skeleton, self.fk
        if fk.role == "late":
            return self._by_position()
        return ancestors(s.plan, fk, context_of(s.plan, fk.position), s.read, s.plans, [q for _, q in fk.tie])

    def _by_position(self) -> DataFrame:
        """Keys of parents that are not made yet: the format of their key at each position."""
        s, fk = self.skeleton, self.fk
        assert fk.target is not None
        rows, form, salt = s.sizes[fk.references], fk.target, seed_of(s.seed, fk.references, "key")
        return s.spark.range(rows).select(_key_at(form, rows, salt).alias("__k0"))

    def _weighed(self, parents: DataFrame) -> tuple[DataFrame, int]:
        """Parents with rank and weight (children by the law), and the sum of weights."""
        s, fk = self.skeleton, self.fk
        keys = [f"__k{i}" for i in range(len(fk.columns))]
        count = s.sizes[fk.references]
        block = F.pmod(F.xxhash64(*keys), F.lit(max(1, math.ceil(count / PARENT_BLOCK))))
        ranked = running(parents.withColumn("pblock", block), ["pblock"], [F.xxhash64(*keys), *keys], F.lit(1), "rank")
        capacity = LinkageModel.from_dict(fk.law).total(count)
        law = Counter(fk.law, count, seed_of(s.seed, s.plan.table, fk.position) % 2**31)
        weight = law("rank") if capacity else F.lit(1).cast("long")
        return ranked.withColumn("weight", weight), capacity or count

    def _placed(self, parents: DataFrame, wanted: int) -> DataFrame:
        """One row per slot; ``rank`` is its position in the demand of ``wanted`` rows."""
        weighed, capacity = self._weighed(parents)
        weighed = running(weighed, ["pblock"], ["rank"], F.col("weight"), "before")
        first = _share(F.col("before"), wanted, capacity)
        last = _share(F.col("before") + F.col("weight"), wanted, capacity)
        copies = weighed.withColumn("first", first).withColumn("last", last).where("last > first")
        copies = copies.withColumn("who", F.col("rank")).withColumn(
            "copy", F.explode(F.sequence("first", F.col("last") - 1))
        )
        salt = seed_of(self.skeleton.seed, self.skeleton.plan.table, self.fk.position, "slots") % wanted
        return copies.withColumn("rank", F.pmod(F.col("copy") * stride(wanted) + salt, F.lit(wanted)))

    def _candidates(self, parents: DataFrame, units: DataFrame) -> DataFrame:
        """Each parent once per unit whose rows may agree with it."""
        weighed, _ = self._weighed(parents)
        ties = [f"__t{i}" for i in range(len(self.fk.tie))]
        placed = weighed.withColumn("tie_block", self.skeleton.block_of(ties))
        joined = placed.join(units.select(*UNIT, "tie_block"), "tie_block")
        tied = [F.col(t).alias(f"t{i}") for i, t in enumerate(ties)]
        known = [F.col("rank"), F.col("rank").alias("who"), F.col("weight").alias("total")]
        return joined.select(*UNIT, *known, *tied, *self._carried(parents))

    def _carried(self, parents: DataFrame) -> list[Column]:
        keys = [F.col(f"__k{i}").alias(f"f{self.fk.position}_{i}") for i in range(len(self.fk.columns))]
        degree = degree_of(self.skeleton.plan, self.fk.position)
        context = [F.col(c) for c in parents.columns if not c.startswith("__")]
        return [*keys, *context, *([F.col("weight").alias(degree)] if degree else [])]


def _key_at(form: KeyFormat, rows: int, salt: int) -> Column:
    number = F.lit(form.start) + F.col("id") * form.step
    if form.kind == "integer":
        return number
    if form.kind == "date":
        return F.date_from_unix_date(number.cast("int"))
    if form.kind == "timestamp":
        return F.timestamp_micros(number)
    state = form.model_dump()

    def key(index: Series) -> Series:
        return KeyFormat.model_validate(state).values(index.to_numpy("int64"), rows, salt)

    make: Any = pandas_udf  # its overloads know no subscripted series
    made: Column = make(key, "string")(F.col("id"))
    return made


def _share(part: Column, wanted: int, capacity: int) -> Column:
    """floor(part * wanted / capacity) in exact decimals."""
    if capacity == wanted:
        return part
    product = part.cast("decimal(18,0)") * F.lit(wanted).cast("decimal(18,0)")
    return F.floor(product / F.lit(capacity).cast("decimal(18,0)")).cast("long")


def _div(column: Column, by: int) -> Column:
    return F.floor(column / by).cast("long")
