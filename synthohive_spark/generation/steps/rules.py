"""The steps that give columns their rules' values.

What follows from keys is there before the model draws; after it, what equals an ancestor's column, on every row or
on most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synthohive_spark.generation.batch_state import BatchRows, BatchState
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.rule import RulesPlan, Siblings


@dataclass(frozen=True)
class BeginRules:
    """Rules that give a column as soon as the row's keys are made; the model sees it.

    Attributes:
        rules: of the table.
    """

    rules: RulesPlan

    def __call__(self, state: BatchState) -> BatchState:
        """The columns, rule by rule."""
        for rule in self.rules.each:
            made = rule.before(state.columns)
            if made is not None:
                state.columns[rule.column] = state.context[rule.column] = made
        return state


@dataclass(frozen=True)
class CompleteRules:
    """Rules that give a column once the row's values are drawn.

    Attributes:
        rules: of the table.
        nullable: columns that may be null.
    """

    rules: RulesPlan
    nullable: frozenset[str]

    def __call__(self, state: BatchState) -> BatchState:
        """The columns, rule by rule."""
        for rule in self.rules.each:
            made = rule.complete(state.columns, state.context, rule.column in self.nullable)
            if made is not None:
                state.columns[rule.column] = made
        if not state.rows.alone:  # rows without a parent have no siblings
            siblings = _siblings(state.rows, state.context)
            for rule in self.rules.each:
                state.columns.update(rule.among(state.columns, siblings))
        return state


def _siblings(rows: BatchRows, context: Mapping[str, Values]) -> Siblings:
    """The families of a batch."""
    start, here, total = (rows.families[c].to_numpy(np.int64) for c in ("start", "rows", "total"))
    return Siblings(rows.owner, start > 0, start + here < total, context, rows.index)
