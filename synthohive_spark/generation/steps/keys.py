"""The step that makes key columns from positions: in the family, or in the whole table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthohive_spark.generation.batch_state import BatchRows, BatchState
from synthohive_spark.generation.hierarchies import parent_positions
from synthohive_spark.generation.position_keys import position_values
from synthohive_spark.generation.uniqueness import sequence_values
from synthohive_spark.schema.conversion import Values, as_model, carried
from synthohive_spark.schema.keys import KeysPlan, SequencePlan


@dataclass(frozen=True)
class MakePositionKeys:
    """Sequences, surrogate and unique columns, grids, and references across the table.

    Attributes:
        table: the table's name.
        keys: its keys.
        shown: {key column of the row that the model sees: its type}.
        total: rows of the table.
        seed: the generation seed.
    """

    table: str
    keys: KeysPlan
    shown: Mapping[str, str]
    total: int
    seed: int

    def __call__(self, state: BatchState) -> BatchState:
        """The columns, and in the context those that the model sees."""
        for name, values in self._made(state.rows).items():
            state.columns[name] = values
            if name in self.shown:
                state.context[name] = as_model(carried(values), self.shown[name])
        return state

    def _made(self, rows: BatchRows) -> dict[str, Values]:
        keys, made = self.keys, dict[str, Values]()
        if keys.sequence is not None:
            made[keys.sequence.column] = self._counted(keys.sequence, rows)
        made.update(position_values(keys.positions, self.table, rows.index, self.total, self.seed))
        for hierarchy in keys.hierarchies:
            up = parent_positions(hierarchy, rows.index, self.total, self.seed)
            key = position_values(keys.positions, self.table, np.maximum(up, 0), self.total, self.seed)
            for column, referenced in zip(hierarchy.columns, hierarchy.referenced, strict=True):
                made[column] = key[referenced].astype(object).mask(up < 0, None)
        return made

    def _counted(self, sequence: SequencePlan, rows: BatchRows) -> Values:
        """Values of the sequence, by each row's position in its family, or in families that are counted together."""
        families, at = rows.families, rows.at
        if sequence.within:
            at = at + families["before"].to_numpy(np.int64)[rows.owner]
            families = pd.DataFrame({"rank": families["shared"], "total": families["before_all"]})
        return sequence_values(sequence, families, rows.owner, at, self.seed)
