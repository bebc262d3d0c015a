"""A sample as vectors: every column as floats, whatever its type, so that one comparison fits all."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synthohive_spark.privacy.support import SUBJECT
from synthohive_spark.randomness import Ints
from synthohive_spark.schema.rule import EXACT
from synthohive_spark.tables import INTEGRAL, TEXT

Family = Literal["integer", "decimal", "double", "date", "time", "plain time", "other"]
Vector: TypeAlias = "npt.NDArray[np.float64]"
Flags: TypeAlias = "npt.NDArray[np.bool_]"
Reach = Literal["whole", "fill", "part"]
ROWS = 30  # fewer say nothing
FEW = 6  # rows, or distinct values, below which a law is not even tried
EVIDENCE = 30.0  # nats by which chance must be the worse explanation; the search asks some exp(13) questions
GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it lie far apart, modulo 1
PROBE = 128  # rows that refute most candidates
COLUMNS = 128  # columns among which the search looks; copies and nulls are looked for among all
ABOVE = 32  # numbers of ancestors among which the search looks, and other columns; copies are looked for among all
PAIRED = 48  # own numbers of which every pair is tried: with those of ancestors 3,160 pairs
WORDS = 256  # values of a text that are told apart
DAY_OF = ":day"  # behind the id of a time: its day, as a view of it
MICROS = 86_400_000_000  # of a day
TEXT_OF = ":text"  # behind the id of a text: the text itself
WHOLE, COARSE = 2**53, 64  # floats hold each whole number below, and each multiple of so much in the years to 9999
OPEN_SHARE = 0.01  # of the times of a column mean "no end", at least, if any does
SCALES = 6  # more decimals than this are no rounding but measured values


def family_of(spark_type: str) -> Family | None:
    """How the search sees a type; None where it does not look."""
    if spark_type in INTEGRAL:
        return "integer"
    if spark_type.startswith("decimal"):
        return "decimal"
    known: dict[str, Family] = {
        "float": "double",
        "double": "double",
        "date": "date",
        "timestamp": "time",
        "timestamp_ntz": "plain time",
        "boolean": "other",
    }
    return "other" if spark_type.startswith(TEXT) else known.get(spark_type)


@dataclass(frozen=True)
class Column:
    """One column of a sample.

    Attributes:
        values: numbers; days or microseconds since 1970; hashes of text. NaN where null. Shape (rows,).
        target: may be derived.
        input: may be computed with; other columns may only be copied.
        words: of a text with few values, what the sample holds of each, by its hash.
    """

    id: str
    type: str
    values: Vector
    target: bool
    input: bool
    words: Mapping[float, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The column that it is a view of; itself where it is none."""
        return self.id.partition(":")[0]

    @property
    def above(self) -> bool:
        """Whether it is an ancestor's."""
        return self.id.startswith("c")

    @property
    def family(self) -> Family:
        """How the search sees its type."""
        return family_of(self.type) or "other"

    @property
    def number(self) -> bool:
        """Whether one can compute with it."""
        return self.family in ("integer", "decimal", "double")

    def named(self, value: float) -> str:
        """One of its values as a text: a number as it is, a text as the sample holds it."""
        return self.words[value] if self.type.startswith(TEXT) else repr(value)

    @functools.cached_property
    def known(self) -> Vector:
        """Its values without nulls."""
        return self.values[~np.isnan(self.values)]

    @functools.cached_property
    def distinct(self) -> int:
        """Distinct values."""
        return len(np.unique(self.known))

    @functools.cached_property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.number and bool((self.known == np.floor(self.known)).all())

    @functools.cached_property
    def scale(self) -> int | None:
        """Decimals that hold its values; None if they are not rounded."""
        if self.family == "integer":
            return 0
        if self.family == "decimal":
            return int(self.type.rstrip(")").split(",")[1])
        return next((s for s in range(SCALES + 1) if close(self.known, np.round(self.known, s)).all()), None)

    @functools.cached_property
    def open_end(self) -> int | None:
        """The time that means "no end", or "no beginning": far from all others, and often there; None without."""
        if self.number or self.family == "other" or self.distinct <= 2:
            return None
        values, counts = np.unique(self.known, return_counts=True)
        often = max(ROWS, OPEN_SHARE * len(self.known))
        for end, near, far in ((-1, -2, 0), (0, 1, -1)):
            if counts[end] >= often and abs(values[end] - values[near]) > abs(values[near] - values[far]):
                return int(values[end])
        return None

    @functools.cached_property
    def ended(self) -> Vector:
        """Its values; NaN where one means "no end"."""
        return self.values if self.open_end is None else np.where(self.values == self.open_end, np.nan, self.values)

    @functools.cached_property
    def clock(self) -> bool:
        """Whether it looks like a time of day written as HHMM."""
        v = self.known
        return (
            self.whole
            and self.distinct > FEW
            and bool((v >= 0).all() and (v <= 2400).all() and (v > 100).any() and (v % 100 < 60).all())
        )


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of a table, column by column.

    Attributes:
        columns: the table's own, and what its rows see of their ancestors.
        rows: how many.
        views: what a kind made of texts (``Kind.views``); their ids are ``column:view``.
        zones: time zones that Spark knows; () for all that Python does.
        paths: the way to an ancestor's column, by its id: of a parent's the ids of the key's columns, with commas; of
            one further up this and, behind a slash, what leads on.
        least: people who must hold a value before a law may name it.
        people: code of whom each row is about, shape (rows,); None where each is about another person.
        holders: {column of an ancestor: own columns that hold the ancestor's key; none where it is copied as it is}.
        keys: ids of columns that refer to other rows, and are known before anything is drawn.
        texts: texts that are not long, by id.
        written: ids of keys that are texts: their parts may follow from other columns.
    """

    columns: tuple[Column, ...]
    rows: int
    views: tuple[Column, ...] = ()
    zones: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    least: int = 1
    people: Ints | None = None
    holders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    texts: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)
    written: frozenset[str] = frozenset()

    @classmethod
    def of(cls, table: pa.Table, types: Mapping[str, str], targets: Collection[str], inputs: Collection[str]) -> Sample:
        """A sample from Arrow.

        Args:
            table: columns named by id, and ``SUBJECT`` where people have several rows; an ancestor's with NaN, which no
                row tells from null, are left out. Behind ``TEXT_OF`` texts are what they are, elsewhere only whether
                they are equal counts.
            types: Spark type of each.
            targets: ids of columns that may be derived.
            inputs: ids of columns that may be computed with.
        """
        people = None
        if SUBJECT in table.column_names:
            people = np.unique(np.asarray(table.column(SUBJECT).to_numpy()), return_inverse=True)[1].astype(np.int64)
            table = table.drop_columns([SUBJECT])
        texts = {n.removesuffix(TEXT_OF): table.column(n) for n in table.column_names if n.endswith(TEXT_OF)}
        table = table.drop_columns([n + TEXT_OF for n in texts])
        seen = (n for n in table.column_names if not n.startswith("c") or not _holds_nan(table.column(n)))
        made = [
            Column(n, types[n.partition(":")[0]], _vector(held), n in targets, n in inputs, _words(held))
            for n, held in ((n, table.column(n)) for n in seen)
        ]
        views = [c for c in made if ":" in c.id]
        return cls(tuple(c for c in made if ":" not in c.id), table.num_rows, tuple(views), people=people, texts=texts)

    def held(self, codes: Ints, size: int) -> Ints:
        """The people behind each code, shape (size,).

        Args:
            codes: of the rows, shape (rows,); below 0 for none.
            size: how many codes there are.
        """
        there = codes >= 0
        if self.people is not None:
            codes, _ = np.unique(np.stack([codes[there], self.people[there]]), axis=1)
            return np.bincount(codes, minlength=size)
        return np.bincount(codes[there], minlength=size)

    @functools.cached_property
    def own(self) -> tuple[Column, ...]:
        """The table's own columns."""
        return tuple(c for c in self.columns if not c.above)

    @functools.cached_property
    def targets(self) -> tuple[Column, ...]:
        """Columns that may follow from others."""
        return tuple(c for c in self.columns if c.target and c.distinct)

    @functools.cached_property
    def inputs(self) -> tuple[Column, ...]:
        """Columns that one may compute with, as many as the search looks at: own ones, then those of ancestors."""
        usable = [c for c in self.columns if c.input and c.distinct > 1]
        above = [c for c in usable if c.above]
        sorts = ([c.id for c in above if c.number], [c.id for c in above if not c.number])
        wanted = {i for ids in sorts for i in ids[:ABOVE]}
        return (*[c for c in usable if not c.above][:COLUMNS], *(c for c in above if c.id in wanted))

    @functools.cached_property
    def days(self) -> tuple[Column, ...]:
        """The days of the times among the inputs, as views of them."""
        times = [c for c in self.inputs if c.family in ("time", "plain time")]
        return tuple(Column(f"{c.id}{DAY_OF}", "date", np.floor(c.values / MICROS), False, True) for c in times)

    @functools.cached_property
    def determinants(self) -> tuple[Column, ...]:
        """Columns that others may be functions of, whatever the function; an ancestor's where its key is known."""
        return tuple(c for c in self.inputs if not c.above or c.id in self.holders)

    def holder(self, column: Column) -> list[Column]:
        """The columns that hold the key of a column's ancestor; none where its rows are taken as they are."""
        return [c for c in self.own if c.id in self.holders.get(column.id, ())]

    @functools.cached_property
    def numbers(self) -> tuple[Column, ...]:
        """Numbers among the inputs, as many as the search tries together."""
        numbers, wide = [c for c in self.inputs if c.number], max(1, len(self.targets) / COLUMNS)
        own = [c for c in numbers if not c.above][
            : int(PAIRED / math.sqrt(wide))
        ]  # the work grows with targets x pairs
        return (*own, *(c for c in numbers if c.above))

    @functools.cached_property
    def pairs(self) -> list[tuple[Column, Column]]:
        """Every two of the numbers."""
        return list(itertools.combinations(self.numbers, 2))

    def viewed(self, view: str) -> list[Column]:
        """The texts of the row as a view shows them."""
        return [c for c in self.views if c.id.endswith(f":{view}")]

    @functools.cached_property
    def probe(self) -> npt.NDArray[np.int64]:
        """Rows spread over the sample."""
        return np.linspace(0, self.rows - 1, min(self.rows, PROBE)).astype(np.int64)


def close(a: Vector, b: Vector, tolerance: float = 0.0) -> Flags:
    """Where two vectors agree up to floating-point error, or up to a rounding of ``tolerance``; not where null."""
    flags: Flags = np.abs(a - b) <= EXACT * np.maximum(1.0, np.abs(a)) + tolerance
    return flags


def evidence(values: Vector) -> float:
    """How unlikely it is, in nats, that two independent columns of such values agree on every row."""
    if not len(values):
        return 0.0
    return -len(values) * math.log(alike(values))


def strangers(rows: int) -> Ints:
    """Another row for each, far from it whatever order the rows are in; shape (rows,)."""
    return np.argsort(np.arange(rows) * GOLDEN % 1)


def alike(values: Vector) -> float:
    """How often two rows have the same value."""
    shares = np.unique(values, return_counts=True)[1] / len(values)
    return float((shares**2).sum())


def judge(target: Vector, made: Vector, tolerance: float = 0.0) -> Reach | None:
    """How far a candidate reaches; None if a row refutes it."""
    there, known = ~np.isnan(made), ~np.isnan(target)
    both = there & known
    if both.sum() < FEW or not close(target[both], made[both], tolerance).all():
        return None
    if (there == known).all():
        return "whole"
    return "part" if (there & ~known).any() else "fill"


def _holds_nan(column: pa.ChunkedArray) -> bool:
    return pa.types.is_floating(column.type) and bool(pc.any(pc.is_nan(column)).as_py())


def _vector(column: pa.ChunkedArray) -> Vector:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _micros(column.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64()))
    if pa.types.is_date(kind):
        column = column.cast(pa.int32())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _hashes(column)
    values: Vector = np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    return values


def _micros(column: pa.ChunkedArray) -> Vector:
    """Microseconds as floats; those that no float holds go down to the next that one does, so that days stay days."""
    micros = np.asarray(pc.fill_null(column, 0).to_numpy())
    values: Vector = (micros - np.where(np.abs(micros) > WHOLE, micros % COARSE, 0)).astype(np.float64)
    values[np.asarray(column.is_null().to_numpy())] = np.nan
    return values


def _hashes(column: pa.Array | pa.ChunkedArray) -> Vector:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = whole.dictionary_encode()
    if not len(coded.dictionary):
        return np.full(len(column), np.nan)
    hashed = pd.util.hash_array(np.asarray(coded.dictionary.to_pylist(), dtype=object), categorize=False)
    codes: Any = coded.indices.to_numpy(zero_copy_only=False)
    null = np.isnan(codes.astype(np.float64))
    values: Vector = (hashed >> np.uint64(11)).astype(np.float64)[np.where(null, 0, codes).astype(np.int64)]
    values[null] = np.nan
    return values


def _words(column: pa.ChunkedArray) -> dict[float, str]:
    """{hash of a text: the text}, of a column that has few."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return {}
    texts = column.unique().drop_null()
    return dict(zip(_hashes(texts).tolist(), texts.to_pylist(), strict=True)) if len(texts) <= WORDS else {}


def read(batches: Iterable[pa.RecordBatch]) -> pa.Table | None:
    """The batches of a sample; None if they hold no row."""
    parts = [b for b in batches if b.num_rows]
    return pa.Table.from_batches(parts) if parts else None
