"""Floats: a rank scale, rounded to the decimals that the data show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthohive_spark.models.encoders.mode_scale import build_number_scale
from synthohive_spark.models.encoders.numbers import NumberPartial, NumberSpec, merged_grain, null_mask, number_series
from synthohive_spark.models.encoders.sample import BottomK, Origin, merge_samples
from synthohive_spark.models.encoders.spec import ColumnKind, Encoded, Limits, merged_dtype, merged_null_share

MAX_DECIMALS = 10  # more are measured values, not rounded ones
UNROUNDED = 99  # stands for them


@dataclass(frozen=True)
class NumericSpec(NumberSpec):
    """Spec of a float column.

    Attributes:
        decimals: decimals found in the data; ``UNROUNDED`` if the values have more than ``MAX_DECIMALS``.
    """

    decimals: int


def analyze(values: pd.Series[Any], origin: Origin) -> NumberPartial:
    """Returns the statistics of a chunk of n floats (NaN is null)."""
    null = null_mask(values)
    numbers = _floats(values, null)
    dtype = values.dtype.name if values.dtype.kind == "f" else "float64"
    sample = BottomK.of(numbers, origin.where(~null))
    return NumberPartial("numeric", dtype, len(values), int(null.sum()), sample, _decimals(numbers))


def reduce(partials: Sequence[NumberPartial], limits: Limits) -> NumericSpec:
    """Returns the spec of the whole column."""
    share, decimals = merged_null_share(partials), merged_grain(partials)
    sample = merge_samples([partial.sample for partial in partials])
    scale = build_number_scale(sample, share > 0, limits, decimals if decimals <= MAX_DECIMALS else None)
    return NumericSpec("numeric", merged_dtype(partials), share, scale, decimals)


def encode(spec: NumericSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns codes and ranks of n values."""
    null = null_mask(values)
    return spec.scale.encode_with_nulls(_floats(values, null), null, rng)


def decode(spec: NumericSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n floats of the column's dtype."""
    numbers, null = spec.scale.decode(encoded)
    rounded = np.round(numbers, spec.decimals) if spec.decimals <= MAX_DECIMALS else numbers
    return number_series(rounded, null, spec.dtype)


def _floats(values: pd.Series[Any], null: NDArray[np.bool_]) -> NDArray[np.float64]:
    return values[~null].to_numpy(dtype=np.float64)


def _decimals(numbers: NDArray[np.float64]) -> int:
    """Returns the fewest decimals that write every finite number exactly."""
    finite = numbers[np.isfinite(numbers)]
    with np.errstate(over="ignore", invalid="ignore"):
        for decimals in range(MAX_DECIMALS + 1):
            if np.array_equal(np.round(finite, decimals), finite):
                return decimals
    return UNROUNDED


KIND = ColumnKind("numeric", NumericSpec, analyze, reduce, encode, decode)
