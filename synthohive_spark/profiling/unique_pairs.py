"""Pairs of foreign keys that are unique though nobody declared it: one invoice per customer and term.

Beside a number of its own a table often links two parents, and never the same two twice. Once the pair is a unique key,
all that is known of such (docs/keys.md) holds for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.parallel import side_by_side
from synthohive_spark.profiling.implied_keys import never_dealt
from synthohive_spark.profiling.key_design import design
from synthohive_spark.profiling.key_planner import key_design
from synthohive_spark.profiling.key_statistics import UNLIKE, key_set
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey, Table

log = get_logger(__name__)
Pair = tuple[ForeignKey, ForeignKey]
SOME = 20_000  # rows that are looked at first
UNIQUE = "unique."  # how the metadata switch one off: ``unique.`` and its columns, with dots between


def with_unique_pairs(source: SourceLake) -> SourceLake:
    """The source whose tables have a unique key for each such pair that was found in them."""
    tables = side_by_side(lambda t: _paired(source, t), source.metadata.tables)
    return replace(source, metadata=source.metadata.with_tables(tables))


def _paired(source: SourceLake, name: str) -> Table:
    """A table with the pairs that its keys can be made with."""
    spec, found = source.metadata.tables[name], key_design(source, name)
    if spec.reference:
        return spec
    types = {f.name: f.dataType.simpleString() for f in source.schema(name).fields}
    for one, other in _never_twice(source.frame(name).limit(SOME), [*_likely(source, name)]):
        columns = (*one.columns, *other.columns)
        both = source.frame(name).where(key_set(one.columns) & key_set(other.columns))
        pairs = both.groupBy(*(F.col(quote(c)) for c in columns)).agg(F.count(F.lit(1)).alias("n"))
        counted = pairs.agg(F.sum("n").alias("rows"), F.max("n").alias("most")).first()
        if counted is None or counted["most"] != 1 or _expected(source, one, other, counted["rows"]) < UNLIKE:
            continue
        more = spec.model_copy(update={"unique": (*spec.unique, columns)})
        implied = never_dealt(source.implied.get(name, {}))
        made = design(name, {**source.metadata.tables, name: more}, source.rows, types, implied)
        if made.driving == found.driving and made.problems == found.problems:
            log.info("rule_found", table=name, rule=_name(columns), column=other.columns[0], expression=_said(one))
            spec = more
    return spec


def _never_twice(some: DataFrame, pairs: list[Pair]) -> list[Pair]:
    """The pairs that no two of some rows share, by one query: most repeat among few rows already."""
    if not pairs:
        return []
    columns = [(*one.columns, *other.columns) for one, other in pairs]
    counts = [F.count_if(key_set(c)) - F.count_distinct(*(F.col(quote(n)) for n in c)) for c in columns]
    row = some.agg(*(count.alias(f"n{i}") for i, count in enumerate(counts))).first()
    return [pair for i, pair in enumerate(pairs) if row is not None and not row[f"n{i}"]]


def _likely(source: SourceLake, name: str) -> Iterator[Pair]:
    """Pairs of keys that would repeat by chance, and that no unique key holds yet."""
    spec, implied = source.metadata.tables[name], never_dealt(source.implied.get(name, {}))
    keys = [fk for i, fk in enumerate(spec.foreign_keys) if i not in implied and fk.references != name]
    known = [{*spec.primary_key}, *({*key} for key in spec.unique)]
    for one, other in combinations(keys, 2):
        columns = {*one.columns, *other.columns}
        apart = {*one.columns}.isdisjoint(other.columns) and not any(
            k and (k <= columns or columns <= k) for k in known
        )
        off = _name((*one.columns, *other.columns)) in spec.switched_off
        if apart and not off and _expected(source, one, other, source.rows[name]) >= UNLIKE:
            yield one, other


def _expected(source: SourceLake, one: ForeignKey, other: ForeignKey, rows: int) -> float:
    """Pairs of rows with the same two parents, if chance gave each row its parents; more, if some are preferred."""
    parents = source.rows[one.references] * source.rows[other.references]
    return rows * (rows - 1) / 2 / max(parents, 1)


def _name(columns: tuple[str, ...]) -> str:
    return UNIQUE + ".".join(columns)


def _said(one: ForeignKey) -> str:
    return f"differs between the rows of each {', '.join(map(quote, one.columns))}"
