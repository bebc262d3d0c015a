"""One unit of work on an executor: families with their slots in, rows of the table out.

The unit's rows are a function of (seed, table, block, slice) and of what the unit holds; the model always sees the
whole unit, in the same order, so partitions, Arrow batches and retries cannot change a row.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.models.artifact import Artifact, cached_model
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.privacy.shapes import draw_shape
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.relational.counting import Patterns
from synthohive_spark.relational.deal import NOBODY, codes, deal_distinct, deal_tied
from synthohive_spark.relational.distinct import Mask, distinct, grid_values, sequence_values
from synthohive_spark.relational.elapsed import placed
from synthohive_spark.relational.linkage import LinkageModel, law_seed, places
from synthohive_spark.relational.matching import Labels, Matcher, Matching, RankedLabels, label_name
from synthohive_spark.relational.plan import DEGREE, ForeignKeyPlan, TablePlan, degree_name, nan_name, same_name
from synthohive_spark.relational.redraw import ROW, hidden
from synthohive_spark.relational.relative import multiplied
from synthohive_spark.relational.selfref import parent_positions
from synthohive_spark.relational.slots import HEAD, UNIT
from synthohive_spark.relational.values import (
    TIMES,
    Values,
    as_micros,
    as_model,
    as_spark,
    bounded,
    carried,
    pick,
    take,
    with_nan,
)
from synthohive_spark.worker import forget_archives

_Parents = tuple[dict[str, Values], dict[str, Values], dict[str, Values], Mask]
CHUNK = 10_000  # rows that the model sees at once; fixed, because the shape of a batch can change a float
FAIR_ROWS = 50_000  # rows that are drawn together, so that each column has its shares
FAIR_FAMILIES = 64  # families whose rows stand for the table
ALMOST_ALL = 0.95
MOSTLY = 0.75  # of its rows are those of families in their shares of the table


@dataclass(frozen=True)
class UnitGenerator:
    """What the Python workers run, as the function of ``mapInPandas``.

    Attributes:
        plan: the table.
        patterns: which of the dealt keys are set on which rows, and how many rows the table has.
        sizes: rows of the tables that late keys refer to, by name.
        seed: the generation seed.
        model_cls: the model's class.
        artifact: what training left: the saved model, and which parents go together.
    """

    plan: TablePlan
    patterns: Patterns
    sizes: Mapping[str, int]
    seed: int
    model_cls: type[ConditionalGenerativeModel]
    artifact: Artifact

    def __call__(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Rows of the table, one frame per unit. Input rows of a unit come together, sorted by UNIT."""
        forget_archives()
        for unit in _units(frames):
            yield self.generate(unit)

    def generate(self, unit: pd.DataFrame) -> pd.DataFrame:
        """The rows of one unit, with every column that is not derived, and what ``redraw`` needs."""
        rows = UnitRows.of(self.plan, unit, self.seed)
        columns, context, labels, keep = self._parents(unit, rows)
        types = self.plan.types()
        for name, values in self._positional(rows).items():
            columns[name] = values
            if name in self.plan.named("sequence", "grid"):
                context[name] = as_model(carried(values), types[name])
        context.update(labels)
        shown = {name: context[name] for name in self.context_types()}
        seen = pd.DataFrame(shown, index=range(rows.count)) if shown else None
        columns.update(self.values(seen, rows.count, rows.seed, rows.rng, self._fair(rows)))
        columns.update({name: self._mostly(name, columns, context) for name in self.plan.near})
        columns.update({name: context[source] for name, source in self.plan.copied.items()})
        if self.plan.tiebreak is not None:
            columns[self.plan.tiebreak] = self._tied(columns, seen, rows)
        wanted = [c.name for c in self.plan.columns if c.role != "derived"]
        made = pd.DataFrame({c: as_spark(columns[c], types[c]) for c in wanted}, columns=wanted)
        if self.plan.expressions:
            made = made.assign(**self._traces(unit, context, rows))
        return made if keep.all() else made[keep].reset_index(drop=True)

    def values(
        self, context: pd.DataFrame | None, rows: int, seed: int, rng: np.random.Generator, fair: bool = False
    ) -> dict[str, Values]:
        """What is drawn and may be drawn again: modelled columns and shapes, within their bounds.

        Args:
            context: what the model sees of each row, shape (rows, c).
            rows: how many.
            seed: of the model.
            rng: of everything else.
            fair: whether these rows stand for the table.
        """
        types, made = self.plan.types(), self._modelled(context, rows, seed, fair)
        for name in self.plan.named("shape"):
            made[name] = draw_shape(self.plan.shapes[name], types[name], rows, rng)
        for law in self.plan.bounds:
            if law.column in self.plan.named("model", "shape"):
                made[law.column] = bounded(made[law.column], law, rng)
        return made

    def _mostly(self, name: str, columns: Mapping[str, Values], context: Mapping[str, Values]) -> Values:
        """A column that equals the ancestor's on the rows that the model chose; a null only where one is allowed."""
        theirs = context[self.plan.near[name]].reset_index(drop=True)
        same = columns[same_name(name)].fillna(False).to_numpy(bool)
        if not self.plan.nullable(name):
            same &= theirs.notna().to_numpy(bool)
        return columns[name].reset_index(drop=True).astype(object).where(~same, theirs)

    def context_types(self) -> dict[str, str]:
        """Names and Spark types of the columns that the model sees, in its order."""
        types, known = self.plan.types(), cached_matching(self.artifact.matching)
        labelled = [fk for fk in self.plan.dealt if fk.position in known.matchers]
        if self.plan.driving is not None and known.shown:
            labelled.insert(0, self.plan.driving)
        own = [self.plan.sequence, *reversed(self.plan.grid)]
        return {
            **{c.name: c.type for c in self.plan.shown},
            **{p.column: types[p.column] for p in own if p is not None},
            **{label_name(fk.columns): "string" for fk in labelled},
        }

    def _traces(self, unit: pd.DataFrame, context: Mapping[str, Values], rows: UnitRows) -> dict[str, Values]:
        """What ``redraw`` needs: unit and position of each row, and what the model saw of it."""
        place = {hidden(name): pd.Series(int(unit[name].iloc[0]), index=range(rows.count)) for name in UNIT}
        shown = {
            hidden(i): as_micros(context[name]) if kind in TIMES else as_spark(context[name], kind)
            for i, (name, kind) in enumerate(self.context_types().items())
        }
        return {**place, ROW: pd.Series(range(rows.count)), **shown}

    def _positional(self, rows: UnitRows) -> dict[str, Values]:
        """Key columns that follow from positions: in the family, or in the whole table."""
        plan, made = self.plan, dict[str, Values]()
        if plan.sequence is not None:
            made[plan.sequence.column] = sequence_values(plan.sequence, rows.families, rows.owner, rows.at, self.seed)
        if plan.grid:
            made.update(grid_values(plan.grid, rows.index, self.patterns.total))
        if plan.surrogate is None:
            return made
        salt = seed_of(self.seed, plan.table, "key")
        made[plan.primary_key[0]] = plan.surrogate.values(rows.index, self.patterns.total, salt)
        if plan.forest is not None:
            up = parent_positions(plan.forest, rows.index, self.patterns.total, self.seed)
            key = plan.surrogate.values(np.maximum(up, 0), self.patterns.total, salt)
            fk = next(k for k in plan.foreign_keys if k.role == "self")
            made[fk.columns[0]] = key.astype(object).mask(up < 0, None)
        return made

    def _parents(self, unit: pd.DataFrame, rows: UnitRows) -> _Parents:
        """Foreign keys and context of each row, from its family and the slots dealt to it; and which rows stay."""
        columns: dict[str, Values] = {}
        context: dict[str, Values] = {}
        labels: dict[str, Values] = {}
        keep = np.ones(rows.count, bool)
        driving = self.plan.driving
        if driving is not None:
            for i, c in enumerate(driving.columns):
                columns[c] = take(rows.families[f"d{i}"], rows.owner, rows.lone)
            for i, seen in enumerate(self.plan.context):
                if seen.path[0] == driving.position:
                    context[seen.name] = take(as_model(rows.families[f"c{i}"], seen.type), rows.owner)
        known, alone = cached_matching(self.artifact.matching), bool(rows.lone.any())
        if driving is not None:
            place = self._driver_places(driving, rows.families, known.drivers)
            if known.drivers is not None:
                label = self._driver_labels(driving, rows.families, known.drivers, place)
                labels[label_name(driving.columns)] = take(label, rows.owner, rows.lone)
            if degree_name(driving.columns) in context:
                degree = self._degrees(driving, rows.families["total"], place, known.drivers)
                context[degree_name(driving.columns)] = as_model(take(degree, rows.owner, rows.lone), "bigint")
        pattern = self.patterns.which(rows.index, alone)
        for i, fk in enumerate(self.plan.dealt):
            if i == self.plan.first_null and known.nulls is not None and not alone:
                groups = known.nulls.groups({**context, **labels}, np.arange(rows.count))
                pattern = pattern[known.nulls.deal(groups, pattern, rows.rng)]
            parents = self._shares(i, fk, unit)
            wanted = np.flatnonzero(self.patterns.are_set(i, pattern, alone))
            matcher = known.matchers.get(fk.position) if len(parents) else None
            cluster = self._clusters(fk, parents, matcher) if matcher is not None else None
            labelled = matcher.parents if matcher is not None else None
            degree = self._degrees(fk, parents["degree"], parents["who"].to_numpy(np.int64), labelled)
            dealt = np.full(rows.count, NOBODY, np.int64)
            dealt[wanted] = self._deal(i, parents, wanted, rows, columns, {**context, **labels}, matcher, cluster)
            keep[wanted] &= dealt[wanted] >= 0
            for n, c in enumerate(fk.columns):
                if c not in columns:
                    columns[c] = pick(parents[f"f{fk.position}_{n}"], dealt)
            for n, seen in enumerate(self.plan.context):
                if seen.path[0] == fk.position:
                    own = degree if seen.column == DEGREE else parents[f"c{n}"]
                    context[seen.name] = pick(as_model(own, seen.type), dealt)
            if fk.position in known.matchers:
                label = pd.Series([] if cluster is None else cluster.astype(str), dtype=object)
                labels[label_name(fk.columns)] = pick(label, dealt)
        return columns, {c.name: context[c.name] for c in self.plan.context}, labels, keep

    def _shares(self, index: int, fk: ForeignKeyPlan, unit: pd.DataFrame) -> pd.DataFrame:
        """The parents that the unit's rows may take: one row each, with ``copies`` slots."""
        parents = unit[unit["kind"] == index + 1].sort_values("who", kind="stable").reset_index(drop=True)
        if fk.role == "drawn" and not parents["met"].all():
            raise GenerationError(f"{self.plan.table}({', '.join(fk.columns)}): a slot has no parent; this is a bug")
        if fk.target is not None:
            salt = seed_of(self.seed, fk.references, "key")
            who = parents["who"].to_numpy(np.int64)
            parents[f"f{fk.position}_0"] = fk.target.values(who, self.sizes[fk.references], salt)
        return parents

    def _clusters(self, fk: ForeignKeyPlan, parents: pd.DataFrame, matcher: Matcher) -> Ints:
        """The cluster of each parent."""
        own = self._attributes(parents, fk, "degree", matcher.parents)
        return matcher.parents.draw(own, parents["who"].to_numpy(np.int64), self.sizes[fk.references])

    def _degrees(self, fk: ForeignKeyPlan, degree: Values, place: Ints, labels: Labels | RankedLabels | None) -> Values:
        """What rows see of the number of each parent's children."""
        if isinstance(labels, RankedLabels):
            return pd.Series(labels.shown(place, self.sizes[fk.references]))
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
        return places(rank, self.sizes[fk.references], law_seed(self.seed, self.plan.table, fk.position))

    def _driver_labels(
        self, fk: ForeignKeyPlan, families: pd.DataFrame, drivers: Labels | RankedLabels, place: Ints
    ) -> Values:
        """The cluster of each driving parent, as text."""
        own = self._attributes(families, fk, "total", drivers)
        return pd.Series(drivers.draw(own, place, self.sizes[fk.references]).astype(str).astype(object), dtype=object)

    def _deal(
        self,
        index: int,
        parents: pd.DataFrame,
        wanted: Ints,
        rows: UnitRows,
        columns: dict[str, Values],
        context: dict[str, Values],
        matcher: Matcher | None,
        cluster: Ints | None,
    ) -> Ints:
        """The parent, by its row in ``parents``, of each wanted row."""
        fk = self.plan.dealt[index]
        place = f"{self.plan.table}({', '.join(fk.columns)})"
        if fk.role == "bound":
            names = [f"t{n}" for n in range(len(fk.tie))]
            mine = rows.families[names].iloc[rows.owner[wanted]]
            tie, theirs = codes(mine, parents[names])
            tie = np.where(rows.lone[rows.owner[wanted]], -1, tie)
            return deal_tied(tie, theirs, parents["degree"].to_numpy(np.int64), rows.rng, place)
        slots = np.repeat(np.arange(len(parents), dtype=np.int64), parents["copies"].to_numpy(np.int64))
        if len(slots) != len(wanted):
            raise GenerationError(f"{place}: a unit got {len(slots)} slots for {len(wanted)} rows; this is a bug")
        if self.plan.linked and set(fk.columns) <= set(self.plan.primary_key) and index == self._last_linked():
            fixed = [c for c in self.plan.primary_key if c in columns and c not in fk.columns]
            group = codes(pd.DataFrame({c: columns[c].iloc[wanted] for c in fixed}))[0]
            dealt = deal_distinct(group, slots, rows.rng)
        elif matcher is None or cluster is None:
            dealt = rows.rng.permutation(len(slots)).astype(np.int64)
        else:
            meeting = matcher.meeting
            dealt = meeting.deal(meeting.groups(context, wanted), cluster[slots], rows.rng)
        return np.where(dealt >= 0, slots[dealt], NOBODY)

    def _last_linked(self) -> int:
        """The last dealt key of those that make the primary key: it keeps the pairs distinct."""
        return max(
            (i for i, fk in enumerate(self.plan.dealt) if set(fk.columns) <= set(self.plan.primary_key)), default=-1
        )

    def _fair(self, rows: UnitRows) -> bool:
        """Whether the unit's rows stand for the table: its mixture of families, or many, which hashes chose."""
        driving = self.plan.driving
        if driving is None:
            return True
        size, total = rows.families["rows"].to_numpy(np.int64), rows.families["total"].to_numpy(np.int64)
        common = np.minimum(size / max(1, size.sum()), total / max(1, self.patterns.total)).sum()
        apart = bool(rows.lone.any()) or driving.null_share > 1 - ALMOST_ALL  # rows without a parent are others
        return bool(common >= MOSTLY) or (not apart and len(size) >= FAIR_FAMILIES and rows.slices == 1)

    def _modelled(self, context: pd.DataFrame | None, rows: int, seed: int, fair: bool = False) -> dict[str, Values]:
        wanted = [*self.plan.named("model"), *map(same_name, self.plan.near)]
        if self.artifact.model is None or not wanted:
            return {}
        model = cached_model(self.model_cls, self.artifact.model)
        fair = fair and rows <= FAIR_ROWS
        parts, sample, chunk = [], model.sample_table if fair else model.sample, FAIR_ROWS if fair else CHUNK
        for begin in range(0, rows, chunk):
            size = min(chunk, rows - begin)
            seen = context.iloc[begin : begin + size].reset_index(drop=True) if context is not None else None
            parts.append(sample(size, context=seen, seed=seed_of(seed, begin) % 2**31))
            missing = [c for c in wanted if c not in parts[-1].columns]
            if missing or len(parts[-1]) != size:
                raise GenerationError(
                    f"{self.plan.table}: {self.model_cls.__name__}.sample gave {len(parts[-1])} rows for {size}"
                    + (f", without the columns {missing}" if missing else "")
                )
        drawn = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0].reset_index(drop=True)
        drawn = multiplied(placed(drawn, context, self.plan.after), context, self.plan.relative)
        nan = {c: drawn[nan_name(c)].fillna(False).to_numpy(bool) for c in wanted if nan_name(c) in drawn}
        return {c: with_nan(drawn[c], nan[c]) if c in nan else drawn[c] for c in wanted}

    def _tied(self, columns: dict[str, Values], context: pd.DataFrame | None, rows: UnitRows) -> Values:
        """The tiebreak column, drawn so that the primary key does not repeat."""
        name = f"{self.plan.tiebreak}"
        value = columns[name].reset_index(drop=True)
        rest = [c for c in self.plan.primary_key if c != name]
        group = codes(pd.DataFrame({c: columns[c].reset_index(drop=True) for c in rest}))[0]

        def redraw(places: Ints) -> Values:
            again = context.iloc[places].reset_index(drop=True) if context is not None else None
            return self._modelled(again, len(places), seed_of(rows.seed, "again"))[name]

        modelled = name in self.plan.named("model") and self.artifact.model is not None
        place = f"{self.plan.table}.{name}"
        return distinct(group, value, redraw if modelled else None, rows.cut, rows.slices, place)


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


@functools.lru_cache(maxsize=4)
def cached_matching(text: str) -> Matching:
    """What is known of who goes with whom, once per Python worker."""
    return Matching.unpack(text)


def _units(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Consecutive rows of one unit, put together across Arrow batches."""
    parts: list[pd.DataFrame] = []
    current: tuple[int, int] | None = None
    for frame in frames:
        if not len(frame):
            continue
        keys = frame[list(UNIT)].to_numpy()
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
        for begin, end in zip(starts, np.r_[starts[1:], len(keys)], strict=True):
            key = (int(keys[begin, 0]), int(keys[begin, 1]))
            if key != current and parts:
                yield pd.concat(parts, ignore_index=True)
                parts = []
            current = key
            parts.append(frame.iloc[begin:end])
    if parts:
        yield pd.concat(parts, ignore_index=True)
