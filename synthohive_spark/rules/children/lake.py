"""What the search takes from the lake: whole families as numbers, and the few values that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.rules.children.search import ChildLaw
from synthohive_spark.rules.children.task import PARENT, PLACE, SELF, VALUES, FamilySearcher, Side
from synthohive_spark.rules.kinds.aggregate import Aggregate
from synthohive_spark.rules.verify import BUCKETS
from synthohive_spark.schema import frames
from synthohive_spark.schema.ancestors import Reader
from synthohive_spark.schema.children import ChildValue
from synthohive_spark.schema.people import People
from synthohive_spark.sql import quote, text_literal
from synthohive_spark.tables import TEXT

LABEL = re.compile(r"§(-?\d+)\|(\d+)\|(-?\d+)§")  # what ``features.label`` writes
HASHED = 11  # bits of a hash that are dropped, so that a float holds it


@dataclass(frozen=True)
class KeyToParent:
    """A key of a child table, by which its rows refer to the parents."""

    table: str
    columns: tuple[str, ...]
    referenced: tuple[str, ...]


@dataclass(frozen=True)
class FamilyLake:
    """Parents and their child tables in the lake.

    Attributes:
        table: the parents.
        keys: the keys that refer to them.
        searcher: the columns of all of them, in the same order.
        read: rows of tables, by name.
    """

    table: str
    keys: tuple[KeyToParent, ...]
    searcher: FamilySearcher
    read: Reader

    def sample(self, share: float) -> DataFrame:
        """A share of the parents, and all their children."""
        sides = (self.searcher.parents, *self.searcher.children)
        width = max(len(side.types) for side in sides)
        referenced = list(dict.fromkeys(c for key in self.keys for c in key.referenced))
        who = F.xxhash64(F.lit("families"), *(F.col(quote(c)) for c in referenced))
        parents = self.read(self.table)
        if share < 1:
            parents = parents.where(F.pmod(who, F.lit(BUCKETS)) < F.lit(int(share * BUCKETS)))
        parts = [parents.select(who.alias(PARENT), F.lit(SELF).alias(PLACE), _row(sides[0], width))]
        for place, key in enumerate(self.keys):
            own = [F.col(quote(c)).alias(frames.referenced(i)) for i, c in enumerate(key.columns)]
            theirs = [F.col(quote(c)).alias(frames.extra(i)) for i, c in enumerate(key.referenced)]
            rows = self.read(key.table).select(*own, _row(self.searcher.children[place], width))
            same = [F.col(frames.referenced(i)) == F.col(frames.extra(i)) for i in range(len(own))]
            rows = rows.join(parents.select(who.alias(PARENT), *theirs), same)
            parts.append(rows.select(PARENT, F.lit(place).alias(PLACE), VALUES))
        return reduce(DataFrame.unionAll, parts)

    def rules(self, found: Sequence[ChildLaw], people: People) -> list[Aggregate]:
        """Candidates as rules, without those that name a value that too few people hold."""
        literals = self._literals({text for one in found for text in _texts(one)}, people)
        names = self.searcher.parents.names
        return [
            Aggregate(
                column=names[one.target],
                own=tuple(names[i] for i in one.own),
                children=tuple(self._value(place, _filled(sql, literals)) for place, sql in one.children),
                expression=_filled(one.expression, literals),
                scale=one.scale,
                null_without=one.nulls,
            )
            for one in found
            if all(label[0] in literals for text in _texts(one) for label in LABEL.finditer(text))
        ]

    def _value(self, place: int, sql: str) -> ChildValue:
        key = self.keys[place]
        return ChildValue(table=key.table, columns=key.columns, referenced=key.referenced, sql=sql)

    def _literals(self, texts: Iterable[str], people: People) -> dict[str, str]:
        """{label: Spark SQL of the value that it stands for}, of values that enough people hold."""
        wanted: dict[tuple[int, int], set[int]] = {}
        for text in texts:
            for place, column, value in LABEL.findall(text):
                wanted.setdefault((int(place), int(column)), set()).add(int(value))
        known = {}
        for (place, column), values in wanted.items():
            table = self.table if place == SELF else self.keys[place].table
            side = self.searcher.parents if place == SELF else self.searcher.children[place]
            reference, kind = list(side.types.items())[column]
            support = people.support(table)
            seen = people.frame(table).select(F.expr(reference).alias("value"), *support.columns).groupBy("value")
            counts = seen.agg(support.count().alias("held")).withColumn("label", _number(F.col("value"), kind))
            enough = counts.where((F.col("held") >= support.least) & F.col("label").isin([float(v) for v in values]))
            for row in enough.collect():  # a handful: the values of a category
                known[f"§{place}|{column}|{int(row['label'])}§"] = _literal(row["value"])
        return known


def _texts(one: ChildLaw) -> tuple[str, ...]:
    return one.expression, *(sql for _, sql in one.children)


def _filled(sql: str, literals: dict[str, str]) -> str:
    return LABEL.sub(lambda label: literals[label[0]], sql)


def _literal(value: object) -> str:
    return text_literal(value) if isinstance(value, str) else str(value).lower()


def _row(side: Side, width: int) -> Column:
    """The columns of a row as an array of numbers of one length."""
    made = [_number(F.expr(c), kind) for c, kind in side.types.items()]
    return F.array(*made, *(F.lit(None).cast("double") for _ in range(width - len(made)))).alias(VALUES)


def _number(column: Column, kind: str) -> Column:
    """A value as a number that a float holds: days, microseconds, the hash of a text."""
    if kind.startswith(TEXT):
        column = F.when(column.isNotNull(), F.shiftrightunsigned(F.xxhash64(column), HASHED))
    elif kind == "date":
        column = F.unix_date(column)
    elif kind.startswith("timestamp"):
        column = F.unix_micros(column.cast("timestamp"))
    elif kind == "boolean":
        column = column.cast("int")
    return column.cast("double")
