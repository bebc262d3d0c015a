"""All columns of a table: which kind each is, and the four functions over the whole table."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthohive_spark.errors import TrainingError
from synthohive_spark.models.encoders import (
    all_null,
    boolean,
    categorical,
    date,
    decimal_number,
    integer,
    numeric,
    sample,
    timestamp,
)
from synthohive_spark.models.encoders.spec import ColumnKind, ColumnPartial, ColumnSpec, Encoded, Limits, with_null_rows
from synthohive_spark.randomness import generator

_MODULES = (all_null, boolean, categorical, date, decimal_number, integer, numeric, timestamp)
KINDS: Mapping[str, ColumnKind[Any, Any]] = MappingProxyType({module.KIND.name: module.KIND for module in _MODULES})
_DTYPE_KINDS = MappingProxyType(
    {"b": "boolean", "i": "integer", "u": "integer", "f": "numeric", "M": "timestamp", "U": "categorical"}
)
# In this order: a bool is an int and a datetime is a date.
_OBJECT_KINDS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((str,), "categorical"),
    ((bool, np.bool_), "boolean"),
    ((int, np.integer), "integer"),
    ((float, np.floating), "numeric"),
    ((Decimal,), "decimal"),
    ((datetime.datetime, np.datetime64), "timestamp"),
    ((datetime.date,), "date"),
)


@dataclass(frozen=True)
class TableSpec:
    """The specs of a table's columns, in order."""

    columns: tuple[tuple[str, ColumnSpec], ...]

    @property
    def names(self) -> list[str]:
        """The column names."""
        return [name for name, _ in self.columns]

    @property
    def specs(self) -> list[ColumnSpec]:
        """The column specs."""
        return [spec for _, spec in self.columns]

    def to_json(self) -> list[dict[str, Any]]:
        """Returns the specs as JSON values."""
        return [{"name": name, **spec.to_json()} for name, spec in self.columns]

    @classmethod
    def from_json(cls, raw: Sequence[Mapping[str, Any]]) -> TableSpec:
        """Returns the specs that ``to_json`` wrote."""
        columns = []
        for column in raw:
            fields = {key: value for key, value in column.items() if key != "name"}
            columns.append((column["name"], KINDS[column["kind"]].spec.from_json(fields)))
        return cls(tuple(columns))


def infer_kind(values: pd.Series[Any]) -> str:
    """Returns the kind of a column, from its dtype or its first non-null object.

    Raises:
        TrainingError: if the column holds a type that no kind covers.
    """
    if isinstance(values.dtype, pd.StringDtype):
        return "categorical"
    known = _DTYPE_KINDS.get(values.dtype.kind)
    if known is not None:
        return known
    # A list is no null, and pandas would answer for each of its items.
    first = next((value for value in values if not pd.api.types.is_scalar(value) or not pd.isna(value)), None)
    if first is None:
        return "all_null"
    for types, kind in _OBJECT_KINDS:
        if isinstance(first, types):
            return kind
    raise TrainingError(
        f"column {values.name!r} holds values of type {type(first).__name__}, which no encoder covers; "
        "cast it to a scalar type or leave it out"
    )


def plain(values: pd.Series[Any]) -> pd.Series[Any]:
    """Returns a pandas categorical as the values that it stands for, any other series as it is."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype(values.dtype.categories.dtype)
    return values


def row_hashes(frame: pd.DataFrame) -> NDArray[np.uint64]:
    """Returns an (n,) hash of each row's content, which does not depend on where the row lies."""
    if frame.shape[1] == 0:
        return np.zeros(len(frame), dtype=np.uint64)
    return np.asarray(pd.util.hash_pandas_object(frame, index=False), dtype=np.uint64)


def analyze_table(
    frame: pd.DataFrame, alone: bool = False, people: Mapping[str, NDArray[np.int64]] | None = None
) -> dict[str, ColumnPartial]:
    """Returns the partial statistics of each column of a chunk of rows.

    Args:
        frame: the chunk.
        alone: there is no other, so that rows need no hash as long as a sample holds them all.
        people: {column: code of whom each of its values is about}; without, each is about another person.
    """
    columns = {name: plain(frame[name]) for name in frame.columns}
    kinds = {name: infer_kind(values) for name, values in columns.items()}
    unhashed = alone and len(frame) <= sample.SAMPLE_ROWS
    hashes = np.zeros(len(frame), np.uint64) if unhashed else row_hashes(frame)
    origins = {name: sample.Origin(hashes, (people or {}).get(name)) for name in columns}
    return {name: KINDS[kinds[name]].analyze(values, origins[name]) for name, values in columns.items()}


def reduce_table(chunks: Sequence[Mapping[str, ColumnPartial]], limits: Limits) -> TableSpec:
    """Returns the specs of a table from the statistics of its chunks; the partitioning does not matter."""
    names = list(chunks[0])
    return TableSpec(tuple((name, _reduce_column(name, [chunk[name] for chunk in chunks], limits)) for name in names))


def _reduce_column(name: str, partials: Sequence[ColumnPartial], limits: Limits) -> ColumnSpec:
    typed = [partial for partial in partials if partial.kind != "all_null"]
    kinds = sorted({partial.kind for partial in typed})
    if len(kinds) > 1:
        raise TrainingError(f"column {name!r} is {' and '.join(kinds)} in different chunks; cast it to one type")
    if not typed:
        spec: ColumnSpec = all_null.reduce(partials, limits)
        return spec
    untyped = sum(partial.rows for partial in partials if partial.kind == "all_null")
    reduced: ColumnSpec = KINDS[kinds[0]].reduce([with_null_rows(typed[0], untyped), *typed[1:]], limits)
    return reduced


def encode_table(spec: TableSpec, frame: pd.DataFrame, rng: np.random.Generator | None) -> list[Encoded]:
    """Returns the encoded columns of n rows, in the order of the spec."""
    if rng is None:
        return [_encode_distinct(column, plain(frame[name])) for name, column in spec.columns]
    return [KINDS[column.kind].encode(column, plain(frame[name]), rng) for name, column in spec.columns]


def _encode_distinct(spec: ColumnSpec, values: pd.Series[Any]) -> Encoded:
    """Encodes each value once: in a context most of them recur, since siblings share their parents."""
    place, distinct = pd.factorize(values, use_na_sentinel=False)
    encoded: Encoded = KINDS[spec.kind].encode(spec, pd.Series(distinct, dtype=distinct.dtype), None)
    return Encoded(encoded.codes[place], None if encoded.ranks is None else encoded.ranks[place])


def decode_table(spec: TableSpec, encoded: Sequence[Encoded], rows: int, seed: int = 0) -> pd.DataFrame:
    """Returns the n rows that the encoded columns stand for.

    Args:
        spec: of the columns.
        encoded: the columns.
        rows: how many.
        seed: of the strings that are made up for rare ones.
    """
    series: dict[str, pd.Series[Any]] = {}
    for (name, column), codes in zip(spec.columns, encoded, strict=True):
        values = KINDS[column.kind].decode(column, codes)
        if isinstance(column, categorical.CategoricalSpec):
            values = categorical.written(column, codes, values, generator(seed, name))
        series[name] = values
    return pd.DataFrame(series, index=pd.RangeIndex(rows), columns=spec.names if series else None)
