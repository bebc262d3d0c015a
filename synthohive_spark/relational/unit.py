"""One unit of work on an executor: families with their slots in, rows of the table out.

The unit's rows are a function of (seed, table, block, slice) and of what the unit holds; the model always sees the
whole unit, in the same order, so partitions, Arrow batches and retries cannot change a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.metadata import Constraint
from synthohive_spark.models.artifact import cached_model
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.privacy.shapes import draw_shape
from synthohive_spark.randomness import Ints, generator, seed_of
from synthohive_spark.relational.distinct import Mask, distinct, sequence_values
from synthohive_spark.relational.plan import TablePlan
from synthohive_spark.relational.skeleton import UNIT
from synthohive_spark.relational.values import Values, as_model, as_spark


@dataclass(frozen=True)
class UnitGenerator:
    """What the Python workers run, as the function of ``mapInPandas``.

    Attributes:
        plan: the table.
        total: rows of the whole table.
        seed: the generation seed.
        model_cls: the model's class.
        artifact: the saved model; None where no column is modelled.
    """

    plan: TablePlan
    total: int
    seed: int
    model_cls: type[ConditionalGenerativeModel]
    artifact: bytes | None

    def __call__(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Rows of the table, one frame per unit. Input rows of a unit come together, sorted by UNIT."""
        for unit in _units(frames):
            yield self.generate(unit)

    def generate(self, unit: pd.DataFrame) -> pd.DataFrame:
        """The rows of one unit, with every column that is not derived."""
        families = unit[unit["kind"] == 0].sort_values("rank", kind="stable")
        block, cut = int(families["block"].iloc[0]), int(families["slice"].iloc[0])
        rng = generator(self.seed, self.plan.table, block, cut)
        sizes = families["rows"].to_numpy(np.int64)
        rows, owner = int(sizes.sum()), np.repeat(np.arange(len(families)), sizes)
        at = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes) + families["start"].to_numpy(np.int64)[owner]
        columns, context = self._parents(unit, families, owner, rng)
        types = self.plan.types()
        if self.plan.sequence is not None:
            name = self.plan.sequence.column
            columns[name] = sequence_values(self.plan.sequence, families, owner, at, self.seed)
            context[name] = columns[name]
        seen = pd.DataFrame(context, index=range(rows)) if context else None
        columns.update(self._modelled(rows, seen, seed_of(self.seed, self.plan.table, block, cut)))
        if self.plan.surrogate is not None:
            index = int(families["offset"].iloc[0]) + np.arange(rows, dtype=np.int64)
            salt = seed_of(self.seed, self.plan.table, "key")
            columns[self.plan.primary_key[0]] = self.plan.surrogate.values(index, self.total, salt)
        for name in self.plan.named("shape"):
            columns[name] = draw_shape(self.plan.shapes[name], types[name], rows, rng)
        for law in self.plan.bounds:
            if law.column in self.plan.named("model", "shape"):
                columns[law.column] = _bounded(columns[law.column], law, rng)
        if self.plan.tiebreak is not None:
            columns[self.plan.tiebreak] = self._tied(columns, seen, block, cut, int(families["slices"].max()))
        wanted = self.plan.named("model", "surrogate", "sequence", "foreign", "shape")
        return pd.DataFrame({c: as_spark(columns[c], types[c]) for c in wanted}, columns=wanted)

    def _parents(
        self, unit: pd.DataFrame, families: pd.DataFrame, owner: Ints, rng: np.random.Generator
    ) -> tuple[dict[str, Values], dict[str, Values]]:
        """Foreign keys and context of each row: from its family, and from the slots dealt to the unit."""
        columns: dict[str, Values] = {}
        context: dict[str, Values] = {}
        driving = self.plan.driving
        if driving is not None:
            missing = (families["rank"] < 0).to_numpy()
            for i, c in enumerate(driving.columns):
                columns[c] = _take(families[f"d{i}"], owner, missing)
            for i, seen in enumerate(self.plan.context):
                if seen.path[0] == driving.position:
                    context[seen.name] = as_model(_take(families[f"c{i}"], owner), seen.type)
        for kind, fk in enumerate(self.plan.drawn, start=1):
            slots = unit[unit["kind"] == kind].sort_values("rank", kind="stable")
            if len(slots) > len(owner):
                raise GenerationError(f"{self.plan.table}: a unit got {len(slots)} slots for {len(owner)} rows")
            dealt = np.full(len(owner), -1)
            dealt[rng.permutation(len(owner))[: len(slots)]] = np.arange(len(slots))
            for i, c in enumerate(fk.columns):
                columns[c] = _deal(slots, f"f{fk.position}_{i}", dealt)
            for i, seen in enumerate(self.plan.context):
                if seen.path[0] == fk.position:
                    context[seen.name] = as_model(_deal(slots, f"c{i}", dealt), seen.type)
        ordered = [c.name for c in self.plan.context]
        return columns, {n: context[n] for n in ordered}

    def _modelled(self, rows: int, context: pd.DataFrame | None, seed: int) -> dict[str, Values]:
        wanted = self.plan.named("model")
        if self.artifact is None or not wanted:
            return {}
        drawn = cached_model(self.model_cls, self.artifact).sample(rows, context=context, seed=seed)
        missing = [c for c in wanted if c not in drawn.columns]
        if missing or len(drawn) != rows:
            raise GenerationError(
                f"{self.plan.table}: {self.model_cls.__name__}.sample gave {len(drawn)} rows for {rows}"
                + (f", without the columns {missing}" if missing else "")
            )
        return {c: drawn[c].reset_index(drop=True) for c in wanted}

    def _tied(
        self, columns: dict[str, Values], context: pd.DataFrame | None, block: int, cut: int, slices: int
    ) -> Values:
        """The tiebreak column, drawn so that the primary key does not repeat."""
        name = f"{self.plan.tiebreak}"
        value = columns[name].reset_index(drop=True)
        rest = pd.DataFrame({c: columns[c].reset_index(drop=True) for c in self.plan.primary_key if c != name})
        codes = rest.groupby(list(rest.columns), sort=False, dropna=False).ngroup() if len(rest.columns) else None
        group = codes.to_numpy().astype(np.int64) if codes is not None else np.zeros(len(value), np.int64)

        def redraw(wrong: Mask, attempt: int) -> Values:
            again = context[wrong].reset_index(drop=True) if context is not None else None
            seed = seed_of(self.seed, self.plan.table, block, cut, "again", attempt)
            return self._modelled(int(wrong.sum()), again, seed)[name]

        modelled = name in self.plan.named("model") and self.artifact is not None
        return distinct(group, value, redraw if modelled else None, cut, slices, f"{self.plan.table}.{name}")


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


def _take(column: Values, owner: Ints, null: Mask | None = None) -> Values:
    if null is not None and null.any():
        column = column.astype(object).mask(null, None)
    return column.iloc[owner].reset_index(drop=True)


def _deal(slots: pd.DataFrame, column: str, dealt: Ints) -> Values:
    """The slot's value for each row that was dealt one; null elsewhere."""
    if not len(slots):
        return pd.Series([None] * len(dealt), dtype=object)
    values = slots[column].iloc[np.maximum(dealt, 0)].reset_index(drop=True)
    return values.astype(object).mask(dealt < 0, None) if (dealt < 0).any() else values


def _bounded(values: Values, law: Constraint, rng: np.random.Generator) -> Values:
    """Values within a declared law: cut at min and max; what is not allowed is drawn again from what is."""
    known = values.notna()
    if law.allowed is not None:
        allowed: list[Any] = [v for v in law.allowed if v is not None]
        wrong = known & ~values.isin(allowed)
        fits = values[known & ~wrong].to_numpy()
        pool = fits if len(fits) else np.array(allowed, dtype=object)
        values = values.astype(object).copy()
        values[wrong] = pool[rng.integers(0, len(pool), int(wrong.sum()))]
    for bound, beyond in ((law.min, values.lt), (law.max, values.gt)):
        if bound is not None and known.any():
            limit = type(values[known].iloc[0])(bound)
            values = values.mask(known & beyond(limit).fillna(False), limit)
    return values
