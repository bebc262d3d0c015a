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

from synthohive_spark.randomness import Ints, scatter
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import NullPattern

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
    """

    law: Mapping[str, object]
    parents: int
    seed: int
    total: int | None = None

    def __call__(self, column: str) -> Column:
        """The counts of the parents whose ranks are in ``column``."""
        law, parents, seed, total = dict(self.law), self.parents, self.seed, self.total

        def count(batches: Iterator[Series]) -> Iterator[Series]:
            model = LinkageModel.from_dict(law)
            for ranks in batches:
                yield pd.Series(model.sample(parents, seed, ranks.to_numpy(np.int64), total))

        make: Any = pandas_udf  # its overloads know no iterator of subscripted series
        counted: Column = make(count, "long")(F.col(column))
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

    def set_rows(self, key: int, index: Ints, alone: bool) -> npt.NDArray[np.bool_]:
        """Whether the ``key``-th dealt key is set.

        Args:
            key: which of the dealt keys.
            index: positions of rows, all with a driving parent or all without, shape (n,).
            alone: they are without.
        """
        patterns, first = (self.free, self.first_free) if alone else (self.owned, 0)
        rows = self.total - self.first_free if alone else self.first_free
        if not patterns:
            return np.ones(len(index), bool)
        ends = np.rint(np.cumsum([p.share for p in patterns]) * rows)
        found = np.searchsorted(ends, scatter(index - first, rows), side="right")
        flags: npt.NDArray[np.bool_] = np.array([p.set_keys[key] for p in patterns])
        return flags[np.minimum(found, len(patterns) - 1)]

    def counter(self, key: int) -> PatternCounter:
        """Counts of set rows per unit."""
        return PatternCounter(self, key)


@dataclass(frozen=True)
class PatternCounter:
    """Rows of a unit that have one of the dealt keys set, as a pandas UDF."""

    patterns: Patterns
    key: int

    def __call__(self, offset: str, rows: str, free: str) -> Column:
        """Counts from columns: rows before the unit, its rows, whether it has no driving parent."""
        patterns, key = self.patterns, self.key

        def count(offsets: Series, sizes: Series, lone: Series) -> Series:
            units = zip(offsets, sizes, lone, strict=True)
            found = [patterns.set_rows(key, np.arange(o, o + n), bool(alone)).sum() for o, n, alone in units]
            return pd.Series(found, dtype="int64")

        make: Any = pandas_udf
        counted: Column = make(count, "long")(F.col(offset), F.col(rows), F.col(free))
        return counted
