"""Counting in Spark without a global order: prefix sums in two levels, laws of counts as UDFs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from synthohive_spark.randomness import Ints
from synthohive_spark.relational.linkage import LinkageModel
from synthohive_spark.relational.plan import NullPattern

if TYPE_CHECKING:
    Series: TypeAlias = pd.Series[Any]
else:
    Series = pd.Series  # Spark reads a UDF's kind from its hints, and pandas' own class takes no parameters at run time

WEYL = 2_654_435_769  # the golden section of 2**32: multiples of it fall evenly


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


def pattern_of(patterns: Sequence[NullPattern], index: Ints) -> Ints:
    """The null pattern of each row by its position in the table: shares are kept in every stretch of rows."""
    if len(patterns) < 2:
        return np.zeros(len(index), np.int64)
    ends = np.cumsum([p.share for p in patterns]) * 2**32
    even = (index.astype(np.uint64) * np.uint64(WEYL)) % np.uint64(2**32)
    found: Ints = np.minimum(np.searchsorted(ends, even.astype(np.float64), side="right"), len(patterns) - 1)
    return found


def set_rows(patterns: Sequence[NullPattern], key: int, index: Ints) -> Any:
    """Whether the ``key``-th dealt key is set, for rows by their position, shape (n,)."""
    if not patterns:
        return np.ones(len(index), bool)
    return np.array([p.set_keys[key] for p in patterns])[pattern_of(patterns, index)]


@dataclass(frozen=True)
class PatternCounter:
    """Rows of a unit that have one of the dealt keys set, as a pandas UDF.

    Attributes:
        patterns: those of rows with a driving parent, or of a root.
        free: those of rows without one.
        key: which of the dealt keys.
    """

    patterns: Sequence[NullPattern]
    free: Sequence[NullPattern]
    key: int

    def __call__(self, offset: str, rows: str, free: str) -> Column:
        """Counts from columns: rows before the unit, its rows, whether it has no driving parent."""
        with_parent, without, key = list(self.patterns), list(self.free), self.key

        def count(offsets: Series, sizes: Series, lone: Series) -> Series:
            return pd.Series(
                [
                    int(set_rows(without if alone else with_parent, key, np.arange(first, first + n)).sum())
                    for first, n, alone in zip(offsets, sizes, lone, strict=True)
                ],
                dtype="int64",
            )

        make: Any = pandas_udf
        counted: Column = make(count, "long")(F.col(offset), F.col(rows), F.col(free))
        return counted
