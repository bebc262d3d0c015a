"""The last row of a parent, or the first one, has a value of the parent: an account's class is that of its last entry.

So the parent keeps what was drawn for it, and all that hangs on it in other tables stays true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, evidence
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind, in_family, over
from synthohive_spark.rules.kin.sample import Queue, SiblingSample
from synthohive_spark.rules.kinds.first import earliest, queue_places
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.rule import Ancestor, Rule, Siblings
from synthohive_spark.sql import quote


class HandedDown(Rule):
    """The first or the last row of a parent has the value of one of the parent's columns.

    Of a family that is cut into slices, the first one has the first row, the last one the last.

    Attributes:
        family: columns of the driving key.
        by: the column that tells who is first.
        last: it is the last row.
        source: the name of the parent's column in the context.
    """

    kind: Literal["handed"] = "handed"
    family: tuple[str, ...]
    by: str
    last: bool = False
    source: str

    @property
    def seen(self) -> tuple[str, ...]:
        """The parent's column."""
        return (self.source,)

    @property
    def moved(self) -> tuple[str, ...]:
        """The column, and what orders the rows."""
        return (self.column, self.by)

    def text(self, ancestor: Ancestor) -> str:
        """Whose value it is, and where."""
        word = "last" if self.last else "first"
        return f"in the {word} row of a parent by {quote(self.by)} it is {ancestor(self.source)}"

    def check(self, types: Mapping[str, str]) -> str:
        """Whether a row is not at that end, or has the value."""
        by = f"{quote(self.by)}{' desc' if self.last else ''}"
        same = f"{quote(self.column)} <=> {quote(hidden(self.source))}"
        return in_family(self.family, f"row_number() {over(self.family, by)} > 1 or {same}")

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """The row at the end gets the value."""
        cut = rows.ended if self.last else rows.begun
        there = np.flatnonzero(earliest(queue_places(columns[self.by], self.last), rows.owner) & ~cut[rows.owner])
        own = columns[self.column].astype(object).copy()
        own.iloc[there] = rows.context[self.source].astype(object).to_numpy()[there]
        return {self.column: own}


class Handed(SiblingKind):
    """Columns of few values whose last one, or first one, is a column of the parent."""

    name = "handed"
    order = 45

    def search(self, sample: SiblingSample) -> Iterator[HandedDown]:
        """One for each column, by the order that is preferred; the last row is preferred."""
        found = set[str]()
        for queue in (q for q in sample.queues() if not q.tied):
            for last in (True, False):
                for name, column in sample.categories():
                    alike = (s for s, c in sample.above.items() if c.type == column.type)
                    source = next((s for s in alike if _holds(sample, queue, last, column, sample.above[s])), None)
                    if source is not None and name not in found and name != queue.by:
                        found.add(name)
                        yield HandedDown(column=name, family=sample.family, by=queue.by, last=last, source=source)

    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule, where nothing else of the row hangs on the column."""
        return rule if isinstance(rule, HandedDown) and drawn.free(rule.column) else None


def _holds(sample: SiblingSample, queue: Queue, last: bool, column: Column, source: Column) -> bool:
    """Whether every family has the parent's value at that end, not by chance, and not on every row."""
    ends = queue.rows[np.append(queue.head[1:], True) if last else queue.head]
    own, theirs = column.values[ends], source.values[ends]
    same = (own == theirs) | (np.isnan(own) & np.isnan(theirs))
    told = sample.several[ends] & ~np.isnan(theirs)
    beyond = (column.values != source.values) & ~(np.isnan(column.values) & np.isnan(source.values))
    return bool(same.all() and beyond.sum() >= ROWS and told.sum() >= ROWS and evidence(theirs[told]) >= EVIDENCE)
