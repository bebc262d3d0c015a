"""The shape of text and of personal data: lengths, character classes, shared prefixes. Never a value.

Shapes serve keys of strings (CUST-0042, UUIDs, N123AA) and columns that no model may learn: those declared ``pii`` and
text that is nearly unique per row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.location import quote
from synthohive_spark.metadata import INTEGRAL, TEXT, Table
from synthohive_spark.randomness import Ints
from synthohive_spark.relational.keyformat import KeyFormat, Mask, counted
from synthohive_spark.relational.plan import ShapePlan

MASKS = 50
COVER = 0.8  # masks must cover this share of the rows, else the strings count as free text
PLACEHOLDER = 4_096  # bytes that a binary value has at most: a unit of work holds thousands of them
WORD = 6  # letters of a word of free text
CLASSES = {"9": "digit", "A": "upper", "a": "lower"}
OPAQUE = {"hex": "^[0-9a-f]+$", "HEX": "^[0-9A-F]+$", "alnum": "^[0-9A-Za-z]+$"}
UUID = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"
UUID_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def key_masks(frame: DataFrame, column: str, rows: int, min_subjects: int) -> tuple[Mask, ...]:
    """Shapes of a string column: one token per character; a prefix that all values of a shape share is kept.

    Args:
        frame: the table.
        column: a column of it; non-strings are read as text.
        rows: rows of the table.
        min_subjects: a shape, and its prefix, is kept where at least so many rows have it.
    """
    text = F.col(quote(column)).cast("string")
    mask = F.regexp_replace(F.regexp_replace(F.regexp_replace(text, r"\d", "9"), r"\p{Lu}", "A"), r"[^\P{L}A]", "a")
    shapes = (
        frame.where(text.isNotNull())
        .groupBy(mask.alias("mask"))
        .agg(F.count(F.lit(1)).alias("n"), F.min(text).alias("low"), F.max(text).alias("high"))
        .where(F.col("n") >= min_subjects)
        .orderBy(F.desc("n"), "mask")
        .limit(MASKS)
        .collect()
    )
    if sum(r["n"] for r in shapes) < COVER * rows:
        return _opaque(frame, text)
    return tuple(
        Mask(tokens=_tokens(r["mask"], _shared_prefix(r["low"], r["high"]), r["n"]), share=r["n"] / rows)
        for r in shapes
    )


def _shared_prefix(low: str, high: str) -> str:
    """What the least and the greatest of some strings start with: so do all between them."""
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:length]


def _tokens(mask: str, prefix: str, rows: int) -> tuple[str, ...]:
    """Tokens of a mask; the shared prefix stays literal as long as the rest has room for ten times the rows."""
    tokens = [CLASSES.get(ch, ch) for ch in mask]
    for keep in range(len(prefix), 0, -1):
        candidate = [*prefix[:keep], *tokens[keep:]]
        if Mask(tokens=tuple(candidate), share=1.0).capacity >= 10 * rows:
            return tuple(candidate)
    return tuple(tokens)


def _opaque(frame: DataFrame, text: Any) -> tuple[Mask, ...]:
    """Strings of too many shapes: UUIDs, hashes, or free text of the same lengths."""
    marks = {name: F.avg(text.rlike(pattern).cast("double")) for name, pattern in OPAQUE.items()}
    row = frame.agg(
        F.avg(text.rlike(UUID_PATTERN).cast("double")).alias("uuid"),
        F.percentile_approx(F.length(text), [0.1, 0.3, 0.5, 0.7, 0.9], 1000).alias("lengths"),
        *(m.alias(name) for name, m in marks.items()),
    ).first()
    if row is None or row["lengths"] is None:
        return (Mask(tokens=("lower",) * WORD, share=1.0),)
    if row["uuid"] == 1.0:
        return (Mask(tokens=tuple("hex" if ch == "h" else ch for ch in UUID), share=1.0),)
    alphabet = next((name for name in OPAQUE if row[name] == 1.0), None)
    lengths = [max(1, int(n)) for n in row["lengths"]]
    return tuple(
        Mask(tokens=(alphabet,) * n if alphabet else _words(n), share=lengths.count(n) / len(lengths))
        for n in sorted(set(lengths))
    )


def _words(length: int) -> tuple[str, ...]:
    return tuple(
        "upper" if i == 0 else " " if i % (WORD + 1) == WORD and i < length - 1 else "lower" for i in range(length)
    )


def shape_plans(
    frame: DataFrame,
    spec: Table,
    candidates: Sequence[str],
    types: Mapping[str, str],
    min_subjects: int,
    text_share: float,
) -> dict[str, ShapePlan]:
    """Shapes of the columns that no model may learn: declared ``pii``, and strings that are mostly rare values.

    Args:
        frame: the table.
        spec: its metadata.
        candidates: columns that a model would learn otherwise.
        types: Spark type of each column.
        min_subjects: a value of fewer rows is rare.
        text_share: a string column is text where more of its rows than this hold rare values.
    """
    strings = [c for c in candidates if types[c].startswith(TEXT) and c not in spec.pii]
    personal = [c for c in candidates if c in spec.pii]
    wanted = list(personal)
    counts = frame.agg(
        F.count(F.lit(1)).alias("rows"),
        *(F.approx_count_distinct(F.col(quote(c))).alias(f"d{i}") for i, c in enumerate(strings)),
        *(F.count(F.col(quote(c))).alias(f"set_{i}") for i, c in enumerate([*personal, *strings])),
    ).first()
    assert counts is not None
    for i, c in enumerate(strings):
        known = counts[f"set_{len(personal) + i}"]
        if counts[f"d{i}"] * max(1, min_subjects - 1) * 1.2 > text_share * known > 0:
            groups = frame.where(F.col(quote(c)).isNotNull()).groupBy(F.col(quote(c))).agg(F.count(F.lit(1)).alias("n"))
            rare = groups.where(F.col("n") < min_subjects).agg(F.sum("n").alias("n")).first()
            if rare is not None and (rare["n"] or 0) > text_share * known:
                wanted.append(c)
    nulls = {c: 1 - counts[f"set_{i}"] / counts["rows"] for i, c in enumerate([*personal, *strings])}
    return {c: _shape(frame, c, types[c], counts["rows"], nulls[c], min_subjects) for c in wanted}


def _shape(frame: DataFrame, column: str, spark_type: str, rows: int, nulls: float, min_subjects: int) -> ShapePlan:
    if spark_type.startswith(TEXT):
        known = round(rows * (1 - nulls))
        masks = key_masks(frame, column, known, min_subjects) if known else (Mask(tokens=("lower",), share=1.0),)
        return ShapePlan(null_share=nulls, format=KeyFormat(kind="string", masks=masks))
    if spark_type == "boolean":
        return ShapePlan(null_share=nulls)
    c = F.col(quote(column))
    micros = F.unix_micros(c.cast("timestamp"))
    number = {
        "date": F.unix_date(c),
        "timestamp": micros,
        "timestamp_ntz": micros,
        "binary": F.least(F.octet_length(c), F.lit(PLACEHOLDER)),
    }.get(spark_type, c.cast("double"))
    ends = frame.agg(F.percentile_approx(number, [0.05, 0.95], 1000).alias("q")).first()
    low, high = ends["q"] if ends is not None and ends["q"] else (0, 0)
    return ShapePlan(null_share=nulls, low=float(low), high=float(high))


def draw_shape(plan: ShapePlan, spark_type: str, rows: int, rng: np.random.Generator) -> pd.Series[Any]:
    """Values of a shape, shape (rows,): same type, nulls and lengths as the source column, and nothing else of it."""
    null = rng.random(rows) < plan.null_share
    if plan.format is not None:
        values = plan.format.draw(rows, rng)
    elif spark_type == "boolean":
        values = pd.Series(rng.random(rows) < 0.5, dtype=object)
    elif spark_type == "binary":
        lengths = rng.integers(int(plan.low), int(plan.high) + 1, rows)
        values = pd.Series([rng.bytes(n) for n in lengths.tolist()], dtype=object)
    else:
        values = _number(plan, spark_type, plan.low + rng.random(rows) * (plan.high - plan.low))
    return values.astype(object).mask(null, None) if null.any() else values


def _number(plan: ShapePlan, spark_type: str, drawn: np.ndarray[Any, np.dtype[np.float64]]) -> pd.Series[Any]:
    whole: Ints = np.rint(drawn).astype(np.int64)
    if spark_type in INTEGRAL:
        return pd.Series(whole)
    if spark_type in ("date", "timestamp", "timestamp_ntz"):
        return counted("date" if spark_type == "date" else "timestamp", whole)
    return pd.Series(drawn)
