"""Ties: columns in which two parents of one row always agree (a diamond)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from pyspark.sql import functions as F

from synthohive_spark.lake.source import SourceLake
from synthohive_spark.profiling.key_design import Tie
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey


def tie_of(source: SourceLake, table: str, driving: ForeignKey, fk: ForeignKey) -> Tie:
    """In what the parents behind two keys of a table agree on every row of the source; () if in nothing.

    Args:
        source: the source.
        table: the child.
        driving: its driving key.
        fk: another key.
    """
    ties = list(_candidates(source, driving, fk))
    holds = _holding(source, table, driving, fk, ties) if ties else []
    return next((tie for tie, held in zip(ties, holds, strict=True) if held), ())


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
    parent = source.frame(driving.references).select(
        *(F.col(quote(c)).alias(f"dk{i}") for i, c in enumerate(driving.referenced_columns)),
        *(F.col(quote(p)).alias(f"p{i}") for i, p in enumerate(ups)),
    )
    other = source.frame(fk.references).select(
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
