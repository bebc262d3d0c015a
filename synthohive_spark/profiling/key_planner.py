"""The keys of a table, ready to be made: the design of ``keys.py`` with what the source says of each part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark import graph
from synthohive_spark.counts.distribution import Leaves, LinkageModel, Method
from synthohive_spark.counts.fan_out import FanOut
from synthohive_spark.graph import KeyPath
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.parallel import side_by_side
from synthohive_spark.profiling.conditional_counts import CountsLearner, conditional_law
from synthohive_spark.profiling.implied_keys import never_dealt
from synthohive_spark.profiling.key_design import KeyDesign, design, foreseen
from synthohive_spark.profiling.key_formats import grid_column, key_format, sequence, widest
from synthohive_spark.profiling.key_statistics import (
    bucket_sizes,
    children_counts,
    children_law,
    fan_out,
    hierarchy,
    key_set,
    never_alike,
    null_patterns,
    with_exceptions,
    within_batch,
)
from synthohive_spark.profiling.shared_ancestors import beside_above, tie_of
from synthohive_spark.schema.ancestors import ABOVE, group_text
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.keys import (
    ForeignKeyPlan,
    KeysPlan,
    NullPattern,
    PositionKeys,
    SequencePlan,
    dealt_order,
)
from synthohive_spark.schema.people import People
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey, Table

log = get_logger(__name__)
FORESEEN = "a cycle of tables needs the rows of this table before its parents are made"
CHANCE = 3.0  # expected pairs of children with one parent; none in spite of that is a rule (e**-3 = 5 % by chance)


@dataclass(frozen=True)
class KeyPlanner:
    """Plans the keys of one table, from Spark aggregates.

    Attributes:
        name: the table.
        people: those behind the rows of the source, whose metadata holds only foreign keys that some rows have.
        method: the law of children per parent.
        attributes: {position of a key: {column of its parent: type}} that children per parent may follow.
    """

    name: str
    people: People
    method: Method
    attributes: Mapping[int, Mapping[str, str]]

    @property
    def source(self) -> SourceLake:
        """The source."""
        return self.people.source

    @property
    def tables(self) -> Mapping[str, Table]:
        """The metadata."""
        return self.source.metadata.tables

    @property
    def spec(self) -> Table:
        """The metadata of this table."""
        return self.tables[self.name]

    @property
    def frame(self) -> DataFrame:
        """The rows of the source."""
        return self.source.frame(self.name)

    def plan(self) -> tuple[KeysPlan, dict[str, Role]]:
        """All that is known of the keys, and the roles of their columns."""
        found = key_design(self.source, self.name)
        self._agreements(found)
        self._followed(found)
        selves = [i for i, r in found.roles.items() if r == "self" and i not in found.beside]
        shapes = {i: hierarchy(self.frame, self.spec.foreign_keys[i], i) for i in selves}
        hierarchies = {i: made for i, made in shapes.items() if made is not None}
        beside = tuple(within_batch(self.frame, self.spec.foreign_keys, i) for i in found.beside)
        for i, role in found.roles.items():
            if role == "self" and i not in hierarchies and i not in found.beside:
                found.roles[i], found.turns[i] = "late", 0  # rows that refer to each other in a ring
        counts = children_counts(self.frame, [fk.columns for fk in self.spec.foreign_keys])
        for i, led in _led(self.paths, self.spec).items():
            others = round(self.paths[i].but * self.source.rows[self.name])
            counts[i] = _dealt_counts(self.frame, self.spec.foreign_keys[i].columns, led, others)
        keys = [self._key(found, i, fk, counts[i]) for i, fk in enumerate(self.spec.foreign_keys)]
        keys, patterns, free = self._with_nulls(_unlike(keys, self.frame))
        positions, roles = position_keys(self.people, self.name), dict[str, Role]()
        roles.update({c: "foreign" for fk in keys for c in fk.columns})
        roles.update(dict.fromkeys(positions.unique, "unique"))
        roles.update(dict.fromkeys(positions.surrogate, "surrogate"))
        roles.update({p.column: "grid" for p in positions.grid})
        counted = self._sequence(found)
        if counted is not None:
            roles[counted.column] = "sequence"
        types = self._types(self.name)
        plan = KeysPlan(
            primary_key=self.spec.primary_key,
            foreign=tuple(keys),
            positions=positions,
            sequence=counted,
            hierarchies=tuple(hierarchies.values()),
            beside=beside,
            patterns=patterns,
            free_patterns=free,
            together=tuple(_up(self.spec.foreign_keys[found.driving])[c] for c in found.together)
            if found.driving is not None
            else (),
            tiebreak=widest(self.frame, list(found.tiebreak), types) if found.tiebreak else None,
        )
        return plan, roles

    @property
    def paths(self) -> Mapping[int, KeyPath]:
        """The keys that follow from ancestors, and how."""
        return self.source.implied.get(self.name, {})

    def _followed(self, found: KeyDesign) -> None:
        """Keys that follow from ancestors on some rows only: they are dealt after all others."""
        last = max(found.turns.values(), default=0) + 1
        for i, path in self.paths.items():
            if path.reach == "set":
                found.roles[i] = "following"
            if path.reach != "always":
                found.turns[i] = last

    def _types(self, table: str) -> dict[str, str]:
        return {f.name: f.dataType.simpleString() for f in self.source.schema(table).fields}

    def _agreements(self, found: KeyDesign) -> None:
        """Drawn keys that agree with the driving one on every row, because they share an ancestor."""
        if found.driving is None:
            return
        driving = self.spec.foreign_keys[found.driving]
        for i in [i for i, r in found.roles.items() if r == "drawn" and i not in self.paths]:
            fk, bucket = self.spec.foreign_keys[i], found.buckets.get(i)
            if bucket is not None and set(bucket) != set(driving.columns):
                continue
            agreed = tie_of(self.people, self.name, driving, fk)
            if agreed and self.name in foreseen(self.tables, self.source.rows):
                log.warning("agreement_not_kept", table=self.name, keys=[driving.columns, fk.columns], why=FORESEEN)
            elif agreed:
                found.roles[i], found.anchors[i], found.ties[i] = "bound", found.driving, agreed

    def _key(self, found: KeyDesign, i: int, fk: ForeignKey, counts: Mapping[int, int]) -> ForeignKeyPlan:
        """One foreign key with its laws; what depends on nulls is filled in later."""
        role, parents = found.roles[i], self.source.rows[fk.references]
        if role == "driving":
            parents = self._eligible(found, fk)
        if i in found.part_of:
            part = [F.col(quote(_up(fk)[c])) for c in found.part_of[i]]
            parents = self.source.frame(fk.references).select(*part).distinct().count()
        law, children = children_law(counts, parents, self.method)
        if self.method == "conditional" and role in ("driving", "drawn") and not {i} & {*found.part_of, *self.paths}:
            law.leaves = self._leaves(i, fk, parents)
        bucket = found.buckets.get(i)
        if bucket is None and role in ("drawn", "late") and i not in self.paths and _once(law, children, parents):
            bucket = ()
        anchor, within = found.anchors.get(i), found.within.get(i, ())
        up = {} if found.driving is None else _up(self.spec.foreign_keys[found.driving])
        return ForeignKeyPlan(
            position=i,
            columns=fk.columns,
            references=fk.references,
            referenced_columns=fk.referenced_columns,
            role=role,
            null_share=1.0 - children / max(self.source.rows[self.name], 1),
            distribution=law.to_dict(),
            turn=found.turns.get(i, 0),
            anchor=anchor,
            tie=found.ties.get(i, ()),
            part_of=tuple(_up(fk)[c] for c in found.part_of.get(i, ())),
            bucket=None if bucket is None else tuple(up[c] for c in bucket),
            within=within,
            before=found.before.get(i, ()),
            fan_out=self._fan_out(found, i, bucket) if anchor is not None or bucket else FanOut(),
            target=self._target(fk) if role == "late" else None,
            path=self.paths.get(i),
        )

    def _target(self, fk: ForeignKey) -> PositionKeys:
        """How the keys that a late key refers to look."""
        made = position_keys(self.people, fk.references)
        wanted = set(fk.referenced_columns)
        surrogate = {c: f for c, f in made.surrogate.items() if c in wanted}
        unique = {c: f for c, f in made.unique.items() if c in wanted}
        grid = made.grid if any(p.column in wanted for p in made.grid) else ()
        return made.model_copy(update={"surrogate": surrogate, "unique": unique, "grid": grid})

    def _leaves(self, position: int, fk: ForeignKey, parents: int) -> Leaves | None:
        """The law of children given the parent's attributes.

        None where keys close a cycle of tables: rows of all tables must be known there before any is made.
        """
        attributes = self.attributes.get(position, {})
        if not attributes or graph.late_keys(self.tables):
            return None
        known = self.tables[fk.references].reference and {*fk.referenced_columns} <= {*attributes}
        referenced, learner = self.source.frame(fk.references), CountsLearner(attributes, self.people.k, known)
        return conditional_law(self.frame, fk.columns, referenced, fk.referenced_columns, parents, learner)

    def _fan_out(self, found: KeyDesign, i: int, bucket: tuple[str, ...] | None) -> FanOut:
        """How unevenly the candidates of a group are taken."""
        fk, agreed = self.spec.foreign_keys[i], found.ties.get(i, ())
        group = group_text([F.col(quote(q)) for _, q in agreed])
        candidates = beside_above(self.source, fk.references, [q for _, q in agreed])
        relative, taken = fan_out(self.frame, fk.columns, candidates, group, fk.referenced_columns)
        if not bucket:
            return FanOut.learn(relative)
        whole = (*bucket, *(c for j in found.within.get(i, ()) for c in self.spec.foreign_keys[j].columns))
        shared = tuple(c for c in whole if c in fk.columns)
        sizes = bucket_sizes(self.frame, tuple(dict.fromkeys(whole)), shared)
        buckets = self._per_group(tuple(dict.fromkeys(whole)), shared)
        density = taken / buckets if buckets and not found.before.get(i) else 0.0
        return FanOut.learn(relative, density, sizes)

    def _per_group(self, bucket: tuple[str, ...], shared: tuple[str, ...]) -> float:
        """Buckets in a group, on average over the rows' groups."""
        distinct = self.frame.where(key_set(bucket)).select(*(F.col(quote(c)) for c in bucket)).distinct()
        groups = distinct.groupBy(*(F.col(quote(c)) for c in shared)).agg(F.count("*").alias("n"))
        row = groups.agg(F.avg("n").alias("n")).first()
        return float(row["n"] or 0.0) if row is not None else 0.0

    def _eligible(self, found: KeyDesign, driving: ForeignKey) -> int:
        """Driving parents for whose children every key that all rows have finds somebody to agree with."""
        frame = self.source.frame(driving.references)
        bound = [i for i, a in found.anchors.items() if a == found.driving and not self._partly(i)]
        for i in bound:
            tie, references = found.ties[i], self.spec.foreign_keys[i].references
            frame = beside_above(self.source, driving.references, [p for p, _ in tie], frame)
            other = beside_above(self.source, references, [q for _, q in tie])
            there = other.select(*(F.col(quote(q)).alias(f"__t{n}") for n, (_, q) in enumerate(tie)))
            same = [F.col(quote(p)) == F.col(f"__t{n}") for n, (p, _) in enumerate(tie)]
            frame = frame.join(there.distinct(), same, "leftsemi").drop(*(p for p, _ in tie if p.startswith(ABOVE)))
        return frame.count() if bound else self.source.rows[driving.references]

    def _partly(self, i: int) -> bool:
        """Whether some rows lack a key."""
        fk = self.spec.foreign_keys[i]
        return fk.nullable and not self.frame.where(~key_set(fk.columns)).isEmpty()

    def _with_nulls(
        self, keys: list[ForeignKeyPlan]
    ) -> tuple[list[ForeignKeyPlan], tuple[NullPattern, ...], tuple[NullPattern, ...]]:
        """Keys with what depends on nulls: which of them all rows have, which some have without their anchor."""
        driving = next((fk for fk in keys if fk.role == "driving"), None)
        nullable = {f.name for f in self.source.schema(self.name).fields if f.nullable}
        own = driving.columns if driving is not None else ()
        told = {self.spec.foreign_keys[i].columns: led for i, led in _led(self.paths, self.spec).items()}
        owned, free, loose = null_patterns(self.frame, own, [fk.columns for fk in dealt_order(keys)], nullable, told)
        if loose and driving is not None:
            place, turn = len(keys) + driving.position, 1 + max(k.turn for k in keys)
            extra = driving.model_copy(update={"position": place, "role": "loose", "turn": turn})
            law = LinkageModel().fit({1: max(1, self.source.rows[driving.references])}).to_dict()
            keys = [*keys, extra.model_copy(update={"distribution": law})]
            owned, free, _ = null_patterns(self.frame, own, [fk.columns for fk in dealt_order(keys)], nullable, told)
        order = [fk.position for fk in dealt_order(keys)]
        for i, path in ((i, p) for i, p in self.paths.items() if p.but):
            leads = order.index(path.hops[0]) if path.hops[0] in order else None
            owned = with_exceptions(owned, order.index(i), leads, path.but)
            free = free if leads is None else with_exceptions(free, order.index(i), leads, path.but)

        def filled(fk: ForeignKeyPlan) -> ForeignKeyPlan:
            if fk.position not in order:
                return fk
            i = order.index(fk.position)
            anchor = order.index(fk.anchor) if fk.anchor in order else None
            alone = any(p.set_keys[i] and (anchor is None or not p.set_keys[anchor]) for p in free)
            alone |= anchor is not None and any(p.set_keys[i] and not p.set_keys[anchor] for p in owned)
            required = bool(owned) and all(p.set_keys[i] and not {*p.nulls} & {*fk.columns} for p in owned)
            return fk.model_copy(update={"required": required, "free": fk.grouped and alone})

        return [filled(fk) for fk in keys], owned, free

    def _sequence(self, found: KeyDesign) -> SequencePlan | None:
        """The column that is counted within families, or within what some families share."""
        if not found.spread or found.driving is None:
            return None
        (column, shared), driving = next(iter(found.spread.items())), self.spec.foreign_keys[found.driving]
        frame, support = self.people.frame(self.name), self.people.support(self.name)
        made = sequence(frame, shared, column, self._types(self.name)[column], support)
        up = _up(driving)
        within = () if set(shared) == set(driving.columns) else tuple(up[c] for c in shared)
        return made.model_copy(update={"within": within})


def _unlike(keys: list[ForeignKeyPlan], frame: DataFrame) -> list[ForeignKeyPlan]:
    """Keys, drawn ones with those given before them behind which no row has the same parent."""
    order = [*(fk for fk in keys if fk.role == "driving"), *dealt_order(keys)]

    def before(fk: ForeignKeyPlan) -> tuple[int, ...]:
        if fk.role != "drawn" or fk.bucket is not None or fk.path is not None:
            return ()
        given = (k for k in order[: order.index(fk)] if k.role in ("driving", "drawn"))
        like = (k for k in given if (k.references, k.referenced_columns) == (fk.references, fk.referenced_columns))
        apart = (k for k in like if {*k.columns}.isdisjoint(fk.columns))
        return tuple(k.position for k in apart if never_alike(frame, fk.columns, k.columns))

    return [fk.model_copy(update={"unlike": before(fk)}) for fk in keys]


def _once(law: LinkageModel, children: int, parents: int) -> bool:
    """Whether no parent has two children, and not by chance: a rule that is kept though nobody declared it."""
    return bool(law.values.max() <= 1) and children * (children - 1) / (2 * max(parents, 1)) >= CHANCE


def _dealt_counts(frame: DataFrame, columns: tuple[str, ...], led: tuple[str, ...], others: int) -> dict[int, int]:
    """How many parents have how many of the rows that are dealt one: those without the leading key, and exceptions."""
    known = children_counts(frame.where(~key_set(led)), [columns])[0]
    return {**known, 1: known.get(1, 0) + others} if others else known


def _led(paths: Mapping[int, KeyPath], spec: Table) -> dict[int, tuple[str, ...]]:
    """{position of a drawn key: columns of the key on whose rows it follows from an ancestor}."""
    keys = spec.foreign_keys
    return {i: keys[path.hops[0]].columns for i, path in paths.items() if path.reach == "there"}


def key_design(source: SourceLake, table: str) -> KeyDesign:
    """The design of a table's keys, with the types of the source."""
    types = {f.name: f.dataType.simpleString() for f in source.schema(table).fields}
    return design(table, source.metadata.tables, source.rows, types, never_dealt(source.implied.get(table, {})))


def position_keys(people: People, table: str) -> PositionKeys:
    """How the key columns of a table that follow from positions look."""
    source, support = people.source, people.support(table)
    spec, found, frame = source.metadata.tables[table], key_design(source, table), source.frame(table)
    types = {f.name: f.dataType.simpleString() for f in source.schema(table).fields}
    personal = source.metadata.personal(table)
    own = [c for c in found.numbered if (c,) == spec.primary_key]
    others = [c for c in found.numbered if c not in own]
    nulls = {c: frame.where(F.col(quote(c)).isNull()).count() / max(source.rows[table], 1) for c in others}
    return PositionKeys(
        surrogate={c: key_format(people, table, c) for c in own},
        unique={c: key_format(people, table, c, nulls[c]) for c in others},
        null_shares={c: share for c, share in nulls.items() if share},
        grid=tuple(grid_column(people.frame(table), c, types[c], support, c in personal) for c in found.grid),
    )


def _up(fk: ForeignKey) -> dict[str, str]:
    """{column of a key: the parent's column}."""
    return dict(zip(fk.columns, fk.referenced_columns, strict=True))


def with_used_keys(source: SourceLake) -> SourceLake:
    """The source without foreign keys that no row has: their columns are ordinary ones, null throughout."""

    def used(table: str) -> Table:
        spec, frame = source.metadata.tables[table], source.frame(table)
        if not source.rows[table]:
            return spec.model_copy(update={"foreign_keys": ()})
        asked = [i for i, fk in enumerate(spec.foreign_keys) if fk.nullable or not source.rows[fk.references]]
        if not asked:
            return spec
        flags = [F.max(key_set(spec.foreign_keys[i].columns).cast("int")).alias(f"k{i}") for i in asked]
        row = frame.agg(*flags).first()
        unused = [i for i in asked if row is not None and not row[f"k{i}"]]
        if unused:
            log.info("keys_never_set", table=table, keys=[list(spec.foreign_keys[i].columns) for i in unused])
        kept = tuple(fk for i, fk in enumerate(spec.foreign_keys) if i not in unused)
        return spec.model_copy(update={"foreign_keys": kept})

    tables = side_by_side(used, source.metadata.tables)
    return replace(source, metadata=source.metadata.with_tables(tables), declared=source.metadata)
