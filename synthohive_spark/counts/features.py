"""Context columns as a numeric matrix for trees and clusters: numbers, null flags, frequent texts."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.randomness import Floats, Ints
from synthohive_spark.sql import text_literal

EPOCH, MICROSECOND = dt.datetime(1970, 1, 1), dt.timedelta(microseconds=1)
Flags = npt.NDArray[np.bool_]
FARTHEST = 1e38  # trees count in floats of 32 bits, which end at 3.4e38
NATS = 10.0  # by which chance must be the worse explanation: of some hundred flags, once in two hundred tables
TEXTS = 32  # texts of a column that have a feature of their own


class Features:
    """Features of a frame.

    Attributes:
        columns: per column its kind (``number`` or ``text``), the fill of nulls, and the texts with a feature.
    """

    def __init__(self, columns: dict[str, dict[str, Any]]) -> None:
        self.columns = columns

    @classmethod
    def fit(cls, frame: pd.DataFrame, min_subjects: int, texts: int = TEXTS) -> Features:
        """Learn the features; a column that is null throughout has none.

        Args:
            frame: columns, shape (rows, k).
            min_subjects: rows that must hold a text before it has a feature.
            texts: of a column that have one, the most frequent ones.
        """
        columns: dict[str, dict[str, Any]] = {}
        for name in frame.columns:
            known = frame[name].dropna()
            if not len(known):
                continue
            if isinstance(known.iloc[0], str):
                counts = known.value_counts()
                kept = counts[counts >= min_subjects].index[:texts]
                columns[str(name)] = {"kind": "text", "texts": sorted(str(t) for t in kept)}
            else:
                columns[str(name)] = {"kind": "number", "fill": _middle(_numbers(known), min_subjects)}
        return cls(columns)

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return sum(self.widths)

    def matrix(self, frame: pd.DataFrame) -> Floats:
        """The features, shape (rows, width)."""
        parts: list[Floats] = []
        for name, column in self.columns.items():
            values = frame[name]
            null = values.isna().to_numpy(bool)
            parts.append(null.astype(np.float64))
            if column["kind"] == "number":
                number = np.full(len(values), column["fill"])
                number[~null] = _numbers(values[~null])
                parts.append(number)
            else:
                parts.append(_one_hot(values.astype(object), column["texts"]))
        return np.column_stack(parts) if parts else np.zeros((len(frame), 0))

    @property
    def widths(self) -> list[int]:
        """How many columns of the matrix come from each column of a frame."""
        return [2 if c["kind"] == "number" else 1 + len(c["texts"]) for c in self.columns.values()]

    def texts(self) -> list[Ints]:
        """Where each column that has texts is in the matrix: its null flag, then its texts."""
        ends = np.cumsum(self.widths).tolist()
        return [
            np.arange(end - width, end)
            for end, width, column in zip(ends, self.widths, self.columns.values(), strict=True)
            if column.get("texts")
        ]

    def narrowed(self, used: Ints) -> tuple[Features, Ints]:
        """The columns and texts whose features are used, by their places in the matrix, and the new place of each."""
        columns: dict[str, dict[str, Any]] = {}
        new: dict[int, int] = {}
        wanted, place, width = set(used.tolist()), 0, 0
        for (name, column), own in zip(self.columns.items(), self.widths, strict=True):
            mine = [i for i in range(own) if place + i in wanted]
            if mine:
                texts = column.get("texts")
                kept = list(range(own)) if texts is None else [0, *(i for i in mine if i)]
                columns[name] = column if texts is None else {**column, "texts": [texts[i - 1] for i in kept[1:]]}
                new |= {place + i: width + n for n, i in enumerate(kept)}
                width += len(kept)
            place += own
        return Features(columns), np.array([new[i] for i in used.tolist()], np.int64)

    def sql(self, references: Mapping[str, str], types: Mapping[str, str]) -> list[str]:
        """Spark SQL of each column of the matrix.

        Args:
            references: how SQL refers to each column.
            types: Spark type of each column.
        """
        parts = []
        for name, column in self.columns.items():
            own = references[name]
            if types[name] in ("float", "double"):  # NaN is null to a model
                own = f"nullif({own}, {types[name]}('NaN'))"
            parts.append(f"if({own} is null, 1D, 0D)")
            if column["kind"] == "number":
                parts.append(f"coalesce({_number_sql(own, types[name])}, {column['fill']!r}D)")
            else:
                parts += [f"if({own} <=> {text_literal(t)}, 1D, 0D)" for t in column["texts"]]
        return parts

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"columns": self.columns}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Features:
        """The inverse of ``to_dict``.

        Raises:
            ValueError: a column is neither number nor text.
        """
        columns = {name: _known(column) for name, column in state["columns"].items()}
        return cls(columns)


def _middle(numbers: Floats, few: int) -> float:
    """The mean of so many distinct numbers in the middle: no number of one row alone."""
    distinct = np.unique(numbers)
    begin = max(0, (len(distinct) - few) // 2)
    return float(np.mean(distinct[begin : begin + few]))


def _known(column: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a column, as the types that it is used in."""
    if column["kind"] == "number":
        return {"kind": "number", "fill": float(column["fill"])}
    texts = list(column["texts"])
    if column["kind"] != "text" or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"a feature of the kind {column['kind']!r}")
    return {"kind": "text", "texts": texts}


def _one_hot(values: pd.Series[Any], texts: list[str]) -> Floats:
    """Which of the texts each value is, shape (n, len(texts))."""
    place = pd.Index(texts, dtype=object).get_indexer(pd.Index(values))
    known = np.flatnonzero(place >= 0)
    one = np.zeros((len(values), len(texts)))
    one[known, place[known]] = 1.0
    return one


def _numbers(values: pd.Series[Any]) -> Floats:
    """Non-null values as floats: times as microseconds, dates as days, numbers beyond a tree's reach at its end."""
    if values.dtype.kind == "M":
        return values.to_numpy("datetime64[us]").astype(np.int64).astype(np.float64)
    known = [_number(v) for v in values] if values.dtype == object else values.to_numpy(np.float64)
    numbers: Floats = np.clip(np.asarray(known, np.float64), -FARTHEST, FARTHEST)
    return numbers


def _number(value: Any) -> float:
    if isinstance(value, dt.datetime):
        return float(
            (value - (EPOCH if value.tzinfo is None else EPOCH.replace(tzinfo=dt.timezone.utc))) // MICROSECOND
        )
    if isinstance(value, dt.date):
        return float(value.toordinal())
    return float(value) if isinstance(value, (int, float, bool, Decimal, np.number)) else 0.0


def _number_sql(reference: str, spark_type: str) -> str:
    """``_number`` in Spark SQL."""
    if spark_type == "date":
        return f"cast(unix_date({reference}) + {dt.date(1970, 1, 1).toordinal()} as double)"
    if spark_type.startswith("timestamp"):
        return f"cast(unix_micros(cast({reference} as timestamp)) as double)"
    return f"cast({'int' if spark_type == 'boolean' else 'double'}({reference}) as double)"


def kinds_apart(counts: Ints, x: Floats, least: int) -> tuple[Floats, int]:
    """Kinds of parents that never have children, or never fewer than some number (an order that was sent has an event).

    Args:
        counts: children of each parent, shape (n,).
        x: their features, shape (n, width): kinds are those of which a flag is set, or is not.
        least: parents of a kind.

    Returns:
        What a tree has to tell apart first: the fewest children of the parent's kinds, or -1 where it has none at all,
        shape (n,); and how many kinds there are.
    """
    fewest, kinds = np.full(len(counts), float(counts.min(initial=0))), 0
    barren = np.zeros(len(counts), bool)
    for flags in x.T[((x == 0) | (x == 1)).all(axis=0)]:
        for kind in (flags == 1, flags == 0):
            if not least <= kind.sum() < len(kind):
                continue
            low, others = counts[kind].min(), float((counts < counts[kind].min()).mean())
            none, empty = not counts[kind].any(), float((counts == 0).mean())
            new = (none and empty < 1 and -kind.sum() * math.log(empty) >= NATS and bool((kind & ~barren).any())) or (
                0 < others < 1 and -kind.sum() * math.log(1 - others) >= NATS and bool((fewest[kind] < low).any())
            )
            kinds += new
            if new:
                barren |= kind & none
                fewest[kind] = np.maximum(fewest[kind], low)
    return np.where(barren, -1.0, fewest), kinds
