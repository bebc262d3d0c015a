"""One number for the values of a row, the same in Spark and in a Python worker: both can ask whether rows agree.

It is Spark's ``xxhash64`` over one number per value. Null is a value of its own, and so is NaN.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from synthohive_spark.randomness import Floats
from synthohive_spark.sql import quote
from synthohive_spark.tables import TEXT, decimal_form

Hashes = npt.NDArray[np.uint64]
START = 42  # where Spark's xxhash64 begins, and what it says of null
P1, P2, P3, P4, P5 = (  # primes of XXH64 (Collet 2012)
    np.uint64(p)
    for p in (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)
EXACT_DIGITS = 18  # of decimals whose digits are a long; of longer ones the first seven are compared


def row_hash(columns: Sequence[tuple[str, str]], salt: int) -> Column:
    """The hash of rows in Spark.

    Args:
        columns: names and Spark types of the columns that it is of.
        salt: other salts give other hashes.
    """
    each = [F.xxhash64(_plain(F.col(quote(name)), kind)) for name, kind in columns]
    return F.xxhash64(F.lit(salt).cast("bigint"), *each)


def hash_rows(columns: Sequence[pa.Array | pa.ChunkedArray], salt: int) -> Hashes:
    """The hash of rows in Python: that of ``row_hash``.

    Args:
        columns: as Spark takes them, each of shape (rows,).
        salt: of the hashes.
    """
    made = _hash_long(np.full(len(columns[0]), salt, np.int64).view(np.uint64), np.uint64(START))
    for column in columns:
        made = _hash_long(_hashed(column), made)
    return made


def _plain(value: Column, kind: str) -> Column:
    """A value in one of the types of which Python can make the hash: long, timestamp and double."""
    if kind.startswith(TEXT) or kind == "binary":
        return F.crc32(value.cast("binary"))
    if kind.startswith("decimal"):
        return value if decimal_form(kind)[0] <= EXACT_DIGITS else value.cast("float").cast("double")
    if kind == "date":
        return F.unix_date(value).cast("bigint")
    if kind == "float":
        return value.cast("double")
    return value if kind.startswith(("timestamp", "double")) else value.cast("bigint")


def _hashed(column: pa.Array | pa.ChunkedArray) -> Hashes:
    """The hash of each value of a column."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_decimal(kind):
        coded = array.dictionary_encode()  # there are few different ones
        few = _hash_long(_coded(coded.dictionary), np.uint64(START))
        at = coded.indices.fill_null(len(few)).to_numpy(zero_copy_only=False)
        each: Hashes = np.append(few, np.uint64(START))[at]
        return each
    null = array.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(kind):
        bits = _bits(array.fill_null(0.0).to_numpy(zero_copy_only=False).astype(np.float64))
    else:
        whole = array.cast(pa.int32()) if pa.types.is_date(kind) else array
        bits = whole.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
    return np.where(null, np.uint64(START), _hash_long(bits, np.uint64(START)))


def _coded(values: pa.Array) -> Hashes:
    """Texts and decimals as longs."""
    kind, plain = values.type, values.to_pylist()
    if not pa.types.is_decimal(kind):
        return np.array([zlib.crc32(v.encode() if isinstance(v, str) else v) for v in plain], np.uint64)
    if kind.precision <= EXACT_DIGITS:
        return np.array([int(v.scaleb(kind.scale)) for v in plain], np.int64).view(np.uint64)
    return _bits(np.array([float(v) for v in plain], np.float32).astype(np.float64))


def _bits(values: Floats) -> Hashes:
    """Doubles as the longs that Java takes them for: one NaN, one zero."""
    one = np.where(np.isnan(values), np.nan, values) + 0.0
    bits: Hashes = np.ascontiguousarray(one).view(np.uint64)
    return bits


def _hash_long(value: Hashes, start: Any) -> Hashes:
    """XXH64 of eight bytes."""
    with np.errstate(over="ignore"):
        made = (start + P5 + np.uint64(8)) ^ (_turned(value * P2, 31) * P1)
        made = _turned(made, 27) * P1 + P4
        made = (made ^ (made >> np.uint64(33))) * P2
        made = (made ^ (made >> np.uint64(29))) * P3
        mixed: Hashes = made ^ (made >> np.uint64(32))
        return mixed


def _turned(value: Hashes, bits: int) -> Hashes:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))
