"""Whom the rows of each table are about: the people whose number decides what is frequent enough to be published.

A person says which table holds them (``subject`` of the metadata). Else it is the highest table on the path of driving
keys that enough of its rows have children in: three airports own all flights of a lake, and are no people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark import graph
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.privacy.coarse import few_rows
from synthohive_spark.privacy.support import SUBJECT, Support
from synthohive_spark.schema.keys import ForeignKeyPlan
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey

log = get_logger(__name__)
Path = tuple[int, ...]


@dataclass(frozen=True)
class People:
    """The people behind the rows of a source.

    Attributes:
        source: the tables.
        k: people who must hold a value before it may be learnt or written.
        paths: {table: positions of the keys that lead from its rows to whom they are about}; () where that is the row.
    """

    source: SourceLake
    k: int
    paths: Mapping[str, Path]

    @classmethod
    def of(cls, source: SourceLake, k: int) -> People:
        """Find whom the rows of each table are about."""
        tables, found = source.metadata.tables, dict[str, Path | None]()
        late = graph.late_keys(tables)
        for name in (name for stage in graph.stages(tables) for name in stage):
            found[name] = _declared(source, name, late, found) if source.metadata.subject else None
            if source.metadata.subject is None:
                found[name] = _owner(source, name, late, found, few_rows(k))
        paths = {name: path or () for name, path in found.items()}
        log.debug("subjects", paths={name: _words(source, name, path) for name, path in paths.items()})
        return cls(source, k, paths)

    def support(self, table: str) -> Support:
        """How those behind the rows of ``frame`` are counted."""
        return Support(self.k, bool(self.paths[table]))

    def frame(self, table: str) -> DataFrame:
        """A table, with whom its rows are about as ``SUBJECT`` where that is not the row itself."""
        return with_subject(
            table, self.paths, self.source.frame, lambda t, i: self.source.metadata.tables[t].foreign_keys[i]
        )


def with_subject(
    table: str,
    paths: Mapping[str, Path],
    read: Callable[[str], DataFrame],
    key: Callable[[str, int], ForeignKey | ForeignKeyPlan],
) -> DataFrame:
    """A table, with whom its rows are about as ``SUBJECT`` where that is not the row itself.

    Args:
        table: its name.
        paths: {table: positions of the keys that lead from its rows to whom they are about}.
        read: rows of tables, by name.
        key: the foreign key of a table at a position.
    """
    frame, path = read(table), paths[table]
    if not path:
        return frame
    fk = key(table, path[0])
    own = F.xxhash64(F.lit(table), *(F.col(quote(c)) for c in frame.columns))
    there = reduce(Column.__and__, [F.col(quote(c)).isNotNull() for c in fk.columns])
    known = F.when(there, F.xxhash64(*(F.col(quote(c)) for c in fk.columns)))
    if not paths[fk.references]:
        return frame.withColumn(SUBJECT, _opaque(F.coalesce(known, own)))
    above = with_subject(fk.references, paths, read, key).select(
        *(F.col(quote(c)).alias(f"__above{i}") for i, c in enumerate(fk.referenced_columns)),
        F.col(quote(SUBJECT)).alias("__subject"),
    )
    same = [F.col(quote(c)) == F.col(f"__above{i}") for i, c in enumerate(fk.columns)]
    joined = frame.join(above, same, "left").withColumn(SUBJECT, _opaque(F.coalesce("__subject", own)))
    return joined.select(*(F.col(quote(c)) for c in (*frame.columns, SUBJECT)))


def _opaque(who: Column) -> Column:
    """A column that Spark's optimiser takes for one that may change.

    Else it infers for every renaming of every column that the hash is made of what follows from that: 2 to the power
    of so many constraints.
    """
    return who + F.floor(F.rand(0))  # which is 0


def _declared(source: SourceLake, name: str, late: set[graph.Edge], found: Mapping[str, Path | None]) -> Path | None:
    """The keys that lead to the declared table, along the driving one if that does; None where none do."""
    if name == source.metadata.subject:
        return ()
    tables = source.metadata.tables
    keys = tables[name].foreign_keys
    driving = graph.driving_key(name, tables, source.rows, late)
    for i in sorted(range(len(keys)), key=lambda i: keys[i] is not driving):
        above = found.get(keys[i].references) if keys[i].references != name and (name, i) not in late else None
        if above is not None:
            return (i, *above)
    return None


def _owner(source: SourceLake, name: str, late: set[graph.Edge], found: Mapping[str, Path | None], least: int) -> Path:
    """The driving keys that lead to the highest ancestor of which enough rows have children."""
    tables = source.metadata.tables
    driving = graph.driving_key(name, tables, source.rows, late)
    if driving is None or tables[driving.references].reference:
        return ()
    if source.parents.get(name, {}).get(driving.columns, 0) < least:
        return ()
    return (tables[name].foreign_keys.index(driving), *(found[driving.references] or ()))


def _words(source: SourceLake, name: str, path: Path) -> str:
    """The table at the end of a path."""
    return graph.key_at(path, name, source.metadata.tables).references if path else name
