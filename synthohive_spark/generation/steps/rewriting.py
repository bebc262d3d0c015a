"""The step that writes hashes, and what a user's functions make, in the place of fakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from synthohive_spark.generation.batch_state import BatchState
from synthohive_spark.personal import Action
from synthohive_spark.privacy.rewriting import rewritten


@dataclass(frozen=True)
class RewriteFakes:
    """Rewrites columns that are made here; what repeats an ancestor's comes later, and repeats what is written there.

    Attributes:
        table: the table's name.
        actions: {column: what is done with its fakes}.
        widths: {text column: characters that it holds}.
        key: of the hashes.
    """

    table: str
    actions: Mapping[str, Action]
    widths: Mapping[str, int]
    key: bytes = field(repr=False)

    def __call__(self, state: BatchState) -> BatchState:
        """The columns."""
        for column, action in self.actions.items():
            made = state.columns[column].astype(object)
            texts = [f"{v}" if known else None for v, known in zip(made, made.notna(), strict=True)]
            values = rewritten(texts, action, self.key, self.widths.get(column), f"{self.table}.{column}")
            state.columns[column] = pd.Series(values, dtype=object)
        return state
