"""Strings: the most frequent ones are states; rare ones, and those beyond the cap, share the rare token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthohive_spark.models.encoders.spec import Encoded, Kind, Limits, merged_dtype, merged_null_share
from synthohive_spark.models.encoders.tokens import TokenPartial, TokenSpec, merged_counts, token_codes, token_values

RARE_TOKEN = "_RARE_"


@dataclass(frozen=True)
class CategoricalSpec(TokenSpec):
    """Spec of a string column; the rare token, if any string is rare, is the last token."""

    @property
    def unknown_code(self) -> int:
        """The code of a string that was not kept: the rare token, or the most frequent one where none is rare."""
        return len(self.tokens) - 1 if self.tokens[-1:] == (RARE_TOKEN,) else 0


def analyze(values: pd.Series[Any], hashes: NDArray[np.uint64]) -> TokenPartial:
    """Returns the statistics of a chunk of n strings."""
    counted = values.value_counts(dropna=True)
    counts = dict(zip(counted.index.tolist(), counted.tolist(), strict=True))
    dtype = "object" if values.dtype.kind == "O" and values.dtype == np.dtype(object) else str(values.dtype)
    return TokenPartial("categorical", dtype, len(values), int(values.isna().sum()), counts)


def reduce(partials: Sequence[TokenPartial], limits: Limits) -> CategoricalSpec:
    """Returns the spec of the whole column."""
    counts = merged_counts(partials)
    frequent = [token for token, rows in counts.items() if rows >= limits.min_count and token != RARE_TOKEN]
    kept = sorted(frequent, key=lambda token: (-counts[token], token))[: limits.max_categories]
    rare = (RARE_TOKEN,) if len(kept) < len(counts) else ()
    return CategoricalSpec("categorical", merged_dtype(partials), merged_null_share(partials), (*kept, *rare))


def encode(spec: CategoricalSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns the codes of n values."""
    return token_codes(spec, values, spec.unknown_code)


def decode(spec: CategoricalSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n strings of the column's dtype."""
    return token_values(spec, encoded)


KIND = Kind("categorical", CategoricalSpec, analyze, reduce, encode, decode)
