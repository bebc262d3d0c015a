"""Ties: columns in which two parents of a row always agree: a common ancestor (a diamond), or a value: a country."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.graph import late_keys
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.profiling.key_design import Tie
from synthohive_spark.rules.evidence import EVIDENCE
from synthohive_spark.schema.ancestors import ABOVE, above, with_above
from synthohive_spark.schema.people import People
from synthohive_spark.sql import quote
from synthohive_spark.tables import TEXT, ForeignKey

FEW = 256  # values of a column in which parents may agree
LOOKED_AT = 16  # columns of a parent, and of those above it
TRIED = 4  # of the pairs that agree as many are held against chance


def tie_of(people: People, table: str, driving: ForeignKey, fk: ForeignKey) -> Tie:
    """In what the parents behind two keys of a table agree on every row of the source; () if in nothing.

    Args:
        people: the source, and who must hold a value before a copy has it.
        table: the child.
        driving: its driving key.
        fk: another key.
    """
    source = people.source
    ties = list(_candidates(source, driving, fk))
    holds = _holding(source, table, driving, fk, ties) if ties else []
    return next((tie for tie, held in zip(ties, holds, strict=True) if held), ()) or _of_values(
        people, table, driving, fk
    )


def _of_values(people: People, table: str, driving: ForeignKey, fk: ForeignKey) -> Tie:
    """The categories in which both parents agree on every row, and by chance would not: of several the finest ones."""
    source = people.source
    ups, overs = (_categories(source, name) for name in (driving.references, fk.references))
    ties = [((p, q),) for p in ups for q in overs] if driving.references != fk.references else []
    held = [t for t, h in zip(ties, _holding(source, table, driving, fk, ties) if ties else [], strict=True) if h]
    held = [
        t for t in held[:TRIED] if _kept(people, driving.references, t[0][0]) and _kept(people, fk.references, t[0][1])
    ]
    told = {tie: _nats(source, table, driving, fk, tie) for tie in held}
    best = max(told, key=lambda tie: told[tie], default=())
    return best if best and told[best] >= EVIDENCE else ()


def _categories(source: SourceLake, table: str) -> list[str]:
    """Columns of few values that are neither keys nor personal, of the table and of those that its keys lead to."""
    tables, found = source.metadata.tables, _own_categories(source, table)
    if late_keys(tables):  # parents of parents may not be there yet
        return found
    for i, fk in enumerate(tables[table].foreign_keys):
        found += [above(i, c) for c in _own_categories(source, fk.references)] if fk.references != table else []
    return found[:LOOKED_AT]


def _own_categories(source: SourceLake, table: str) -> list[str]:
    spec, frame = source.metadata.tables[table], source.frame(table)
    closed = {*spec.key_columns, *spec.personal, *spec.exclude, *(c for key in spec.unique for c in key)}
    types = {f.name: f.dataType.simpleString() for f in source.schema(table).fields}
    texts = [c for c, kind in types.items() if kind.startswith(TEXT) and c not in closed]
    if not texts or not source.rows[table]:
        return []
    row = frame.agg(*(F.approx_count_distinct(quote(c)).alias(f"n{i}") for i, c in enumerate(texts))).first()
    assert row is not None
    return [c for i, c in enumerate(texts) if 1 < row[f"n{i}"] <= min(FEW, source.rows[table] / 2)]


def _kept(people: People, table: str, name: str) -> bool:
    """Whether the copy has each value of a column: a rare one would be another there, with which nothing agrees."""
    place, _, column = name.removeprefix(ABOVE).partition(":")
    if name.startswith(ABOVE):
        table, name = people.source.metadata.tables[table].foreign_keys[int(place)].references, column
    if people.source.metadata.tables[table].reference:
        return True
    support = people.support(table)
    counts = people.frame(table).where(F.col(quote(name)).isNotNull()).groupBy(quote(name))
    row = counts.agg(support.count().alias("held")).agg(F.min("held").alias("least")).first()
    return row is not None and row["least"] is not None and row["least"] >= people.k


def beside_above(source: SourceLake, table: str, names: Sequence[str], frame: DataFrame | None = None) -> DataFrame:
    """Rows of a table of the source, or some of them, with columns behind its keys (``schema.ancestors.above``)."""
    rows = source.frame(table) if frame is None else frame
    return with_above(rows, names, source.metadata.tables[table].foreign_keys.__getitem__, source.frame)


def _nats(source: SourceLake, table: str, driving: ForeignKey, fk: ForeignKey, tie: Tie) -> float:
    """How unlikely it is that as many pairs of parents as there are agree by chance."""
    keys = dict.fromkeys((*driving.columns, *fk.columns))
    pairs = source.frame(table).select(*(F.col(quote(c)) for c in keys)).dropna().distinct()
    value = F.col(quote(tie[0][1])).alias("v")
    other = beside_above(source, fk.references, [tie[0][1]]).select(
        *(F.col(quote(c)).alias(f"k{i}") for i, c in enumerate(fk.referenced_columns)), value
    )
    joined = pairs.join(other, [F.col(quote(c)) == F.col(f"k{i}") for i, c in enumerate(fk.columns)], "inner")
    counts = [row["count"] for row in joined.groupBy("v").count().collect()]  # at most ``FEW``
    chance = sum((n / sum(counts)) ** 2 for n in counts) if counts else 1.0
    return -sum(counts) * math.log(chance) if chance else 0.0


def _candidates(source: SourceLake, driving: ForeignKey, fk: ForeignKey) -> Iterator[Tie]:
    """Common ancestors: the driving parent itself, or a table that both parents refer to."""
    tables = source.metadata.tables
    for over in tables[fk.references].foreign_keys:
        if over.references == driving.references and over.referenced_columns == driving.referenced_columns:
            yield tuple(zip(driving.referenced_columns, over.columns, strict=True))
        for up in tables[driving.references].foreign_keys:
            if up.references == over.references and up.referenced_columns == over.referenced_columns:
                yield tuple(zip(up.columns, over.columns, strict=True))


def _holding(source: SourceLake, table: str, driving: ForeignKey, fk: ForeignKey, ties: Sequence[Tie]) -> list[bool]:
    """Whether each tie holds on every row that has both parents, and there is more than one value to agree on."""
    ups = sorted({p for tie in ties for p, _ in tie})
    overs = sorted({q for tie in ties for _, q in tie})
    child = source.frame(table).select(
        *(F.col(quote(c)).alias(f"d{i}") for i, c in enumerate(driving.columns)),
        *(F.col(quote(c)).alias(f"f{i}") for i, c in enumerate(fk.columns)),
    )
    parent = beside_above(source, driving.references, ups).select(
        *(F.col(quote(c)).alias(f"dk{i}") for i, c in enumerate(driving.referenced_columns)),
        *(F.col(quote(p)).alias(f"p{i}") for i, p in enumerate(ups)),
    )
    other = beside_above(source, fk.references, overs).select(
        *(F.col(quote(c)).alias(f"fk{i}") for i, c in enumerate(fk.referenced_columns)),
        *(F.col(quote(q)).alias(f"q{i}") for i, q in enumerate(overs)),
    )
    both = child.join(parent, [F.col(f"d{i}") == F.col(f"dk{i}") for i in range(len(driving.columns))], "inner")
    both = both.join(other, [F.col(f"f{i}") == F.col(f"fk{i}") for i in range(len(fk.columns))], "inner")
    sides = [[(F.col(f"p{ups.index(p)}"), F.col(f"q{overs.index(q)}")) for p, q in tie] for tie in ties]
    agree = [reduce(lambda a, b: a & b, [p == q for p, q in pairs]) for pairs in sides]
    found = both.agg(
        F.count("*").alias("rows"),
        *(F.count_if(a).alias(f"agree{i}") for i, a in enumerate(agree)),
        *(
            F.coalesce(F.min(pairs[0][0]) < F.max(pairs[0][0]), F.lit(False)).alias(f"values{i}")
            for i, pairs in enumerate(sides)
        ),
    ).first()
    assert found is not None
    return [bool(found[f"values{i}"]) and found[f"agree{i}"] == found["rows"] for i in range(len(ties))]
