"""Aggregates of children that always hold: candidates of a sample, checked by Spark on every row, chosen among."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from synthohive_spark import graph
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.rules.children.family import FEW_PARENTS
from synthohive_spark.rules.children.lake import FamilyLake, KeyToParent
from synthohive_spark.rules.children.obstacles import closed_columns
from synthohive_spark.rules.children.search import ChildLaw
from synthohive_spark.rules.children.task import FamilySearcher, Side
from synthohive_spark.rules.choose import in_order, reached
from synthohive_spark.rules.evidence import COLUMNS, family_of
from synthohive_spark.rules.kinds.aggregate import Aggregate
from synthohive_spark.schema.children import beside_children
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.people import People
from synthohive_spark.sql import quote
from synthohive_spark.tables import Table

log = get_logger(__name__)
PARENTS, CHILDREN = 20_000, 60_000  # rows of the sample, of the parents and of each child table ...
FEWEST, CELLS = 200, 8_000_000  # ... but so many parents, unless their children have more values: 64 MB


def find_aggregates(people: People, name: str, columns: ColumnsPlan, keys: Sequence[KeyToParent]) -> list[Aggregate]:
    """Columns of a table that are aggregates of its children: one per column, each behind those that it builds on.

    Args:
        people: those behind the rows of the checked source, who must hold a value before a rule may name it.
        name: the table.
        columns: its columns; those that are drawn may be aggregates.
        keys: the keys of child tables that refer to it.
    """
    parents = _Parents(name, columns, people, tuple(keys))
    source = people.source
    few = source.rows[name] < FEW_PARENTS or source.metadata.tables[name].reference
    asked = keys and not few and parents.side.targets
    return parents.aggregates() if asked else []


def referring(tables: Mapping[str, Table]) -> dict[str, list[KeyToParent]]:
    """{table: the keys of tables that are made after it and refer to it}."""
    stage = {t: i for i, names in enumerate(graph.stages(tables)) for t in names}
    late, found = graph.late_keys(tables), {t: list[KeyToParent]() for t in tables}
    for child, spec in tables.items():
        for i, fk in enumerate(spec.foreign_keys):
            if (child, i) not in late and not spec.reference and stage[child] > stage[fk.references]:
                found[fk.references].append(KeyToParent(child, fk.columns, fk.referenced_columns))
    return found


@dataclass(frozen=True)
class _Parents:
    """One table and the keys that refer to it."""

    name: str
    columns: ColumnsPlan
    people: People
    keys: tuple[KeyToParent, ...]

    @property
    def source(self) -> SourceLake:
        return self.people.source

    @functools.cached_property
    def types(self) -> dict[str, str]:
        return self.columns.types()

    @functools.cached_property
    def side(self) -> Side:
        """The table's own columns: those that are drawn may be aggregates."""
        spec = self.source.metadata.tables[self.name]
        types = {c: t for c, t in self.types.items() if family_of(t) and c not in spec.personal}
        drawn = {*self.columns.named("model")} & {*types}
        closed = closed_columns(self.name, self.source.metadata.tables, self.types)
        targets = drawn.difference(closed, self.source.design(self.name).partitions)
        return Side(
            {quote(c): t for c, t in types.items()},
            tuple(types),
            frozenset(map(quote, targets)),
            frozenset(map(quote, drawn - spec.key_columns)),
        )

    def child(self, table: str) -> Side:
        """The columns of a child table that hold something of their own."""
        spec = self.source.metadata.tables[table]
        types = {f.name: f.dataType.simpleString() for f in self.source.schema(table).fields}
        hidden = {*spec.key_columns, *spec.personal, *spec.exclude}
        own = [(c, t) for c, t in types.items() if family_of(t) and c not in hidden][:COLUMNS]
        return Side({quote(c): t for c, t in own}, tuple(c for c, _ in own))

    def aggregates(self) -> list[Aggregate]:
        """The verified ones, chosen among."""
        rows, most = self.source.rows[self.name], max(1, *(self.source.rows[key.table] for key in self.keys))
        share = min(1.0, max(FEWEST / rows, min(PARENTS / rows, CHILDREN / most)))
        sides = {key.table: self.child(key.table) for key in self.keys}
        keys = [key for key in self.keys if self.source.rows[key.table] * share * len(sides[key.table].types) <= CELLS]
        searcher = FamilySearcher(self.side, tuple(sides[key.table] for key in keys))
        lake = FamilyLake(self.name, tuple(keys), searcher, self.source.frame)
        lines = lake.sample(share).repartition(1).mapInArrow(searcher, "law string").collect() if keys else []
        found = [ChildLaw.from_dict(json.loads(line["law"])) for line in lines]
        kept = self._verified(lake.rules(found, self.people))
        log.debug("aggregates_verified", table=self.name, candidates=len(found), verified=len(kept))
        return _chosen(kept)

    def _verified(self, rules: Sequence[Aggregate]) -> list[Aggregate]:
        """Those that hold on every row, by one aggregation."""
        values = [child for rule in rules for child in rule.children]
        rows = beside_children(self.source.frame(self.name), values, self.source.frame)
        broken, first = list[Column](), 0
        for i, rule in enumerate(rules):
            broken.append(F.count_if(~rule.held(self.types[rule.column], first)).alias(f"n{i}"))
            first += len(rule.children)
        row = rows.agg(*broken).first() if rules else None
        return [rule for i, rule in enumerate(rules) if row is not None and row[f"n{i}"] == 0]


def _chosen(rules: Sequence[Aggregate]) -> list[Aggregate]:
    """One per column, and none that builds on itself; each behind those that it builds on.

    What is put together of values that are columns of the row themselves is a rule of the row: net less discount.
    """
    alone = {(rule.children[0].table, rule.children[0].sql) for rule in rules if _is_alone(rule)}
    chosen: dict[str, Aggregate] = {}
    for rule in rules:
        if not _is_alone(rule) and alone.issuperset((child.table, child.sql) for child in rule.children):
            continue
        after = {c: r.own for c, r in chosen.items()}
        if rule.column not in chosen and rule.column not in reached(rule.own, after):
            chosen[rule.column] = rule
    return [chosen[c] for c in in_order({c: rule.own for c, rule in chosen.items()})]


def _is_alone(rule: Aggregate) -> bool:
    """Whether a column is one value of the children, and nothing else."""
    return len(rule.children) == 1 and not rule.own
