"""The parents of a unit's rows: which of those that came to the unit each row takes, and what it sees of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.relational.counting import Patterns
from synthohive_spark.relational.deal import NOBODY, codes, deal_grouped, deal_known
from synthohive_spark.relational.distinct import Mask
from synthohive_spark.relational.groups import ANYBODY
from synthohive_spark.relational.linkage import LinkageModel, law_seed, places
from synthohive_spark.relational.matching import Labels, Matcher, Matching, RankedLabels, label_name
from synthohive_spark.relational.plan import DEGREE, ForeignKeyPlan, TablePlan, degree_name
from synthohive_spark.relational.positions import position_values
from synthohive_spark.relational.slots import HEAD
from synthohive_spark.relational.values import Values, as_model, filled, pick, take


@dataclass
class Taken:
    """What the rows of a unit have of their parents; filled key by key.

    Attributes:
        columns: foreign key columns.
        context: what the model sees, by the plan's names.
        labels: clusters of parents, by the names of ``matching.label_name``.
        groups: {position of a key: the group in which each row's parent behind it must lie}.
        pattern: which keys each row has, as ``Patterns.which``.
        keep: rows that stay: those that found a parent behind every key that they must have.
    """

    keep: Mask
    pattern: Ints
    columns: dict[str, Values] = field(default_factory=dict)
    context: dict[str, Values] = field(default_factory=dict)
    labels: dict[str, Values] = field(default_factory=dict)
    groups: dict[int, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class UnitRows:
    """The rows of a unit before they have values.

    Attributes:
        families: one row per family, in the order of their ranks.
        owner: family of each row, shape (count,).
        at: position of each row in its family.
        index: position of each row in the table.
        lone: per family, whether it has no driving parent.
        cut, slices: the unit's slice, and the slices of its block.
        seed: of everything in this unit.
        rng: for what is drawn once, in a fixed order.
    """

    families: pd.DataFrame
    owner: Ints
    at: Ints
    index: Ints
    lone: Mask
    cut: int
    slices: int
    seed: int
    rng: np.random.Generator

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.owner)

    @classmethod
    def of(cls, plan: TablePlan, unit: pd.DataFrame, seed: int) -> UnitRows:
        """The rows of the unit that arrived as families and slots."""
        families = unit[unit["kind"] == 0].sort_values("rank", kind="stable").reset_index(drop=True)
        block, cut = int(families["block"].iloc[0]), int(families["slice"].iloc[0])
        sizes = families["rows"].to_numpy(np.int64)
        owner = np.repeat(np.arange(len(families)), sizes)
        at = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        own = seed_of(seed, plan.table, block, cut)
        return cls(
            families=families,
            owner=owner,
            at=at + families["start"].to_numpy(np.int64)[owner],
            index=int(unit.loc[unit["kind"] == HEAD, "offset"].iloc[0]) + np.arange(len(owner), dtype=np.int64),
            lone=(families["rank"] < 0).to_numpy(bool),
            cut=cut,
            slices=int(families["slices"].max()),
            seed=own,
            rng=np.random.default_rng(own),
        )


@dataclass(frozen=True)
class ParentDealer:
    """Deals parents to the rows of a unit.

    Attributes:
        plan: the table.
        patterns: which of the dealt keys are set on which rows, and how many rows the table has.
        sizes: rows of other tables, by name.
        seed: the generation seed.
        artifact: what training left: which parents go together.
    """

    plan: TablePlan
    patterns: Patterns
    sizes: Mapping[str, int]
    seed: int
    artifact: Artifact

    def __call__(self, unit: pd.DataFrame, rows: UnitRows) -> Taken:
        """The parents of the unit's rows, key by key."""
        known, alone = cached_matching(self.artifact.matching), bool(rows.lone.any())
        taken = Taken(np.ones(rows.count, bool), self.patterns.which(rows.index, alone))
        if self.plan.driving is not None:
            self._take_driving(self.plan.driving, rows, taken, known)
        for i, fk in enumerate(self.plan.dealt):
            if i == self.plan.first_null and known.nulls is not None and not alone:
                alike = known.nulls.groups({**taken.context, **taken.labels}, np.arange(rows.count))
                taken.pattern = taken.pattern[known.nulls.deal(alike, taken.pattern, rows.rng)]
            wanted = np.flatnonzero(self.patterns.are_set(i, taken.pattern, alone))
            self._take(fk, self._shares(i, fk, unit), wanted, rows, taken, known)
        for c, null in self.patterns.nulls(taken.pattern, alone).items():
            taken.columns[c] = taken.columns[c].astype(object).mask(null, None)
        taken.context = {c.name: taken.context[c.name] for c in self.plan.context}
        return taken

    def _take_driving(self, driving: ForeignKeyPlan, rows: UnitRows, taken: Taken, known: Matching) -> None:
        """The driving parents: each row has that of its family."""
        for i, c in enumerate(driving.columns):
            taken.columns[c] = take(rows.families[f"d{i}"], rows.owner, rows.lone)
        for i, seen in enumerate(self.plan.context):
            if seen.path[0] == driving.position:
                taken.context[seen.name] = take(as_model(rows.families[f"c{i}"], seen.type), rows.owner)
        for bound in self.plan.anchored(driving):
            taken.groups[bound.position] = take(rows.families[f"g{bound.position}"], rows.owner, rows.lone)
        place = self._driver_places(driving, rows.families, known.drivers)
        if known.drivers is not None:
            label = self._driver_labels(driving, rows.families, known.drivers, place)
            taken.labels[label_name(driving.columns)] = take(label, rows.owner, rows.lone)
        name = degree_name(driving.columns)
        if name in taken.context:
            degree = self._degrees(driving, rows.families["total"], place, known.drivers)
            taken.context[name] = as_model(take(degree, rows.owner, rows.lone), "bigint")

    def _take(
        self, fk: ForeignKeyPlan, parents: pd.DataFrame, wanted: Ints, rows: UnitRows, taken: Taken, known: Matching
    ) -> None:
        """The parents behind one dealt key, out of those that came to the unit."""
        matcher = known.matchers.get(fk.position) if len(parents) else None
        cluster = self._clusters(fk, parents, matcher) if matcher is not None else None
        dealt = np.full(rows.count, NOBODY, np.int64)
        dealt[wanted] = self._deal(fk, parents, wanted, rows, taken, matcher, cluster)
        given = [c for c in fk.columns if c not in taken.columns]
        if not all(self.plan.nullable(c) and c not in self.plan.primary_key for c in given):
            taken.keep[wanted] &= dealt[wanted] >= 0
        for n, c in enumerate(fk.columns):
            theirs = pick(parents[f"f{fk.position}_{n}"], dealt)
            taken.columns[c] = theirs if c in given else filled(taken.columns[c], theirs)
        for other in self.plan.anchored(fk):
            taken.groups[other.position] = pick(parents[f"g{other.position}"], dealt)
        labelled = matcher.parents if matcher is not None else None
        degree = self._degrees(fk, parents["degree"], parents["who"].to_numpy(np.int64), labelled)
        for n, seen in enumerate(self.plan.context):
            if seen.path[0] == fk.position:
                own = degree if seen.column == DEGREE else parents[f"c{n}"]
                taken.context[seen.name] = pick(as_model(own, seen.type), dealt)
        if fk.position in known.matchers:
            label = pd.Series([] if cluster is None else cluster.astype(str), dtype=object)
            taken.labels[label_name(fk.columns)] = pick(label, dealt)

    def _shares(self, index: int, fk: ForeignKeyPlan, unit: pd.DataFrame) -> pd.DataFrame:
        """The parents that the unit's rows may take: one row each, with ``copies`` slots."""
        own = unit[unit["kind"] == index + 1]
        order = ["g", "rank", "at", "who"] if fk.grouped else ["who"]  # whatever way the rows came
        parents = own.sort_values(order, kind="stable").reset_index(drop=True)
        if fk.role != "late" and not parents["met"].all():
            raise GenerationError(f"{self.plan.table}({', '.join(fk.columns)}): a slot has no parent; this is a bug")
        if fk.target is not None:
            who, size = parents["who"].to_numpy(np.int64), self._size(fk.references)
            made = position_values(fk.target, fk.references, who, size, self.seed)
            for n, c in enumerate(fk.referenced_columns):
                parents[f"f{fk.position}_{n}"] = made[c]
        return parents

    def _size(self, table: str) -> int:
        """Rows of a table: this one, or one before it."""
        return self.patterns.total if table == self.plan.table else self.sizes[table]

    def _clusters(self, fk: ForeignKeyPlan, parents: pd.DataFrame, matcher: Matcher) -> Ints:
        """The cluster of each parent."""
        own = self._attributes(parents, fk, "degree", matcher.parents)
        return matcher.parents.draw(own, parents["who"].to_numpy(np.int64), self._size(fk.references))

    def _degrees(self, fk: ForeignKeyPlan, degree: Values, place: Ints, labels: Labels | RankedLabels | None) -> Values:
        """What rows see of the number of each parent's children."""
        if isinstance(labels, RankedLabels):
            return pd.Series(labels.shown(place, self._size(fk.references)))
        return pd.Series(LinkageModel.from_dict(fk.law).shown(degree.to_numpy(np.int64)))

    def _attributes(
        self, parents: pd.DataFrame, fk: ForeignKeyPlan, degree: str, labels: Labels | RankedLabels
    ) -> pd.DataFrame:
        """What labels need of the parents behind a key, by the model's names; ``degree`` holds their children."""
        shown = {
            c.name: as_model(parents[degree if c.column == DEGREE else f"c{n}"], c.type)
            for n, c in enumerate(self.plan.context)
            if c.path[0] == fk.position and c.name in labels.needed
        }
        return pd.DataFrame(shown, index=parents.index)

    def _driver_places(self, fk: ForeignKeyPlan, families: pd.DataFrame, drivers: Labels | RankedLabels | None) -> Ints:
        """The place of each driving parent by which it is labelled: on the law where ranks tell, else its rank."""
        rank: Ints = np.maximum(families["rank"].to_numpy(np.int64), 0)
        if not isinstance(drivers, RankedLabels):
            return rank
        return places(rank, self._size(fk.references), law_seed(self.seed, self.plan.table, fk.position))

    def _driver_labels(
        self, fk: ForeignKeyPlan, families: pd.DataFrame, drivers: Labels | RankedLabels, place: Ints
    ) -> Values:
        """The cluster of each driving parent, as text."""
        own = self._attributes(families, fk, "total", drivers)
        return pd.Series(drivers.draw(own, place, self._size(fk.references)).astype(str).astype(object), dtype=object)

    def _deal(
        self,
        fk: ForeignKeyPlan,
        parents: pd.DataFrame,
        wanted: Ints,
        rows: UnitRows,
        taken: Taken,
        matcher: Matcher | None,
        cluster: Ints | None,
    ) -> Ints:
        """The parent, by its row in ``parents``, of each wanted row."""
        if fk.bucket is not None and not fk.once:
            own = parents["g"].to_numpy() != ANYBODY
            rank = rows.families["rank"].to_numpy(np.int64)[rows.owner]
            mine, theirs = codes(
                pd.DataFrame({"rank": rank, "at": rows.at}).iloc[wanted], parents.loc[own, ["rank", "at"]]
            )
            dealt = deal_known(mine, theirs)
            dealt = np.where(dealt >= 0, np.flatnonzero(own)[dealt] if own.any() else NOBODY, NOBODY)
            return self._deal_strays(parents, wanted, dealt, rows)
        slots = np.repeat(np.arange(len(parents), dtype=np.int64), parents["copies"].to_numpy(np.int64))
        if fk.role == "bound":
            group = taken.groups[fk.position].iloc[wanted].astype(object)
            group = group.where(group.notna(), ANYBODY)
            mine, theirs = codes(group.to_frame(), parents[["g"]].iloc[slots])
            dealt = deal_grouped(mine, theirs, rows.rng)
            return np.where(dealt >= 0, slots[dealt] if len(slots) else NOBODY, NOBODY)
        if fk.once:
            dealt = np.full(len(wanted), NOBODY, np.int64)
            dealt[: len(slots)] = slots
            return rows.rng.permutation(dealt)
        if len(slots) != len(wanted):
            place = f"{self.plan.table}({', '.join(fk.columns)})"
            raise GenerationError(f"{place}: a unit got {len(slots)} slots for {len(wanted)} rows; this is a bug")
        if matcher is None or cluster is None:
            return slots[rows.rng.permutation(len(slots)).astype(np.int64)]
        meeting = matcher.meeting
        return slots[meeting.deal(meeting.groups({**taken.context, **taken.labels}, wanted), cluster[slots], rows.rng)]

    def _deal_strays(self, parents: pd.DataFrame, wanted: Ints, dealt: Ints, rows: UnitRows) -> Ints:
        """Parents for rows that have a key without what it is told apart by: anybody's."""
        free = np.flatnonzero((parents["g"] == ANYBODY).to_numpy())
        slots = np.repeat(free, parents["copies"].to_numpy(np.int64)[free])
        alone = np.flatnonzero((dealt < 0) & rows.lone[rows.owner[wanted]])
        dealt[alone[: len(slots)]] = rows.rng.permutation(slots)[: len(alone)]
        return dealt


@functools.lru_cache(maxsize=4)
def cached_matching(text: str) -> Matching:
    """What is known of who goes with whom, once per Python worker."""
    return Matching.unpack(text)
