"""The step that gives rows their parents: whom each row takes of those that came, and what it sees of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from synthohive_spark.counts.distribution import LinkageModel, law_seed, places
from synthohive_spark.errors import GenerationError
from synthohive_spark.generation.batch_state import BatchRows, BatchState
from synthohive_spark.generation.deal import NOBODY, codes, deal_grouped, deal_known
from synthohive_spark.generation.exchange import Fit, deal_fitting
from synthohive_spark.generation.groups import ANYBODY
from synthohive_spark.generation.null_patterns import Patterns
from synthohive_spark.generation.position_keys import position_values
from synthohive_spark.matching.labels import Labels, RankedLabels
from synthohive_spark.matching.matching import Matcher, Matching, label_name
from synthohive_spark.randomness import Ints
from synthohive_spark.rules.kinds.parents import ParentsInOrder
from synthohive_spark.schema import frames
from synthohive_spark.schema.context import DEGREE, ContextPlan, degree_name
from synthohive_spark.schema.conversion import Mask, Values, as_model, filled, pick, take
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan


@dataclass(frozen=True)
class Parents:
    """The parents behind one key that came to a batch.

    Attributes:
        fk: the key.
        each: rows of ``frames.batch_frame``; ``copies`` says how many rows may take it.
        matcher: which of them go with whom; None where nothing was learnt.
        cluster: of each, shape (parents,); None without a matcher.
    """

    fk: ForeignKeyPlan
    each: pd.DataFrame
    matcher: Matcher | None
    cluster: Ints | None

    @property
    def slots(self) -> Ints:
        """Places in ``each``, as often as rows may take them."""
        return np.repeat(np.arange(len(self.each), dtype=np.int64), self.each["copies"].to_numpy(np.int64))


@dataclass
class Assignment:
    """What is known while keys are assigned one after the other.

    Attributes:
        pattern: which keys each row has, as ``Patterns.which``.
        groups: {position of a key: the group in which each row's parent behind it must lie}.
    """

    pattern: Ints
    groups: dict[int, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class AssignParents:
    """Gives the rows of a batch their foreign keys and context.

    Attributes:
        table: the table's name.
        keys: its keys.
        seen: what its rows see of their ancestors.
        nullable: columns that may be null and are in no primary key.
        patterns: which of the assigned keys are set on which rows, and how many rows the table has.
        sizes: rows of other tables, by name.
        seed: the generation seed.
        matching: which parents go together, as ``Matching.pack``.
        orders: what parents of one row keep.
    """

    table: str
    keys: KeysPlan
    seen: ContextPlan
    nullable: frozenset[str]
    patterns: Patterns
    sizes: Mapping[str, int]
    seed: int
    matching: str
    orders: tuple[ParentsInOrder, ...] = ()

    def __call__(self, state: BatchState) -> BatchState:
        """The parents of the rows, key by key."""
        rows, known = state.rows, cached_matching(self.matching)
        made = Assignment(self.patterns.which(rows.index, rows.alone))
        if self.keys.driving is not None:
            self._take_driving(self.keys.driving, state, made, known)
        for i, fk in enumerate(self.keys.dealt):
            if i == self.keys.first_null and known.nulls is not None and not rows.alone:
                alike = known.nulls.groups({**state.context, **state.labels}, np.arange(rows.count))
                made.pattern = made.pattern[known.nulls.deal(alike, made.pattern, rows.rng)]
            there = self.patterns.are_set(i, made.pattern, rows.alone)
            if fk.role == "following":
                self._follow(fk, state, there)
            else:
                self._take(self._parents(i, fk, state, known), np.flatnonzero(there), state, made)
        for fk in self.keys.following:
            if fk.role != "following":
                self._follow(fk, state)
        for c, null in self.patterns.nulls(made.pattern, rows.alone).items():
            state.columns[c] = state.columns[c].astype(object).mask(null, None)
        state.context = {c.name: state.context[c.name] for c in self.seen.each}
        return state

    def _follow(self, fk: ForeignKeyPlan, state: BatchState, there: Mask | None = None) -> None:
        """A key that follows from an ancestor, on the rows that have it; on others it was dealt.

        With a drawn key follows what rows see of its parent.
        """
        for c, seen in zip(fk.columns, fk.follows, strict=True):
            told = state.context[seen]
            told = told if there is None else pick(told, np.where(there, np.arange(len(told)), NOBODY))
            if c not in state.columns:
                state.columns[c] = told
            elif fk.role == "drawn":  # the leading key gives the columns that others share with it
                state.columns[c] = filled(state.columns[c], told)
            if c not in self.nullable:
                state.keep &= state.columns[c].notna().to_numpy()
        for own in (c.name for c in self.seen.each if fk.role == "drawn" and c.path[0] == fk.position):
            state.context[own] = state.context[own].where(state.context[own].notna(), state.context[f"={own}"])

    def _take_driving(self, driving: ForeignKeyPlan, state: BatchState, made: Assignment, known: Matching) -> None:
        """The driving parents: each row has that of its family."""
        rows = state.rows
        for i, c in enumerate(driving.columns):
            state.columns[c] = take(rows.families[frames.driving(i)], rows.owner, rows.lone)
        for i, seen in enumerate(self.seen.each):
            if seen.path[0] == driving.position:
                family = as_model(rows.families[frames.context(i)], seen.type)
                state.context[seen.name] = take(family, rows.owner)
        for bound in self.keys.anchored(driving):
            group = rows.families[frames.group(bound.position)]
            made.groups[bound.position] = take(group, rows.owner, rows.lone)
        place = self._driver_places(driving, rows.families, known.drivers)
        if known.drivers is not None:
            label = self._driver_labels(driving, rows.families, known.drivers, place)
            state.labels[label_name(driving.columns)] = take(label, rows.owner, rows.lone)
        name = degree_name(driving.columns)
        if name in state.context:
            degree = self._degrees(driving, rows.families["total"], place, known.drivers)
            state.context[name] = as_model(take(degree, rows.owner, rows.lone), "bigint")

    def _take(self, parents: Parents, wanted: Ints, state: BatchState, made: Assignment) -> None:
        """The parents behind one assigned key, out of those that came to the batch."""
        fk, each, count = parents.fk, parents.each, state.rows.count
        dealt = np.full(count, NOBODY, np.int64)
        dealt[wanted] = self._deal(parents, wanted, state, made)
        dealt = self._fitting(parents, dealt, state, made)
        given = [c for c in fk.columns if c not in state.columns]
        if not self.nullable.issuperset(given):
            state.keep[wanted] &= dealt[wanted] >= 0
        for n, c in enumerate(fk.columns):
            theirs = pick(each[frames.key(fk.position, n)], dealt)
            state.columns[c] = theirs if c in given else filled(state.columns[c], theirs)
        for other in self.keys.anchored(fk):
            made.groups[other.position] = pick(each[frames.group(other.position)], dealt)
        labelled = parents.matcher.parents if parents.matcher is not None else None
        degree = self._degrees(fk, each["degree"], each["who"].to_numpy(np.int64), labelled)
        for n, seen in enumerate(self.seen.each):
            if seen.path[0] == fk.position:
                own = degree if seen.column == DEGREE else each[frames.context(n)]
                state.context[seen.name] = pick(as_model(own, seen.type), dealt)
        if fk.position in cached_matching(self.matching).matchers:
            label = pd.Series([] if parents.cluster is None else parents.cluster.astype(str), dtype=object)
            state.labels[label_name(fk.columns)] = pick(label, dealt)

    def _fitting(self, parents: Parents, dealt: Ints, state: BatchState, made: Assignment) -> Ints:
        """The parents exchanged between rows of the batch, so that no row has one that may not meet those it has."""
        fk, each, rows = parents.fk, parents.each, state.rows
        orders = [o for o in self.orders if self._is_between(o, fk, state)] if self.keys.is_movable(fk) else []
        if not orders and not fk.unlike:
            return dealt
        needs, has = np.zeros((len(orders), rows.count)), np.zeros((len(orders), len(each)))
        for i, order in enumerate(orders):
            for n, seen in ((n, c) for n, c in enumerate(self.seen.each) if c.name in order.seen):
                sign = 1 if order.upper in state.context else -1
                if seen.path[0] == fk.position:
                    has[i] = -sign * order.line(seen.name, as_model(each[frames.context(n)], seen.type))
                else:
                    needs[i] = -sign * order.line(seen.name, state.context[seen.name])
        theirs = pd.DataFrame({n: each[frames.key(fk.position, n)] for n in range(len(fk.columns))})
        others = [self.keys.at(p).columns for p in fk.unlike]
        had = [pd.DataFrame({n: state.columns[c] for n, c in enumerate(columns)}) for columns in others]
        parent, *unlike = codes(theirs, *had)
        group = np.zeros(rows.count, np.int64)
        if fk.role == "bound":
            (group,) = codes(made.groups[fk.position].to_frame())
        kin = rows.owner if fk.bucket is not None and not fk.once else None
        if kin is not None:  # other rows of a family that is cut lie in other batches
            total, here = (rows.families[c].to_numpy(np.int64) for c in ("total", "rows"))
            group = np.where((total > here)[rows.owner], NOBODY, group)
        told = np.array(unlike, np.int64).reshape(len(unlike), rows.count)
        strict = np.array([order.strict for order in orders], bool)
        return deal_fitting(dealt, Fit(needs, has, strict, parent, told, kin, group, fk.once), rows.rng)

    def _is_between(self, order: ParentsInOrder, fk: ForeignKeyPlan, state: BatchState) -> bool:
        """Whether a row has one of the two columns of an order, and a key's parents have the other one."""
        own = {c.name for c in self.seen.each if c.path[0] == fk.position}
        return len(own.intersection(order.seen)) == 1 and len(state.context.keys() & {*order.seen}) == 1

    def _parents(self, index: int, fk: ForeignKeyPlan, state: BatchState, known: Matching) -> Parents:
        """The parents that the batch's rows may take: one row each, with ``copies`` slots."""
        own = state.parents[state.parents["kind"] == index + 1]
        order = ["g", "rank", "at", "who"] if fk.grouped else ["who"]  # whatever way the rows came
        each = own.sort_values(order, kind="stable").reset_index(drop=True)
        if fk.role != "late" and not each["met"].all():
            raise GenerationError(f"{self.table}({', '.join(fk.columns)}): a slot has no parent; this is a bug")
        if fk.target is not None:
            who, size = each["who"].to_numpy(np.int64), self._size(fk.references)
            made = position_values(fk.target, fk.references, who, size, self.seed)
            for n, c in enumerate(fk.referenced_columns):
                each[frames.key(fk.position, n)] = made[c]
        matcher = known.matchers.get(fk.position) if len(each) else None
        if matcher is None:
            return Parents(fk, each, None, None)
        own = self._attributes(each, fk, "degree", matcher.parents)
        cluster = matcher.parents.draw(own, each["who"].to_numpy(np.int64), self._size(fk.references))
        return Parents(fk, each, matcher, cluster)

    def _size(self, table: str) -> int:
        """Rows of a table: this one, or one before it."""
        return self.patterns.total if table == self.table else self.sizes[table]

    def _degrees(self, fk: ForeignKeyPlan, degree: Values, place: Ints, labels: Labels | RankedLabels | None) -> Values:
        """What rows see of the number of each parent's children."""
        if isinstance(labels, RankedLabels):
            return pd.Series(labels.shown(place, self._size(fk.references)))
        return pd.Series(LinkageModel.from_dict(fk.distribution).shown(degree.to_numpy(np.int64)))

    def _attributes(
        self, parents: pd.DataFrame, fk: ForeignKeyPlan, degree: str, labels: Labels | RankedLabels
    ) -> pd.DataFrame:
        """What labels need of the parents behind a key, by the model's names; ``degree`` holds their children."""
        shown = {
            c.name: as_model(parents[degree if c.column == DEGREE else frames.context(n)], c.type)
            for n, c in enumerate(self.seen.each)
            if c.path[0] == fk.position and c.name in labels.needed
        }
        return pd.DataFrame(shown, index=parents.index)

    def _driver_places(self, fk: ForeignKeyPlan, families: pd.DataFrame, drivers: Labels | RankedLabels | None) -> Ints:
        """The place of each driving parent by which it is labelled: its rank, or that of its count where ranks tell."""
        rank: Ints = np.maximum(families["rank"].to_numpy(np.int64), 0)
        if not isinstance(drivers, RankedLabels):
            return rank
        return places(rank, self._size(fk.references), law_seed(self.seed, self.table, fk.position))

    def _driver_labels(
        self, fk: ForeignKeyPlan, families: pd.DataFrame, drivers: Labels | RankedLabels, place: Ints
    ) -> Values:
        """The cluster of each driving parent, as text."""
        own = self._attributes(families, fk, "total", drivers)
        return pd.Series(drivers.draw(own, place, self._size(fk.references)).astype(str).astype(object), dtype=object)

    def _deal(self, parents: Parents, wanted: Ints, state: BatchState, made: Assignment) -> Ints:
        """The parent, by its row in ``parents.each``, of each wanted row."""
        fk, rows, slots = parents.fk, state.rows, parents.slots
        if fk.bucket is not None and not fk.once:
            return _deal_buckets(parents.each, wanted, rows)
        if fk.role == "bound":
            group = made.groups[fk.position].iloc[wanted].astype(object)
            group = group.where(group.notna(), ANYBODY)
            mine, theirs = codes(group.to_frame(), parents.each[["g"]].iloc[slots])
            dealt = deal_grouped(mine, theirs, rows.rng)
            return np.where(dealt >= 0, slots[dealt] if len(slots) else NOBODY, NOBODY)
        if fk.once:
            dealt = np.full(len(wanted), NOBODY, np.int64)
            dealt[: len(slots)] = slots
            return rows.rng.permutation(dealt)
        if len(slots) != len(wanted):
            place = f"{self.table}({', '.join(fk.columns)})"
            raise GenerationError(f"{place}: a batch got {len(slots)} slots for {len(wanted)} rows; this is a bug")
        if parents.matcher is None or parents.cluster is None:
            return slots[rows.rng.permutation(len(slots)).astype(np.int64)]
        meeting = parents.matcher.meeting
        alike = meeting.groups({**state.context, **state.labels}, wanted)
        return slots[meeting.deal(alike, parents.cluster[slots], rows.rng)]


def _deal_buckets(parents: pd.DataFrame, wanted: Ints, rows: BatchRows) -> Ints:
    """The parents that rows of buckets were told; rows without what tells them apart take anybody."""
    own = parents["g"].to_numpy() != ANYBODY
    rank = rows.families["rank"].to_numpy(np.int64)[rows.owner]
    mine, theirs = codes(pd.DataFrame({"rank": rank, "at": rows.at}).iloc[wanted], parents.loc[own, ["rank", "at"]])
    known = deal_known(mine, theirs)
    dealt: Ints = np.where(known >= 0, np.flatnonzero(own)[known] if own.any() else NOBODY, NOBODY)
    free = np.flatnonzero(~own)
    slots = np.repeat(free, parents["copies"].to_numpy(np.int64)[free])
    alone = np.flatnonzero((dealt < 0) & rows.lone[rows.owner[wanted]])
    dealt[alone[: len(slots)]] = rows.rng.permutation(slots)[: len(alone)]
    return dealt


@functools.lru_cache(maxsize=4)
def cached_matching(text: str) -> Matching:
    """What is known of who goes with whom, once per Python worker."""
    return Matching.unpack(text)
