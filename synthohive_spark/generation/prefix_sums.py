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

from synthohive_spark.counts.distribution import LinkageModel
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
        distribution: of children per parent, as ``LinkageModel.to_dict``.
        parents: parents in all.
        seed: scatters the parents over the law.
        total: children of all parents together; None for as many as the law gives.
        leaf_sizes: parents in each leaf of a conditional law, by which they are ranked.
    """

    distribution: Mapping[str, object]
    parents: int
    seed: int
    total: int | None = None
    leaf_sizes: Sequence[int] = ()

    def __call__(self, column: str) -> Column:
        """The counts of the parents whose ranks are in ``column``."""
        law, parents, seed, total, leaf_sizes = (
            dict(self.distribution),
            self.parents,
            self.seed,
            self.total,
            self.leaf_sizes,
        )

        def count(batches: Iterator[Series]) -> Iterator[Series]:
            forget_archives()
            model = LinkageModel.from_dict(law)
            for ranks in batches:
                rank = ranks.to_numpy(np.int64)
                if model.leaves is not None:
                    yield pd.Series(model.leaves.at_ranks(rank, leaf_sizes, seed, total))
                else:
                    yield pd.Series(model.sample(parents, seed, rank, total))

        make: Any = pandas_udf  # its overloads know no iterator of subscripted series
        once = make(count, "long").asNondeterministic()  # or a filter on the counts would count again
        counted: Column = once(F.col(column))
        return counted
