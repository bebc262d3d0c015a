"""People who are kept out of training, with all their rows: what an audit compares those in training with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark import graph
from synthohive_spark.errors import ConfigError
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.schema.people import People
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey, Table

BUCKETS = 2**30  # of hashes: a share of people is exact to one in a billion


@dataclass(frozen=True)
class Holdout:
    """A share of the people of a source.

    Attributes:
        people: those behind the rows of the checked source.
        share: of them who are held out.
    """

    people: People
    share: float

    @cached_property
    def roots(self) -> frozenset[str]:
        """The tables whose rows are people: those that others lead to, else those that nobody refers to."""
        tables = self.people.source.metadata.tables
        ends = {graph.key_at(path, name, tables).references for name, path in self.people.paths.items() if path}
        named = {fk.references for table in tables.values() for fk in table.foreign_keys}
        return frozenset(ends or {name for name, table in tables.items() if name not in named and not table.reference})

    def kept(self, source: SourceLake) -> SourceLake:
        """The source, not checked yet, without those who are held out; rows that belong to them are dropped.

        Raises:
            ConfigError: rows that stay would have to refer to rows that go.
        """
        tables, gone = dict(source.metadata.tables), {*self.roots}
        for name in (name for stage in graph.stages(tables) for name in stage):
            if any(fk.references in gone for fk in tables[name].foreign_keys if fk.references != name):
                gone.add(name)
        late = graph.late_keys(tables)
        for name in gone:
            tables[name] = _without(name, tables[name], gone, {i for t, i in late if t == name})
        raw = {name: source.raw(name) for name in tables}
        raw |= {name: raw[name].where(~self._out(name)) for name in self.roots}
        return replace(source, metadata=source.metadata.with_tables(tables), _raw=raw, _frames={}, _counts={})

    def rows(self, table: str, out: bool) -> DataFrame | None:
        """The rows of those who are held out, or of the others, as ``People.frame``; None of tables about neither."""
        frame, path = self.people.frame(table), self.people.paths[table]
        if table in self.roots:
            return frame.where(self._out(table) if out else ~self._out(table))
        if not path:
            return None
        fk = self.people.source.metadata.tables[table].foreign_keys[path[0]]
        above = self.rows(fk.references, out)
        if above is None:
            return None
        keys = above.select(*(F.col(quote(c)).alias(f"__above{i}") for i, c in enumerate(fk.referenced_columns)))
        return frame.join(keys, [F.col(quote(c)) == F.col(f"__above{i}") for i, c in enumerate(fk.columns)], "leftsemi")

    def _out(self, table: str) -> Column:
        """Whether a row is held out: by the hash of its key, so that it is so in every run."""
        spec, frame = self.people.source.metadata.tables[table], self.people.source.frame(table)
        key = [F.col(quote(c)).cast("string") for c in (spec.primary_key or frame.columns)]
        place = F.pmod(F.xxhash64(F.lit("holdout"), *key), F.lit(BUCKETS))
        return place < F.lit(int(self.share * BUCKETS))


def _without(name: str, table: Table, gone: set[str], late: set[int]) -> Table:
    """A table whose rows go with the parents that go."""

    def policy(i: int, fk: ForeignKey) -> ForeignKey:
        if fk.references not in gone:
            return fk
        if fk.references != name and i not in late:
            return fk.model_copy(update={"orphans": "drop"})
        if not fk.nullable:
            raise ConfigError(
                f"evaluate.holdout: {name}({', '.join(fk.columns)}) refers to rows that are held out and may not be "
                "null; declare it nullable, or leave evaluate.holdout out"
            )
        return fk.model_copy(update={"orphans": "null"})

    keys = tuple(policy(i, fk) for i, fk in enumerate(table.foreign_keys))
    return table.model_copy(update={"foreign_keys": keys})
