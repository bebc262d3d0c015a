"""Counting in Spark without a global order: prefix sums in two levels, laws of counts as UDFs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from synthohive_spark.randomness import Ints, scatter, scattered_below
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import NullPattern
from synthohive_spark.worker import forget_archives

if TYPE_CHECKING:
    Series: TypeAlias = pd.Series[Any]
else:
    Series = pd.Series  # Spark reads a UDF's kind from its hints, and pandas' own class takes no parameters at run time


def running(frame: DataFrame, blocks: list[str], order: list[Column | str], value: Column, name: str) -> DataFrame:
    """Add the sum of ``value`` over all rows before each row, in the order (blocks, order).

    Two levels: sums per block are few enough for one task; within a block a window runs on. Exact, and independent of
    the partitioning.
    """
    sums = frame.groupBy(*blocks).agg(F.sum(value).alias("__sum"))
    before = Window.orderBy(*blocks).rowsBetween(Window.unboundedPreceding, -1)
    bases = sums.select(*blocks, F.coalesce(F.sum("__sum").over(before), F.lit(0)).alias("__base"))
    inside = Window.partitionBy(*blocks).orderBy(*order).rowsBetween(Window.unboundedPreceding, -1)
    total = F.col("__base") + F.coalesce(F.sum(value).over(inside), F.lit(0))
    return frame.join(F.broadcast(bases), blocks).withColumn(name, total).drop("__base")


@dataclass(frozen=True)
class Counter:
    """Children of parents by rank, as a pandas UDF.

    Attributes:
        law: a ``LinkageModel.to_dict``.
        parents: parents in all.
        seed: scatters the parents over the law.
        total: children of all parents together; None for as many as the law gives.
        strata: parents in each leaf of a conditional law, by which they are ranked.
    """

    law: Mapping[str, object]
    parents: int
    seed: int
    total: int | None = None
    strata: Sequence[int] = ()

    def __call__(self, column: str) -> Column:
        """The counts of the parents whose ranks are in ``column``."""
        law, parents, seed, total, strata = dict(self.law), self.parents, self.seed, self.total, self.strata

        def count(batches: Iterator[Series]) -> Iterator[Series]:
            forget_archives()
            model = LinkageModel.from_dict(law)
            for ranks in batches:
                rank = ranks.to_numpy(np.int64)
                if model.leaves is not None:
                    yield pd.Series(model.leaves.at_ranks(rank, strata, seed, total))
                else:
                    yield pd.Series(model.sample(parents, seed, rank, total))

        make: Any = pandas_udf  # its overloads know no iterator of subscripted series
        once = make(count, "long").asNondeterministic()  # or a filter on the counts would count again
        counted: Column = once(F.col(column))
        return counted


@dataclass(frozen=True)
class Patterns:
    """Null patterns of a table's rows by their position, in exact shares.

    Attributes:
        owned: patterns of rows with a driving parent, or of a root table.
        free: those of rows without one, which come last in a table.
        first_free: the position of the first of these.
        total: rows of the table.
    """

    owned: Sequence[NullPattern]
    free: Sequence[NullPattern]
    first_free: int
    total: int

    def which(self, index: Ints, alone: bool) -> Ints:
        """The pattern of each row, by its place in ``owned`` or ``free``, shape (n,).

        Args:
            index: positions of rows, all with a driving parent or all without, shape (n,).
            alone: they are without.
        """
        patterns, first = (self.free, self.first_free) if alone else (self.owned, 0)
        rows = self.total - self.first_free if alone else self.first_free
        if not patterns:
            return np.zeros(len(index), np.int64)
        return np.searchsorted(_ends(patterns, rows), scatter(index - first, rows), side="right")

    def are_set(self, key: int, which: Ints, alone: bool) -> npt.NDArray[np.bool_]:
        """Whether rows of these patterns have the ``key``-th dealt key set, shape (n,)."""
        patterns = self.free if alone else self.owned
        flags: npt.NDArray[np.bool_] = np.array([p.set_keys[key] for p in patterns] or [True])
        return flags[which]

    def nulls(self, which: Ints, alone: bool) -> dict[str, npt.NDArray[np.bool_]]:
        """Columns that are null though a key gives them, and on which rows of these patterns; shape (n,) each."""
        found: dict[str, npt.NDArray[np.bool_]] = {}
        for place, pattern in enumerate(self.free if alone else self.owned):
            for column in pattern.nulls:
                found[column] = found.get(column, np.zeros(len(which), bool)) | (which == place)
        return found

    def set_before(self, key: int, rows: int) -> int:
        """How many of the first ``rows`` rows have the ``key``-th dealt key set."""
        owned = min(rows, self.first_free)
        both = ((self.owned, owned, self.first_free), (self.free, rows - owned, self.total - self.first_free))
        return sum(_set_among(patterns, key, first, of) for patterns, first, of in both)


def _set_among(patterns: Sequence[NullPattern], key: int, first: int, rows: int) -> int:
    if not patterns:
        return first
    ends = [0, *_ends(patterns, rows).tolist()]
    return sum(
        scattered_below(first, rows, high) - scattered_below(first, rows, low)
        for pattern, low, high in zip(patterns, ends, ends[1:], strict=False)
        if pattern.set_keys[key]
    )


def _ends(patterns: Sequence[NullPattern], rows: int) -> Ints:
    """Where the stretch of each pattern ends on the scattered line of ``rows`` rows."""
    ends: Ints = np.rint(np.cumsum([p.share for p in patterns]) * rows).astype(np.int64)
    ends[-1] = rows
    return ends
