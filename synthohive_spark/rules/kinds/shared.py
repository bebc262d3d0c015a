"""The rows of a parent share out a number of it: the payments of an invoice are what it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, evidence
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, over
from synthohive_spark.rules.kin.sample import SiblingSample
from synthohive_spark.rules.line import Numbers, floats
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.rule import EXACT, Ancestor, Rule, Siblings
from synthohive_spark.sql import quote

HALF = 0.5000001  # of the last decimal, by which a sum may miss the parent's number that was rounded


class SharedOut(Rule):
    """The sum over the rows of a parent is one of its numbers; a family that is cut into slices keeps what was drawn.

    Attributes:
        family: columns of the driving key.
        source: the name of the parent's number in the context.
        scale: decimals of the column; None for no rounding.
        slack: by how much a sum of the source may be off.
    """

    kind: Literal["shared"] = "shared"
    family: tuple[str, ...]
    source: str
    scale: int | None = None
    slack: float = 0.0

    @property
    def seen(self) -> tuple[str, ...]:
        """The parent's number."""
        return (self.source,)

    @property
    def moved(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    def text(self, ancestor: Ancestor) -> str:
        """Whose number the sum is."""
        return f"sums up to {ancestor(self.source)} among the rows of a parent"

    def check(self, types: Mapping[str, str]) -> str:
        """Whether the sum of a row's siblings is the parent's number, where it has one."""
        theirs = f"cast({quote(hidden(self.source))} as double)"
        total = f"sum(cast({quote(self.column)} as double)) {over(self.family)}"
        error = f"({self.slack}D + {EXACT} * greatest(1, abs({theirs})))"
        return in_family(self.family, f"coalesce(abs({total} - {theirs}) <= {error}, {theirs} is null)")

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """What was drawn, in proportion; the largest part of a family has what rounding leaves."""
        own, theirs = floats(columns[self.column]), floats(rows.context[self.source])
        cut = (rows.begun | rows.ended)[rows.owner]
        shared = own.there & theirs.there & ~cut
        at = _shares(np.where(shared, own.at, 0.0), theirs.at, rows.owner, shared, self.scale)
        made = pd.Series(pd.array(np.where(shared, at, 0.0), dtype="Float64"), index=columns[self.column].index)
        return {self.column: columns[self.column].astype("Float64").mask(shared, made)}


def _shares(at: Numbers, total: Numbers, owner: Ints, shared: Numbers, scale: int | None) -> Numbers:
    """Numbers of families in proportion to some others, that have a given sum.

    Args:
        at: the others, shape (rows,). Where they have no sum that could be shared, all rows get the same.
        total: the sum of the family of each row.
        owner: the family of each row.
        shared: which rows take part.
        scale: decimals of the numbers; None for no rounding.
    """
    many = int(owner.max(initial=-1)) + 1

    def summed(values: Numbers) -> Numbers:
        return np.bincount(owner, values, many)[owner]

    whole = summed(at)
    fair = (summed(np.minimum(at, 0.0)) == 0) & (whole > 0)  # with both signs a sum near zero would blow up the parts
    part = np.where(fair, at / np.where(fair, whole, 1.0), 1.0 / np.maximum(summed(shared * 1.0), 1.0))
    made = part * total if scale is None else np.round(part * total, scale)
    made = np.where(shared, made, 0.0)
    rest = total - summed(made)
    order = np.lexsort((np.arange(len(at)), -part * shared, owner))
    first = np.append(True, owner[order][1:] != owner[order][:-1])[: len(order)]
    taker = np.zeros(len(at), bool)
    taker[order[first]] = True
    made = np.where(taker & shared, made + rest, made)
    return made if scale is None else np.round(made, scale)


class Shared(SiblingKind):
    """Numbers whose sum is a number of the parent."""

    name = "shared"
    order = 48

    def search(self, sample: SiblingSample) -> Iterator[SharedOut]:
        """One for each number."""
        for name, column in sample.numbers():
            if np.isnan(column.values).any():
                continue
            total = np.bincount(sample.owner, column.values)[sample.owner]
            slack = HALF * 10.0**-column.scale if column.scale else 0.0
            alike = (s for s, c in sample.above.items() if c.number and _holds(sample, column, c, total, slack))
            source = next(alike, None)
            if source is not None:
                yield SharedOut(column=name, family=sample.family, source=source, scale=column.scale, slack=slack)

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where nothing else of the row hangs on the column."""
        return rule if isinstance(rule, SharedOut) and drawn.scaled(rule.column) else None


def _holds(sample: SiblingSample, column: Column, source: Column, total: Numbers, slack: float) -> bool:
    """Whether sums are the parent's number wherever it has one, of many families of several rows, not by chance."""
    known = ~np.isnan(source.values)
    error = slack + EXACT * np.maximum(1.0, np.abs(np.nan_to_num(source.values)))
    told = known & sample.several & (column.values != 0)
    first = told & np.append(True, sample.owner[1:] != sample.owner[:-1])
    held = (np.abs(total - source.values) <= error) | ~known
    return bool(held.all() and first.sum() >= ROWS and evidence(source.values[first]) >= EVIDENCE)
