"""What the children of a row have together: the same joins for the search of rules and for generation."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.schema import frames
from synthohive_spark.schema.ancestors import Reader
from synthohive_spark.sql import quote
from synthohive_spark.strict import Strict


class ChildValue(Strict):
    """One value of all rows of a child table that refer to a row.

    Attributes:
        table: the child table.
        columns: the child's key.
        referenced: the columns that it refers to.
        sql: an aggregate over the child's columns, in Spark SQL.
    """

    table: str
    columns: tuple[str, ...]
    referenced: tuple[str, ...]
    sql: str

    @property
    def text(self) -> str:
        """The value as a person reads it."""
        return f"{self.sql} of {quote(self.table)}({', '.join(map(quote, self.columns))})"


def beside_children(frame: DataFrame, values: Sequence[ChildValue], read: Reader) -> DataFrame:
    """Rows with values of their children, one join per key; null where a row has no children.

    Args:
        frame: rows of the table that is referred to.
        values: what is wanted; it is found as ``frames.child``, in this order.
        read: rows of child tables, by name.
    """
    keys: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[int]] = {}
    for i, value in enumerate(values):
        keys.setdefault((value.table, value.columns, value.referenced), []).append(i)
    for (table, columns, referenced), places in keys.items():
        named = [F.col(quote(c)).alias(frames.referenced(n)) for n, c in enumerate(columns)]
        wanted = [F.expr(values[i].sql).alias(frames.child(i)) for i in places]
        families = read(table).groupBy(*named).agg(*wanted)
        same = [F.col(quote(c)) == F.col(frames.referenced(n)) for n, c in enumerate(referenced)]
        frame = frame.join(families, same, "left").drop(*(frames.referenced(n) for n in range(len(columns))))
    return frame
