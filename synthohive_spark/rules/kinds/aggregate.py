"""A column is an aggregate of the rows that refer to the row: a count, a sum, the last date, whether any is open.

The model draws the column, and the children see what it drew; when they are written, the column becomes the aggregate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.rules.evidence import family_of
from synthohive_spark.schema import frames
from synthohive_spark.schema.ancestors import Ancestors, Reader
from synthohive_spark.schema.children import ChildValue, beside_children
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.rule import EXACT, Ancestor, Rule, RulesPlan
from synthohive_spark.sql import names_in, quote

HALF = 0.5000001  # of the last decimal: by how much a rounded value may miss what it was rounded from
PLACE = re.compile(rf"{frames.CHILD}(\d+)")
SHOWN = (  # what makes sums exact says nothing to a person
    (re.compile(r"cast\((`(?:[^`]|``)+`) as double\)"), r"\1"),
    (re.compile(r"try_sum\(try_cast\((.+?) as decimal\(38,12\)\)\)"), r"sum(\1)"),
    (re.compile(r"(?:coalesce\()?cast\(([^§]+? of `(?:[^`]|``)+`\([^)]*\)) as double\)(?:, 0\))?"), r"\1"),
)


class Aggregate(Rule):
    """A column follows from what the children of the row have together.

    Attributes:
        own: columns of the row that it builds on, too.
        children: the values of children.
        expression: Spark SQL of own columns and of these values, ``__child0``, ``__child1`` ...
        scale: decimals that it is rounded to; None for no rounding.
        null_without: rows of which it says nothing are null; else they keep what was drawn.
        handed: children can be given it, where other rules hang on what is drawn.
    """

    kind: Literal["aggregate"] = "aggregate"
    own: tuple[str, ...] = ()
    children: tuple[ChildValue, ...]
    expression: str
    scale: int | None = None
    null_without: bool = False
    handed: bool = False

    def text(self, ancestor: Ancestor) -> str:
        """The expression, with the tables of the children."""
        made = self.placed(lambda n: self.children[n].text)
        for precise, shown in SHOWN:
            made = precise.sub(shown, made)
        return made

    def evaluated(self, types: Mapping[str, str]) -> Iterator[str]:
        """The expression over values of children."""
        yield self.expression

    @property
    def aggregated(self) -> tuple[str, ...]:
        """These values."""
        return tuple(child.sql for child in self.children)

    @property
    def is_share(self) -> bool:
        """Whether it is a sum that children can share out among them."""
        return self.handed and self.children[0].sql.startswith("try_sum(")

    @property
    def is_open(self) -> bool:
        """Whether a rule of the row may give the column as well."""
        return self.is_share or self.is_status

    @property
    def is_status(self) -> bool:
        """Whether it says what any or all of the children are, not how many or how much."""
        return any(child.sql.startswith("bool_") for child in self.children)

    def placed(self, name: Callable[[int], str]) -> str:
        """The expression, with a name for each value of the children."""
        return PLACE.sub(lambda found: name(int(found[1])), self.expression)

    def value(self, type_: str, first: int) -> Column:
        """The column, beside values of children that begin at a place."""
        made = self.placed(lambda n: frames.child(first + n))
        rounded = made if self.scale is None else f"round({made}, {self.scale})"
        fitting = f"try_cast({rounded} as {type_})"
        return F.expr(fitting if self.null_without else f"coalesce({fitting}, {quote(self.column)})")

    def held(self, type_: str, first: int) -> Column:
        """Whether a row's value is that of the rule, beside values of children that begin at a place.

        It is equal, both are null, or a number is rounded to it.
        """
        own = F.col(quote(self.column))
        if family_of(type_) not in ("integer", "decimal", "double"):
            return own.eqNullSafe(self.value(type_, first))
        made = self.model_copy(update={"scale": None}).value("double", first)
        slack = 0.0 if self.scale is None else HALF * 10.0**-self.scale
        allowed = F.lit(slack) + F.lit(EXACT) * F.greatest(F.lit(1.0), F.abs(own.cast("double")))
        return (own.isNull() & made.isNull()) | F.coalesce(F.abs(own - made) <= allowed, F.lit(False))


def aggregates(rules: RulesPlan) -> list[Aggregate]:
    """The aggregates among the rules of a table, each behind those that it builds on."""
    return [r for r in rules.each if isinstance(r, Aggregate)]


def recomputed(rules: RulesPlan, changed: set[str]) -> dict[str, str]:
    """{column: Spark SQL} of what follows from columns that have changed, in the order in which it is applied."""
    known, found = set(changed), dict[str, str]()
    for column, sql in rules.sql.items():
        if column not in changed and names_in(sql, known):
            found[column] = sql
            known.add(column)
    return found


def changing(rules: RulesPlan) -> set[str]:
    """Columns that become exact when children are written, and what follows from them."""
    columns = {rule.column for rule in aggregates(rules)}
    return columns | {*recomputed(rules, columns)}


def broken_aggregates(frame: DataFrame, rules: RulesPlan, types: Mapping[str, str], read: Reader) -> dict[str, int]:
    """{column: rows that are not what their children say}, of the aggregates of a table.

    Args:
        frame: its rows.
        rules: of the table.
        types: Spark types of its columns.
        read: rows of child tables, by name.
    """
    missed, children = list[Column](), list[ChildValue]()
    each = aggregates(rules)
    for i, rule in enumerate(each):
        missed.append(F.count_if(~rule.held(types[rule.column], len(children))).alias(f"n{i}"))
        children += rule.children
    row = beside_children(frame, children, read).agg(*missed).first() if each else None
    return {} if row is None else {rule.column: int(row[f"n{i}"]) for i, rule in enumerate(each)}


def replaced(frame: DataFrame, rules: RulesPlan, columns: ColumnsPlan, ancestors: Ancestors) -> DataFrame:
    """Rows of a table whose children are written: aggregates are exact, and what follows from them follows again.

    Args:
        frame: the rows, with what the model drew.
        rules: of the table.
        columns: of the table.
        ancestors: joins what its rows see; reads child tables, too.
    """
    each, types, widths = aggregates(rules), columns.types(), columns.widths()
    again = recomputed(rules, {rule.column for rule in each})
    seen = {name for rule in rules.each if rule.column in again and rule.sql is not None for name in rule.seen}
    rows = ancestors.beside_named(frame, seen)
    rows = beside_children(rows, [child for rule in each for child in rule.children], ancestors.read)
    first = 0
    for rule in each:
        value, width = rule.value(types[rule.column], first), widths.get(rule.column)
        rows = rows.withColumn(rule.column, value if width is None else F.left(value, F.lit(width)))
        first += len(rule.children)
    for column, sql in again.items():
        rows = rows.withColumn(column, F.expr(sql).cast(types[column]))
    return rows.select(*(F.col(quote(c)) for c in frame.columns))
