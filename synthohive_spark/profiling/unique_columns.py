"""Columns that are unique in the source without being a declared key: found exactly, and made unique again.

No row knows the others, so uniqueness follows from the row's position in the table. Numbers that fill their range are
counted, as a surrogate key is: a model could not avoid repeats there. Numbers that are spread widely stay the model's,
and only their remainder follows from the position.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.privacy.coarse import coarse_numbers
from synthohive_spark.profiling.key_formats import bounds_of, key_number, kind_of
from synthohive_spark.schema.unique_numbers import Apart

LIKELY = 0.85  # of the rows: so many distinct values by the estimate may be as many as rows (it is off by 5 %)
BINS, BIN_ROWS = 20, 10  # quantiles that tell how densely numbers lie, and rows between two of them at least
CHANCE = 3.0  # repeats that independent numbers would have: none of 3 happens once in 20 times
MOVED = 0.2  # of a bin: how far a remainder by position may move a number; 1 % of the distribution at most
SPREAD_ROWS = 20  # fewer wide numbers are distinct by themselves
SECOND = 1_000_000  # microseconds
WIDEST = 2**62  # numbers further apart are distinct by themselves, and their differences no longer fit 64 bits


@dataclass(frozen=True)
class Numbers:
    """What is known of a column of distinct numbers.

    Attributes:
        rows: of the table.
        known: without null.
        quantiles: at equal shares of the rows, from the least to the greatest.
    """

    rows: int
    known: int
    quantiles: tuple[int, ...]

    @property
    def low(self) -> int:
        """The least number."""
        return self.quantiles[0]

    @property
    def high(self) -> int:
        """The greatest number."""
        return self.quantiles[-1]

    @property
    def repeats(self) -> float:
        """Pairs of equal numbers that independent ones, as dense as these, would have."""
        return float(((self.known / len(self._widths)) ** 2 / 2 / self._widths).sum())

    @property
    def moved(self) -> float:
        """How far a remainder modulo the rows moves a number, as a share of a bin of ``BINS``."""
        return float(np.minimum(1.0, self.rows / (self._widths * len(self._widths) / BINS)).mean())

    @property
    def _widths(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.maximum(np.diff(np.array(self.quantiles, np.float64)), 1.0)


@dataclass(frozen=True)
class Unique:
    """How the unique columns of a table are made.

    Attributes:
        counted: {column that counts with the row's position: its share of nulls}.
        apart: those of which the model draws the size and the position the remainder.
        times: dates and times that count, of which the model may see one.
    """

    counted: dict[str, float] = field(default_factory=dict)
    apart: dict[str, Apart] = field(default_factory=dict)
    times: list[str] = field(default_factory=list)


def unique_numbers(
    frame: DataFrame, rows: int, candidates: Collection[str], types: Mapping[str, str], alone: bool
) -> Unique:
    """The unique numbers of a table, and its unique date or time.

    Args:
        frame: the table.
        rows: its rows.
        candidates: columns that nothing else decides.
        types: Spark type of each column.
        alone: no key of the table says anything of its rows' order: a time may count through them.
    """
    kinds = ("integer", "date", "timestamp") if alone else ("integer",)
    wanted = [c for c in candidates if kind_of(types[c]) in kinds]
    found = Unique()
    for column, known in _likely(frame, wanted, types):
        numbers = _measured(frame, rows, column, types[column], known)
        if numbers is None:
            continue
        if kind_of(types[column]) != "integer":
            if known == rows and counts_through(numbers, kind_of(types[column]) == "date"):
                found.times.append(column)
        elif numbers.moved <= MOVED and (known >= SPREAD_ROWS or numbers.repeats >= CHANCE):
            most = bounds_of(types[column])[1]
            found.apart[column] = Apart(
                low=coarse_numbers(numbers.low, numbers.low)[0], most=most if most is not None else numbers.high
            )
        elif numbers.repeats >= CHANCE:
            found.counted[column] = 1 - known / rows
    return found


def counts_through(numbers: Numbers, date: bool) -> bool:
    """Whether distinct times count through a range: nearly every day, or even steps of whole seconds."""
    span = numbers.high - numbers.low
    if date:
        return numbers.repeats >= CHANCE and span <= 2 * numbers.known
    return numbers.known >= SPREAD_ROWS and span % (SECOND * (numbers.known - 1)) == 0


def _likely(frame: DataFrame, columns: Sequence[str], types: Mapping[str, str]) -> list[tuple[str, int]]:
    """Columns that may have no value twice, and their rows without null."""
    if not columns:
        return []
    numbers = [key_number(c, types[c]) for c in columns]
    row = frame.agg(
        *(F.approx_count_distinct(number).alias(f"d{i}") for i, number in enumerate(numbers)),
        *(F.count(number).alias(f"n{i}") for i, number in enumerate(numbers)),
    ).first()
    counts = [(c, row[f"d{i}"], row[f"n{i}"]) for i, c in enumerate(columns)] if row is not None else []
    return [(c, known) for c, distinct, known in counts if known > 1 and distinct > LIKELY * known]


def _measured(frame: DataFrame, rows: int, column: str, spark_type: str, known: int) -> Numbers | None:
    """What is known of a column, None where a value repeats."""
    numbers = frame.select(key_number(column, spark_type).alias("v")).where("v is not null")
    bins = max(1, min(BINS, known // BIN_ROWS))
    shares = [i / bins for i in range(bins + 1)]
    row = (
        numbers.groupBy("v")
        .agg(F.count(F.lit(1)).alias("n"))
        .agg(
            F.max("n").alias("most"),
            F.min("v").alias("low"),
            F.max("v").alias("high"),
            F.percentile_approx("v", shares, 10_000).alias("q"),
        )
        .first()
    )
    if row is None or row["most"] != 1 or row["high"] - row["low"] >= WIDEST:
        return None
    return Numbers(rows, known, (row["low"], *row["q"][1:-1], row["high"]))
