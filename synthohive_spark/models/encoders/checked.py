"""Specs of columns that were read from a file: of the types that they say, and able to decode each of their states."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from synthohive_spark.models.encoders.spec import ColumnSpec, Encoded
from synthohive_spark.models.encoders.table import KINDS, TableSpec

RANKS = (-1.0, 0.0, 1.0)  # at which a scale is tried: its ends and its middle
DIGITS = 100  # of a number, at most; with very many of them a power of ten would not fit into memory


def check_specs(spec: TableSpec) -> None:
    """Checks specs by what they say, then by decoding each state and encoding what comes of it.

    Raises:
        ValueError, TypeError, LookupError, ArithmeticError: a spec is not one that ``to_json`` wrote.
    """
    if not all(isinstance(name, str) for name in spec.names) or len({*spec.names}) < len(spec.names):
        raise ValueError("columns without a name, or with the same one")
    for name, column in spec.columns:
        _adapter(column.kind).validate_json(json.dumps(column.to_json()), strict=True)
        scale = getattr(column, "scale", None)
        if any(abs(d) > DIGITS for d in _digits(column, scale, getattr(scale, "endings", None))):
            raise ValueError(f"{name}: numbers of more than {DIGITS} digits")
        _check_scale(name, scale)
        _try(name, column)


@functools.lru_cache(maxsize=16)
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind].spec)


def _digits(*parts: object) -> list[int]:
    return [getattr(part, word) for part in parts for word in ("digits", "decimals") if hasattr(part, word)]


def _check_scale(name: str, scale: Any) -> None:
    """Checks that the lists of a scale go together."""
    lists = {word: getattr(scale, word, ()) for word in ("values", "levels", "shares", "means", "deviations")}
    rising = all(
        a <= b for word in ("values", "levels", "shares") for a, b in zip(lists[word], lists[word][1:], strict=False)
    )
    steps, modes = len(lists["shares"]) in (0, len(lists["levels"])), getattr(scale, "weights", lists["means"])
    if not rising or not steps or len({len(lists["means"]), len(lists["deviations"]), len(modes)}) > 1:
        raise ValueError(f"{name}: the lists of its scale do not fit each other")


def _try(name: str, column: ColumnSpec) -> None:
    """Decodes every state at the ends and in the middle of its scale, and encodes the values."""
    kind, states = KINDS[column.kind], np.repeat(np.arange(column.cardinality), len(RANKS))
    if not 0 <= column.null_share <= 1 or not states.size:
        raise ValueError(f"{name}: no states, or a share of nulls that is none")
    ranks = np.tile(np.array(RANKS), column.cardinality) if column.has_scalar else None
    values = kind.decode(column, Encoded(states, ranks))
    codes = kind.encode(column, values, None).codes
    if len(values) != len(states) or ((codes < 0) | (codes >= column.cardinality)).any():
        raise ValueError(f"{name}: states that cannot be decoded")
