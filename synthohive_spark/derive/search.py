"""The search for laws on a sample: candidates are refuted on a few rows first, then on all of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa

from synthohive_spark.derive.arithmetic import (
    PAIRED,
    Candidate,
    affine,
    agrees_only_trivially,
    copies,
    digits,
    pairs,
)
from synthohive_spark.derive.calendar import YEARS, between, parts
from synthohive_spark.derive.law import RANK, Law
from synthohive_spark.derive.near import near
from synthohive_spark.derive.order import orders
from synthohive_spark.derive.relative import relative
from synthohive_spark.derive.sample import EVIDENCE, EXACT, ROWS, Column, Sample, Vector, evidence, judge, read
from synthohive_spark.worker import forget_archives

MOST = 256  # candidates that go on to the whole table
LIKELY = 3  # zones of one time that go on to the whole table
COLUMNS = 128  # columns among which the search looks; copies and nulls are looked for among all


@dataclass(frozen=True)
class Searcher:
    """What the search task runs, as the function of ``mapInArrow``: rows of a sample in, candidate laws out as JSON.

    Attributes:
        types: Spark type of each column, by id.
        targets: ids of columns that may be derived.
        inputs: ids of columns that may be computed with.
    """

    types: Mapping[str, str]
    targets: frozenset[str]
    inputs: frozenset[str]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The whole sample in, one row per candidate out."""
        forget_archives()
        table = read(batches)
        found: list[Law] = []
        if table is not None:
            found = search(Sample.of(table, self.types, self.targets, self.inputs))
        texts = [json.dumps(law.to_dict()) for law in found]
        yield pa.RecordBatch.from_pydict({"law": texts}, schema=pa.schema([("law", pa.string())]))


def search(sample: Sample) -> list[Law]:
    """Laws that no row of the sample refutes and that chance does not explain, simple ones first."""
    if sample.rows < ROWS:
        return []
    own = [c for c in sample.columns if c.id.startswith("v")]
    targets = [c for c in sample.columns if c.target and c.distinct]
    inputs = [c for c in own if c.input and c.distinct > 1][:COLUMNS]
    numbers = [c for c in inputs if c.number][:PAIRED]
    open_ended = chain(copies(sample.columns), parts(inputs), digits(inputs), between(inputs), pairs(numbers))
    with np.errstate(all="ignore"):  # infinities of the source refute themselves
        laws = _fitting(sample, targets, open_ended)
        lines = affine([t for t in targets if t.distinct > 1][:COLUMNS], inputs, sample.probe)
        laws += [law for target, line in lines if (law := _law(sample, target, line)) is not None]
    laws.sort(key=lambda law: (law.reach != "whole", RANK[law.kind], _number(law.target), law.sql))
    return _likely_zones(laws)[:MOST] + nulls(sample)[:MOST] + orders(sample)[:MOST] + near(sample) + relative(sample)


def _likely_zones(laws: list[Law]) -> list[Law]:
    """Of the zones in which parts of a time agree with other columns, the few in which most do."""
    votes = Counter((law.inputs, law.zone) for law in laws if law.zone)
    ranked = {i: [z for (j, z), _ in votes.most_common() if i == j][:LIKELY] for i, _ in votes}
    return [law for law in laws if not law.zone or law.zone in ranked[law.inputs]]


def nulls(sample: Sample) -> list[Law]:
    """Columns that are null wherever another one is."""
    columns = [c for c in sample.columns if c.id.startswith("v")]
    null = np.array([np.isnan(c.values) for c in columns]).reshape(len(columns), sample.rows)
    counts = null.sum(axis=1)
    found = []
    for i in np.flatnonzero((counts > 0) & (counts < sample.rows)):
        target = columns[i]
        if not target.target:
            continue
        share = 1 - counts[i] / sample.rows
        implied = (counts * share >= EVIDENCE) & ~(null & ~null[i]).any(axis=1)
        implied[i] = False
        found += [
            Law("null_when", target.id, (columns[j].id,), "{0} is null", "part", "", target.distinct)
            for j in np.flatnonzero(implied & (counts < sample.rows))
        ]
    return found


def _fitting(sample: Sample, targets: list[Column], candidates: Iterable[Candidate]) -> list[Law]:
    """Laws among candidates that say what they are made from but not which column they may give."""
    probe = sample.probe
    shown = {c.id: c.values[probe] for c in sample.columns}
    stacked = np.array([shown[t.id] for t in targets]).reshape(len(targets), len(probe))
    slack = np.array([_slack(t) for t in targets])[:, None]
    error = EXACT * np.maximum(1.0, np.abs(stacked))
    found = []
    for candidate in candidates:
        made = candidate.make([shown[b.id] for b in candidate.inputs])
        allowed = error + slack if candidate.rounded else error
        for i in np.flatnonzero(~(np.abs(stacked - made) > allowed).any(axis=1)):
            if candidate.fits(targets[i]) and all(b.id != targets[i].id for b in candidate.inputs):
                law = _law(sample, targets[i], candidate)
                if law is not None:
                    found.append(law)
    return found


def _slack(target: Column) -> float:
    """By how much a value may miss a target that is rounded."""
    return 0.0 if target.scale is None else 0.5000001 * 10.0**-target.scale


def _law(sample: Sample, target: Column, candidate: Candidate) -> Law | None:
    values = [b.values for b in candidate.inputs]
    made = candidate.make(values)
    reach = judge(target.values, made, _slack(target) if candidate.rounded else 0.0)
    if reach is None or (reach != "whole" and candidate.inputs[0].id.startswith("c")):
        return None  # what is copied from a parent is copied on every row
    both = ~np.isnan(made) & ~np.isnan(target.values)
    if evidence(target.values[both]) < EVIDENCE and not _a_year(target.values[both], candidate):
        return None
    if len(values) > 1 and agrees_only_trivially(target.values, values):
        return None
    sql = candidate.sql
    if target.number and _rounds(target, candidate):
        sql = f"round({sql}, {target.scale})"
    inputs = tuple(b.id for b in candidate.inputs)
    return Law(candidate.kind, target.id, inputs, sql, reach, candidate.zone, target.distinct)


def _rounds(target: Column, candidate: Candidate) -> bool:
    """Whether the result is rounded: fractions are, whole numbers where they are divided."""
    fractions = any(b.family in ("double", "decimal") for b in candidate.inputs) or " / " in candidate.sql
    return fractions and target.scale is not None and candidate.kind in ("sum", "affine", "product", "ratio")


def _a_year(values: Vector, candidate: Candidate) -> bool:
    is_year = candidate.kind == "part" and candidate.sql.startswith("year(")
    return is_year and len(values) >= ROWS and bool((values > YEARS[0]).all() and (values < YEARS[1]).all())


def _number(column: str) -> int:
    return int(column[1:])
