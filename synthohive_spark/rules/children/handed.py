"""First and last days, states and sums of children that the parent keeps as drawn: its children can be given them.

Then all that hangs on the parent's value stays true, also in other tables (``rules/kinds/extreme.py``,
``rules/kinds/handed_down.py``, ``rules/kinds/shared.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from synthohive_spark.rules.evidence import family_of
from synthohive_spark.rules.kinds.aggregate import Aggregate
from synthohive_spark.schema import frames
from synthohive_spark.tables import TEXT, Table

EXTREME = re.compile(r"(min|max)\(`((?:[^`]|``)+)`\)")
OF_END = re.compile(r"(max_by|min_by)\(`((?:[^`]|``)+)`, .*\)", re.DOTALL)
SUM = re.compile(r"try_sum\(try_cast\(cast\(`((?:[^`]|``)+)` as double\) as decimal\(38,12\)\)\)")
SUMMED = (f"cast({frames.child(0)} as double)", f"coalesce(cast({frames.child(0)} as double), 0)")
TEMPORAL = ("date", "time", "plain time")


def aggregates_left(
    rules: Sequence[Aggregate],
    types: Mapping[str, str],
    tables: Mapping[str, Table],
    driving: Mapping[str, tuple[str, ...]],
    others: bool,
) -> list[Aggregate]:
    """The aggregates of a table without those that its children will have from it.

    Of a column of theirs that is the first or the last one: with both, a single child could not have them.

    Args:
        rules: of the table.
        types: Spark types of its columns.
        tables: the metadata of its children.
        driving: the columns of the children's driving keys.
        others: further tables refer to it, so that something may hang on a state there; else the state of its children
            is as good.
    """
    given = set[tuple[str, str]]()
    left, named = list[Aggregate](), {c for rule in rules for c in rule.own}
    for rule in rules:
        child = rule.children[0].table
        if (summed := _shared(rule, driving)) is not None and not _decided(tables[child], summed):
            left.append(rule.model_copy(update={"handed": True}))
            continue
        column = None if rule.column in named else _handed(rule, types[rule.column], driving, others)
        if column is None or (child, column) in given or _decided(tables[child], column):
            left.append(rule)
            continue
        given.add((child, column))
        if rule.null_without and EXTREME.fullmatch(rule.children[0].sql):  # who has children is not always as exact
            left.append(rule.model_copy(update={"handed": True}))
    return left


def _handed(rule: Aggregate, spark_type: str, driving: Mapping[str, tuple[str, ...]], others: bool) -> str | None:
    """The children's column whose first or last day, or state, an aggregate is; None for other aggregates."""
    value = rule.children[0]
    alone = rule.expression == frames.child(0) and not rule.own and len(rule.children) == 1
    if not alone or driving.get(value.table) != value.columns:
        return None
    day = EXTREME.fullmatch(value.sql) if family_of(spark_type) in TEMPORAL else None
    state = OF_END.fullmatch(value.sql) if others and spark_type.startswith((*TEXT, "boolean")) else None
    told = day or state
    return told[2].replace("``", "`") if told else None


def _shared(rule: Aggregate, driving: Mapping[str, tuple[str, ...]]) -> str | None:
    """The children's column whose sum an aggregate is; None for other aggregates."""
    value = rule.children[0]
    alone = rule.expression in SUMMED and not rule.own and len(rule.children) == 1
    told = SUM.fullmatch(value.sql) if alone and driving.get(value.table) == value.columns else None
    return told[1].replace("``", "`") if told else None


def _decided(child: Table, column: str) -> bool:
    """Whether a key or a person decides a column, or bounds it."""
    bounded = any(law.column == column or column in (law.expression or "") for law in child.constraints)
    return bounded or column in {*child.key_columns, *child.derived, *child.personal, *child.exclude}
