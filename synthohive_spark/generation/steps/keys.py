"""The step that makes key columns from positions: in the family, or in the whole table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from synthohive_spark.generation.batch_state import BatchRows, BatchState
from synthohive_spark.generation.hierarchies import parent_positions
from synthohive_spark.generation.position_keys import position_values
from synthohive_spark.generation.uniqueness import sequence_values
from synthohive_spark.rules.line import Line, Places
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
        origins: {column that is counted in families: the parent's column at which it begins}.
    """

    table: str
    keys: KeysPlan
    shown: Mapping[str, str]
    total: int
    seed: int
    origins: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, state: BatchState) -> BatchState:
        """The columns, and in the context those that the model sees."""
        for name, values in self._made(state).items():
            state.columns[name] = values
            if name in self.shown:
                state.context[name] = as_model(carried(values), self.shown[name])
        return state

    def _made(self, state: BatchState) -> dict[str, Values]:
        keys, rows, made = self.keys, state.rows, dict[str, Values]()
        if keys.sequence is not None:
            origin = self.origins.get(keys.sequence.column)
            begin = None if origin is None or rows.alone else state.context[origin]
            made[keys.sequence.column] = self._counted(keys.sequence, rows, begin)
        made.update(position_values(keys.positions, self.table, rows.index, self.total, self.seed))
        for hierarchy in keys.hierarchies:
            up = parent_positions(hierarchy, rows.index, self.total, self.seed)
            key = position_values(keys.positions, self.table, np.maximum(up, 0), self.total, self.seed)
            for column, referenced in zip(hierarchy.columns, hierarchy.referenced, strict=True):
                made[column] = key[referenced].astype(object).mask(up < 0, None)
        return made

    def _counted(self, sequence: SequencePlan, rows: BatchRows, begin: Values | None) -> Values:
        """Values of the sequence, by each row's position in its family, or in families that are counted together.

        Args:
            sequence: the plan.
            rows: the batch.
            begin: a date or time of each row's parent at which its family begins; None where the plan says it.
        """
        families, at = rows.families, rows.at
        if sequence.within:
            at = at + families["before"].to_numpy(np.int64)[rows.owner]
            families = pd.DataFrame({"rank": families["shared"], "total": families["before_all"]})
        values = sequence_values(sequence, families, rows.owner, at, self.seed)
        if begin is None:
            return values
        line = Line("micro" if values.dtype.kind == "M" else "day", 1, 0)
        first = line.places(sequence_values(sequence, families, rows.owner, np.zeros_like(at), self.seed))
        own, start = line.places(values), line.places(begin)
        return line.column(Places(own.at + np.where(start.there, start.at - first.at, 0), own.there), values.index)
