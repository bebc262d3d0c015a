"""Groups of candidates and what buckets of rows take of them, in Spark: ranks, demands and prefix sums within groups.

Nothing here needs a group in one task: ranks and sums are made in two levels, blocks of a group side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.counts.fan_out import FanOut, walk
from synthohive_spark.randomness import Ints, uniform
from synthohive_spark.schema import frames
from synthohive_spark.worker import forget_archives

BLOCK = 65_536  # rows that are ranked or summed in one piece
RUN = 4096  # buckets of a group that are rounded one after the other; each run is off by a row a class at most
ANYBODY = "*"  # the group of rows that may take any candidate


def running_within(
    frame: DataFrame, group: list[str], order: list[Column | str], value: Column, name: str
) -> DataFrame:
    """Add the sum of ``value`` over the rows before each row of its group, and over its whole group (``name_all``).

    Args:
        frame: with a column ``piece``: which block of its group a row is in.
        group: columns that name groups; none of them null.
        order: of the rows of a block.
        value: what is summed.
        name: of the sum.
    """
    sums = frame.groupBy(*group, "piece").agg(F.sum(value).alias("__sum"))
    before = Window.partitionBy(*group).orderBy("piece").rowsBetween(Window.unboundedPreceding, -1)
    bases = sums.select(
        *group,
        "piece",
        F.coalesce(F.sum("__sum").over(before), F.lit(0)).alias("__base"),
        F.sum("__sum").over(Window.partitionBy(*group)).alias(f"{name}_all"),
    )
    inside = Window.partitionBy(*group, "piece").orderBy(*order).rowsBetween(Window.unboundedPreceding, -1)
    total = F.col("__base") + F.coalesce(F.sum(value).over(inside), F.lit(0))
    return frame.join(bases, [*group, "piece"]).withColumn(name, total).drop("__base", "piece")


def pieces(place: Column, rows: Column) -> Column:
    """The block of a row of a group that has so many rows; ``place`` is a hash of the row."""
    return F.pmod(place, F.greatest(F.ceil(rows / BLOCK), F.lit(1)))


def ranked(rows: DataFrame, keys: list[str]) -> tuple[DataFrame, DataFrame]:
    """Candidates with their rank in their group (``who``), and the groups with their number of candidates (``k``).

    Args:
        rows: with ``g``; rows without a group are left out.
        keys: columns that tell candidates apart.
    """
    known = rows.where("g is not null")
    groups = known.groupBy("g").agg(F.count("*").alias("k"))
    placed = known.join(groups, "g").withColumn("piece", pieces(F.xxhash64(*keys), F.col("k"))).drop("k")
    return running_within(placed, ["g"], [F.xxhash64(*keys), *keys], F.lit(1), "who").drop("who_all"), groups


def one_each(parents: DataFrame, part: Column) -> DataFrame:
    """One of the parents that agree in a part of what they are referred to by."""
    keys = [c for c in parents.columns if c.startswith(frames.REFERENCED)]
    named = parents.withColumn("__part", part)
    first = named.groupBy("__part").agg(F.min(F.struct(F.xxhash64(*keys), *keys)).alias("__first")).drop("__part")
    chosen = first.select(*(F.col(f"__first.{k}").alias(f"__first_{k}") for k in keys))
    return parents.join(chosen, [F.col(k) == F.col(f"__first_{k}") for k in keys], "leftsemi")


@dataclass(frozen=True)
class Demand:
    """What buckets ask of the classes of their group, as the function of ``applyInPandas``: ``frames.DEMAND`` rows.

    Attributes:
        fan_out: the classes.
        seed: rounds and places.
        repeats: a bucket takes a candidate at most ``m`` times, a column of its; else any number of times.
    """

    fan_out: FanOut
    seed: int
    repeats: bool

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Buckets of a stretch (bucket, g, k candidates, size, m, hashes of the names) in.

        The buckets of a group are rounded together, ``RUN`` at a time. One row comes out per class that is asked.
        """
        forget_archives()
        frame = frame.sort_values(["g", "in_bucket", "bucket"], ignore_index=True)
        nth = frame.groupby("g", sort=False).cumcount().to_numpy(np.int64)
        run = np.cumsum(nth % RUN == 0)
        held, rows = frame["k"].to_numpy(np.int64), frame["size"].to_numpy(np.int64)
        bounds = self.fan_out.bounds(held, uniform(frame["in_group"].to_numpy(np.int64), self.seed))
        repeats = frame["m"].to_numpy(np.int64) if self.repeats else None
        if repeats is not None:
            rows = np.minimum(rows, held * repeats)
        luck = uniform(frame["in_bucket"].to_numpy(np.int64), self.seed)
        parts = self.fan_out.split(rows, bounds, luck, run, repeats)
        at, cls = np.nonzero(parts)
        return pd.DataFrame(
            {
                "bucket": frame["bucket"].to_numpy()[at],
                "g": frame["g"].to_numpy()[at],
                "class": cls.astype(np.int64),
                "start": (np.cumsum(parts, axis=1) - parts)[at, cls],
                "asked": parts[at, cls],
                "first": bounds[at, cls],
                "held": (bounds[:, 1:] - bounds[:, :-1])[at, cls],
            }
        )


def lined_up(buckets: DataFrame, demand: Demand, rows: int) -> DataFrame:
    """The demand of all buckets on each class of each group, as one line: where each begins (``before``), and its end.

    Args:
        buckets: (bucket, g, k, size, m).
        demand: the classes.
        rows: about how many rows all buckets have together.
    """

    def asked_of(frame: pd.DataFrame) -> pd.DataFrame:  # Spark looks at the number of arguments, self among them
        return demand(frame)

    hashed = buckets.withColumns({"in_group": F.xxhash64("g"), "in_bucket": F.xxhash64("bucket")})
    groups = hashed.groupBy("g").agg(F.count("*").alias("buckets"))
    stretch = pieces(F.col("in_bucket"), F.col("buckets")).alias("piece")
    some = F.pmod("in_group", F.lit(max(1, math.ceil(rows / BLOCK)))).alias("groups")
    asked = hashed.join(groups, "g").groupBy(stretch, some).applyInPandas(asked_of, frames.DEMAND)
    placed = asked.withColumn("piece", pieces(F.xxhash64("bucket"), F.lit(rows)))
    return running_within(placed, ["g", "class"], [F.xxhash64("bucket"), "bucket"], F.col("asked"), "before")


@dataclass(frozen=True)
class Members:
    """The candidate of each row of buckets, as the function of ``mapInPandas``: ``frames.PARENTS`` rows.

    Attributes:
        kind: of the rows.
        long: rows after which a family has a part in every slice of its block.
    """

    kind: int
    long: int

    def __call__(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Members of buckets with the stretch of demand that they meet in, one row per row of the table out."""
        forget_archives()
        for frame in frames:
            if len(frame):
                yield self._children(frame)

    def _children(self, frame: pd.DataFrame) -> pd.DataFrame:
        own = {c: frame[c].to_numpy(np.int64) for c in frame.columns if c not in ("bucket", "g")}
        low = np.maximum(own["begin"], own["start"])
        count = np.maximum(np.minimum(own["begin"] + own["rows"], own["start"] + own["asked"]) - low, 0)
        skipped = own["before"] + low - own["start"]
        owner, who = walk(own["first"], own["held"], skipped, count)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        at = (own["at"] + low - own["begin"])[owner] + nth
        return pd.DataFrame(
            {
                "block": own["block"][owner],
                "slice": slice_of(own["rank"][owner], at, own["total"][owner], own["slices"][owner], self.long),
                "kind": np.int32(self.kind),
                "rank": own["rank"][owner],
                "at": at,
                "g": frame["g"].to_numpy()[owner],
                "who": who,
                "copies": np.int64(1),
                "degree": np.rint(own["before_all"] / np.maximum(own["held"], 1)).astype(np.int64)[owner],
            }
        )


def slice_of(rank: Ints, at: Ints, total: Ints, slices: Ints, long: int) -> Ints:
    """The slice in which a row of a family lies: a long family has a part in each, another one lies in one of them."""
    part: Ints = np.where(total > long, ((at + 1) * slices - 1) // np.maximum(total, 1), rank % slices)
    return part


@dataclass(frozen=True)
class Copies:
    """How often the rows of a cell take which candidates, as the function of ``mapInPandas``.

    Attributes:
        kind: of the rows.
    """

    kind: int

    def __call__(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Demands of cells (block, slice) on classes in, one row per cell and candidate out."""
        forget_archives()
        for frame in frames:
            if not len(frame):
                continue
            own = {c: frame[c].to_numpy(np.int64) for c in frame.columns if c != "g"}
            wanted = np.minimum(own["asked"], own["held"])
            owner, who = walk(own["first"], own["held"], own["before"], wanted)
            nth = np.arange(len(owner)) - np.repeat(np.cumsum(wanted) - wanted, wanted)
            full, rest = own["asked"] // np.maximum(own["held"], 1), own["asked"] % np.maximum(own["held"], 1)
            full, rest = full[owner], np.where(full > 0, rest, own["asked"])[owner]
            copies = full + (nth < rest)
            yield pd.DataFrame(
                {
                    "block": own["block"][owner],
                    "slice": own["slice"][owner],
                    "kind": np.int32(self.kind),
                    "rank": np.int64(0),
                    "at": np.int64(0),
                    "g": frame["g"].to_numpy()[owner],
                    "who": who,
                    "copies": copies.astype(np.int64),
                    "degree": np.rint(own["before_all"] / np.maximum(own["held"], 1)).astype(np.int64)[owner],
                }
            )
