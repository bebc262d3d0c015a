"""A table as one or two categorical sub-columns per column, each given those before it.

The first sub-column holds the states of the column, its continuous state cut into bins of about equal mass; the second
one the piece within the bin. Both follow from the column's spec, so nothing of them is saved but their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthohive_spark.models.encoders import ColumnSpec, Encoded, TableSpec
from synthohive_spark.models.encoders.numbers import NumberSpec
from synthohive_spark.models.encoders.rank_scale import RankScale

MOST_BINS = 128  # of a number in one level: heads of more codes learn slowly
FEWEST_BINS = 8  # of a small table: fewer show no shape
ROWS_PER_BIN = 15  # so that the share of a bin is known to a quarter
TWO_LEVEL_ROWS = 10_000  # rows from which on a second level, of pieces of a bin, is learnt and not noise
COARSE_BINS = 64  # of the first level, where there are two
PIECES_PER_BIN = 8  # 64 x 8 places are finer than the eye, and than a KS distance of .002
REPEATED_PIECES_PER_BIN = 32  # where values recur, so that each has a piece of its own
DATE_KINDS = ("date", "timestamp")
MOST_PLACES = 2**20  # of a column, in a file that is read
IMPOSSIBLE = -1e4  # a logit, not -inf: its gradient is 0, never NaN

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Resolution:
    """How finely continuous columns are cut.

    Attributes:
        bins: of a column.
        pieces: of a bin of an interpolated column.
        repeated_pieces: of a bin, on average and at most, of a column of repeated values: one value each if that fits.
    """

    bins: int
    pieces: int
    repeated_pieces: int

    @classmethod
    def of(cls, rows: int, bins: int | None, two_level: bool | None, share: int) -> Resolution:
        """Returns the resolution for a table of ``rows`` rows.

        Args:
            rows: training rows.
            bins: wanted by the user, or None.
            two_level: wanted by the user, or None.
            share: states that a column may have.
        """
        fine = rows >= TWO_LEVEL_ROWS if two_level is None else two_level
        usual = COARSE_BINS if fine else max(FEWEST_BINS, min(MOST_BINS, rows // ROWS_PER_BIN))
        wanted = bins or min(usual, max(FEWEST_BINS, share))
        return cls(wanted, PIECES_PER_BIN, REPEATED_PIECES_PER_BIN) if fine else cls(wanted, 1, 1)

    def check(self) -> None:
        """Checks numbers that were read from a file.

        Raises:
            ValueError: they are none, or cut a column into more places than any would have.
        """
        numbers = (self.bins, self.pieces, self.repeated_pieces)
        if not all(type(n) is int and n > 0 for n in numbers) or self.bins * max(numbers[1:]) > MOST_PLACES:
            raise ValueError(f"a resolution of {numbers}")

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class ColumnCodes:
    """The sub-columns of one column.

    Attributes:
        states: states of the encoded column.
        continuous: the state that is cut, or None.
        edges: (P + 1,) ranks in [0, 1] between which the pieces lie.
        starts: (B + 1,) the first piece of each bin, then P.
        order: (K,) the raw state of each code: other states, then bins, then states behind the continuous one;
            codes follow the values.
    """

    states: int
    continuous: int | None
    edges: NDArray[np.float64]
    starts: Codes
    order: Codes

    @classmethod
    def of(cls, spec: ColumnSpec, resolution: Resolution) -> ColumnCodes:
        """Returns the sub-columns of an encoded column."""
        states, continuous = spec.cardinality, spec.continuous_code
        if continuous is None or not isinstance(spec, NumberSpec) or not isinstance(spec.scale, RankScale):
            nothing = np.zeros(0)
            return cls(states, None, nothing, nothing.astype(np.int64), np.arange(states))
        shares = np.asarray(spec.scale.shares, dtype=np.float64)
        per_bin = resolution.repeated_pieces if shares.size else resolution.pieces
        edges = _edges(shares, resolution.bins * per_bin)
        wanted = np.linspace(0.0, 1.0, resolution.bins + 1) * edges[-1]
        starts = np.unique(np.append(_nearest_edge(edges, wanted), [0, edges.size - 1]))
        # Codes in the order of the values, since heads see them as a scale too; null stays last.
        bins = starts.size - 1
        middle = (edges[starts[:-1]] + edges[starts[1:]]) - 1.0
        point = Encoded(
            np.append(np.arange(continuous), np.full(bins, continuous)), np.append(np.zeros(continuous), middle)
        )
        numbers, _ = spec.scale.decode(point)
        order = np.argsort(numbers, kind="stable")
        behind = np.arange(continuous + bins, states - 1 + bins)
        return cls(states, continuous, edges, starts, np.append(order, behind).astype(np.int64))

    @property
    def cardinality(self) -> int:
        """Codes of the first sub-column."""
        return self.order.size

    @property
    def pieces(self) -> Codes:
        """(K,) pieces behind each code of the first sub-column."""
        counts = np.ones(self.cardinality, dtype=np.int64)
        if self.continuous is not None:
            place = self.order - self.continuous
            binned = (place >= 0) & (place < self.starts.size - 1)
            counts[binned] = np.diff(self.starts)[place[binned]]
        return counts

    def encode(self, encoded: Encoded) -> tuple[Codes, Codes]:
        """Returns the (n,) codes and the (n,) pieces of n rows."""
        raw, piece = encoded.codes.copy(), np.zeros(encoded.codes.size, dtype=np.int64)
        if self.continuous is not None and encoded.ranks is not None:
            bins, free = self.starts.size - 1, raw == self.continuous
            raw[raw > self.continuous] += bins - 1
            place = np.searchsorted(self.edges, (encoded.ranks[free] + 1.0) / 2.0, side="right") - 1
            place = np.clip(place, 0, self.edges.size - 2)
            owner = np.searchsorted(self.starts, place, side="right") - 1
            raw[free] = self.continuous + owner
            piece[free] = place - self.starts[owner]
        code_of = np.empty(self.cardinality, dtype=np.int64)
        code_of[self.order] = np.arange(self.cardinality)
        return code_of[raw], piece

    def decode(self, codes: Codes, pieces: Codes, uniform: NDArray[np.floating[Any]]) -> Encoded:
        """Returns n encoded values: ranks are drawn uniformly, by (n,) ``uniform`` numbers, within their pieces."""
        raw = self.order[codes]
        if self.continuous is None:
            return Encoded(raw)
        bins = self.starts.size - 1
        place = raw - self.continuous
        free = (place >= 0) & (place < bins)
        piece = self.starts[place[free]] + pieces[free]
        low, high = self.edges[piece], self.edges[piece + 1]
        ranks = np.zeros(raw.size)
        ranks[free] = 2.0 * (low + (high - low) * uniform[free]) - 1.0
        states = np.where(free, self.continuous, np.where(place >= bins, raw - bins + 1, raw))
        return Encoded(states, ranks)


@dataclass(frozen=True)
class SubColumn:
    """One categorical variable.

    Attributes:
        column: the column that it belongs to.
        level: 0 for states and bins, 1 for pieces.
        cardinality: number of codes.
    """

    column: int
    level: int
    cardinality: int


@dataclass(frozen=True)
class TableCodes:
    """The sub-columns of a table in the order in which they are drawn.

    Attributes:
        columns: in the order of the spec.
        subs: (S,) sub-columns: dates first, then the order of the spec.
    """

    columns: tuple[ColumnCodes, ...]
    subs: tuple[SubColumn, ...]

    @classmethod
    def of(cls, spec: TableSpec, resolution: Resolution) -> TableCodes:
        """Returns the sub-columns of a table; constant columns have none."""
        columns = tuple(ColumnCodes.of(column, resolution) for column in spec.specs)
        dates = [index for index, column in enumerate(spec.specs) if column.kind in DATE_KINDS]
        others = [index for index in range(len(columns)) if index not in set(dates)]
        subs = []
        for index in (*dates, *others):
            deepest = int(columns[index].pieces.max(initial=1))
            if columns[index].cardinality > 1:
                subs.append(SubColumn(index, 0, columns[index].cardinality))
            if deepest > 1:
                subs.append(SubColumn(index, 1, deepest))
        return cls(columns, tuple(subs))

    @property
    def cardinalities(self) -> list[int]:
        """(S,) codes of each sub-column."""
        return [sub.cardinality for sub in self.subs]

    def barrier(self, place: int) -> NDArray[np.float32] | None:
        """Returns the (K, F) logits, 0 or ``IMPOSSIBLE``, to add to a second sub-column for each code of its first one.

        None for other sub-columns, and where all pieces are possible.
        """
        sub = self.subs[place]
        if sub.level == 0:
            return None
        pieces = self.columns[sub.column].pieces
        possible = np.arange(sub.cardinality)[None, :] < pieces[:, None]
        if possible.all():
            return None
        return np.where(possible, 0.0, IMPOSSIBLE).astype(np.float32)

    def encode(self, encoded: Sequence[Encoded], rows: int) -> NDArray[np.int16]:
        """Returns the (n, S) codes of n rows."""
        codes = np.zeros((rows, len(self.subs)), dtype=np.int16)
        levels = {index: self.columns[index].encode(encoded[index]) for index in {sub.column for sub in self.subs}}
        for place, sub in enumerate(self.subs):
            codes[:, place] = levels[sub.column][sub.level]
        return codes

    def decode(self, codes: NDArray[Any], uniform: NDArray[np.floating[Any]]) -> list[Encoded]:
        """Returns n rows as encoded columns in the order of the spec.

        Args:
            codes: (n, S).
            uniform: (n, number of columns) places within the pieces, in (0, 1).
        """
        places = {(sub.column, sub.level): place for place, sub in enumerate(self.subs)}
        nothing = np.zeros(len(codes), dtype=np.int64)
        columns = []
        for index, column in enumerate(self.columns):
            first, second = (
                codes[:, places[index, level]].astype(np.int64) if (index, level) in places else nothing
                for level in (0, 1)
            )
            columns.append(column.decode(first, second, uniform[:, index]))
        return columns


def _edges(shares: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Returns the ranks between pieces: equal steps, or the steps of repeated values, which no piece then splits."""
    even = np.linspace(0.0, 1.0, most + 1)
    if not shares.size:
        return even
    steps = np.append(0.0, shares)
    if shares.size <= most:
        return steps
    kept: NDArray[np.float64] = steps[np.unique(np.append(_nearest_edge(steps, even), [0, steps.size - 1]))]
    return kept


def _nearest_edge(edges: NDArray[np.float64], wanted: NDArray[np.float64]) -> Codes:
    right = np.clip(np.searchsorted(edges, wanted), 1, edges.size - 1)
    closer_left = wanted - edges[right - 1] <= edges[right] - wanted
    return np.where(closer_left, right - 1, right).astype(np.int64)
