"""What a sample cannot say of a decision is asked of all rows: which texts hashes are, and where thresholds lie."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.rules.branches import (
    Branch,
    Leaf,
    Question,
    Value,
    Way,
    asked,
    from_json,
    joined,
    leaves,
    questions,
    to_json,
)
from synthohive_spark.rules.growing import NONE, NUMBER, SET, WORD
from synthohive_spark.rules.kind import WAY, Law
from synthohive_spark.rules.literals import between, literal
from synthohive_spark.sql import quote, text_literal
from synthohive_spark.tables import TEXT

CLASSES = (None, SET, NUMBER, WORD, NONE)
Texts = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Gap:
    """Where a threshold lies: the question, how a row comes to it, and the values that are on one side alone."""

    question: Question
    path: tuple[tuple[Question, bool], ...]
    yes: tuple[Value, ...]
    no: tuple[Value, ...]
    target: str


def sharpened(frame: DataFrame, laws: Sequence[Law], types: Mapping[str, str]) -> list[Law]:
    """Decisions with their texts and thresholds, by one aggregation; those that some row refutes are left out.

    Args:
        frame: the whole table, columns named by id.
        laws: those of kinds that keep a tree (``Law.data``).
        types: Spark type of each column, by id.
    """
    trees = [_Tree(law, from_json(law.data), types) for law in laws]
    if not trees:
        return []
    hashes: dict[str, set[str]] = {}
    for column, place in {pair for tree in trees for pair in tree.hashes}:
        hashes.setdefault(column, set()).add(place)
    asks = {f"t{i}": _held(column, hashes[column]) for i, column in enumerate(hashes)}
    gaps = [gap for tree in trees for gap in tree.gaps]
    for n, gap in enumerate(gaps):
        asks[f"yes{n}"], asks[f"no{n}"] = _ends(gap, types)
    row = frame.agg(F.lit(0).alias("none"), *(ask.alias(name) for name, ask in asks.items())).first()
    assert row is not None
    texts = {(c, pair["h"]): pair["text"] for i, c in enumerate(hashes) for pair in row[f"t{i}"]}
    bounds = iter([_bounded(gap, row[f"yes{n}"], row[f"no{n}"], types) for n, gap in enumerate(gaps)])
    made = [tree.sharp([next(bounds) for _ in tree.gaps], texts) for tree in trees]
    return [law for law in made if law is not None]


@dataclass(frozen=True)
class _Tree:
    """A law with its tree."""

    law: Law
    way: Way
    types: Mapping[str, str]

    @functools.cached_property
    def hashes(self) -> list[tuple[str, str]]:
        """The hashes of texts that it holds, with the ids of their columns."""
        target = self.law.target
        held = [(target, v) for v, _ in joined(self.way).values if v not in CLASSES]
        named = [(q.column, v) for q in questions(self.way) if q.asks == "among" for v in q.values]
        return [(c, v) for c, v in (*held, *named) if v is not None and self.types[c].startswith(TEXT)]

    @functools.cached_property
    def gaps(self) -> list[Gap]:
        """Its thresholds, in the order of ``questions``."""
        return list(_gaps(self.law.target, self.way, (), {None, *dict(joined(self.way).values)}))

    def sharp(self, bounds: Sequence[Question | None], texts: Texts) -> Law | None:
        """The law with its texts and bounds; None where one is not there."""
        held = [b for b in bounds if b is not None]
        if len(held) < len(bounds) or not all(pair in texts for pair in self.hashes):
            return None
        known = iter(held)
        told = asked(self.way, iter([next(known) if q.asks == "at most" else q for q in questions(self.way)]))
        return replace(self.law, facts={**self.law.facts, WAY: to_json(_worded(told, self.law.target, texts))})


def asked_by(law: Law) -> list[Question]:
    """The questions of a decision; none of another law."""
    return questions(from_json(law.data)) if law.data else []


def texts_of(law: Law) -> set[tuple[str, str]]:
    """Values that the questions of a decision name, with the ids of their columns."""
    return {(q.column, value) for q in asked_by(law) if q.asks == "among" and not q.part for value in q.values}


def spoken(types: Mapping[str, str], column: str, value: str) -> str:
    """A value of a sharpened tree as a literal of Spark SQL."""
    return text_literal(value) if types[column].startswith(TEXT) else literal(types[column], float(value))


def _held(column: str, hashes: Collection[str]) -> Column:
    """The texts of some hashes: as many as the tree names."""
    own = F.col(quote(column))
    place = F.xxhash64(own).cast("string")
    return F.collect_set(F.when(place.isin(list(hashes)), F.struct(place.alias("h"), own.alias("text"))))


def _values(way: Way, every: Collection[Value]) -> set[Value]:
    """Values that the target may have at some leaves."""
    return {v for leaf in leaves(way) for v in (every if leaf.open else [v for v, _ in leaf.values])}


def _gaps(target: str, way: Way, path: tuple[tuple[Question, bool], ...], every: Collection[Value]) -> Iterator[Gap]:
    """The thresholds of a tree, in the order of ``questions``."""
    if isinstance(way, Branch):
        if way.asked.asks == "at most":
            alone = [_values(a, every) - _values(b, every) for a, b in ((way.yes, way.no), (way.no, way.yes))]
            yield Gap(way.asked, path, tuple(alone[0]), tuple(alone[1]), target)
        yield from _gaps(target, way.yes, (*path, (way.asked, True)), every)
        yield from _gaps(target, way.no, (*path, (way.asked, False)), every)


def _ends(gap: Gap, types: Mapping[str, str]) -> tuple[Column, Column]:
    """The greatest value that is answered yes, and the least that is answered no, where the sample left it open."""
    names = {i: quote(i) for i in types}
    own, kind = F.expr(gap.question.reference(names)), _kind(gap.question, types)
    low, high = (F.expr(literal(kind, end)) for end in (gap.question.low, gap.question.high))
    there = (own >= low) & (own <= high)
    for question, answer in gap.path:
        made = F.coalesce(_roughly(question, names, types), F.lit(False))
        there &= made if answer else ~made
    value = _number(own, kind)
    sides = [F.when(there & _one_of(gap.target, values, types), value) for values in (gap.yes, gap.no)]
    return F.max(sides[0]), F.min(sides[1])


def _kind(question: Question, types: Mapping[str, str]) -> str:
    """The Spark type of what is asked of."""
    return "int" if question.part else types[question.column]


def _roughly(question: Question, names: Mapping[str, str], types: Mapping[str, str]) -> Column:
    """A question as the sample knows it."""
    if question.asks == "among" and types[question.column].startswith(TEXT):
        return F.xxhash64(F.col(names[question.column])).cast("string").isin(list(question.values))
    known = question
    if question.asks == "at most":
        known = replace(question, values=(literal(_kind(question, types), question.low),))
    return F.expr(known.sql(names, lambda column, value: literal(types[column], float(value))))


def _one_of(column: str, values: Collection[Value], types: Mapping[str, str]) -> Column:
    own, kind = F.col(quote(column)), types[column]
    told = [v for v in values if v is not None]
    if SET in told:
        return own.isNotNull()
    if kind.startswith(TEXT):
        made = F.xxhash64(own).cast("string").isin(told)
    else:
        named = ", ".join(literal(kind, float(v)) for v in told)
        made = F.expr(f"{quote(column)} in ({named})") if told else F.lit(False)
    made = F.coalesce(made & own.isNotNull(), F.lit(False))
    return made | own.isNull() if None in values else made


def _number(own: Column, spark_type: str) -> Column:
    """A value as the sample holds it."""
    if spark_type == "date":
        return F.unix_date(own).cast("double")
    if spark_type == "timestamp":
        return F.unix_micros(own).cast("double")
    if spark_type == "timestamp_ntz":
        return F.unix_micros(F.to_utc_timestamp(own, F.current_timezone())).cast("double")
    return own.cast("double")


def _bounded(gap: Gap, low: float | None, high: float | None, types: Mapping[str, str]) -> Question | None:
    """The question with the roundest threshold that parts the rows; None where none does."""
    question = gap.question
    known = (question.low if low is None else low, question.high if high is None else high)
    made = between(_kind(question, types), *known)
    if made is None or not all(map(math.isfinite, known)):
        return None
    asks, bound = made
    return replace(question, asks="at most" if asks == "at most" else "below", values=(bound,))


def _worded(way: Way, target: str, texts: Texts) -> Way:
    """The tree with texts instead of their hashes."""
    if isinstance(way, Leaf):
        never = tuple(texts.get((target, v), v) for v in way.never)
        return replace(way, values=tuple((v and texts.get((target, v), v), n) for v, n in way.values), never=never)
    question = way.asked
    if question.asks == "among":
        told = [texts.get((question.column, v), v) for v in question.values]
        question = replace(question, values=tuple(sorted(told) if told[0] not in question.values else told))
    return Branch(question, _worded(way.yes, target, texts), _worded(way.no, target, texts))
