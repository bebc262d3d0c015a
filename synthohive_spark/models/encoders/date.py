"""Dates: days since 1970 on a rank scale, from year 1 to 9999."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthohive_spark.models.encoders.mode_scale import build_number_scale
from synthohive_spark.models.encoders.numbers import NumberPartial, NumberSpec, null_mask
from synthohive_spark.models.encoders.rank_scale import Numbers
from synthohive_spark.models.encoders.sample import BottomK, Origin, merge_samples
from synthohive_spark.models.encoders.spec import ColumnKind, Encoded, Limits, merged_dtype, merged_null_share
from synthohive_spark.privacy.coarse import coarse_days


@dataclass(frozen=True)
class DateSpec(NumberSpec):
    """Spec of a date column."""


def analyze(values: pd.Series[Any], origin: Origin) -> NumberPartial:
    """Returns the statistics of a chunk of n ``datetime.date`` objects."""
    null = null_mask(values)
    sample = BottomK.of(_days(values, null), origin.where(~null))
    return NumberPartial("date", "object", len(values), int(null.sum()), sample, 0)


def reduce(partials: Sequence[NumberPartial], limits: Limits) -> DateSpec:
    """Returns the spec of the whole column."""
    share = merged_null_share(partials)
    sample = merge_samples([partial.sample for partial in partials])
    scale = build_number_scale(sample, share > 0, limits, coarse=coarse_days)
    return DateSpec("date", merged_dtype(partials), share, scale)


def encode(spec: DateSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns codes and ranks of n values."""
    null = null_mask(values)
    return spec.scale.encode_with_nulls(_days(values, null), null, rng)


def decode(spec: DateSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n ``datetime.date`` objects, None where null."""
    days, null = spec.scale.decode(encoded)
    dates = days.astype("datetime64[D]").astype(object)
    dates[null] = None
    return pd.Series(dates, dtype=object)


def _days(values: pd.Series[Any], null: NDArray[np.bool_]) -> Numbers:
    return np.asarray(values[~null].tolist(), dtype="datetime64[D]").astype(np.int64)


KIND = ColumnKind("date", DateSpec, analyze, reduce, encode, decode)
