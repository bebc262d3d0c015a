"""The search for laws on a sample: one task asks every kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from synthohive_spark.rules.evidence import ROWS, Sample, read
from synthohive_spark.rules.kind import KINDS, Kind, Law
from synthohive_spark.rules.kinds import load
from synthohive_spark.rules.value_kind import ValueKind
from synthohive_spark.worker import forget_archives

MOST = 256  # laws of values, and laws of each other kind, that go on to the whole table


def kinds() -> list[Kind]:
    """All kinds, simple ones first."""
    load()
    return sorted(KINDS.values(), key=lambda kind: kind.order)


def views() -> dict[str, str]:
    """{view: Spark SQL of a text ``{0}``}: what the sample holds of each text of the row, for the kinds that ask."""
    return {name: sql for kind in kinds() for name, sql in kind.views.items()}


@dataclass(frozen=True)
class Searcher:
    """What the search task runs, as the function of ``mapInArrow``: rows of a sample in, candidate laws out as JSON.

    Attributes:
        types: Spark type of each column, by id.
        targets: ids of columns that may be derived.
        inputs: ids of columns that may be computed with.
        zones, paths, least, holders, keys, written: as those of ``Sample``.
    """

    types: Mapping[str, str]
    targets: frozenset[str]
    inputs: frozenset[str]
    zones: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    least: int = 1
    holders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The whole sample in, one row per candidate out."""
        forget_archives()
        table = read(batches)
        found: list[Law] = []
        if table is not None:
            sample = Sample.of(table, self.types, self.targets, self.inputs)
            sample = replace(sample, zones=self.zones, paths=self.paths, least=self.least)
            found = search(replace(sample, holders=self.holders, keys=self.keys, written=self.written))
        texts = [json.dumps(law.to_dict()) for law in found]
        yield pa.RecordBatch.from_pydict({"law": texts}, schema=pa.schema([("law", pa.string())]))


def search(sample: Sample) -> list[Law]:
    """Laws that no row of the sample refutes and that chance does not explain, simple ones first."""
    if sample.rows < ROWS:
        return []
    values, others = list[Law](), list[Law]()
    with np.errstate(all="ignore"):  # infinities of the source refute themselves
        for kind in kinds():
            if isinstance(kind, ValueKind) and not kind.tabled:
                values += kind.search(sample)
            else:
                others += kind.search(sample)[:MOST]
    values.sort(key=lambda law: (law.reach != "whole", KINDS[law.kind].order, int(law.target[1:]), law.sql))
    return values[:MOST] + others
