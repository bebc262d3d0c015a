"""Two halves of each table, families whole: how far apart two samples of the same source are is the ceiling of a score.

A row belongs to the half of its driving parent, so that siblings stay together, unless one parent has so many children
that no two halves could be made of it. Both sides are halved: so all that is compared has the same number of rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark import graph
from synthohive_spark.evaluation.kinds import column_of, complete
from synthohive_spark.evaluation.relations import FamilySizes
from synthohive_spark.metadata import Metadata
from synthohive_spark.tables import ForeignKey

LARGEST_FAMILY = 0.05  # of a table's rows: above it, rows of a family go to both halves
SIDES = 4  # the halves of the real tables, then those of the synthetic ones
_SEED = "halves"
WHO = "__who"
_FAMILY = "__family"


def family_hash(columns: Sequence[str]) -> Column:
    """A number that follows from what these columns hold; integers of any width are the same."""
    texts = [F.coalesce(column_of(c).cast("string"), F.lit("")) for c in columns]
    return F.xxhash64(F.lit(_SEED), *texts)


def hashed(seed: str, columns: Sequence[str], buckets: int) -> Column:
    """A number below ``buckets`` that follows from a seed and what these columns hold."""
    texts = [F.coalesce(column_of(c).cast("string"), F.lit("")) for c in columns]
    return F.pmod(F.xxhash64(F.lit(seed), *texts), F.lit(buckets)).cast("int")


def whole_families(
    metadata: Metadata, sizes: Mapping[str, Sequence[tuple[FamilySizes, FamilySizes]]]
) -> dict[str, ForeignKey | None]:
    """{table: the key whose families stay in one half}; None where the rows stand for themselves.

    Args:
        metadata: tables and keys.
        sizes: {table: children per parent for each of its keys, real and synthetic}.
    """
    late = graph.late_keys(metadata.tables)
    found: dict[str, ForeignKey | None] = {}
    for name, table in metadata.tables.items():
        fk = graph.driving_key(name, metadata.tables, defaultdict(int), late)
        if fk is not None:
            real = sizes[name][table.foreign_keys.index(fk)][0]
            fk = fk if real.most <= LARGEST_FAMILY * max(float(real.children.sum()), 1.0) else None
        found[name] = fk
    return found


class Halved:
    """The tables of one side, each row with its side.

    Args:
        metadata: tables and keys.
        frames: the tables.
        whole: as ``whole_families`` gives them.
        first: the number of the first half: 0 for real tables, 2 for synthetic ones.
    """

    def __init__(
        self,
        metadata: Metadata,
        frames: Mapping[str, DataFrame],
        whole: Mapping[str, ForeignKey | None],
        first: int,
    ) -> None:
        self._tables, self.frames, self._whole, self._first = metadata.tables, frames, whole, first

    def sided(self, name: str, columns: Sequence[Column], groups: int | None = None) -> DataFrame:
        """A column ``side``, and these columns of a table; with ``groups`` also ``WHO``.

        Args:
            name: of the table.
            columns: that are wanted.
            groups: of families, numbered from 0. A family is in one of them, so that values of rows in so many groups
                come from at least as many families: a bound that needs no list of who they are.
        """
        frame, family = self._with_family(name)
        who = [] if groups is None else [F.pmod(family, F.lit(groups)).cast("int").alias(WHO)]
        side = F.lit(self._first) + F.pmod(family, F.lit(2))
        return frame.select(side.cast("int").alias("side"), *columns, *who)

    def _own(self, name: str) -> Column:
        key = self._tables[name].primary_key
        return family_hash(key or self.frames[name].columns)

    def _with_family(self, name: str) -> tuple[DataFrame, Column]:
        frame, fk = self.frames[name], self._whole[name]
        if fk is None:
            return frame, self._own(name)
        parent, up = self._tables[fk.references], self._whole[fk.references]
        same = dict(zip(fk.referenced_columns, fk.columns, strict=True))
        if up is None and set(parent.primary_key) == set(fk.referenced_columns):
            family = family_hash([same[c] for c in parent.primary_key])  # what the parent's own family follows from
            return frame, F.when(complete(fk.columns), family).otherwise(self._own(name))
        above, family = self._with_family(fk.references)
        names = [f"__k{i}" for i in range(len(fk.columns))]
        keys = above.select(
            *(column_of(c).alias(n) for c, n in zip(fk.referenced_columns, names, strict=True)), family.alias(_FAMILY)
        ).dropDuplicates(names)
        met = [column_of(c) == F.col(n) for c, n in zip(fk.columns, names, strict=True)]
        return frame.join(keys, met, "left"), F.coalesce(F.col(_FAMILY), self._own(name))
