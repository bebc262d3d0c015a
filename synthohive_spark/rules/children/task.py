"""The search task: whole families in, as numbers and hashes; candidates out, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.children.family import FEW_PARENTS, Family, FamilySample
from synthohive_spark.rules.children.search import ChildLaw, sums_and_ends
from synthohive_spark.rules.children.statuses import statuses
from synthohive_spark.rules.evidence import Column, read
from synthohive_spark.worker import forget_archives

PARENT, PLACE, VALUES = "parent", "place", "row"  # columns of the sample: an id, -1 of parents, numbers
SELF = -1


@dataclass(frozen=True)
class Side:
    """The columns of one table in the search.

    Attributes:
        types: {reference to a column in Spark SQL: its type}.
        names: of the columns, in the same order.
        targets: those that may be aggregates.
        inputs: those that one may compute with.
    """

    types: dict[str, str]
    names: tuple[str, ...] = ()
    targets: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()

    def columns(self, rows: npt.NDArray[np.float64]) -> tuple[Column, ...]:
        """The columns of sampled rows, shape (rows, at least as many as there are columns)."""
        return tuple(
            Column(c, kind, rows[:, i].copy(), c in self.targets, c in self.inputs)
            for i, (c, kind) in enumerate(self.types.items())
        )


@dataclass(frozen=True)
class FamilySearcher:
    """What the search task runs, as the function of ``mapInArrow``.

    Attributes:
        parents: the table whose columns are asked about.
        children: child tables, one per key that refers to it.
    """

    parents: Side
    children: tuple[Side, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The whole sample in, one row per candidate out."""
        forget_archives()
        table = read(batches)
        found = self.found(table) if table is not None else []
        texts = [json.dumps(one.to_dict()) for one in found]
        yield pa.RecordBatch.from_pydict({"law": texts}, schema=pa.schema([("law", pa.string())]))

    def found(self, table: pa.Table) -> list[ChildLaw]:
        """The candidates of a sample."""
        sample = self.families(table)
        if sample.rows < FEW_PARENTS:
            return []
        return [*sums_and_ends(sample), *statuses(sample)]

    def families(self, table: pa.Table) -> FamilySample:
        """The sample as vectors."""
        parent: Ints = np.asarray(table.column(PARENT).to_numpy())
        place: Ints = np.asarray(table.column(PLACE).to_numpy())
        values = table.column(VALUES).combine_chunks().flatten()
        rows = np.asarray(values.to_numpy(zero_copy_only=False), np.float64).reshape(len(parent), -1)
        ids, first = np.unique(parent[place == SELF], return_index=True)
        parents = self.parents.columns(rows[place == SELF][first])
        children = []
        for i, side in enumerate(self.children):
            mine = np.flatnonzero((place == i) & np.isin(parent, ids))
            mine = mine[np.argsort(parent[mine], kind="stable")]
            at: Ints = np.searchsorted(ids, parent[mine])
            children.append(Family(i, side.columns(rows[mine]), at, len(ids)))
        return FamilySample(parents, tuple(children), len(ids))
