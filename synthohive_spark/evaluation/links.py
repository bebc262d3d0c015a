"""What a foreign key connects: columns of parent and child, siblings, their order. One Spark query for each key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.evaluation import judging
from synthohive_spark.evaluation.halves import Halved, hashed
from synthohive_spark.evaluation.judging import Judged
from synthohive_spark.evaluation.kinds import column_of, compared_kind, complete
from synthohive_spark.evaluation.pair_counts import CountedColumn, PairCounts, some_pairs
from synthohive_spark.evaluation.relations import FamilySizes
from synthohive_spark.evaluation.scores import LinkPairs
from synthohive_spark.metadata import Metadata
from synthohive_spark.tables import ForeignKey, Table

MOST_PAIRS = 200  # of parent and child, and of grandparent and child
MOST_SIBLING_COLUMNS = 24
SLICE = 10_000  # siblings that are looked at together
_ID = "__id"


@dataclass
class LinkFound:
    """What was found of one key."""

    judged: list[Judged] = field(default_factory=list)
    pairs: list[LinkPairs] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Link:
    """One key, and the columns that it brings together.

    Attributes:
        name: the child table.
        table: its metadata.
        fk: the key.
        grand: the key of the parent that leads one table further; None without one.
        own: columns of the child.
        above: columns of the parent.
        far: columns of the grandparent.
        most: children of the parent that has most.
        order: what siblings are ordered by.
    """

    name: str
    table: Table
    fk: ForeignKey
    grand: ForeignKey | None
    own: tuple[CountedColumn, ...]
    above: tuple[CountedColumn, ...]
    far: tuple[CountedColumn, ...]
    most: int
    order: tuple[str, ...]

    @property
    def siblings(self) -> tuple[CountedColumn, ...]:
        """Columns of which siblings are compared."""
        return self.own[:MOST_SIBLING_COLUMNS] if self.most > 1 else ()

    @property
    def ordered(self) -> bool:
        """Whether the order of siblings is looked at."""
        return bool(self.siblings and self.order) and self.most <= SLICE

    @cached_property
    def columns(self) -> list[CountedColumn]:
        """Those of child, parent and grandparent, as they stand in a frame."""
        return [c.at(i) for i, c in enumerate([*self.own, *self.above, *self.far])]

    @property
    def keys(self) -> list[str]:
        """Names of the key's columns in a frame."""
        return [f"k{i}" for i in range(len(self.fk.columns))]

    def rows(self, side: Halved) -> DataFrame:
        """Children of one side with their parents, grandparents and next siblings beside them."""
        rows = side.sided(self.name, [*self._own_columns(), complete(self.fk.columns).alias("whole")]).filter("whole")
        if self.siblings:
            rows = self._with_siblings(rows)
        ups = [f"u{i}" for i in range(len(self.grand.columns if self.grand else ()))]
        rows = rows.join(
            side.frames[self.fk.references].select(
                *(column_of(c).alias(k) for c, k in zip(self.fk.referenced_columns, self.keys, strict=True)),
                *(c.value.alias(f"p{i}") for i, c in enumerate(self.above)),
                *(column_of(c).alias(u) for c, u in zip(self.grand.columns if self.grand else (), ups, strict=True)),
            ),
            self.keys,
        )
        if self.grand is not None:
            further = side.frames[self.grand.references].select(
                *(column_of(c).alias(u) for c, u in zip(self.grand.referenced_columns, ups, strict=True)),
                *(c.value.alias(f"g{i}") for i, c in enumerate(self.far)),
            )
            rows = rows.join(further, ups, "left")
        after = self.siblings if self.ordered else ()
        groups = (("o", self.own), ("p", self.above), ("g", self.far), ("n", self.siblings), ("m", after))
        return rows.select("side", *(f"{letter}{i}" for letter, group in groups for i in range(len(group))))

    def _own_columns(self) -> list[Column]:
        key = [column_of(c).cast("string") for c in self.table.primary_key] or [F.monotonically_increasing_id()]
        return [
            *(c.value.alias(f"o{i}") for i, c in enumerate(self.own)),
            *(column_of(c).alias(k) for c, k in zip(self.fk.columns, self.keys, strict=True)),
            *(column_of(c).alias(f"t{i}") for i, c in enumerate(self.order)),
            F.xxhash64(F.lit("siblings"), *key).alias(_ID),
        ]

    def _with_siblings(self, rows: DataFrame) -> DataFrame:
        """The values of another sibling beside each row, and those of the next one by order."""
        slices, part = -(-self.most // SLICE), [*self.keys, "side"]
        if slices > 1:
            rows, part = rows.withColumn("slice", hashed("slice", [_ID], slices)), [*part, "slice"]
        chance = Window.partitionBy(*part).orderBy(_ID)
        found = {f"n{i}": F.lead(f"o{i}").over(chance) for i in range(len(self.siblings))}
        if self.ordered:
            known = Window.partitionBy(*part).orderBy(*(f"t{i}" for i in range(len(self.order))), _ID)
            found |= {f"m{i}": F.lead(f"o{i}").over(known) for i in range(len(self.siblings))}
        return rows.withColumns(found)


@dataclass(frozen=True)
class Links:
    """The keys of all tables.

    Attributes:
        metadata: tables and keys.
        sides: real and synthetic tables.
        counted: {table: columns that can be counted}.
        sizes: {table: children per parent for each key, real and synthetic}.
    """

    metadata: Metadata
    sides: tuple[Halved, Halved]
    counted: Mapping[str, Sequence[CountedColumn]]
    sizes: Mapping[str, Sequence[tuple[FamilySizes, FamilySizes]]]

    def look(self, name: str, position: int) -> LinkFound:
        """Judge one key of a table."""
        link, found = self._link(name, position), LinkFound()
        place = edge_name(name, link.fk)
        if not link.own:
            return found
        if self.sizes[name][position][0].children.sum() < 2 * judging.LEAST_HALF:
            found.left_out.append(f"{place}: too few children to judge")
            return found
        n, m = len(link.own), len(link.own) + len(link.above)
        near = some_pairs(product(range(n, m), range(n)), MOST_PAIRS, place)
        distant = some_pairs(product(range(m, len(link.columns)), range(n)), MOST_PAIRS, place, "far")
        again = [*range(len(link.siblings))] * (2 if link.ordered else 1)
        beside = [(link.columns[i].coder, link.columns[i].at(m + len(link.far) + k).coder) for k, i in enumerate(again)]
        counts = PairCounts(link.columns, [*near, *distant])
        met = counts.run(link.rows(self.sides[0]).union(link.rows(self.sides[1])), (), beside)
        self._pairs(found, link, counts, len(near))
        met = [c[:, :, 1:] for c in met]  # the last of a family has no next one
        for i, column in enumerate(link.siblings):
            what = column.field.name
            seen = judging.dependence(met[i], place, "siblings", what)
            if seen is not None:
                found.judged.append(Judged("relations", place, "siblings", what, *seen))
            if link.ordered and what not in link.order:
                after = judging.dependence(met[len(link.siblings) + i], floor=met[i])
                if after is not None:
                    found.judged.append(
                        Judged("relations", place, "order", f"{what} by {', '.join(link.order)}", *after)
                    )
        return found

    def _link(self, name: str, position: int) -> Link:
        table = self.metadata.tables[name]
        fk = table.foreign_keys[position]
        upper = self.metadata.tables[fk.references].foreign_keys
        grand = next((k for k in upper if k.references != fk.references and self.counted[k.references]), None)
        return Link(
            name=name,
            table=table,
            fk=fk,
            grand=grand,
            own=tuple(self.counted[name]),
            above=tuple(self.counted[fk.references]),
            far=() if grand is None else tuple(self.counted[grand.references]),
            most=self.sizes[name][position][0].most,
            order=self._order(name, fk),
        )

    def _order(self, name: str, fk: ForeignKey) -> tuple[str, ...]:
        """What siblings are ordered by: the counter beside the key in the primary key, else the first time."""
        table, schema = self.metadata.tables[name], self.sides[0].frames[name].schema
        kinds = {f.name: compared_kind(f.dataType) for f in schema.fields}
        counter = [c for c in table.primary_key if c not in fk.columns]
        if set(fk.columns) <= set(table.primary_key) and len(counter) == 1 and kinds[counter[0]] == "integer":
            return (counter[0],)
        times = [c for c, kind in kinds.items() if kind in ("timestamp", "date") and c not in fk.columns]
        return (times[0],) if times else ()

    def _pairs(self, found: LinkFound, link: Link, counts: PairCounts, near: int) -> None:
        place = edge_name(link.name, link.fk)
        scores, places = counts.unsorted(place), counts.judged(place)
        for k, (left, right, seen) in enumerate(places):
            upper = link.fk.references if k < near or link.grand is None else link.grand.references
            where, kind = (place, "parent and child") if k < near else (f"{place} -> {upper}", "two keys apart")
            if seen is not None:
                found.judged.append(Judged("relations", where, kind, f"{upper}.{left} and {link.name}.{right}", *seen))
        found.pairs.append(LinkPairs(1, link.fk.references, tuple(s for s in scores[:near] if s is not None)))
        if link.grand is not None:
            far = tuple(s for s in scores[near:] if s is not None)
            found.pairs.append(LinkPairs(2, link.grand.references, far))


def edge_name(name: str, fk: ForeignKey) -> str:
    """A foreign key as people read it."""
    return f"{name}({', '.join(fk.columns)}) -> {fk.references}"
