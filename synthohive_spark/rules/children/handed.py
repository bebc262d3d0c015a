"""First and last days of children that the parent keeps as they were drawn, since its children can be given them.

Then all that hangs on the parent's day stays true, also in other tables (``rules/kinds/extreme.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from synthohive_spark.rules.evidence import family_of
from synthohive_spark.rules.kinds.aggregate import Aggregate
from synthohive_spark.schema import frames
from synthohive_spark.tables import Table

EXTREME = re.compile(r"(min|max)\(`((?:[^`]|``)+)`\)")
TEMPORAL = ("date", "time", "plain time")


def aggregates_left(
    rules: Sequence[Aggregate],
    types: Mapping[str, str],
    tables: Mapping[str, Table],
    driving: Mapping[str, tuple[str, ...]],
) -> list[Aggregate]:
    """The aggregates of a table without those that its children will have from it.

    Of a column of theirs that is the first or the last one: with both, a single child could not have them.

    Args:
        rules: of the table.
        types: Spark types of its columns.
        tables: the metadata of its children.
        driving: the columns of the children's driving keys.
    """
    given = set[tuple[str, str]]()
    left, named = list[Aggregate](), {c for rule in rules for c in rule.own}
    for rule in rules:
        column = None if rule.column in named else _extreme(rule, types[rule.column], driving)
        child = rule.children[0].table
        if column is None or (child, column) in given or _decided(tables[child], column):
            left.append(rule)
        else:
            given.add((child, column))
    return left


def _extreme(rule: Aggregate, spark_type: str, driving: Mapping[str, tuple[str, ...]]) -> str | None:
    """The children's column whose first or last day an aggregate is; None for other aggregates."""
    value = rule.children[0]
    told = EXTREME.fullmatch(value.sql)
    alone = rule.expression == frames.child(0) and not rule.own and not rule.null_without and len(rule.children) == 1
    drives = driving.get(value.table) == value.columns
    return told[2].replace("``", "`") if told and alone and drives and family_of(spark_type) in TEMPORAL else None


def _decided(child: Table, column: str) -> bool:
    """Whether a key or a person decides a column, or bounds it."""
    bounded = any(law.column == column or column in (law.expression or "") for law in child.constraints)
    return bounded or column in {*child.key_columns, *child.derived, *child.personal, *child.exclude}
