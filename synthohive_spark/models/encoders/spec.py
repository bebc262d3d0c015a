"""What every column kind has in common: partial statistics, spec, encoded form, and the four functions.

A column is encoded as a state code per row and, for numbers on a continuous scale, a rank in [-1, 1]:

* a GAN reads the code as a one-hot block and the rank as one scalar;
* an autoregressive network reads the code, and the rank cut into bins of equal mass, since ranks are uniform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from typing_extensions import Self

from synthohive_spark.models.encoders.sample import Origin


@dataclass(frozen=True)
class Limits:
    """What a reduce step may keep of the data.

    Attributes:
        min_count: people who must hold a value before it may be used verbatim.
        max_categories: tokens of a string column that are states of their own; the others share one.
        max_numbers: numbers of at most this many distinct values are categories.
        atom_share: share of the rows from which a single number is a state of its own.
        atom_rows: rows that such a number needs at least.
        modes: Gaussian modes of a numeric column, at most; 0 for a rank scale instead.
    """

    min_count: int = 3
    max_categories: int = 500
    max_numbers: int = 40
    atom_share: float = 0.01
    atom_rows: int = 10
    modes: int = 0


@dataclass(frozen=True)
class Encoded:
    """One encoded column.

    Attributes:
        codes: (n,) state of each row, in 0 .. cardinality - 1.
        ranks: (n,) rank, or place within the mode, in [-1, 1]; 0 in states without; None for kinds without a scale.
    """

    codes: NDArray[np.int64]
    ranks: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class ColumnPartial:
    """Statistics of one chunk of a column; kinds add their own."""

    kind: str
    dtype: str
    rows: int
    nulls: int


@dataclass(frozen=True)
class ColumnSpec:
    """All that is kept of a column: frozen, and JSON through ``to_json``."""

    kind: str
    dtype: str
    null_share: float

    @property
    def has_null(self) -> bool:
        """Whether null is one of the states."""
        return self.null_share > 0

    @property
    def cardinality(self) -> int:
        """Number of states, null and "continuous" included."""
        raise NotImplementedError

    @property
    def closed_code(self) -> int | None:
        """The one state that is learnt and never drawn; None if there is none."""
        return None

    @property
    def continuous_code(self) -> int | None:
        """The one state in which the rank carries the value; None if there is none."""
        return None

    @property
    def has_scalar(self) -> bool:
        """Whether a rank, or a place within a mode, goes with the state."""
        return False

    def to_json(self) -> dict[str, Any]:
        """Returns the spec as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Returns the spec that ``to_json`` wrote."""
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
        return cls(**fields)


Partial = TypeVar("Partial", bound=ColumnPartial)
Spec = TypeVar("Spec", bound=ColumnSpec)


@dataclass(frozen=True)
class ColumnKind(Generic[Partial, Spec]):
    """One column kind: its name, its spec and its four pure functions.

    Attributes:
        analyze: (chunk of n values, where they come from) -> partial statistics.
        reduce: (partials of all chunks, limits) -> spec; the same for any partitioning of the rows.
        encode: (spec, n values, generator) -> codes and ranks. The generator spreads ties over their ranks;
            without one they take the middle.
        decode: (spec, encoded) -> n values in the original dtype family.
    """

    name: str
    spec: type[Spec]
    analyze: Callable[[pd.Series[Any], Origin], Partial]
    reduce: Callable[[Sequence[Partial], Limits], Spec]
    encode: Callable[[Spec, pd.Series[Any], np.random.Generator | None], Encoded]
    decode: Callable[[Spec, Encoded], pd.Series[Any]]


def merged_dtype(partials: Sequence[ColumnPartial]) -> str:
    """Returns the dtype that holds every chunk: the nullable one where chunks differ."""
    names = sorted({partial.dtype for partial in partials})
    return next((name for name in names if name[0].isupper()), names[0])


def merged_null_share(partials: Sequence[ColumnPartial]) -> float:
    """Returns the share of null rows over all chunks."""
    rows = sum(partial.rows for partial in partials)
    return sum(partial.nulls for partial in partials) / rows if rows else 0.0


def with_null_rows(partial: Partial, rows: int) -> Partial:
    """Returns ``partial`` as if ``rows`` null rows had been in its chunk."""
    return replace(partial, rows=partial.rows + rows, nulls=partial.nulls + rows)
