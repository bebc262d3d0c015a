"""Columns that count the rows of each parent though no key holds them: line numbers, places in a list, versions.

Such a column and its parent's key are a unique key that nobody declared. Once it is one, all that is known of counted
keys (docs/keys.md) holds for it: rows get it from their place in the family, and the model sees it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.parallel import side_by_side
from synthohive_spark.profiling.key_design import KeyDesign, design
from synthohive_spark.profiling.key_planner import key_design
from synthohive_spark.profiling.key_statistics import key_set
from synthohive_spark.rules.evidence import EVIDENCE, ROWS
from synthohive_spark.sql import names_in, quote
from synthohive_spark.tables import INTEGRAL, Table

log = get_logger(__name__)
REPEATED = 0.5  # distinct values per row, at most: what counts through the table counts no families
SIZES = 10_000  # distinct sizes of families that are looked at
COUNTER = "counter."  # how the metadata switch it off: ``counter.column``


def with_counters(source: SourceLake) -> SourceLake:
    """The source whose tables have a unique key for each counter that was found in them."""
    tables = side_by_side(lambda t: _counted(source, t), source.metadata.tables)
    return replace(source, metadata=source.metadata.with_tables(tables))


def _counted(source: SourceLake, name: str) -> Table:
    """A table with the key of its counter, where it has one."""
    spec, found = source.metadata.tables[name], key_design(source, name)
    if found.driving is None or found.spread or spec.reference or source.rows[name] < ROWS:
        return spec
    owner = spec.foreign_keys[found.driving].columns
    for column in _consecutive(source.frame(name), owner, _possible(source, spec, found)):
        key = (*owner, column)
        more = spec.model_copy(update={"unique": (*spec.unique, key)})
        made = design(name, {**source.metadata.tables, name: more}, source.rows, _types(source, name))
        if made.driving == found.driving and made.spread == {column: owner} and made.problems == found.problems:
            log.info("rule_found", table=name, rule=f"{COUNTER}{column}", column=column, expression=_said(owner))
            return more
    return spec


def _said(owner: Iterable[str]) -> str:
    return f"counts the rows of each {', '.join(map(quote, owner))}"


def _types(source: SourceLake, name: str) -> dict[str, str]:
    return {f.name: f.dataType.simpleString() for f in source.schema(name).fields}


def _possible(source: SourceLake, spec: Table, found: KeyDesign) -> list[str]:
    """Whole numbers that nothing else decides or bounds."""
    types = _types(source, next(t for t, s in source.metadata.tables.items() if s is spec))
    closed = {*spec.key_columns, *spec.derived, *spec.personal, *spec.exclude, *found.numbered, *found.grid}
    closed |= {c for key in spec.unique for c in key}
    for law in spec.constraints:
        closed |= {law.column} if law.column else names_in(law.expression or "", types)
    closed |= {name.removeprefix(COUNTER) for name in spec.switched_off if name.startswith(COUNTER)}
    return [c for c, t in types.items() if t in INTEGRAL and c not in closed]


def _consecutive(frame: DataFrame, owner: tuple[str, ...], columns: list[str]) -> list[str]:
    """The columns whose values are consecutive in each family, which chance does not explain."""
    if not columns or not frame.where(~key_set(owner)).isEmpty():
        return []  # rows without a parent are no family
    by, held = [F.col(quote(c)) for c in owner], {f"v{i}": F.col(quote(c)) for i, c in enumerate(columns)}
    ends = [f(v).alias(f"{f.__name__}_{n}") for n, v in held.items() for f in (F.min, F.max, F.count)]
    families = frame.groupBy(*by).agg(F.count(F.lit(1)).alias("n"), *ends)
    row = families.agg(*(expr for n in held for expr in _judged(n))).first()
    likely = [n for n in held if row is not None and not row[f"broken_{n}"] and _repeats(row.asDict(), n)]
    if not likely:
        return []
    distinct = frame.groupBy(*by).agg(
        F.count(F.lit(1)).alias("n"), *(F.count_distinct(held[n]).alias(n) for n in likely)
    )
    again = distinct.agg(*(F.count_if(F.col(n) != F.col("n")).alias(n) for n in likely)).first()
    sizes = distinct.where("n > 1").groupBy("n").agg(F.count(F.lit(1)).alias("families")).limit(SIZES).collect()
    enough = nats({int(r["n"]): int(r["families"]) for r in sizes}) >= EVIDENCE
    return [columns[int(n[1:])] for n in likely if enough and again is not None and not again[n]]


def _judged(name: str) -> list[Column]:
    """How many families are not consecutive by their ends, and the ends of the whole column."""
    least, most, count, n = (F.col(c) for c in (f"min_{name}", f"max_{name}", f"count_{name}", "n"))
    broken = F.count_if((count != n) | F.coalesce(most - least + 1 != n, F.lit(True)))
    return [
        broken.alias(f"broken_{name}"),
        F.min(least).alias(f"low_{name}"),
        F.max(most).alias(f"high_{name}"),
        F.sum(n).alias(f"rows_{name}"),
    ]


def _repeats(row: Mapping[str, int], name: str) -> bool:
    """Whether families count from where others do."""
    return row[f"high_{name}"] - row[f"low_{name}"] + 1 <= REPEATED * row[f"rows_{name}"]


def nats(sizes: Mapping[int, int]) -> float:
    """By how much chance is the worse explanation of consecutive values, whatever the shares of the values are.

    A family of n rows has n given values, in any order, with a chance of n! / n^n at most.

    Args:
        sizes: {rows: families}.
    """
    return sum(families * (n * math.log(n) - math.lgamma(n + 1)) for n, families in sizes.items())
