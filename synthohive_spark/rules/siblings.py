"""Which intervals of one parent follow each other, found and verified in Spark: a window each, one aggregation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.rules.evidence import COARSE, EVIDENCE, ROWS
from synthohive_spark.rules.kinds.bounds import Bound, Ordered
from synthohive_spark.rules.kinds.order import NUMBERED
from synthohive_spark.rules.kinds.siblings import AmongSiblings
from synthohive_spark.rules.verify import BUCKETS, SAMPLE
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.keys import KeysPlan
from synthohive_spark.schema.rule import Rule
from synthohive_spark.sql import quote

MOST = 8  # candidates of a table: each sorts its rows once


@dataclass(frozen=True)
class Sibling:
    """Two columns that may tell an order among siblings.

    Attributes:
        rule: what would be kept; its form is open between joined and apart where it is an interval.
        by: the column by which siblings are sorted.
        end: the column that the next one's ``by`` is compared with.
    """

    rule: AmongSiblings
    by: str
    end: str


def sibling_rules(
    keys: KeysPlan, columns: ColumnsPlan, frame: DataFrame, rows: int, rules: Sequence[Rule]
) -> list[AmongSiblings]:
    """Rules among the rows of the driving parent.

    Args:
        keys: of the table.
        columns: likewise, and what they will be made from.
        frame: its rows.
        rows: how many.
        rules: between the columns of a row: what they bound or decide is not moved against them.
    """
    return list(_chosen(_in_families(keys, frame, rows, list(_candidates(keys, columns, rules))[:MOST])))


def follow_each_other(
    keys: KeysPlan, frame: DataFrame, rows: int, pairs: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Of pairs of times that a row may begin and end at, those that lie one behind the other among siblings.

    Args:
        keys: of the table.
        frame: its rows.
        rows: how many.
        pairs: names of the columns.
    """
    asked = [Sibling(AmongSiblings(column=b, other=e, form="joined"), b, e) for b, e in pairs][:MOST]
    return [(held.by, held.end) for held in _in_families(keys, frame, rows, asked)]


def _in_families(keys: KeysPlan, frame: DataFrame, rows: int, found: list[Sibling]) -> list[Sibling]:
    """Those of some candidates that hold among the rows of the driving parent."""
    driving = keys.driving
    if driving is None or rows < ROWS or not found:
        return []
    owner = [F.col(quote(c)) for c in driving.columns]
    families = frame.where(reduce(lambda a, b: a & b, [c.isNotNull() for c in owner]))
    if rows > SAMPLE:  # families of some parents first: most candidates end there
        place = F.pmod(F.xxhash64(F.lit("siblings"), *owner), F.lit(BUCKETS))
        found = _held(families.where(place < F.lit(int(SAMPLE / rows * BUCKETS))), owner, found)
    return _held(families, owner, found)


def _candidates(keys: KeysPlan, columns: ColumnsPlan, rules: Sequence[Rule]) -> Iterable[Sibling]:
    """Intervals that nothing else moves or bounds."""
    types, drawn = columns.types(), {*columns.named("model")}
    counter = keys.sequence.column if keys.sequence is not None else None
    ordered = {r.column: r for r in rules if isinstance(r, Ordered)}
    others = {r.column for r in rules if not isinstance(r, Ordered)}
    bases = [(b.name, r.column) for r in ordered.values() for b in (*r.lower, *r.upper) if not b.above]
    for end, rule in ordered.items():
        for bound in rule.lower:
            begin = bound.name
            free = [c for b, c in bases if b in (begin, end) and c != end]
            rest = [(b, 1) for b in rule.lower if b != bound]
            if bound.above or types.get(begin) != types[end] or rule.upper or end in others or free:
                continue
            shape: dict[str, Any] = {"open": rule.open, "unit": rule.unit, "step": rule.step, "scale": rule.scale}
            if begin == counter and _shared(rest, keys):
                made = AmongSiblings(column=end, other=begin, form="joined", fixed=True, **shape)
            elif begin in drawn and begin not in others and _shared([*rest, *_bounds(ordered.get(begin))], keys):
                made = AmongSiblings(column=begin, other=end, form="joined", **shape)
            else:
                continue
            yield Sibling(made, begin, end)


def _bounds(rule: Ordered | None) -> list[tuple[Bound, int]]:
    """The bounds of a column, with their sides."""
    return [] if rule is None else [*((b, 1) for b in rule.lower), *((b, -1) for b in rule.upper)]


def _shared(bounds: Iterable[tuple[Bound, int]], keys: KeysPlan) -> bool:
    """Whether bounds are lower ones that all siblings have: then values go up, and from one sibling to another."""
    parent = f"{'+'.join(keys.driving.columns)}:" if keys.driving is not None else ""
    return all(side > 0 and b.above and b.name.startswith(parent) for b, side in bounds)


def _held(rows: DataFrame, owner: list[Column], candidates: list[Sibling]) -> list[Sibling]:
    """The candidates that no row refutes and that chance does not explain, in the form that holds."""
    if not candidates:
        return []
    wanted = list[Column]()
    for i, c in enumerate(candidates):
        order = Window.partitionBy(*owner).orderBy(F.col(quote(c.by)))
        for name, column in (("by", c.by), ("end", c.end)):
            wanted += [
                _number(rows, column).alias(f"{name}{i}"),
                F.lag(_number(rows, column)).over(order).alias(f"{name}{i}_"),
            ]
    counts = [count for i, c in enumerate(candidates) for count in _counts(i, c.rule.open)]
    row = rows.select(*wanted).agg(*counts).first()
    return [
        held for i, c in enumerate(candidates) if row is not None and (held := _judged(c, row.asDict(), i)) is not None
    ]


def _number(rows: DataFrame, column: str) -> Column:
    """A column as a number, whatever the session's time zone."""
    kind = rows.schema[column].dataType.simpleString()
    return F.expr(NUMBERED.get(kind, "{0}").format(quote(column)))


def _counts(i: int, open_: int | None) -> list[Column]:
    """How many rows have a sibling before them, and how many of these do not keep an order."""
    by, before, end, last = (F.col(f"{name}{i}{mark}") for name in ("by", "end") for mark in ("", "_"))
    more = before.isNotNull()
    counted = {"n": more, "tied": by == before}
    fits = (by - before) >= (end - by)  # the row's own interval would have room in the gap before it
    counted |= {"inside": by < last, "touch": by == last, "gone": more & last.isNull()}
    endless = end.isNull() if open_ is None else end >= F.lit(open_ // COARSE * COARSE)
    counted |= {"first": by.isNotNull() & before.isNull(), "endless": by.isNotNull() & endless}
    counted |= {"fits": more & fits, "told": more & fits.isNotNull()}
    apart = {"least": F.min(by - last), "most": F.max(by - last)}
    return [
        *(F.count_if(condition).alias(f"{name}{i}") for name, condition in counted.items()),
        *(distance.alias(f"{name}{i}") for name, distance in apart.items()),
    ]


def _judged(candidate: Sibling, row: Mapping[str, int], i: int) -> Sibling | None:
    """The candidate in the form in which every row keeps it; None where one does not, or chance would."""
    rows = row[f"n{i}"]
    if rows < ROWS or row[f"tied{i}"]:
        return None
    single = not row[f"gone{i}"]
    unended = row[f"endless{i}"] == row[f"first{i}"]  # as many have no end as there are families: the last ones
    gap = row[f"least{i}"]
    if single and gap is not None and gap >= 0 and gap == row[f"most{i}"] and (not gap or candidate.rule.step):
        units = round(gap * 10**candidate.rule.scale)
        return _as(candidate, form="joined", gap=units, single=True, unended=unended)
    chance = (row[f"fits{i}"] + 1) / (row[f"told{i}"] + 1)
    told = -row[f"told{i}"] * math.log(chance) >= EVIDENCE
    if not told or row[f"inside{i}"]:
        return None
    return _as(candidate, form="apart", strict=not row[f"touch{i}"], single=single, unended=single and unended)


def _as(candidate: Sibling, **found: Any) -> Sibling:
    return replace(candidate, rule=candidate.rule.model_copy(update=found))


def _chosen(held: Iterable[Sibling]) -> Iterator[AmongSiblings]:
    """One rule for each column, intervals that are joined before others."""
    taken = set[str]()
    for candidate in sorted(held, key=lambda c: ("joined", "apart").index(c.rule.form)):
        if taken.isdisjoint({candidate.rule.column, candidate.rule.other}):
            taken |= {candidate.rule.column, candidate.rule.other}
            yield candidate.rule
