"""Which parents a generation batch gets, in a Python worker: from the batch's place in the table alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.generation.groups import ANYBODY
from synthohive_spark.generation.null_patterns import Patterns
from synthohive_spark.randomness import scatter
from synthohive_spark.schema import frames
from synthohive_spark.worker import forget_archives


@dataclass(frozen=True)
class AssignedKey:
    """One dealt key as the batches see it.

    Attributes:
        distribution: of children per parent, as ``LinkageModel.to_dict``.
        parents: parents in all.
        wanted: rows of the whole table that have the key set.
        seed: scatters the demand over the law.
        expanded: batches work out its parents by themselves; those of groups and buckets are found in Spark.
        leaf_sizes: parents in each leaf of a conditional law, by which they have their places; () for other laws.
        once: no parent is dealt twice; where parents run out, rows go without.
    """

    distribution: dict[str, Any]
    parents: int
    wanted: int
    seed: int
    expanded: bool
    leaf_sizes: tuple[int, ...] = ()
    once: bool = False


@dataclass(frozen=True)
class Dealer:
    """What the Python workers run, as the function of ``mapInPandas``: batches in, the parents of each out.

    Attributes:
        keys: the dealt keys, in the plan's order.
        patterns: which of the keys are set on which rows.
    """

    keys: tuple[AssignedKey, ...]
    patterns: Patterns

    def __call__(self, parts: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """For each batch a head with its offset, and one row per parent that it gets: its place and its copies."""
        forget_archives()
        for batches in parts:
            yield pd.concat([_head(batches), *(s for row in batches.itertuples() for s in self.shares(row))])

    def shares(self, batch: Any) -> Iterator[pd.DataFrame]:
        """The parents that one batch gets, key by key."""
        for i, key in enumerate(self.keys):
            if key.expanded:
                first = self.patterns.set_before(i, batch.offset)
                last = self.patterns.set_before(i, batch.offset + batch.batch_rows)
                if last > first:
                    yield _shares(key, first, last).assign(block=batch.block, slice=batch.slice, kind=i + 1, offset=0)


@dataclass(frozen=True)
class Strays:
    """Rows of batches that have a key without its anchor, as the function of ``mapInPandas``: ``frames.FREE`` rows out.

    Attributes:
        key: the key's place among the dealt ones.
        anchor: likewise that of its anchor; None where the driving key is.
        patterns: which of the keys are set on which rows.
    """

    key: int
    anchor: int | None
    patterns: Patterns

    def __call__(self, parts: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Batches with such rows, and how many."""
        forget_archives()
        for batches in parts:
            counts = np.array([self._strays(row) for row in batches.itertuples()], np.int64)
            yield batches[[*frames.BATCH]].assign(g=ANYBODY, size=counts)[counts > 0]

    def _strays(self, batch: Any) -> int:
        alone = batch.offset >= self.patterns.first_free
        index = batch.offset + np.arange(batch.batch_rows, dtype=np.int64)
        which = self.patterns.which(index, alone)
        there = self.patterns.are_set(self.key, which, alone)
        if self.anchor is not None:
            there &= ~self.patterns.are_set(self.anchor, which, alone)
        return int(there.sum()) if alone or self.anchor is not None else 0


def _head(batches: pd.DataFrame) -> pd.DataFrame:
    return batches[[*frames.BATCH, "offset"]].assign(kind=frames.HEAD, who=0, copies=0, degree=0)


def _shares(key: AssignedKey, first: int, last: int) -> pd.DataFrame:
    law = LinkageModel.from_dict(key.distribution)
    child = scatter(np.arange(first, last, dtype=np.int64), key.wanted, key.seed)
    if key.once:
        who = np.sort(child[child < key.parents])
        return pd.DataFrame({"who": who, "copies": 1, "degree": 1})
    if law.leaves is not None:
        who, copies = np.unique(law.leaves.owner(child, key.leaf_sizes, key.wanted), return_counts=True)
        return pd.DataFrame({"who": who, "copies": copies, "degree": law.leaves.at(who, key.leaf_sizes, key.wanted)})
    who, copies = np.unique(law.owner(child, key.parents, key.wanted), return_counts=True)
    return pd.DataFrame({"who": who, "copies": copies, "degree": law.at(who, key.parents)})
