"""The steps that keep values unique: numbers that are so in the source, and the key column that tells rows apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from synthohive_spark.generation.batch_state import BatchState
from synthohive_spark.generation.deal import codes
from synthohive_spark.generation.steps.values import DrawValues
from synthohive_spark.generation.uniqueness import distinct
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.unique_numbers import Apart, apart


@dataclass(frozen=True)
class UniqueNumbers:
    """Numbers of the model, each moved to a near one that only its row may have.

    Attributes:
        apart: {column: how it is made unique}.
        total: rows of the table.
    """

    apart: Mapping[str, Apart]
    total: int

    def __call__(self, state: BatchState) -> BatchState:
        """The numbers."""
        for name, law in self.apart.items():
            state.columns[name] = apart(law, state.columns[name], state.rows.index, self.total)
        return state


@dataclass(frozen=True)
class TieBreak:
    """The key column that is drawn again where the primary key would repeat.

    Attributes:
        column: its name.
        rest: the other columns of the primary key.
        values: draws it.
    """

    column: str
    rest: tuple[str, ...]
    values: DrawValues

    def __call__(self, state: BatchState) -> BatchState:
        """The column without repetition among rows that agree in the rest."""
        rows, context = state.rows, self.values.seen(state)
        value = state.columns[self.column].reset_index(drop=True)
        group = codes(pd.DataFrame({c: state.columns[c].reset_index(drop=True) for c in self.rest}))[0]

        def redraw(places: Ints) -> Values:
            again = context.iloc[places].reset_index(drop=True) if context is not None else None
            return self.values.modelled(again, len(places), seed_of(rows.seed, "again"))[self.column]

        modelled = self.column in self.values.columns.named("model") and self.values.model is not None
        place = f"{self.values.table}.{self.column}"
        state.columns[self.column] = distinct(
            group, value, redraw if modelled else None, rows.slice, rows.slices, place
        )
        return state
