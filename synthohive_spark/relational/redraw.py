"""Declared expressions hold on every row: what breaks one is drawn again, in the task that made it.

Only Spark can evaluate Spark SQL, and only Python can draw. So rows alternate between the two without leaving their
task: Spark computes what is derived and marks each candidate, Python keeps the first lawful candidate of a row and
draws more for rows that have none. Keys, parents and everything else that the row was given stay. Candidates are a
function of (seed, table, block, slice) and of the rows that need them, never of partitions or batches.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from synthohive_spark.lake.location import quote
from synthohive_spark.randomness import Ints, seed_of
from synthohive_spark.relational.plan import TablePlan
from synthohive_spark.relational.slots import UNIT
from synthohive_spark.relational.values import TIMES, as_model, as_spark, from_arrow, to_arrow
from synthohive_spark.worker import forget_archives

if TYPE_CHECKING:
    from synthohive_spark.relational.unit import UnitGenerator

ROUNDS = (4, 60)  # candidates per row and round: few for the many that need one more, many for the few that need luck
AT_ONCE = 256  # rows for which candidates are drawn together
JSON = {"tinyint": "byte", "smallint": "short", "int": "integer", "bigint": "long"}


def hidden(name: object) -> str:
    """The name of a column that does not reach the table."""
    return f"#synthohive:{name}"


ROW = hidden("row")
BROKEN = hidden("broken")


def traces(generate: UnitGenerator) -> StructType:
    """What the generator adds to its rows so that they can be drawn again: their unit, position and context."""
    types = dict.fromkeys((*map(hidden, UNIT), ROW), "bigint")
    for i, kind in enumerate(generate.context_types().values()):
        types[hidden(i)] = "bigint" if kind in TIMES else kind
    fields = [
        {"name": name, "type": JSON.get(kind, kind), "nullable": True, "metadata": {}} for name, kind in types.items()
    ]
    return StructType.fromJson({"type": "struct", "fields": fields})


def lawful(rows: DataFrame, made: StructType, generate: UnitGenerator) -> DataFrame:
    """Rows on which every declared expression is true, or null.

    A row that no candidate makes lawful stops the write; ``violation`` finds the message.

    Args:
        rows: as the generator made them, with ``traces``.
        made: their columns without the traces.
        generate: the generator.
    """
    plan, whole = generate.plan, StructType([*made.fields, *traces(generate).fields])
    kept = {*plan.primary_key, *plan.near, *plan.apart}
    drawn = [c for c in plan.named("model", "shape") if c not in kept]
    rounds = ROUNDS if drawn else ()
    packed: bytes = cloudpickle.dumps(generate)  # type: ignore[no-untyped-call]
    for i, tries in enumerate(rounds):
        rows = _judged(rows, plan).mapInArrow(Redraw(packed, tuple(drawn), tries, i, len(plan.expressions)), whole)
    chosen = StructType([*made.fields, StructField(BROKEN, StringType())])
    rows = _judged(rows, plan).mapInArrow(Choose(plan.table, tuple(plan.expressions), 1 + sum(rounds)), chosen)
    first, message = F.col(quote(made.fieldNames()[0])), F.col(quote(BROKEN))
    stop = F.when(message.isNotNull(), F.raise_error(message)).otherwise(first)
    return rows.select(stop.alias(made.fieldNames()[0]), *(F.col(quote(c)) for c in made.fieldNames()[1:]))


def derived(rows: DataFrame, plan: TablePlan) -> DataFrame:
    """Rows with the columns that follow from others."""
    types = plan.types()
    for name, sql in plan.derived.items():
        rows = rows.withColumn(name, F.expr(sql).cast(types[name]))
    return rows


def _judged(rows: DataFrame, plan: TablePlan) -> DataFrame:
    """Rows as they were drawn, with a mark per expression: derived columns are computed for it, then forgotten."""
    names, kept = rows.columns, [c for c in plan.derived if c in rows.columns]
    wide = rows.select("*", *(F.col(quote(c)).alias(hidden(f"drawn {c}")) for c in kept))
    marks = [
        F.coalesce(F.expr(sql).cast("boolean"), F.lit(True)).alias(hidden(f"law {i}"))
        for i, sql in enumerate(plan.expressions)
    ]
    own = [F.col(quote(hidden(f"drawn {c}") if c in kept else c)).alias(c) for c in names]
    return derived(wide, plan).select(*own, *marks)


@dataclass(frozen=True)
class Redraw:
    """What the Python workers run, as a function of ``mapInArrow``: more candidates for rows that have no lawful one.

    Attributes:
        generator: the pickled generator; the model is loaded where a row needs it, and only there.
        drawn: columns that are drawn again.
        tries: candidates per row.
        turn: which round this is.
        laws: how many expressions there are.
    """

    generator: bytes
    drawn: tuple[str, ...]
    tries: int
    turn: int
    laws: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Each row once if it is lawful, else its new candidates one after the other."""
        forget_archives()
        for unit in units(batches):
            chosen, without = choice(unit, self.laws)
            plain = unit.select(unit.column_names[: -self.laws])
            yield from plain.take(chosen).to_batches()
            for begin in range(0, len(without), AT_ONCE):
                yield from self._again(plain.take(without[begin : begin + AT_ONCE]), begin).to_batches()

    def _again(self, rows: pa.Table, begin: int) -> pa.Table:
        generate = _unpacked(self.generator)
        plan = generate.plan
        place = [rows[hidden(name)][0].as_py() for name in UNIT]
        seed = seed_of(generate.seed, plan.table, *place, "redraw", self.turn, begin)
        many = rows.take(np.repeat(np.arange(len(rows)), self.tries))
        context = {
            name: as_model(from_arrow(many[hidden(i)]), kind)
            for i, (name, kind) in enumerate(generate.context_types().items())
        }
        seen = pd.DataFrame(context, index=range(len(many))) if context else None
        values = generate.values(seen, len(many), seed, np.random.default_rng(seed))
        types, widths = plan.types(), plan.widths()
        for name in self.drawn:
            at, field = many.schema.get_field_index(name), many.schema.field(name)
            made = to_arrow(as_spark(values[name], types[name]), field.type, f"{plan.table}.{name}", widths.get(name))
            many = many.set_column(at, field, made)
        return many


@functools.lru_cache(maxsize=1)
def _unpacked(generator: bytes) -> UnitGenerator:
    """The generator, once per Python worker."""
    loaded: UnitGenerator = cloudpickle.loads(generator)
    return loaded


@dataclass(frozen=True)
class Choose:
    """What the Python workers run last: one candidate per row, and a message on rows that have no lawful one.

    Attributes:
        table: for the message.
        expressions: likewise.
        draws: candidates that a row had in all rounds.
    """

    table: str
    expressions: tuple[str, ...]
    draws: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows without traces and marks."""
        forget_archives()
        for unit in units(batches):
            chosen, without = choice(unit, len(self.expressions))
            names = unit.column_names[: unit.column_names.index(hidden(UNIT[0]))]
            picked = unit.select(names).take(np.concatenate([chosen, without]))
            message = self._message(unit, len(chosen), without) if len(without) else None
            marks = pa.array([None] * len(chosen) + [message] * len(without), pa.string())
            yield from picked.append_column(BROKEN, marks).to_batches()

    def _message(self, unit: pa.Table, lawful: int, without: Ints) -> str:
        """How many rows of the unit have no lawful candidate, and which expression is to blame on how many."""
        row = unit[ROW].to_numpy()
        lost = np.isin(row, row[without])
        broken = []
        for i, sql in enumerate(self.expressions):
            held = np.unique(row[lost & _mark(unit, i)])
            if len(held) < len(without):
                broken.append(f"{_line(sql)} ({len(without) - len(held):,} rows)")
        laws = "; ".join(broken or [f"{' and '.join(map(_line, self.expressions))} ({len(without):,} rows)"])
        again = f"no lawful values in {self.draws} draws" if self.draws > 1 else "no column that could be drawn again"
        return (
            f"{MARK}{self.table}: {len(without):,} of the {lawful + len(without):,} rows of one unit have {again}; "
            f"broken: {laws}. Check the constraint against the source, or declare the column as derived"
        )


def _line(sql: str) -> str:
    return " ".join(sql.split())


MARK = "ConstraintViolationError: "


def units(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Consecutive rows of one unit, put together across Arrow batches."""
    parts: list[pa.RecordBatch] = []
    current: tuple[int, ...] | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        keys = np.column_stack([batch.column(hidden(name)).to_numpy() for name in UNIT])
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
        for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(keys)], strict=True):
            key = tuple(keys[begin].tolist())
            if key != current and parts:
                yield pa.Table.from_batches(parts)
                parts = []
            current = key
            parts.append(batch.slice(begin, end - begin))
    if parts:
        yield pa.Table.from_batches(parts)


def choice(unit: pa.Table, laws: int) -> tuple[Ints, Ints]:
    """Where the first lawful candidate of each row is, and where the first of each row without one is."""
    row, good = unit[ROW].to_numpy(), np.ones(len(unit), bool)
    for i in range(laws):
        good &= _mark(unit, i)
    at = np.flatnonzero(good)
    have, first = np.unique(row[at], return_index=True)
    every, start = np.unique(row, return_index=True)
    return at[first], start[~np.isin(every, have)]


def _mark(unit: pa.Table, law: int) -> Ints:
    marks: Ints = unit[hidden(f"law {law}")].to_numpy().astype(bool)
    return marks


def violation(error: BaseException) -> str | None:
    """The message of a row that could not be drawn lawfully, out of what a failed Spark job raised; None without."""
    found: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        found += [text.splitlines()[0] for text in str(cause).split(MARK)[1:]]
        cause = cause.__cause__
    return max(found, key=len).split(" SQLSTATE: ")[0].strip() if found else None
