"""Booleans: the values seen, and null. Neither value identifies anyone, so none is rare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders.sample import Origin
from synthohive_spark.models.encoders.spec import ColumnKind, Encoded, Limits, merged_dtype, merged_null_share
from synthohive_spark.models.encoders.tokens import TokenPartial, TokenSpec, merged_counts, token_codes, token_values


@dataclass(frozen=True)
class BooleanSpec(TokenSpec):
    """Spec of a boolean column."""


def analyze(values: pd.Series[Any], origin: Origin) -> TokenPartial:
    """Returns the statistics of a chunk of n booleans."""
    present = values.dropna().astype(bool)
    counts = {True: int(present.sum()), False: int((~present).sum())}
    seen = {token: rows for token, rows in counts.items() if rows}
    return TokenPartial("boolean", values.dtype.name, len(values), len(values) - len(present), seen)


def reduce(partials: Sequence[TokenPartial], limits: Limits) -> BooleanSpec:
    """Returns the spec of the whole column."""
    tokens = tuple(sorted(merged_counts(partials)))
    return BooleanSpec("boolean", merged_dtype(partials), merged_null_share(partials), tokens)


def encode(spec: BooleanSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns the codes of n values."""
    return token_codes(spec, values, unknown=0)


def decode(spec: BooleanSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n booleans of the column's dtype."""
    return token_values(spec, encoded)


KIND = ColumnKind("boolean", BooleanSpec, analyze, reduce, encode, decode)
