"""The rows of one generation batch while they are made: steps take a state and give the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.schema import frames
from synthohive_spark.schema.conversion import Mask, Values


@dataclass(frozen=True)
class BatchRows:
    """The rows of a batch before they have values.

    Attributes:
        families: one row per family, in the order of their ranks.
        owner: family of each row, shape (count,).
        at: position of each row in its family.
        index: position of each row in the table.
        lone: per family, whether it has no driving parent.
        block, slice: which batch this is.
        slices: of its block.
        seed: of everything in this batch.
        rng: for what is drawn once, in a fixed order.
    """

    families: pd.DataFrame
    owner: Ints
    at: Ints
    index: Ints
    lone: Mask
    block: int
    slice: int
    slices: int
    seed: int
    rng: np.random.Generator

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.owner)

    @property
    def alone(self) -> bool:
        """Whether the rows have no driving parent; a batch holds rows of one sort."""
        return bool(self.lone.any())

    @classmethod
    def of(cls, table: str, batch: pd.DataFrame, seed: int) -> BatchRows:
        """The rows of the batch that arrived as families and parents."""
        families = batch[batch["kind"] == frames.FAMILY].sort_values("rank", kind="stable").reset_index(drop=True)
        block, cut = int(families["block"].iloc[0]), int(families["slice"].iloc[0])
        sizes = families["rows"].to_numpy(np.int64)
        owner = np.repeat(np.arange(len(families)), sizes)
        at = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        own = seed_of(seed, table, block, cut)
        first = int(batch.loc[batch["kind"] == frames.HEAD, "offset"].iloc[0])
        return cls(
            families=families,
            owner=owner,
            at=at + families["start"].to_numpy(np.int64)[owner],
            index=first + np.arange(len(owner), dtype=np.int64),
            lone=(families["rank"] < 0).to_numpy(bool),
            block=block,
            slice=cut,
            slices=int(families["slices"].max()),
            seed=own,
            rng=np.random.default_rng(own),
        )


@dataclass
class BatchState:
    """What is known of a batch's rows so far; each step adds to it.

    Attributes:
        rows: the rows.
        parents: the parents that the rows may take: rows of ``frames.batch_frame`` of a kind above 0.
        keep: rows that stay: those that found a parent behind every key that they must have; shape (count,).
        columns: the table's columns.
        context: what rows see of their ancestors, and of their own keys, by the plan's names.
        labels: clusters of parents, by the names of ``matching.label_name``.
    """

    rows: BatchRows
    parents: pd.DataFrame
    keep: Mask
    columns: dict[str, Values] = field(default_factory=dict)
    context: dict[str, Values] = field(default_factory=dict)
    labels: dict[str, Values] = field(default_factory=dict)

    @classmethod
    def of(cls, table: str, batch: pd.DataFrame, seed: int) -> BatchState:
        """The state before the first step."""
        rows = BatchRows.of(table, batch, seed)
        return cls(rows, batch[batch["kind"] > frames.FAMILY], np.ones(rows.count, bool))


Step = Callable[[BatchState], BatchState]
