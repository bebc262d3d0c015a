"""Integers: few distinct values are categories, many lie on a rank scale; exact at any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthohive_spark.models.encoders.mode_scale import build_number_scale
from synthohive_spark.models.encoders.numbers import NumberPartial, NumberSpec, null_mask, number_series
from synthohive_spark.models.encoders.rank_scale import Numbers, as_numbers
from synthohive_spark.models.encoders.sample import BottomK, Origin, merge_samples
from synthohive_spark.models.encoders.spec import ColumnKind, Encoded, Limits, merged_dtype, merged_null_share


@dataclass(frozen=True)
class IntegerSpec(NumberSpec):
    """Spec of an integer column."""


def analyze(values: pd.Series[Any], origin: Origin) -> NumberPartial:
    """Returns the statistics of a chunk of n integers."""
    null = null_mask(values)
    plain = "Int64" if null.any() else "int64"
    dtype = values.dtype.name if values.dtype.kind in "iu" else plain
    sample = BottomK.of(_integers(values, null), origin.where(~null))
    return NumberPartial("integer", dtype, len(values), int(null.sum()), sample, 0)


def reduce(partials: Sequence[NumberPartial], limits: Limits) -> IntegerSpec:
    """Returns the spec of the whole column."""
    share = merged_null_share(partials)
    scale = build_number_scale(merge_samples([partial.sample for partial in partials]), share > 0, limits, 0)
    return IntegerSpec("integer", merged_dtype(partials), share, scale)


def encode(spec: IntegerSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns codes and ranks of n values."""
    null = null_mask(values)
    return spec.scale.encode_with_nulls(_integers(values, null), null, rng)


def decode(spec: IntegerSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n integers of the column's dtype."""
    numbers, null = spec.scale.decode(encoded)
    return number_series(numbers, null, spec.dtype)


def _integers(values: pd.Series[Any], null: NDArray[np.bool_]) -> Numbers:
    present = values[~null]
    if present.dtype.kind == "i":
        return present.to_numpy(dtype=np.int64)
    if present.dtype.kind == "u":
        return as_numbers(present.to_numpy(dtype=np.uint64).tolist(), False)
    # A float context column may be asked where integers were learnt; through Python ints nothing else is rounded.
    return as_numbers([round(value) for value in present.tolist()], False)


KIND = ColumnKind("integer", IntegerSpec, analyze, reduce, encode, decode)
