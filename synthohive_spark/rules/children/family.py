"""A sample of parents with all their children, as vectors."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import Column, Flags, Vector, strangers

NUMBERS, CATEGORIES, TIMES = 10, 10, 4  # columns of a child table that take part
ALIKE = 1e-6  # relative difference of quotients that are one
FEW_PARENTS = 12  # fewer say nothing; a dozen that agree in many values do: the evidence asks for these
FEW_VALUES = 8  # a column of so many distinct values is a category
SHARE_MOST, PERCENT_MOST = 1.0, 100.0


@dataclass(frozen=True)
class Family:
    """The sampled rows of one child table behind one of its keys.

    Attributes:
        place: of the key among those that refer to the table.
        columns: of the rows; their ids are references in Spark SQL.
        parent: the place of each row's parent, shape (rows,); rows of a parent follow each other.
        parents: how many parents there are.
    """

    place: int
    columns: tuple[Column, ...]
    parent: Ints
    parents: int

    @functools.cached_property
    def size(self) -> Vector:
        """Children of each parent, shape (parents,)."""
        return np.bincount(self.parent, minlength=self.parents).astype(np.float64)

    @functools.cached_property
    def vectors(self) -> dict[str, Vector]:
        """The columns, by id."""
        return {c.id: c.values for c in self.columns}

    @functools.cached_property
    def numbers(self) -> list[Column]:
        """What may be summed."""
        return [c for c in self.columns if c.number and c.distinct > 1][:NUMBERS]

    @functools.cached_property
    def times(self) -> list[Column]:
        """What orders the rows of a parent."""
        return [c for c in self.columns if c.family in ("date", "time", "plain time") and c.distinct > 1][:TIMES]

    @functools.cached_property
    def categories(self) -> list[Column]:
        """Columns of few values."""
        few = (c for c in self.columns if c.family in ("other", "integer") and 1 < c.distinct <= FEW_VALUES)
        return list(few)[:CATEGORIES]

    @functools.cached_property
    def gaps(self) -> list[Column]:
        """Columns that some rows have not."""
        return [c for c in self.columns if 0 < len(c.known) < len(c.values)][:CATEGORIES]

    @functools.cached_property
    def rates(self) -> list[tuple[Column, float]]:
        """Numbers that may be a rate, with what stands for one: 1 of shares, 100 of percentages."""
        found = []
        for c in self.numbers:
            low, high = c.known.min(), c.known.max()
            if low >= 0 and high <= SHARE_MOST:
                found.append((c, SHARE_MOST))
            elif low >= 0 and high <= PERCENT_MOST:
                found.append((c, PERCENT_MOST))
        return found

    def few(self, places: Ints) -> Family:
        """The families of some of the parents."""
        new = np.full(self.parents, -1, np.int64)
        new[places] = np.arange(len(places))
        kept = new[self.parent] >= 0
        columns = tuple(replace(c, values=c.values[kept]) for c in self.columns)
        return Family(self.place, columns, new[self.parent[kept]], len(places))

    def mixed(self) -> Family:
        """The same families with one another's rows."""
        others = strangers(len(self.parent))
        columns = tuple(replace(c, values=c.values[others]) for c in self.columns)
        return Family(self.place, columns, self.parent, self.parents)

    def known(self, values: Vector) -> Vector:
        """How many values of each parent are set."""
        return np.bincount(self.parent[~np.isnan(values)], minlength=self.parents).astype(np.float64)

    def total(self, values: Vector) -> Vector:
        """The sum of each parent's values; 0 without any."""
        made: Vector = np.bincount(self.parent, np.nan_to_num(values, nan=0.0), self.parents).astype(np.float64)
        return made

    def mean(self, values: Vector) -> Vector:
        """The mean of each parent's values; NaN without any."""
        made: Vector = self.total(values) / self.known(values)
        return made

    def highest(self, values: Vector) -> Vector:
        """The highest of each parent's values; NaN without any."""
        found = np.full(self.parents, -np.inf)
        np.maximum.at(found, self.parent, np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf))
        found[np.isinf(found)] = np.nan
        return found

    def lowest(self, values: Vector) -> Vector:
        """The lowest of each parent's values; NaN without any."""
        return -self.highest(-values)

    def last(self, values: Vector, when: Vector) -> Vector:
        """The value of each parent's last row; of rows at one time, the highest."""
        rank = np.nan_to_num(values, nan=-np.inf)
        order = np.lexsort((rank, np.nan_to_num(when, nan=-np.inf), self.parent))
        found = np.full(self.parents, np.nan)
        found[self.parent[order]] = values[order]
        return found

    def differ(self, values: Vector) -> int:
        """Parents whose rows do not agree in a column."""
        high, low = self.highest(values), self.lowest(values)
        return int((high - low > ALIKE * np.maximum(1.0, np.abs(high))).sum())

    def distinct(self, values: Vector) -> Vector:
        """Distinct values of each parent."""
        known = ~np.isnan(values)
        pairs = np.unique(np.column_stack([self.parent[known], values[known]]), axis=0)
        return np.bincount(pairs[:, 0].astype(np.int64), minlength=self.parents).astype(np.float64)

    def any(self, marks: Flags) -> Flags:
        """Whether any row of each parent has a mark."""
        found: Flags = np.bincount(self.parent[marks], minlength=self.parents) > 0
        return found


@dataclass(frozen=True)
class FamilySample:
    """Sampled parents with their children.

    Attributes:
        parents: columns of the parents; their ids are references in Spark SQL.
        children: one per key that refers to them.
        rows: how many parents.
    """

    parents: tuple[Column, ...]
    children: tuple[Family, ...]
    rows: int

    @property
    def targets(self) -> list[Column]:
        """Columns that may be aggregates."""
        return [c for c in self.parents if c.target and c.distinct > 1]

    @property
    def bases(self) -> list[Column]:
        """Numbers of the parent to which an aggregate may be added."""
        return [c for c in self.parents if c.input and c.number and c.distinct > 1][:NUMBERS]
