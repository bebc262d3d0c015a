"""The step that writes fakes: personal columns of known kinds, and what stands beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from synthohive_spark.generation.batch_state import BatchState
from synthohive_spark.privacy.fakes.rows import FakedRows
from synthohive_spark.privacy.words.writer import TextWriter
from synthohive_spark.randomness import seed_of, uniform
from synthohive_spark.schema.columns import ColumnsPlan


@dataclass(frozen=True)
class WriteFakes:
    """Values of their kinds, from each row's position and from what is drawn of it: its country, its gender.

    Attributes:
        table: the table's name.
        columns: its columns.
        copies: {column that equals an ancestor's: its name in the context}, which the row gets later.
        total: rows of the table.
        seed: the generation seed.
        writers: of texts, kept from batch to batch.
    """

    table: str
    columns: ColumnsPlan
    copies: Mapping[str, str]
    total: int
    seed: int
    writers: dict[int, TextWriter] = field(default_factory=dict)

    def __call__(self, state: BatchState) -> BatchState:
        """The columns."""
        plan, salt = self.columns.fakes, seed_of(self.seed, self.table, "fakes")
        later = {c: state.context[source] for c, source in self.copies.items() if source in state.context}
        known = {**state.context, **state.columns, **later}
        seen = {c: known[c].astype(object).tolist() for c in (*plan.countries, *plan.genders) if c in known}
        rows = FakedRows(plan, state.rows.index, self.total, salt, seen, self.writers)
        for column, fake in self.columns.faked.items():
            nulls = rows.nulls(fake, self.columns.shapes[column].null_share)
            null = uniform(state.rows.index, seed_of(salt, "null", column)) < nulls
            values = rows.write(fake, column)
            values[null] = None
            state.columns[column] = pd.Series(values, dtype=object)
        return state
