"""How a column's values may stand in a text: as they are, in lower case, as an initial, padded, a few more."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import Column, Sample

LARGEST = 1000  # number that is added to a column inside a text
DIFFERENT = 4  # values of a column that is null on other rows
MARKS = [("", ""), *((mark, "") for mark in (" ", "-", ".", "_", ", ", "/")), *(("", mark) for mark in (" ", "-", "."))]
WIDTHS = range(2, 16)  # of padded numbers
EPOCH = dt.date(1970, 1, 1).toordinal()
DAYS = {"date": 1, "time": 86_400_000_000, "plain time": 86_400_000_000}  # their units in a day, of UTC
Maker = Callable[[Any], str]
OTHERS = re.compile("[^a-z0-9]+")


def _joined(mark: str) -> Maker:
    return lambda v: OTHERS.sub(mark, v.lower())


def _spaced(mark: str) -> Maker:
    return lambda v: v.lower().replace(" ", mark)


def _first(count: int, act: Maker) -> Maker:
    return lambda v: act(v[:count])


def _dated(pattern: str) -> Maker:
    def make(day: dt.date) -> str:
        year, month, of_month = day.isoformat().split("-")
        named = {"yyyy": year, "yy": year[2:], "MM": month, "dd": of_month}
        return re.sub("yyyy|yy|MM|dd", lambda m: named[m.group()], pattern)

    return make


CASES: dict[str, Maker] = {"{0}": str, "lower({0})": str.lower, "upper({0})": str.upper}
TEXTS: dict[str, Maker] = {
    **CASES,
    "split_part({0}, ' ', 1)": lambda v: str(v.split(" ")[0]),
    "split_part({0}, ' ', -1)": lambda v: str(v.split(" ")[-1]),
    "lower(split_part({0}, ' ', 1))": lambda v: str(v.split(" ")[0].lower()),
    "lower(split_part({0}, ' ', -1))": lambda v: str(v.split(" ")[-1].lower()),
    **{f"regexp_replace(lower({{0}}), '[^a-z0-9]+', '{mark}')": _joined(mark) for mark in ("", "-", "_", ".")},
    **{f"replace(lower({{0}}), ' ', '{mark}')": _spaced(mark) for mark in ("", "-", "_", ".")},
    **{case.replace("{0}", f"left({{0}}, {n})"): _first(n, act) for n in (1, 2, 3, 4) for case, act in CASES.items()},
}
PATTERNS = ("yyyyMMdd", "yyyy-MM-dd", "ddMMyyyy", "yyMMdd", "yyyyMM", "yyyy")
DATES: dict[str, Maker] = {f"date_format({{0}}, '{pattern}')": _dated(pattern) for pattern in PATTERNS}


@dataclass(frozen=True)
class Form:
    """A form of a column.

    Attributes:
        column: the column.
        sql: with ``{0}`` for it.
        make: the text of a value.
        values: on the rows that are looked at; "" where it is null.
        optional: it is nothing where the column is null; else all of the text is null there.
    """

    column: Column
    sql: str
    make: Maker
    values: tuple[str, ...]
    optional: bool = False

    @property
    def number(self) -> bool:
        """Whether it is a number as it is."""
        return self.sql == NUMBER


NUMBER = "cast({0} as string)"


def forms_of(sample: Sample, target: Column, rows: Ints) -> list[Form]:
    """Forms of all columns but one that differ between rows; keys of ancestors, but for texts, say nothing."""
    found = list[Form]()
    for column in sample.columns:
        makers = _makers(sample, column)
        if column.id == target.id or column.distinct < 2 or not makers:
            continue
        shown = values_of(sample, column, rows)
        for sql, make in makers.items():
            values = tuple("" if v is None else make(v) for v in shown)
            if len({*values}) > 1:
                found.append(Form(column, sql, make, values))
    return found


def number_forms(forms: Sequence[Form], rest: Sequence[str]) -> Iterator[Form]:
    """Further forms of numbers: those that texts begin with, padded or with a constant added."""
    runs = [m.group() if (m := re.match("[0-9]+", text)) else "" for text in rest]
    if not all(runs):
        return
    padded = len(runs[0]) if any(run.startswith("0") and len(run) > 1 for run in runs) else 0
    for form in forms:
        if not form.number or not all(value.isdigit() for value in form.values):
            continue
        longest = max(map(len, form.values))
        for width in (w for w in WIDTHS if w >= longest and min(map(len, runs)) >= w):
            yield _padded(form, 0, width)
        added = {int(run) - int(value) for run, value in zip(runs, form.values, strict=True)}
        more = next(iter(added))
        if len(added) == 1 and 0 < abs(more) <= LARGEST:
            yield _padded(form, more, padded)


def optional_forms(forms: Sequence[Form], rest: Sequence[str]) -> Iterator[Form]:
    """Forms that texts begin with, a mark before or behind them, where their column is not null."""
    for form in forms:
        if all(form.values) or len({*form.values}) < DIFFERENT:
            continue
        for before, behind in MARKS:
            marked = [f"{before}{value}{behind}" if value else "" for value in form.values]
            if all(text.startswith(value) for text, value in zip(rest, marked, strict=True)):
                parts = [f"'{before}'"] * bool(before) + [form.sql] + [f"'{behind}'"] * bool(behind)
                whole = f"concat({', '.join(parts)})" if len(parts) > 1 else form.sql
                sql = f"coalesce({whole}, '')"
                yield Form(form.column, sql, _marked(form.make, before, behind), tuple(marked), optional=True)


def _marked(make: Maker, before: str, behind: str) -> Maker:
    return lambda v: f"{before}{make(v)}{behind}"


def _padded(form: Form, more: int, width: int) -> Form:
    value = f"cast(try_add({{0}}, {more}) as string)" if more else NUMBER
    make = functools.partial(_written, more=more, width=width)
    sql = f"if(length({value}) < {width}, lpad({value}, {width}, '0'), {value})" if width else value
    return Form(form.column, sql, make, tuple(make(int(v)) for v in form.values))


def _written(value: int, more: int = 0, width: int = 0) -> str:
    return str(value + more).zfill(width)


def _makers(sample: Sample, column: Column) -> dict[str, Maker]:
    if column.id in sample.texts:
        return TEXTS
    if column.above and not column.input:
        return {}
    if column.family == "integer":
        return {NUMBER: _written}
    return DATES if column.family in DAYS else {}


def values_of(sample: Sample, column: Column, rows: Ints) -> list[Any]:
    """Values of a column on some rows, as Python knows them."""
    if column.id in sample.texts:
        shown: list[Any] = sample.texts[column.id].take(rows).to_pylist()
        return shown
    values = column.values[rows]
    if column.family in DAYS:
        values = np.floor(values / DAYS[column.family])
        return [None if np.isnan(v) else dt.date.fromordinal(int(v) + EPOCH) for v in values]
    return [None if np.isnan(v) else int(v) for v in values]
