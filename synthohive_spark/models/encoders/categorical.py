"""Strings: the most frequent ones are states; rare ones, and those beyond the cap, share the rare token.

Where the rare ones are of a kind that follows a standard (times of the day, UUIDs), values of that kind stand for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthohive_spark.models.encoders.spec import ColumnKind, Encoded, Limits, merged_dtype, merged_null_share
from synthohive_spark.models.encoders.tokens import TokenPartial, TokenSpec, merged_counts, token_codes, token_values
from synthohive_spark.privacy.masks import BIJECTIVE, Mask
from synthohive_spark.privacy.textkinds import kind_of_texts
from synthohive_spark.randomness import seed_of

RARE_TOKEN = "_RARE_"


@dataclass(frozen=True)
class CategoricalSpec(TokenSpec):
    """Spec of a string column; the rare token, if any string is rare, is the last token.

    Attributes:
        rare_mask: of the values that are written for the rare token, as JSON; None for the token itself.
    """

    rare_mask: dict[str, Any] | None = None

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
    hidden = {token: rows for token, rows in counts.items() if token not in set(kept)} if rare else {}
    mask = kind_of_texts(hidden) if hidden else None
    spec = CategoricalSpec("categorical", merged_dtype(partials), merged_null_share(partials), (*kept, *rare))
    return replace(spec, rare_mask=mask.model_dump(mode="json")) if mask is not None else spec


def encode(spec: CategoricalSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns the codes of n values."""
    return token_codes(spec, values, spec.unknown_code)


def decode(spec: CategoricalSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n strings of the column's dtype."""
    values = token_values(spec, encoded)
    rare = np.flatnonzero(encoded.codes == spec.unknown_code)
    if spec.rare_mask is None or not rare.size:
        return values
    rng = np.random.default_rng(seed_of(encoded.codes.tolist()))  # the model's draws decide, as they do of the rest
    mask = Mask.model_validate(spec.rare_mask)
    texts = mask.strings(rng.integers(0, min(mask.capacity, BIJECTIVE), rare.size), int(rng.integers(BIJECTIVE)))
    values.iloc[rare] = texts
    return values


KIND = ColumnKind("categorical", CategoricalSpec, analyze, reduce, encode, decode)
