"""Decimals: unscaled integers on a rank scale, so that every digit and the scale are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders.mode_scale import build_number_scale
from synthohive_spark.models.encoders.numbers import NumberPartial, NumberSpec, merged_grain, null_mask
from synthohive_spark.models.encoders.rank_scale import Numbers, as_numbers
from synthohive_spark.models.encoders.sample import BottomK, Origin, merge_samples
from synthohive_spark.models.encoders.spec import ColumnKind, Encoded, Limits, merged_dtype, merged_null_share

_DIGITS = 100  # of intermediate results: twice decimal(38) and more


@dataclass(frozen=True)
class DecimalSpec(NumberSpec):
    """Spec of a decimal column.

    Attributes:
        digits: digits after the point, written in every value.
    """

    digits: int


def analyze(values: pd.Series[Any], origin: Origin) -> NumberPartial:
    """Returns the statistics of a chunk of n decimals."""
    null = null_mask(values)
    present = values[~null].to_numpy(dtype=object)
    exponents = (value.as_tuple().exponent for value in present)
    digits = max((-exponent for exponent in exponents if isinstance(exponent, int)), default=0)
    sample = BottomK.of(present, origin.where(~null))
    return NumberPartial("decimal", "object", len(values), int(null.sum()), sample, max(0, digits))


def reduce(partials: Sequence[NumberPartial], limits: Limits) -> DecimalSpec:
    """Returns the spec of the whole column."""
    share, digits = merged_null_share(partials), merged_grain(partials)
    merged = merge_samples([partial.sample for partial in partials])
    sample = BottomK(_unscaled(merged.values, digits), merged.origin)
    scale = build_number_scale(sample, share > 0, limits, 0)
    return DecimalSpec("decimal", merged_dtype(partials), share, scale, digits)


def encode(spec: DecimalSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns codes and ranks of n values."""
    null = null_mask(values)
    return spec.scale.encode_with_nulls(_unscaled(values[~null], spec.digits), null, rng)


def decode(spec: DecimalSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n Decimal objects with the column's scale, None where null."""
    numbers, null = spec.scale.decode(encoded)
    distinct, position = np.unique(numbers, return_inverse=True)
    texts = np.empty(distinct.size, dtype=object)
    with localcontext() as context:
        context.prec = _DIGITS
        texts[:] = [Decimal(number).scaleb(-spec.digits) for number in distinct.tolist()]
    decoded = texts[position]
    decoded[null] = None
    return pd.Series(decoded, dtype=object)


def _unscaled(values: Iterable[Any], digits: int) -> Numbers:
    with localcontext() as context:
        context.prec = _DIGITS
        unscaled = [int(Decimal(value).scaleb(digits).to_integral_value()) for value in values]
    return as_numbers(unscaled, False)


KIND = ColumnKind("decimal", DecimalSpec, analyze, reduce, encode, decode)
