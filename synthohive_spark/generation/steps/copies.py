"""The step that draws rows again which only few people of the source have.

A row is compared once it is drawn and decoded, and once more where siblings or uniqueness have changed it. What is
drawn again are the columns of the model that no other step has used by then; the rules decode them as ever. Where the
model knows nothing else than rows of the source, rows get some of their values from another draw of the model: those of
the columns with the most values first.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthohive_spark.generation.batch_state import BatchState
from synthohive_spark.generation.steps.values import DrawValues
from synthohive_spark.logs import get_logger
from synthohive_spark.privacy.rare_rows import RareRows
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.schema.columns import nan_name
from synthohive_spark.schema.conversion import Mask, Values, arrow_type, as_drawn, bounded, to_arrow
from synthohive_spark.schema.row_hashes import hash_rows
from synthohive_spark.schema.rule import Rule
from synthohive_spark.schema.unique_numbers import apart
from synthohive_spark.sql import names_in

log = get_logger(__name__)
ROUNDS = (1, 4, 16)  # draws for a row: most are in the filter by chance, few have hardly another value
MIXED = 16  # draws of which some values are from elsewhere


@dataclass(frozen=True)
class RedrawCopies:
    """Rows that are no copies.

    Attributes:
        rare: the rows of the source that may not be repeated.
        fixed: columns that stay as they are.
        values: draws.
        last: nothing changes the compared columns afterwards.
    """

    rare: RareRows
    fixed: frozenset[str]
    values: DrawValues
    last: bool = True

    def __call__(self, state: BatchState) -> BatchState:
        """The rows, those that are copies drawn again."""
        types = self.values.columns.types()
        left = np.flatnonzero(self._copies(state.columns, types) & state.keep)
        seen = self.values.seen(state) if len(left) else None
        for turn, tries in enumerate((*ROUNDS, MIXED) if self.varied else ()):
            if len(left):
                left = self._round(state, seen, left, tries, turn)
        if len(left) and self.last:
            log.info("copies_left", table=self.values.table, rows=len(left), of=state.rows.count)
        return state

    @functools.cached_property
    def varied(self) -> tuple[str, ...]:
        """The columns that are drawn again: nothing that stays as it is holds on to them by a rule."""
        columns, fixed = self.values.columns, {*self.fixed}
        types = columns.types()
        linked = [
            names_in(rule.text(lambda above: ""), types) | {rule.column}
            for rule in self.values.rules.each
            if type(rule).decode is not Rule.decode
        ]
        while more := {c for names in linked if names & fixed for c in names} - fixed:
            fixed |= more
        return tuple(c for c in columns.named("model") if c not in fixed) if self.values.wanted else ()

    def _round(self, state: BatchState, seen: pd.DataFrame | None, left: Ints, tries: int, turn: int) -> Ints:
        """Draws rows some times, takes the first of each that is no copy, and gives back the rows that have none."""
        many = np.repeat(left, tries)
        seed = seed_of(state.rows.seed, "copies", turn, *sorted(self.fixed))
        made = self._drawn(state, seen, many, seed, turn == len(ROUNDS))
        good = ~self._copies(made, self.values.columns.types()).reshape(len(left), tries)
        found = good.any(axis=1)
        rows, at = left[found], (np.arange(len(left)) * tries + good.argmax(axis=1))[found]
        for name in self.varied:
            state.columns[name] = _replaced(state.columns[name], rows, made[name], at)
        return left[~found]

    def _drawn(
        self, state: BatchState, seen: pd.DataFrame | None, many: Ints, seed: int, mixed: bool
    ) -> dict[str, Values]:
        """Candidates for rows: all columns that are compared, or drawn again."""
        rows, values, rng = state.rows, self.values, np.random.default_rng(seed)
        own = seen.iloc[many].reset_index(drop=True) if seen is not None else None
        drawn = values.sampled(own, len(many), seed)
        if mixed:
            others = rng.integers(0, rows.count, len(many))
            other = seen.iloc[others].reset_index(drop=True) if seen is not None else None
            drawn = self._mixed(drawn, values.sampled(other, len(many), seed_of(seed, "others")))
        made = values.decoded(drawn, own)
        for law in values.columns.bounds:
            if law.column in self.varied:
                made[law.column] = bounded(made[law.column], law, rng)
        for name, unique in values.columns.apart.items():
            if name in self.varied:
                made[name] = apart(unique, made[name], rows.index[many], values.total)
        stay = [c for c in self.rare.columns if c not in self.varied]
        return {**made, **{c: state.columns[c].iloc[many].reset_index(drop=True) for c in stay}}

    def _mixed(self, drawn: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
        """Rows with values of other rows: the n-th candidate of each in one column more than the one before."""
        free = sorted((c for c in self.rare.columns if c in self.varied), key=lambda c: (-others[c].nunique(), c))
        nth = np.arange(len(drawn)) % max(1, len(free) - 1)  # never all of them
        mixed = drawn.copy()
        for turn, name in enumerate(free):
            taken = nth >= turn
            for part in (name, nan_name(name)):
                if part in mixed:
                    mixed[part] = mixed[part].where(~taken, others[part])
        return mixed

    def _copies(self, columns: Mapping[str, Values], types: Mapping[str, str]) -> Mask:
        """Which rows have a combination of values that only few people have."""
        widths, places = self.values.columns.widths(), {c: f"{self.values.table}.{c}" for c in self.rare.columns}
        made = [
            to_arrow(as_drawn(columns[c], types[c], place), arrow_type(types[c]), place, widths.get(c))
            for c, place in places.items()
        ]
        return self.rare.holds(hash_rows(made, self.rare.salt))


def _replaced(column: Values, rows: Ints, made: Values, at: Ints) -> Values:
    """A column with other values in some rows."""
    place = np.arange(len(column))
    place[rows] = len(column) + np.arange(len(rows))
    both = pd.concat([column.reset_index(drop=True), made.iloc[at]], ignore_index=True)
    return both.iloc[place].reset_index(drop=True)
