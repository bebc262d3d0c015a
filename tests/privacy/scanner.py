"""Looks for planted values in every byte of a folder: Parquet, zip, JSON and tensors decoded, numbers as numbers."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import zipfile
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

EPOCH = dt.datetime(1970, 1, 1)


class Scanner:
    """Finds canaries: texts as they are, numbers as numbers, days and times as texts and as every count since 1970.

    Args:
        canaries: {what it is called: the value}.
    """

    def __init__(self, canaries: dict[str, Any]) -> None:
        self.texts: dict[str, str] = {}
        self.numbers: dict[float, str] = {}
        for name, value in canaries.items():
            for form in _forms(value):
                if isinstance(form, str):
                    self.texts[form] = name
                else:
                    self.numbers[float(form)] = name
        self.sought = np.array(sorted(self.numbers))

    def folder(self, folder: Path) -> dict[str, set[str]]:
        """{canary: files that hold it}."""
        found: dict[str, set[str]] = {}
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            for name in self.data(file.name, file.read_bytes()):
                found.setdefault(name, set()).add(str(file.relative_to(folder)))
        return found

    def data(self, name: str, raw: bytes) -> set[str]:
        """The canaries in a file."""
        found = {self.texts[t] for t in self.texts if t.encode() in raw or t.encode("utf-16-le") in raw}
        if raw[:4] == b"PAR1":
            for column in pq.read_table(io.BytesIO(raw)).columns:
                found |= self._column(column)
        elif raw[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                for inner in archive.namelist():
                    found |= self.data(inner, archive.read(inner))
        elif name.endswith(".safetensors"):
            from safetensors.numpy import load

            for tensor in load(raw).values():
                found |= self._array(tensor.astype(np.float64).reshape(-1))
        else:
            found |= self._text(raw.decode("utf-8", "replace"))
        return found

    def _column(self, column: pa.ChunkedArray) -> set[str]:
        kind, found = column.type, set[str]()
        if pa.types.is_binary(kind):
            for value in column.drop_null().to_pylist():
                found |= self.data("", value)
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            for text in column.unique().drop_null().to_pylist():
                found |= {self.texts[t] for t in self.texts if t in text} | self._text(text)
        elif pa.types.is_timestamp(kind):
            found |= self._array(np.asarray(column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).drop_null()))
        elif pa.types.is_date(kind):
            found |= self._array(np.asarray(column.cast(pa.int32()).drop_null()))
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            found |= self._array(np.asarray(pc.cast(column, pa.float64(), safe=False).drop_null()))
        elif pa.types.is_nested(kind):
            found |= self._text(json.dumps(column.to_pylist(), default=str))
        return found

    def _text(self, text: str) -> set[str]:
        """Numbers of a text that is JSON, or lines of JSON, with JSON inside."""
        found = set[str]()
        for part in [text, *text.splitlines()] if "\n" in text else [text]:
            if part.lstrip()[:1] in ("{", "["):
                try:
                    tree = json.loads(part)
                except ValueError:
                    continue
                found |= self._array(np.array(list(_numbers_of(tree)), np.float64))
                found |= {self.texts[t] for s in _texts_of(tree) for t in self.texts if t in s}
                if part is text:
                    break
        return found

    def _array(self, numbers: Any) -> set[str]:
        if not len(self.sought) or not len(numbers):
            return set()
        values = np.unique(numbers.astype(np.float64))
        place = np.clip(np.searchsorted(self.sought, values), 0, len(self.sought) - 1)
        near = {int(i) for p in (place, np.maximum(place - 1, 0)) for i in p[_close(self.sought[p], values)]}
        return {self.numbers[float(self.sought[i])] for i in near}


def _close(a: Any, b: Any) -> Any:
    return np.abs(a - b) <= 1e-12 * np.maximum(np.abs(a), 1e-300)


def _forms(value: Any) -> Iterator[str | float]:
    """How a value may be written."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dt.datetime):
        micros = (value - EPOCH) // dt.timedelta(microseconds=1)
        yield from (micros, micros * 1000, micros // 1000, micros / 1e6)
        yield from (value.isoformat(" "), value.isoformat())
    elif isinstance(value, dt.date):
        days = value.toordinal() - EPOCH.toordinal()
        yield from (days, value.toordinal(), days * 86_400, days * 86_400_000_000, days * 86_400_000)
        yield value.isoformat()
    elif isinstance(value, Decimal):
        digits = value.as_tuple().exponent
        yield from (float(value), float(value.scaleb(-digits if isinstance(digits, int) else 0)))
        yield str(value)
    else:
        yield float(value)
        yield str(value)


def _numbers_of(tree: Any) -> Iterator[float]:
    if isinstance(tree, dict):
        for inner in (*tree.keys(), *tree.values()):
            yield from _numbers_of(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from _numbers_of(inner)
    elif isinstance(tree, (int, float)) and not isinstance(tree, bool) and math.isfinite(tree):
        yield float(tree)
    elif isinstance(tree, str):
        if tree[:1] in ("{", "["):
            try:
                yield from _numbers_of(json.loads(tree))
            except ValueError:
                return
        elif len(tree) < 40:
            try:
                yield float(tree)
            except ValueError:
                return


def _texts_of(tree: Any) -> Iterable[str]:
    if isinstance(tree, dict):
        for inner in (*tree.keys(), *tree.values()):
            yield from _texts_of(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from _texts_of(inner)
    elif isinstance(tree, str):
        yield tree
