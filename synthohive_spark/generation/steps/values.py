"""The step that draws: modelled columns, and columns that are written as random values of their shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.generation.batch_state import BatchRows, BatchState
from synthohive_spark.generation.shapes import draw_shape
from synthohive_spark.models.artifact import cached_model
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.randomness import seed_of
from synthohive_spark.schema.columns import ColumnsPlan, nan_name
from synthohive_spark.schema.conversion import Values, bounded, with_nan
from synthohive_spark.schema.keys import ForeignKeyPlan
from synthohive_spark.schema.rule import RulesPlan

CHUNK = 10_000  # rows that the model sees at once; fixed, because the shape of a batch can change a float
FAIR_ROWS = 50_000  # rows that are drawn together, so that each column has its shares
FAIR_FAMILIES = 64  # families whose rows stand for the table
ALMOST_ALL = 0.95  # share of rows without a parent from which on the others are the exception
MOSTLY = 0.75  # least overlap between the batch's mix of families and the table's


@dataclass(frozen=True)
class DrawValues:
    """What is drawn, and may be drawn again where a declared expression is broken.

    Attributes:
        table: the table's name.
        columns: its columns.
        rules: what holds between them.
        driving: its driving key.
        shown: {column that the model or a rule sees: its type}, in the order in which the model sees them.
        behind: those that only rules see.
        total: rows of the table.
        model_cls: the model's class.
        model: the saved model; None where nothing was learnt.
    """

    table: str
    columns: ColumnsPlan
    rules: RulesPlan
    driving: ForeignKeyPlan | None
    shown: Mapping[str, str]
    behind: frozenset[str]
    total: int
    model_cls: type[ConditionalGenerativeModel]
    model: bytes | None

    def __call__(self, state: BatchState) -> BatchState:
        """The drawn columns of all rows."""
        rows = state.rows
        state.context.update(state.labels)
        state.columns.update(self.draw(self.seen(state), rows.count, rows.seed, rows.rng, self.fair(rows)))
        return state

    def seen(self, state: BatchState) -> pd.DataFrame | None:
        """What the model and the rules see of the rows, shape (count, c); None where they see nothing."""
        shown = {name: state.context[name] for name in self.shown}
        return pd.DataFrame(shown, index=range(state.rows.count)) if shown else None

    def draw(
        self, context: pd.DataFrame | None, rows: int, seed: int, rng: np.random.Generator, fair: bool = False
    ) -> dict[str, Values]:
        """Values within the columns' bounds.

        Args:
            context: what the model and the rules see of each row, shape (rows, c).
            rows: how many.
            seed: of the model.
            rng: of everything else.
            fair: whether these rows stand for the table.
        """
        types, made = self.columns.types(), self.modelled(context, rows, seed, fair)
        for name in (c for c in self.columns.named("shape") if c in self.columns.drawn):
            made[name] = draw_shape(self.columns.shapes[name], types[name], rows, rng)
        for law in self.columns.bounds:
            if law.column in self.columns.drawn:
                made[law.column] = bounded(made[law.column], law, rng)
        return made

    def modelled(self, context: pd.DataFrame | None, rows: int, seed: int, fair: bool = False) -> dict[str, Values]:
        """What the model draws, decoded by the rules."""
        return self.decoded(self.sampled(context, rows, seed, fair), context) if self.wanted else {}

    @property
    def wanted(self) -> list[str]:
        """What the model has to draw."""
        return [] if self.model is None else [*self.columns.named("model"), *self.rules.drawn]

    def sampled(self, context: pd.DataFrame | None, rows: int, seed: int, fair: bool = False) -> pd.DataFrame:
        """What the model draws, as it learnt it; shape (rows, k)."""
        assert self.model is not None
        model = cached_model(self.model_cls, self.model, self.table)
        fair = fair and rows <= FAIR_ROWS
        shown = context.drop(columns=[*self.behind]) if context is not None else None
        shown = shown if shown is not None and len(shown.columns) else None
        parts, sample, chunk = [], model.sample_table if fair else model.sample, FAIR_ROWS if fair else CHUNK
        for begin in range(0, rows, chunk):
            size = min(chunk, rows - begin)
            seen = shown.iloc[begin : begin + size].reset_index(drop=True) if shown is not None else None
            parts.append(sample(size, context=seen, seed=seed_of(seed, begin) % 2**31))
            missing = [c for c in self.wanted if c not in parts[-1].columns]
            if missing or len(parts[-1]) != size:
                raise GenerationError(
                    f"{self.table}: {self.model_cls.__name__}.sample gave {len(parts[-1])} rows for {size}"
                    + (f", without the columns {missing}" if missing else "")
                )
        return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0].reset_index(drop=True)

    def decoded(self, drawn: pd.DataFrame, context: pd.DataFrame | None) -> dict[str, Values]:
        """What was drawn, as the rules want it."""
        wanted = self.wanted
        drawn = self.rules.decode(drawn, context if context is not None else pd.DataFrame(index=drawn.index))
        nan = {c: drawn[nan_name(c)].fillna(False).to_numpy(bool) for c in wanted if nan_name(c) in drawn}
        return {c: with_nan(drawn[c], nan[c]) if c in nan else drawn[c] for c in wanted}

    def fair(self, rows: BatchRows) -> bool:
        """Whether the rows stand for the table: its mixture of families, or many, which hashes chose."""
        if self.driving is None:
            return True
        size, total = rows.families["rows"].to_numpy(np.int64), rows.families["total"].to_numpy(np.int64)
        common = np.minimum(size / max(1, size.sum()), total / max(1, self.total)).sum()
        apart = rows.alone or self.driving.null_share > 1 - ALMOST_ALL  # rows without a parent are others
        return bool(common >= MOSTLY) or (not apart and len(size) >= FAIR_FAMILIES and rows.slices == 1)
