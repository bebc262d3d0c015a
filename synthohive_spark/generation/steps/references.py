"""The step that lets rows refer to earlier rows of their batch."""

from __future__ import annotations

from dataclasses import dataclass

from synthohive_spark.generation.batch_state import BatchState
from synthohive_spark.generation.hierarchies import earlier_rows
from synthohive_spark.schema.conversion import pick
from synthohive_spark.schema.keys import Beside


@dataclass(frozen=True)
class ReferWithin:
    """Self-references whose parents are no positions.

    Attributes:
        keys: the references.
        nullable: columns that may be null.
        total: rows of the table.
        seed: the generation seed.
    """

    keys: tuple[Beside, ...]
    nullable: frozenset[str]
    total: int
    seed: int

    def __call__(self, state: BatchState) -> BatchState:
        """The columns of the keys; rows that must have one and find nobody are left out."""
        for own in self.keys:
            must = not self.nullable.issuperset(own.own)
            while True:
                up = earlier_rows(own, state.columns, state.rows.index, self.total, state.keep, self.seed)
                lost = state.keep & (up < 0) & must
                if not lost.any():
                    break
                state.keep &= ~lost
            for c, r in zip(own.columns, own.referenced, strict=True):
                if c in own.own:
                    state.columns[c] = pick(state.columns[r].reset_index(drop=True), up)
        return state
