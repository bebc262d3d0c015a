"""Statistics and spec that the numeric kinds share; each kind adds how its values become numbers and come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from typing_extensions import Self

from synthohive_spark.models.encoders.mode_scale import ModeScale
from synthohive_spark.models.encoders.rank_scale import Numbers, RankScale
from synthohive_spark.models.encoders.sample import BottomK
from synthohive_spark.models.encoders.spec import ColumnPartial, ColumnSpec


@dataclass(frozen=True)
class NumberPartial(ColumnPartial):
    """Statistics of a chunk.

    Attributes:
        sample: bottom-k sample of the non-null values.
        grain: how fine the values are, larger is finer (decimals, resolution); the chunks' maximum holds for all.
    """

    sample: BottomK
    grain: int


@dataclass(frozen=True)
class NumberSpec(ColumnSpec):
    """Spec of a kind on a scale."""

    scale: RankScale | ModeScale

    @property
    def cardinality(self) -> int:
        """Number of states, null and "continuous" included."""
        return self.scale.cardinality

    @property
    def continuous_code(self) -> int | None:
        """The one state in which the rank carries the value."""
        return self.scale.continuous_code

    @property
    def has_scalar(self) -> bool:
        """Whether a rank, or a place within a mode, goes with the state."""
        return self.scale.has_scalar

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Returns the spec that ``to_json`` wrote."""
        scale = ModeScale if "means" in raw["scale"] else RankScale
        return cls(**{**raw, "scale": scale.from_json(raw["scale"])})


def null_mask(values: pd.Series[Any]) -> NDArray[np.bool_]:
    """Returns the (n,) mask of null rows."""
    return values.isna().to_numpy(dtype=bool)


def merged_grain(partials: Sequence[NumberPartial]) -> int:
    """Returns the grain that fits every chunk."""
    return max(partial.grain for partial in partials)


def number_series(numbers: Numbers, null: NDArray[np.bool_], dtype: str) -> pd.Series[Any]:
    """Returns numbers as a series of ``dtype``, with its own null where ``null`` is set."""
    wanted = pd.api.types.pandas_dtype(dtype)
    if not null.any() or dtype[0].isupper():
        series: pd.Series[Any] = pd.Series(numbers).astype(wanted)
        return series.mask(null) if null.any() else series
    masked: pd.Series[Any] = pd.Series(np.where(null, np.nan, numbers.astype(np.float64)))
    return masked.astype(wanted)
