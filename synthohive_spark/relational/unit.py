"""One unit of work on an executor: families with their slots in, rows of the table out.

The unit's rows are a function of (seed, table, block, slice) and of what the unit holds; the model always sees the
whole unit, in the same order, so partitions, Arrow batches and retries cannot change a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.models.artifact import Artifact, cached_model
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.privacy.shapes import draw_shape
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.relational.apart import apart
from synthohive_spark.relational.counting import Patterns
from synthohive_spark.relational.deal import codes
from synthohive_spark.relational.dealing import ParentDealer, UnitRows, cached_matching
from synthohive_spark.relational.distinct import Mask, distinct, sequence_values
from synthohive_spark.relational.elapsed import placed
from synthohive_spark.relational.matching import label_name
from synthohive_spark.relational.plan import Beside, TablePlan, nan_name, same_name
from synthohive_spark.relational.positions import position_values
from synthohive_spark.relational.redraw import ROW, hidden
from synthohive_spark.relational.relative import multiplied
from synthohive_spark.relational.selfref import beside, parent_positions
from synthohive_spark.relational.slots import UNIT
from synthohive_spark.relational.values import (
    TIMES,
    Values,
    as_micros,
    as_model,
    as_spark,
    bounded,
    carried,
    pick,
    with_nan,
)
from synthohive_spark.worker import forget_archives

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
        dealer = ParentDealer(self.plan, self.patterns, self.sizes, self.seed, self.artifact)
        taken = dealer(unit, rows)
        columns, context, keep, types = taken.columns, taken.context, taken.keep, self.plan.types()
        for name, values in self._positional(rows).items():
            columns[name] = values
            if name in self.plan.named("sequence", "grid"):
                context[name] = as_model(carried(values), types[name])
        context.update(taken.labels)
        shown = {name: context[name] for name in self.context_types()}
        seen = pd.DataFrame(shown, index=range(rows.count)) if shown else None
        columns.update(self.values(seen, rows.count, rows.seed, rows.rng, self._fair(rows)))
        columns.update({name: self._mostly(name, columns, context) for name in self.plan.near})
        columns.update({name: context[source] for name, source in self.plan.copied.items()})
        for name, law in self.plan.apart.items():
            columns[name] = apart(law, columns[name], rows.index, self.patterns.total)
        if self.plan.tiebreak is not None:
            columns[self.plan.tiebreak] = self._tied(columns, seen, rows)
        for own in self.plan.beside:
            self._refer(own, columns, rows, keep)
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
        return {
            **{c.name: c.type for c in self.plan.shown},
            **{c: types[c] for c in self.plan.named("sequence", "grid")},
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
        plan, total, made = self.plan, self.patterns.total, dict[str, Values]()
        if plan.sequence is not None:
            made[plan.sequence.column] = self._counted(rows)
        made.update(position_values(plan.positions, plan.table, rows.index, total, self.seed))
        for forest in plan.forests:
            up = parent_positions(forest, rows.index, total, self.seed)
            key = position_values(plan.positions, plan.table, np.maximum(up, 0), total, self.seed)
            for column, referenced in zip(forest.columns, forest.referenced, strict=True):
                made[column] = key[referenced].astype(object).mask(up < 0, None)
        return made

    def _refer(self, own: Beside, columns: dict[str, Values], rows: UnitRows, keep: Mask) -> None:
        """A key to other rows of the unit; rows that must have one and find nobody are left out."""
        must = not all(self.plan.nullable(c) for c in own.own)
        while True:
            up = beside(own, columns, rows.index, self.patterns.total, keep, self.seed)
            lost = keep & (up < 0) & must
            if not lost.any():
                break
            keep &= ~lost
        for c, r in zip(own.columns, own.referenced, strict=True):
            if c in own.own:
                columns[c] = pick(columns[r].reset_index(drop=True), up)

    def _counted(self, rows: UnitRows) -> Values:
        """Values of the sequence, by each row's position in its family, or in families that are counted together."""
        families, at = rows.families, rows.at
        assert self.plan.sequence is not None
        if self.plan.sequence.within:
            at = at + families["before"].to_numpy(np.int64)[rows.owner]
            families = pd.DataFrame({"rank": families["s"], "total": families["before_all"]})
        return sequence_values(self.plan.sequence, families, rows.owner, at, self.seed)

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
