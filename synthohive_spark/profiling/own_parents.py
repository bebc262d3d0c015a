"""What a row and the row that it refers to in its own table have together: one post, one currency, a later day.

A self-reference of which that is known takes its parents among the rows of the batch that fit, level by level; of
others it takes any row of the level above (``Hierarchy``), wherever that stands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from synthohive_spark.logs import get_logger
from synthohive_spark.profiling.key_statistics import key_set, within_batch
from synthohive_spark.rules.kinds.aggregate import Aggregate
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.keys import Beside, Hierarchy, KeysPlan
from synthohive_spark.schema.rule import Rule
from synthohive_spark.sql import names_in, quote
from synthohive_spark.tables import INTEGRAL, Table, is_carried

log = get_logger(__name__)
EVIDENCE = 30.0  # nats by which chance must be the worse explanation, as for every other rule
ONE_BATCH = 10_000  # rows of a table that is surely made in one batch, whose rows are 16,384 on average
LOOKED = 100  # columns that are compared; a table of more is looked at in its first ones
ORDERED = (*INTEGRAL, "date", "timestamp", "timestamp_ntz", "float", "double", "decimal")
TIMES = ("timestamp", "timestamp_ntz", "date")


@dataclass(frozen=True)
class OwnParents:
    """Looks at the self-references of a table.

    Attributes:
        frame: the rows of the source.
        rows: how many these are.
        spec: the metadata of the table.
        columns: with their roles.
        rules: of the table.
    """

    frame: DataFrame
    rows: int
    spec: Table
    columns: ColumnsPlan
    rules: Sequence[Rule]

    def kept(self, keys: KeysPlan) -> KeysPlan:
        """The keys, in which self-references keep what a row and the row that it refers to have together."""
        types, lasting = self.columns.types(), self._lasting()
        levels, beside = list[Hierarchy](), list(keys.beside)
        for shape in keys.hierarchies:
            own = within_batch(self.frame, self.spec.foreign_keys, shape.position)
            free = [c for c in types if c in lasting and c not in own.columns and is_carried(types[c])][:LOOKED]
            driving = () if keys.driving is None else keys.driving.columns
            found = self._together(own, {c: types[c] for c in free}, {*driving})
            if found is None or 0.0 < shape.loops < 1.0:
                levels.append(shape)
            else:
                log.info("rows_refer_to_rows", keys=own.columns, agree=found.agree, after=found.after)
                beside.append(found.model_copy(update={"levels": shape.levels}))
        return keys.model_copy(update={"hierarchies": tuple(levels), "beside": tuple(beside)})

    def _lasting(self) -> set[str]:
        """Columns that are there when self-references are made, and are not changed afterwards."""
        types = self.columns.types()
        later = {*self.columns.named("derived"), *(r.column for r in self.rules if isinstance(r, Aggregate))}
        for law in self.columns.bounds:  # what breaks a constraint is drawn again
            later |= names_in(law.sql, list(types))
        return {*types} - later

    def _together(self, own: Beside, types: Mapping[str, str], driving: set[str]) -> Beside | None:
        """The reference with what its rows have together; None if that is nothing that a batch can keep."""
        pairs, columns = _pairs(own, self.frame, list(types)), list(types)
        ordered = [c for c in columns if types[c].startswith(ORDERED)]
        row = pairs.agg(
            F.count(F.lit(1)).alias("n"),
            *(_many(_up(columns, c).eqNullSafe(_low(columns, c))).alias(f"same{i}") for i, c in enumerate(columns)),
            *(_many(_up(columns, c) < _low(columns, c)).alias(f"less{i}") for i, c in enumerate(ordered)),
            *(_many(_up(columns, c) > _low(columns, c)).alias(f"more{i}") for i, c in enumerate(ordered)),
        ).first()
        if row is None or not row["n"]:
            return None
        told = _told(self.frame, [c for i, c in enumerate(columns) if row[f"same{i}"] == row["n"]])
        agree = tuple(c for c, nats in told.items() if row["n"] * nats >= EVIDENCE)
        if not driving <= {*agree} and self.rows > ONE_BATCH:
            agree = ()  # rows that agree in these are made in different batches
        order = _order(row, ordered, types, _surprise(pairs))
        return own.model_copy(update={"agree": agree, **order}) if agree or order else None


def _order(row: Row, columns: Sequence[str], types: Mapping[str, str], families: float) -> dict[str, Any]:
    """By which column the one row is always before the other, or after it: times first; {} by none.

    Args:
        row: on how many pairs, ``n``, the row that is referred to has ``less`` or ``more`` of each column.
        columns: of types that have an order.
        types: Spark type of each column.
        families: nats by which it surprises that each row is beyond all rows that refer to it.
    """
    for i, c in sorted(enumerate(columns), key=lambda at: types[at[1]] not in TIMES):
        less, more = row[f"less{i}"], row[f"more{i}"]
        if (not less or not more) and (less + more) / row["n"] * families >= EVIDENCE:
            return {"after": c, "falling": not less, "strict": row["n"] == less + more}
    return {}


def _pairs(own: Beside, frame: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Rows that refer to another one: ``k0..`` the reference, ``l0..`` their columns, ``u0..`` those of the other."""
    lower = frame.where(key_set(own.columns)).select(
        *(F.col(quote(c)).alias(f"k{i}") for i, c in enumerate(own.columns)),
        *(F.col(quote(c)).alias(f"o{i}") for i, c in enumerate(own.referenced)),
        *(F.col(quote(c)).alias(f"l{i}") for i, c in enumerate(columns)),
    )
    upper = frame.select(
        *(F.col(quote(c)).alias(f"r{i}") for i, c in enumerate(own.referenced)),
        *(F.col(quote(c)).alias(f"u{i}") for i, c in enumerate(columns)),
    )
    places = range(len(own.columns))
    loop = reduce(lambda a, b: a & b, [F.col(f"k{i}").eqNullSafe(F.col(f"o{i}")) for i in places])
    return lower.where(~loop).join(upper, [F.col(f"k{i}") == F.col(f"r{i}") for i in places])


def _low(columns: Sequence[str], column: str) -> Column:
    return F.col(f"l{columns.index(column)}")


def _up(columns: Sequence[str], column: str) -> Column:
    return F.col(f"u{columns.index(column)}")


def _many(condition: Column) -> Column:
    """On how many rows a condition holds; where it is null it does not."""
    return F.count(F.when(condition, 1))


def _told(frame: DataFrame, columns: Sequence[str]) -> dict[str, float]:
    """{column: nats by which it surprises that two rows agree in it, were they any two}."""
    found = {}
    for c in columns:
        counts = frame.groupBy(F.col(quote(c))).agg(F.count(F.lit(1)).cast("double").alias("n"))
        row = counts.agg(F.sum(F.col("n") * F.col("n")).alias("squares"), F.sum("n").alias("n")).first()
        found[c] = -math.log(row["squares"] / row["n"] ** 2) if row is not None and row["n"] else 0.0
    return found


def _surprise(pairs: DataFrame) -> float:
    """Nats by which it surprises that each row is beyond all rows that refer to it: n of n + 1 orders are others."""
    families = pairs.groupBy(*(c for c in pairs.columns if c.startswith("k"))).agg(F.count(F.lit(1)).alias("n"))
    row = families.agg(F.sum(F.log(F.col("n") + 1.0)).alias("nats")).first()
    return float(row["nats"] or 0.0) if row is not None else 0.0
