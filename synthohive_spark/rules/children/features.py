"""What the children of a row may have together: counts, sums, extremes, means, what is first or last."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from synthohive_spark.rules.children.family import Family
from synthohive_spark.rules.children.terms import Factor, Summand, terms
from synthohive_spark.rules.evidence import Column, Flags, Vector

EXACT_SUM = "decimal(38,12)"  # sums of it are the same in any order of rows, and exact to what floats hold
NUMBER = "number"
OWNED = 12  # columns of which the first, the last and the distinct values are looked at


def label(place: int, column: int, value: float) -> str:
    """What stands in Spark SQL for a value of the data of which the search knows a hash only.

    Args:
        place: of the child table; -1 for the parents.
        column: place of the column there.
        value: the hash, or the number.
    """
    return f"§{place}|{column}|{int(value)}§"


@dataclass(frozen=True)
class Feature:
    """One value per parent.

    Attributes:
        place: of the children's key.
        sql: an aggregate in Spark SQL.
        make: the values of all parents, shape (parents,).
        face: ``NUMBER``, or the family of types that it fits.
        zero: it is 0 of no rows.
        plain: a count, or a sum of one column: others may be added to it.
        alone: one row per parent is enough to tell it from others: a count.
        term: what is summed, if it may be rounded in other ways.
        among: of each row what it is one of, or the mean of: where children agree in that, they may repeat the parent.
    """

    place: int
    sql: str
    make: Callable[[Family], Vector]
    face: str = NUMBER
    zero: bool = False
    plain: bool = False
    alone: bool = False
    term: Summand | None = None
    among: Callable[[Family], Vector] | None = None

    def fits(self, target: Column) -> bool:
        """Whether a column can hold it."""
        return target.number if self.face == NUMBER else target.family == self.face

    def value(self, filled: bool) -> str:
        """Spark SQL of the value beside the parent, for the aggregate ``{}``; ``filled`` if it is 0 without rows."""
        value = "cast({} as double)" if self.zero else "{}"
        return f"coalesce({value}, 0)" if filled else value


def summed(place: int, term: Summand, where: str = "", marked: Callable[[Family], Flags] | None = None) -> Feature:
    """The sum of a term, of all rows or of those with a mark."""
    sql = f"if({where}, {term.sql}, null)" if where else term.sql

    def make(family: Family) -> Vector:
        values = term.of(family)
        return family.total(values if marked is None else values * marked(family))

    sql = f"try_sum(try_cast({sql} as {EXACT_SUM}))"
    return Feature(place, sql, make, zero=True, plain=len(term.factors) == 1, term=None if where else term)


def features(family: Family) -> Iterator[Feature]:
    """Everything that is tried, simple things first."""
    place = family.place
    yield Feature(place, "count(1)", lambda f: f.size, zero=True, plain=True, alone=True)
    for column in family.gaps:
        there = _of(column.id, Family.known)
        yield Feature(place, f"count({column.id})", there, zero=True, plain=True, alone=True)
    for column in family.columns[:OWNED]:
        many = f"size(collect_set({column.id}))"
        yield Feature(place, many, _of(column.id, Family.distinct), zero=True, among=_column(column.id))
    yield from (summed(place, term) for term in terms(family))
    yield from _extremes(family)
    for column in family.numbers:
        total = f"cast(try_sum(try_cast({column.id} as {EXACT_SUM})) as double)"
        mean = f"try_divide({total}, count({column.id}))"
        yield Feature(place, mean, _of(column.id, Family.mean), among=_column(column.id))
    yield from _filtered(family)
    yield from _quotients(family)
    yield from _ends(family)


def _column(column: str) -> Callable[[Family], Vector]:
    return lambda family: family.vectors[column]


def _of(column: str, make: Callable[[Family, Vector], Vector]) -> Callable[[Family], Vector]:
    return lambda family: make(family, family.vectors[column])


def _extremes(family: Family) -> Iterator[Feature]:
    """The lowest and highest value, also only of families of which each row has one."""
    for column in (*family.numbers, *family.times):
        face = NUMBER if column.number else column.family
        for sql, make in (("min", _of(column.id, Family.lowest)), ("max", _of(column.id, Family.highest))):
            yield Feature(family.place, f"{sql}({column.id})", make, face, among=_column(column.id))
            if column in family.gaps:
                strict = f"if(count({column.id}) = count(1), {sql}({column.id}), null)"
                yield Feature(family.place, strict, _complete(column.id, make), face, among=_column(column.id))


def _complete(column: str, make: Callable[[Family], Vector]) -> Callable[[Family], Vector]:
    """The values of those parents of which each row has one."""

    def made(family: Family) -> Vector:
        values = make(family)
        values[family.known(family.vectors[column]) < family.size] = float("nan")
        return values

    return made


def _filtered(family: Family) -> Iterator[Feature]:
    """Counts and sums of the rows of each category."""
    for sql, marked in marks(family):
        count = _counted(marked)
        yield Feature(family.place, f"count_if({sql})", count, zero=True, plain=True, alone=True)
    for column in family.numbers:
        for sql, marked in marks(family):
            if column.id not in sql:
                yield summed(family.place, Summand(_number(column)), sql, marked)


def _quotients(family: Family) -> Iterator[Feature]:
    """Shares of the rows, means with weights, quotients of sums."""
    for sql, marked in marks(family):
        for factor, times in ((1.0, ""), (100.0, " * 100")):
            share = f"try_divide(cast(count_if({sql}) as double), count(1)){times}"
            yield Feature(family.place, share, _share(marked, factor), among=_flags(marked))
    for one, other in itertools.permutations(family.numbers, 2):
        below = summed(family.place, Summand((Factor(other.id),)))
        weighted, plain = Summand((Factor(one.id), Factor(other.id))), Summand((Factor(one.id),))
        for term, among in ((weighted, _column(one.id)), (plain, _quotient(plain.of, _column(other.id)))):
            above = summed(family.place, term)
            sql = f"try_divide(cast({above.sql} as double), cast({below.sql} as double))"
            yield Feature(family.place, sql, _quotient(above.make, below.make), among=among)


def _flags(marked: Callable[[Family], Flags]) -> Callable[[Family], Vector]:
    return lambda family: marked(family).astype(float)


def _share(marked: Callable[[Family], Flags], factor: float) -> Callable[[Family], Vector]:
    return lambda family: factor * family.total(marked(family).astype(float)) / family.size


def _quotient(above: Callable[[Family], Vector], below: Callable[[Family], Vector]) -> Callable[[Family], Vector]:
    def made(family: Family) -> Vector:
        values = above(family) / below(family)
        values[~np.isfinite(values)] = np.nan
        return values

    return made


def _number(column: Column) -> tuple[Factor, ...]:
    return (Factor(column.id),)


def _counted(marked: Callable[[Family], Flags]) -> Callable[[Family], Vector]:
    return lambda family: family.total(marked(family).astype(float))


def marks(family: Family) -> Iterator[tuple[str, Callable[[Family], Flags]]]:
    """What a row may be: of a category, or without a value."""
    for column in family.categories:
        at = family.columns.index(column)
        for value in sorted({*column.known.tolist()}):
            yield f"{column.id} <=> {label(family.place, at, value)}", _equal(column.id, value)
    for column in family.gaps:
        yield f"{column.id} is null", _missing(column.id)


def _equal(column: str, value: float) -> Callable[[Family], Flags]:
    return lambda family: family.vectors[column] == value


def _missing(column: str) -> Callable[[Family], Flags]:
    return lambda family: family.vectors[column] != family.vectors[column]


def _ends(family: Family) -> Iterator[Feature]:
    """What the first and the last row of each parent have."""
    for when, column in itertools.product(family.times, family.columns[:OWNED]):
        if when.id == column.id:
            continue
        face = NUMBER if column.number else column.family
        order = f"if({when.id} is null, null, struct({when.id}, {column.id}))"
        for sql, sign in (("max_by", 1.0), ("min_by", -1.0)):
            made = _end(column.id, when.id, sign)
            yield Feature(family.place, f"{sql}({column.id}, {order})", made, face, among=_column(column.id))


def _end(column: str, when: str, sign: float) -> Callable[[Family], Vector]:
    return lambda family: sign * family.last(sign * family.vectors[column], sign * family.vectors[when])
