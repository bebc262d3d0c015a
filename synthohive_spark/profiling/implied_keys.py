"""Keys that follow from others of the row: the patient of a bill is that of its encounter, on every row of the source.

Such a key is never drawn, and the finer one leads: an encounter says who the patient is, a patient does not say which
encounter. Paths to the same parent come from the metadata (``graph.key_paths``), Spark asks all rows whether they hold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark import graph
from synthohive_spark.graph import KeyPath, Reach
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.parallel import side_by_side
from synthohive_spark.profiling.key_design import KeyDesign, design, foreseen, implies, unique_keys
from synthohive_spark.profiling.key_statistics import children_counts
from synthohive_spark.rules.evidence import EVIDENCE
from synthohive_spark.rules.verify import SAMPLE, sampled
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey, Table

log = get_logger(__name__)
REACHES: tuple[Reach, ...] = ("always", "set", "there")  # the widest first
LED = 0.5  # share of the rows on which a key leads, at least, if it is to drive the table
NEARLY = 0.05  # share of rows on which a key may name another parent than the path, as many in the copy
CROWDED = 0.25  # share of all parents that more have no rows than by chance, from which on their number of rows is kept
FEW = 7.0  # nats by which chance is the worse explanation of what the parents that lead say: 1 in 1,000
Hops = tuple[int, ...]
Names = dict[tuple[Hops, str], str]
Laws = Mapping[int, Sequence[KeyPath]]


@dataclass(frozen=True)
class KeyCounts:
    """How the rows of a table lie on the parents behind a key.

    Attributes:
        rows: that have one.
        parents: that have rows.
        alike: the chance that two rows have the same one.
    """

    rows: int
    parents: int
    alike: float

    @classmethod
    def of(cls, children: Mapping[int, int]) -> KeyCounts:
        """From {children: parents}."""
        rows = sum(n * parents for n, parents in children.items())
        alike = sum(n * n * parents for n, parents in children.items()) / max(rows, 1) ** 2
        return cls(rows, sum(children.values()), alike)


def with_implied_keys(source: SourceLake) -> SourceLake:
    """The source with the keys that follow from others; where one of them drove its table, a key that leads does."""
    tables, late = source.metadata.tables, graph.late_keys(source.metadata.tables)
    fixed = {*graph.tangled(tables), *foreseen(tables, source.rows)} if late else set()
    fixed |= {
        n for n, t in tables.items() if t.parent_context_cols is not None or any(k.driving for k in t.foreign_keys)
    }
    found = side_by_side(lambda name: _implied(source, name, late, name in fixed), tables)
    driven = {name: _driven(name, source, found[name]) for name in tables}
    return replace(source, metadata=source.metadata.with_tables(driven), implied=found)


def _driven(name: str, source: SourceLake, implied: Mapping[int, KeyPath]) -> Table:
    """A table with its driving key, where that followed from another one: the key that leads drives in its place."""
    tables, keys = source.metadata.tables, source.metadata.tables[name].foreign_keys
    before = graph.driving_key(name, tables, source.rows) if implied else None
    leads = next((keys[path.hops[0]] for i, path in implied.items() if keys[i] is before), None)
    if leads is None:
        return tables[name]
    changed = tuple(fk.model_copy(update={"driving": True}) if fk is leads else fk for fk in keys)
    return tables[name].model_copy(update={"foreign_keys": changed})


def never_dealt(implied: Mapping[int, KeyPath]) -> list[int]:
    """Keys that follow wherever they are set: none of them is ever dealt."""
    return [i for i, path in implied.items() if path.reach != "there"]


def _implied(source: SourceLake, name: str, late: Collection[graph.Edge], fixed: bool) -> dict[int, KeyPath]:
    """The keys of a table that follow from others, and how; none that drives the table if that is fixed."""
    tables, spec = source.metadata.tables, source.metadata.tables[name]
    driving = graph.driving_key(name, tables, source.rows, late)
    asked = [
        (i, path) for i, path in graph.key_paths(name, tables, late) if not (fixed and spec.foreign_keys[i] is driving)
    ]
    frame, check = source.frame(name), PathCheck(source, name)
    if asked and source.rows[name] > SAMPLE:
        key = spec.primary_key or tuple(frame.columns)
        asked = [law[:2] for law in check.holding(sampled(frame, key, source.rows[name]), asked)]
    held = check.holding(frame, asked) if asked else []
    if not held:
        return {}
    counts = [KeyCounts.of(c) for c in children_counts(frame, [fk.columns for fk in spec.foreign_keys])]
    laws: dict[int, list[KeyPath]] = {}
    for i, path, rows in held:
        few = path.reach == "there" and spec.foreign_keys[i] is driving and rows < LED * source.rows[name]
        if not few and is_no_accident(rows, counts[i], counts[path.hops[0]]):
            laws.setdefault(i, []).append(path)
    first = next((i for i in laws if spec.foreign_keys[i] is driving), None)
    if first is not None and any(_crowded(source, name, first, path, counts) for path in laws[first]):
        del laws[first]  # the leading key agrees with it all the same: it is bound to it (``shared_ancestors``)
    found = followed(name, tables, laws, order(spec.foreign_keys, laws, counts, driving))
    return _designed(source, name, found)


def _crowded(source: SourceLake, name: str, i: int, path: KeyPath, counts: Sequence[KeyCounts]) -> bool:
    """Whether far more parents behind a driving key lack rows than if the parents that lead had rows by chance.

    Then rows lie on few of the former, which a finer driving key would not give: few patients get all the supplies.
    """
    tables, fk, leads = (
        source.metadata.tables,
        *(source.metadata.tables[name].foreign_keys[j] for j in (i, path.hops[0])),
    )
    if len(path.hops) > 1 or path.onward is None or any(set(leads.columns) & {*k} for k in unique_keys(name, tables)):
        return False  # the leading key could not be bound to it
    middle, parents = leads.references, source.rows[fk.references]
    held = children_counts(source.frame(middle), [tables[middle].foreign_keys[path.onward].columns])[0]
    chance = with_rows(held, counts[path.hops[0]].parents / source.rows[middle])
    return chance - counts[i].parents > CROWDED * parents


def with_rows(held: Mapping[int, int], share: float) -> float:
    """How many parents have rows, on average, if by chance so large a share of those that lead has.

    Args:
        held: {parents that lead: parents behind the other key that have so many of them}.
        share: of the former.
    """
    return sum(parents * (1 - (1 - share) ** n) for n, parents in held.items())


def _designed(source: SourceLake, name: str, found: dict[int, KeyPath]) -> dict[int, KeyPath]:
    """These keys, if the others can be made without them."""
    if not found:
        return found
    before, tables = source.metadata.tables, {**source.metadata.tables, name: _driven(name, source, found)}
    types = {f.name: f.dataType.simpleString() for f in source.schema(name).fields}
    made = design(name, tables, source.rows, types, never_dealt(found))
    free = {i: path for i, path in found.items() if path.reach != "there" or _is_free(made, i)}
    if free != found:
        return _designed(source, name, free)
    problems = {*made.problems} - {*design(name, before, source.rows, types).problems}
    keys = tables[name].foreign_keys
    if problems:
        log.warning("keys_not_implied", table=name, keys=[keys[i].columns for i in found], why=sorted(problems))
        return {}
    for i, path in found.items():
        ends, by = graph.key_at(path.hops, name, tables).references, keys[path.hops[0]].columns
        log.info("key_implied", table=name, key=keys[i].columns, by=by, table_at_end=ends, where=path.reach)
    return found


def _is_free(made: KeyDesign, i: int) -> bool:
    """Whether a key is drawn and no other one has to agree with it or to be told apart by it."""
    bound = {*made.buckets, *made.part_of, *made.anchors.values()}.union(*made.within.values(), *made.before.values())
    return made.roles[i] == "drawn" and i not in bound


def is_no_accident(rows: int, key: KeyCounts, leading: KeyCounts) -> bool:
    """Whether chance is the worse explanation where a key agrees with a path on all rows, and for all that lead.

    Args:
        rows: that have both.
        key: the key that follows.
        leading: the key that leads.
    """
    if key.parents < 2:
        return False
    nats = -math.log(key.alike)
    return rows * nats >= EVIDENCE and min(rows, leading.parents) * nats >= FEW


def order(keys: Sequence[ForeignKey], laws: Laws, counts: Sequence[KeyCounts], driving: ForeignKey | None) -> list[int]:
    """Keys, the finest first: what a key follows from tells at least as many rows apart."""
    return sorted(
        range(len(keys)),
        key=lambda i: (-counts[i].parents, i in laws, -counts[i].rows, keys[i] is not driving, i),
    )


def followed(name: str, tables: Mapping[str, Table], laws: Laws, finest: Sequence[int]) -> dict[int, KeyPath]:
    """One path for each key that can follow, from keys that do not follow themselves.

    Args:
        name: the table.
        tables: all tables.
        laws: the paths that hold, by the key that equals them.
        finest: the keys, in the order in which they may lead.
    """
    found: dict[int, KeyPath] = {}
    for n, i in enumerate(finest):
        for path in sorted(laws.get(i, ()), key=lambda p: (REACHES.index(p.reach), p.but)):
            first = path.hops[0]
            if first in laws and first not in finest[:n]:
                continue
            if first in found and found[first].reach != "always":
                continue
            rooted = path.behind(found[first]) if first in found else path
            if _may_follow(name, tables, i, rooted):
                found[i] = rooted
                break
    return found


def _may_follow(name: str, tables: Mapping[str, Table], i: int, path: KeyPath) -> bool:
    """Whether nothing else of the row depends on a key in another way than on the key that leads.

    Other keys may share columns with it only where the leading key gives them, and a unique key that holds it must
    hold the leading one, so that rows which agree in that are told apart by the rest.
    """
    keys = tables[name].foreign_keys
    fk, leads = keys[i], keys[path.hops[0]]
    own = set(fk.columns) - set(leads.columns)
    if any(implies(k, leads, tables[k.references]) for k in keys if k is not leads):
        return False  # rows see the parents behind the wider key
    others = [k for j, k in enumerate(keys) if j != i and not implies(fk, k, tables[fk.references])]
    if not own or any(own & set(k.columns) for k in others) or (len(own) < len(fk.columns) and path.reach != "always"):
        return False
    if path.reach == "there" and any(own & set(key) for key in unique_keys(name, tables)):
        return False
    if any(own & set(key) and not set(leads.columns) <= set(key) for key in unique_keys(name, tables)):
        return False
    return all(
        _carried(name, tables, c, path) == r for c, r in zip(fk.columns, path.columns, strict=True) if c not in own
    )


def _carried(name: str, tables: Mapping[str, Table], column: str, path: KeyPath) -> str:
    """The column at the end of a path that equals a column of the leading key whatever the rows; '' if none does."""
    for n in range(1, len(path.hops) + 1):
        fk = graph.key_at(path.hops[:n], name, tables)
        column = dict(zip(fk.columns, fk.referenced_columns, strict=True)).get(column, "")
    return column


@dataclass(frozen=True)
class PathCheck:
    """Asks all rows of a table which paths hold.

    Attributes:
        source: the source.
        name: the table.
    """

    source: SourceLake
    name: str

    @property
    def tables(self) -> Mapping[str, Table]:
        """The metadata."""
        return self.source.metadata.tables

    def holding(self, frame: DataFrame, paths: Sequence[tuple[int, KeyPath]]) -> list[tuple[int, KeyPath, int]]:
        """The paths whose end equals the key on every row that they reach, nulls alike: one query.

        Args:
            frame: rows of the table.
            paths: positions of keys, and what they may follow from.

        Returns:
            Positions, paths, and how many rows have both the key and the one that leads.
        """
        keys = self.tables[self.name].foreign_keys
        own = dict.fromkeys(c for fk in keys for c in fk.columns)
        names: Names = {((), c): f"own{n}" for n, c in enumerate(own)}
        climbed = frame.select(*(F.col(quote(c)).alias(names[(), c]) for c in own))
        for hops, columns in self._steps(paths).items():
            climbed = self._climbed(climbed, names, hops, columns)
        broken = []
        for n, (i, path) in enumerate(paths):
            other, key, leads = ~_same(names, keys[i].columns, path), keys[i].columns, keys[path.hops[0]].columns
            known = reduce(lambda a, b: a | b, [F.col(names[(), c]).isNotNull() for c in key])
            there = reduce(lambda a, b: a & b, [F.col(names[(), c]).isNotNull() for c in leads])
            rows_of = {"always": other, "set": other & known, "there": other & there}
            broken += [F.count_if(rows_of[reach]).alias(f"{reach}{n}") for reach in REACHES]
            broken.append(F.count_if(known & there).alias(f"rows{n}"))
        row, found = climbed.agg(*broken).first(), list[tuple[int, KeyPath, int]]()
        for n, (i, path) in enumerate(paths):
            if row is None:
                continue
            reach, rows = next((r for r in REACHES if not row[f"{r}{n}"]), None), int(row[f"rows{n}"])
            but = row[f"there{n}"] / max(rows, 1)
            if reach is not None:
                found.append((i, replace(path, reach=reach, but=0.0), rows))
            elif but <= NEARLY:
                found.append((i, replace(path, reach="there", but=but), rows))
        return found

    def _steps(self, paths: Sequence[tuple[int, KeyPath]]) -> dict[Hops, list[str]]:
        """What is read of the table at each step of the paths: their ends, and the keys that lead on. In order."""
        found: dict[Hops, dict[str, None]] = {}
        for _, path in paths:
            for n in range(1, len(path.hops) + 1):
                step, on = path.hops[:n], path.hops[: n + 1]
                columns = path.columns if step == path.hops else graph.key_at(on, self.name, self.tables).columns
                found.setdefault(step, {}).update(dict.fromkeys(columns))
        return {step: [*found[step]] for step in sorted(found, key=lambda s: (len(s), s))}

    def _climbed(self, rows: DataFrame, names: Names, hops: Hops, columns: Sequence[str]) -> DataFrame:
        """Rows with columns of the table at the end of these hops; ``names`` learns what they are called."""
        fk = graph.key_at(hops, self.name, self.tables)
        label = "at" + "_".join(map(str, hops))
        names.update({(hops, c): f"{label}c{n}" for n, c in enumerate(columns)})
        parents = self.source.frame(fk.references).select(
            *(F.col(quote(r)).alias(f"{label}k{n}") for n, r in enumerate(fk.referenced_columns)),
            *(F.col(quote(c)).alias(names[hops, c]) for c in columns),
        )
        same = [F.col(names[hops[:-1], c]) == F.col(f"{label}k{n}") for n, c in enumerate(fk.columns)]
        return rows.join(parents, same, "left").drop(*(f"{label}k{n}" for n in range(len(same))))


def _same(names: Names, key: Sequence[str], path: KeyPath) -> Column:
    pairs = zip(key, path.columns, strict=True)
    return reduce(lambda a, b: a & b, [F.col(names[(), c]).eqNullSafe(F.col(names[path.hops, r])) for c, r in pairs])
