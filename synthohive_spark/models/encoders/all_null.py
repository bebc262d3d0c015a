"""Columns of nulls whose type the data do not tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders.sample import Origin
from synthohive_spark.models.encoders.spec import ColumnKind, ColumnPartial, ColumnSpec, Encoded, Limits, merged_dtype


@dataclass(frozen=True)
class AllNullSpec(ColumnSpec):
    """Spec of an all-null column: one state."""

    @property
    def cardinality(self) -> int:
        """Number of states."""
        return 1


def analyze(values: pd.Series[Any], origin: Origin) -> ColumnPartial:
    """Returns the statistics of a chunk of n nulls."""
    return ColumnPartial("all_null", "object", len(values), len(values))


def reduce(partials: Sequence[ColumnPartial], limits: Limits) -> AllNullSpec:
    """Returns the spec of the whole column."""
    return AllNullSpec("all_null", merged_dtype(partials), 1.0)


def encode(spec: AllNullSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns n zero codes."""
    return Encoded(np.zeros(len(values), dtype=np.int64))


def decode(spec: AllNullSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n nulls."""
    return pd.Series([None] * encoded.codes.size, dtype=object)


KIND = ColumnKind("all_null", AllNullSpec, analyze, reduce, encode, decode)
