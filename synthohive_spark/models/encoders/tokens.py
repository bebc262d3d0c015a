"""Statistics and spec of kinds whose values are tokens: counts, and a code per token kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders.spec import ColumnPartial, ColumnSpec, Encoded


@dataclass(frozen=True)
class TokenPartial(ColumnPartial):
    """Statistics of a chunk.

    Attributes:
        counts: rows of each token.
        held: people who hold each; None where each row is about another person.
    """

    counts: Mapping[Any, int]
    held: Mapping[Any, int] | None = None


@dataclass(frozen=True)
class TokenSpec(ColumnSpec):
    """Spec of a kind with tokens. State codes are ``tokens`` in order, then null."""

    tokens: tuple[Any, ...]

    @property
    def cardinality(self) -> int:
        """Number of states, null included."""
        return len(self.tokens) + self.has_null

    @cached_property
    def index(self) -> pd.Index[Any]:
        """The tokens as an index of objects."""
        index: pd.Index[Any] = pd.Index(self.tokens, dtype=object)
        return index

    @cached_property
    def choices(self) -> pd.Series[Any]:
        """(cardinality,) the value of each code in the column's dtype; the last one is null."""
        values: pd.Series[Any] = pd.Series([*self.tokens, None], dtype=object)
        return values.astype(pd.api.types.pandas_dtype(self.dtype))


def merged_counts(partials: Sequence[TokenPartial]) -> Counter[Any]:
    """Returns the rows of each token over all chunks."""
    total: Counter[Any] = Counter()
    for partial in partials:
        total.update(partial.counts)
    return total


def merged_support(partials: Sequence[TokenPartial]) -> Mapping[Any, int]:
    """Returns how many people hold each token at least: of chunks that may share people, as many as in one of them."""
    if all(partial.held is None for partial in partials):
        return merged_counts(partials)
    total: Counter[Any] = Counter()
    for partial in partials:
        total |= Counter(partial.counts if partial.held is None else partial.held)
    return total


def token_codes(spec: TokenSpec, values: pd.Series[Any], unknown: int) -> Encoded:
    """Returns the code of each of n values: ``unknown`` for tokens not kept, and for null where that is no state."""
    codes = spec.index.get_indexer(pd.Index(values.astype(object), dtype=object)).astype(np.int64)
    codes[codes < 0] = unknown
    if spec.has_null:
        codes[values.isna().to_numpy(dtype=bool)] = len(spec.tokens)
    return Encoded(codes)


def token_values(spec: TokenSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns the value of each of n codes."""
    return pd.Series(spec.choices.array.take(encoded.codes), dtype=spec.choices.dtype)
