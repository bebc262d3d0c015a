"""A sample of whole families: the rows of some parents, as vectors, in the orders that their columns tell."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import Column, Flags, Vector
from synthohive_spark.tables import INTEGRAL, TEXT

FEW_VALUES = 64  # of a category at most
Scalar = str | bool | int | float | None


@dataclass(frozen=True)
class Queue:
    """The rows of a sample, families one after the other, in the order of a column.

    Attributes:
        by: the column.
        rows: places of the rows, in this order.
        first: which of these places begin a family; rows that are as early as the first do so too.
        last: which end one, likewise.
        head: which of these places come first in their family.
        tied: some rows of a family have one value.
    """

    by: str
    rows: Ints
    first: Flags
    last: Flags
    head: Flags
    tied: bool


@dataclass(frozen=True, eq=False)
class SiblingSample:
    """Whole families of a table.

    Attributes:
        columns: the table's own, by name.
        above: what rows see of their driving parent, by its name in the context.
        owner: the family of each row; they stand together. Shape (rows,).
        family: the columns of the driving key.
        orders: columns that may tell the order of siblings, those that are preferred first.
        counted: those of them that follow from the row's place.
        drawn: columns that the model draws and nothing else decides.
        least: people who must hold a value before a rule may name it.
        people: code of whom each row is about, shape (rows,); None where each parent is another person.
    """

    columns: Mapping[str, Column]
    above: Mapping[str, Column]
    owner: Ints
    family: tuple[str, ...]
    orders: tuple[str, ...] = ()
    counted: frozenset[str] = frozenset()
    drawn: frozenset[str] = frozenset()
    least: int = 1
    people: Ints | None = None
    known: dict[str, Queue | None] = field(default_factory=dict)

    @functools.cached_property
    def sizes(self) -> Ints:
        """Rows of each family, shape (families,)."""
        return np.bincount(self.owner)

    @functools.cached_property
    def several(self) -> Flags:
        """Rows that have siblings."""
        flags: Flags = self.sizes[self.owner] > 1
        return flags

    def queues(self) -> Iterator[Queue]:
        """The orders that there are."""
        for by in self.orders:
            if by not in self.known:
                self.known[by] = self._queue(by)
            queue = self.known[by]
            if queue is not None:
                yield queue

    def _queue(self, by: str) -> Queue | None:
        values = self.columns[by].values
        if np.isnan(values).any():
            return None
        rows = np.lexsort((values, self.owner))
        owner, value = self.owner[rows], values[rows]
        head = np.append(True, owner[1:] != owner[:-1])
        tail = np.append(head[1:], True)
        low = np.repeat(value[head], self.sizes)
        high = np.repeat(value[tail], self.sizes)
        tied = bool(((value[1:] == value[:-1]) & ~head[1:]).any())
        return Queue(by, rows, value == low, value == high, head, tied)

    def numbers(self) -> Iterator[tuple[str, Column]]:
        """Drawn numbers."""
        yield from ((n, c) for n, c in self.columns.items() if n in self.drawn and c.number)

    def lines(self) -> Iterator[tuple[str, Column]]:
        """Drawn numbers, dates and times."""
        yield from ((n, c) for n, c in self.columns.items() if n in self.drawn and c.family != "other")

    def categories(self) -> Iterator[tuple[str, Column]]:
        """Drawn columns of few values, each of which can be written down."""
        for name, column in self.columns.items():
            named = column.words or column.type == "boolean" or column.type in INTEGRAL
            if name in self.drawn and named and 1 < column.distinct <= FEW_VALUES:
                yield name, column

    def holders(self, column: Column, value: float) -> int:
        """People with a row of that value."""
        same = np.isnan(column.values) if np.isnan(value) else column.values == value
        return len(np.unique((self.owner if self.people is None else self.people)[same]))

    def before(self, queue: Queue, values: Vector) -> Vector:
        """What the sibling before has; NaN for the first, in the order of the queue."""
        ordered = values[queue.rows]
        return np.where(queue.head, np.nan, np.append(np.nan, ordered[:-1]))


def plain_value(column: Column, value: float) -> Scalar:
    """A value of a sample as it is; texts must be among the column's words."""
    if np.isnan(value):
        return None
    if column.type.startswith(TEXT):
        return column.words[value]
    if column.type == "boolean":
        return bool(value)
    return int(value) if value == int(value) else float(value)
