"""What is known of columns of texts: learnt from a bounded sample in one task, and a filter of every word and text.

Only findings come back, never a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.privacy.support import SUBJECT, Support
from synthohive_spark.privacy.word_filter import LARGEST, WordFilter, place_of
from synthohive_spark.privacy.words.learn import TextLearner
from synthohive_spark.privacy.words.plan import TextPlan
from synthohive_spark.privacy.words.tokens import MARK, sort_of, tokenised
from synthohive_spark.sql import quote
from synthohive_spark.worker import forget_archives

ROWS = 10_000  # that are learnt from, by the hash of their key: a task holds them
LONGEST = 2_000  # characters of a text that are learnt from
BUCKETS = 2**30  # of hashes: a share of rows is exact to one in a billion
FULL = 0.4  # of a filter: so often another word is taken for one of the source's, so that a hit says little
CROWDED = 0.8  # of a filter of the largest size, beyond which it holds words alone
SALT = "texts"


@dataclass(frozen=True)
class TextColumns:
    """Columns of texts of one table.

    Attributes:
        personal: {column: whether it is about people}.
        key: columns by whose hash the sample is taken.
        rows: of the table.
        home: the language where nothing tells it.
    """

    personal: Mapping[str, bool]
    key: Sequence[str]
    rows: int
    home: str

    def plans(self, frame: DataFrame, support: Support) -> dict[str, TextPlan]:
        """{column: what is known of it}.

        Args:
            frame: the table, as ``support`` counts it.
            support: what fewer people share is not kept.
        """
        if not self.personal:
            return {}
        texts = [F.col(quote(c)).alias(f"c{i}") for i, c in enumerate(self.personal)]
        marked = frame.select(*texts).mapInArrow(_Marker(len(texts)), "at int, whole boolean, bits binary")
        merged = marked.repartition(1).mapInArrow(_Merger(len(texts)), "found string").first()
        some = frame
        if self.rows > ROWS:
            place = F.pmod(F.xxhash64(F.lit(SALT), *(F.col(quote(c)) for c in self.key)), F.lit(BUCKETS))
            some = frame.where(place < F.lit(int(ROWS / self.rows * BUCKETS)))
        shown = [F.left(text, F.lit(LONGEST)).alias(f"c{i}") for i, text in enumerate(texts)]
        who = F.col(quote(SUBJECT)) if support.several else F.lit(None).cast("long")
        learner = _Learner(support.least, tuple(self.personal.values()), self.home)
        told = some.select(*shown, who.alias("who")).repartition(1).mapInArrow(learner, "found string").first()
        if merged is None or told is None:
            return {}
        plans, filters = json.loads(told["found"]), json.loads(merged["found"])
        return {c: TextPlan.model_validate({**plans[i], **filters[i]}) for i, c in enumerate(self.personal)}


@dataclass(frozen=True)
class _Learner:
    """The sample in, a plan for each column out, as JSON."""

    least: int
    personal: Sequence[bool]
    home: str

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        forget_archives()
        learners, row = [TextLearner(self.least, personal, self.home) for personal in self.personal], 0
        for batch in batches:
            *columns, who = (column.to_pylist() for column in batch.columns)
            people = [row + i if w is None else w for i, w in enumerate(who)]
            row += len(people)
            for learner, texts in zip(learners, columns, strict=True):
                for text, person in zip(texts, people, strict=True):
                    if text is not None:
                        learner.add(text, person)
        yield _json([learner.plan().model_dump(mode="json", exclude={"held", "fresh"}) for learner in learners])


@dataclass(frozen=True)
class _Marker:
    """Rows in, the hashes of their words and of whole texts out, as bits."""

    columns: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        forget_archives()
        marks = [(bytearray(LARGEST // 8), bytearray(LARGEST // 8)) for _ in range(self.columns)]
        for batch in batches:
            for column, (words, wholes) in zip(batch.columns, marks, strict=True):
                for text in column.drop_null().unique().to_pylist():
                    tokens = tokenised(text)
                    _mark(wholes, "".join(tokens))
                    for token in {t.strip(" ") for t in tokens}:
                        if sort_of(token[0]) != MARK:
                            _mark(words, token)
        places = [(i, whole, bytes(marks[i][whole])) for i in range(self.columns) for whole in (False, True)]
        at, whole, bits = zip(*places, strict=True)
        schema = pa.schema([("at", pa.int32()), ("whole", pa.bool_()), ("bits", pa.binary())])
        yield pa.RecordBatch.from_pydict({"at": at, "whole": whole, "bits": bits}, schema=schema)


@dataclass(frozen=True)
class _Merger:
    """Bits of all parts in, a filter for each column out, as JSON."""

    columns: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        forget_archives()
        marks = [[0, 0] for _ in range(self.columns)]
        for batch in batches:
            for row in batch.to_pylist():
                marks[row["at"]][row["whole"]] |= int.from_bytes(row["bits"], "little")
        yield _json([_filter(words, wholes) for words, wholes in marks])


def _filter(words: int, wholes: int) -> dict[str, object]:
    """The filter of a column: of words and texts, as small as it may be; of words alone where texts are too many."""
    bits, size = words | wholes, LARGEST
    fresh = bits.bit_count() > CROWDED * size
    bits = words if fresh else bits
    while size > 8 and (folded := bits >> size // 2 | bits & (1 << size // 2) - 1).bit_count() <= FULL * (size // 2):
        bits, size = folded, size // 2
    held = WordFilter(bits=bits.to_bytes(size // 8, "little").hex(), salt=SALT)
    return {"held": held.model_dump(), "fresh": fresh}


def _mark(bits: bytearray, text: str) -> None:
    place = place_of(text, SALT) % LARGEST
    bits[place // 8] |= 1 << place % 8


def _json(found: object) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"found": [json.dumps(found)]}, schema=pa.schema([("found", pa.string())]))
