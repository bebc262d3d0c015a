"""Declared expressions hold on every row: what breaks one is drawn again, in the task that made it.

Only Spark can evaluate Spark SQL, and only Python can draw. So rows alternate between the two without leaving their
task: Spark computes what is derived and marks each candidate, Python keeps the first lawful candidate of a row and
draws more for rows that have none. Keys, parents and everything else that the row was given stay. Candidates are a
function of (seed, table, block, slice) and of the rows that need them, never of partitions or batches.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from synthohive_spark.generation.gathering import gathered
from synthohive_spark.generation.learnt import taken, with_learnt
from synthohive_spark.generation.steps.values import DrawValues
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.privacy.rare_rows import RareRows
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.schema import frames
from synthohive_spark.schema.context import ContextPlan
from synthohive_spark.schema.conversion import TIMES, as_model, as_spark, from_arrow, to_arrow
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.row_hashes import hash_rows
from synthohive_spark.schema.rule import RulesPlan
from synthohive_spark.sql import quote
from synthohive_spark.worker import forget_archives

ROUNDS = (4, 60)  # candidates per row and round: few for the many that need one more, many for the few that need luck
AT_ONCE = 256  # rows for which candidates are drawn together
JSON = {"tinyint": "byte", "smallint": "short", "int": "integer", "bigint": "long"}


ROW = hidden("row")
PLACE = [hidden(name) for name in frames.BATCH]
BROKEN = hidden("broken")


@dataclass(frozen=True)
class Redrawing:
    """What it takes to draw rows of a table again.

    Attributes:
        primary_key: its columns, which stay as they are.
        values: draws; it has the table's columns, rules, and what they see. Its model is that of the task.
        rare: rows of the source that are not drawn where there is another candidate.
        seed: the generation seed.
    """

    primary_key: tuple[str, ...]
    values: DrawValues
    rare: RareRows
    seed: int


def traces(shown: Mapping[str, str]) -> StructType:
    """What the generator adds to its rows so that they can be drawn again: their batch, position and context."""
    types = dict.fromkeys((*map(hidden, frames.BATCH), ROW), "bigint")
    for i, kind in enumerate(shown.values()):
        types[hidden(i)] = "bigint" if kind in TIMES else kind
    return _struct(types)


def beside(rules: RulesPlan, context: ContextPlan) -> StructType:
    """What the generator adds to its rows so that Spark can compute what follows from columns of ancestors."""
    return _struct({hidden(c.name): c.type for c in rules.beside(context)})


def _struct(types: Mapping[str, str]) -> StructType:
    fields = [
        {"name": name, "type": JSON.get(kind, kind), "nullable": True, "metadata": {}} for name, kind in types.items()
    ]
    return StructType.fromJson({"type": "struct", "fields": fields})


def lawful(rows: DataFrame, made: StructType, again: Redrawing, learnt: DataFrame | None) -> DataFrame:
    """Rows on which every declared expression is true, or null.

    A row that no candidate makes lawful stops the write; ``violation`` finds the message.

    Args:
        rows: as the generator made them, with ``traces``.
        made: their columns without the traces; those of ``beside`` are among them.
        again: what draws.
        learnt: what training left, as ``with_learnt`` takes it.
    """
    values, columns = again.values, again.values.columns
    whole = StructType([*made.fields, *traces(values.shown).fields])
    expressions = columns.expressions
    kept = {*again.primary_key, *values.rules.completed, *columns.apart}
    drawn = [c for c in columns.drawn if c not in kept]
    rounds = ROUNDS if drawn else ()
    pack: Any = cloudpickle.dumps  # it has no types
    packed: bytes = pack(again)
    for i, tries in enumerate(rounds):
        redraw = Redraw(packed, tuple(drawn), tries, i, len(expressions), again.rare)
        rows = with_learnt(_judged(rows, values), values.table, learnt).mapInArrow(redraw, whole)
    chosen = StructType([*made.fields, StructField(BROKEN, StringType())])
    choose = Choose(values.table, tuple(expressions), 1 + sum(rounds), again.rare)
    rows = _judged(rows, values).mapInArrow(choose, chosen)
    first, message = F.col(quote(made.fieldNames()[0])), F.col(quote(BROKEN))
    stop = F.when(message.isNotNull(), F.raise_error(message)).otherwise(first)
    return rows.select(stop.alias(made.fieldNames()[0]), *(F.col(quote(c)) for c in made.fieldNames()[1:]))


def derived(rows: DataFrame, rules: RulesPlan, types: Mapping[str, str]) -> DataFrame:
    """Rows with the columns that follow from others."""
    for name, sql in rules.sql.items():
        rows = rows.withColumn(name, F.expr(sql).cast(types[name]))
    return rows


def _judged(rows: DataFrame, values: DrawValues) -> DataFrame:
    """Rows as they were drawn, with a mark per expression: derived columns are computed for it, then forgotten."""
    names, kept = rows.columns, [c for c in values.rules.sql if c in rows.columns]
    wide = rows.select("*", *(F.col(quote(c)).alias(hidden(f"drawn {c}")) for c in kept))
    marks = [
        F.coalesce(F.expr(sql).cast("boolean"), F.lit(True)).alias(hidden(f"law {i}"))
        for i, sql in enumerate(values.columns.expressions)
    ]
    own = [F.col(quote(hidden(f"drawn {c}") if c in kept else c)).alias(c) for c in names]
    return derived(wide, values.rules, values.columns.types()).select(*own, *marks)


@dataclass(frozen=True)
class Redraw:
    """What the Python workers run, as a function of ``mapInArrow``: more candidates for rows that have no lawful one.

    Attributes:
        redrawing: pickled; it and the model are loaded where a row needs them, and only there.
        drawn: columns that are drawn again.
        tries: candidates per row.
        turn: which round this is.
        laws: how many expressions there are.
        rare: rows of the source, of which others are taken if there are.
    """

    redrawing: bytes
    drawn: tuple[str, ...]
    tries: int
    turn: int
    laws: int
    rare: RareRows

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Each row once if it is lawful, else its new candidates one after the other."""
        forget_archives()
        artifact, batches = taken(batches)
        for batch in gathered(batches, PLACE):
            chosen, without = choice(batch, self.laws, self.rare)
            plain = batch.select(batch.column_names[: -self.laws])
            yield from plain.take(chosen).to_batches()
            for begin in range(0, len(without), AT_ONCE):
                yield from self._again(plain.take(without[begin : begin + AT_ONCE]), begin, artifact).to_batches()

    def _again(self, rows: pa.Table, begin: int, artifact: Artifact) -> pa.Table:
        again = _unpacked(self.redrawing)
        values = replace(again.values, model=artifact.model)
        place = [rows[hidden(name)][0].as_py() for name in frames.BATCH]
        seed = seed_of(again.seed, values.table, *place, "redraw", self.turn, begin)
        many = rows.take(np.repeat(np.arange(len(rows)), self.tries))
        context = {
            name: as_model(from_arrow(many[hidden(i)]), kind) for i, (name, kind) in enumerate(values.shown.items())
        }
        seen = pd.DataFrame(context, index=range(len(many))) if context else None
        made = values.draw(seen, len(many), seed, np.random.default_rng(seed))
        types, widths = values.columns.types(), values.columns.widths()
        for name in self.drawn:
            at, field = many.schema.get_field_index(name), many.schema.field(name)
            own, column = f"{values.table}.{name}", as_spark(made[name], types[name])
            many = many.set_column(at, field, to_arrow(column, field.type, own, widths.get(name)))
        return many


@functools.lru_cache(maxsize=1)
def _unpacked(redrawing: bytes) -> Redrawing:
    """What draws, once per Python worker."""
    loaded: Redrawing = cloudpickle.loads(redrawing)
    return loaded


@dataclass(frozen=True)
class Choose:
    """What the Python workers run last: one candidate per row, and a message on rows that have no lawful one.

    Attributes:
        table: for the message.
        expressions: likewise.
        draws: candidates that a row had in all rounds.
        rare: rows of the source, of which others are taken if there are.
    """

    table: str
    expressions: tuple[str, ...]
    draws: int
    rare: RareRows

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows without traces and marks."""
        forget_archives()
        for batch in gathered(batches, PLACE):
            chosen, without = choice(batch, len(self.expressions), self.rare)
            names = batch.column_names[: batch.column_names.index(hidden(frames.BATCH[0]))]
            picked = batch.select(names).take(np.concatenate([chosen, without]))
            message = self._message(batch, len(chosen), without) if len(without) else None
            marks = pa.array([None] * len(chosen) + [message] * len(without), pa.string())
            yield from picked.append_column(BROKEN, marks).to_batches()

    def _message(self, batch: pa.Table, lawful: int, without: Ints) -> str:
        """How many rows of the batch have no lawful candidate, and which expression is to blame on how many."""
        row = batch[ROW].to_numpy()
        lost = np.isin(row, row[without])
        broken = []
        for i, sql in enumerate(self.expressions):
            held = np.unique(row[lost & _mark(batch, i)])
            if len(held) < len(without):
                broken.append(f"{_line(sql)} ({len(without) - len(held):,} rows)")
        laws = "; ".join(broken or [f"{' and '.join(map(_line, self.expressions))} ({len(without):,} rows)"])
        again = f"no lawful values in {self.draws} draws" if self.draws > 1 else "no column that could be drawn again"
        return (
            f"{MARK}{self.table}: {len(without):,} of the {lawful + len(without):,} rows of one batch have {again}; "
            f"broken: {laws}. Check the constraint against the source, or declare the column as derived"
        )


def _line(sql: str) -> str:
    return " ".join(sql.split())


MARK = "ConstraintViolationError: "


def choice(batch: pa.Table, laws: int, rare: RareRows) -> tuple[Ints, Ints]:
    """Where the first lawful candidate of each row is, and where the first of each row without one is.

    Args:
        batch: candidates, with a mark for each expression.
        laws: how many expressions there are.
        rare: rows of the source, of which others come first.
    """
    row, good = batch[ROW].to_numpy(), np.ones(len(batch), bool)
    for i in range(laws):
        good &= _mark(batch, i)
    at = np.flatnonzero(good)
    every, start = np.unique(row, return_index=True)
    if rare.bits and len(every) < len(row):
        copies = rare.holds(hash_rows([batch[c] for c in rare.columns], rare.salt))
        at = at[np.argsort(copies[at], kind="stable")]
    have, first = np.unique(row[at], return_index=True)
    return at[first], start[~np.isin(every, have)]


def _mark(batch: pa.Table, law: int) -> Ints:
    marks: Ints = batch[hidden(f"law {law}")].to_numpy().astype(bool)
    return marks


def violation(error: BaseException) -> str | None:
    """The message of a row that could not be drawn lawfully, out of what a failed Spark job raised; None without."""
    found: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        found += [text.splitlines()[0] for text in str(cause).split(MARK)[1:]]
        cause = cause.__cause__
    return max(found, key=len).split(" SQLSTATE: ")[0].strip() if found else None
