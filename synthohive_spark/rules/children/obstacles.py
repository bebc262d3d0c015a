"""What stands against an aggregate: keys, constraints, and rules that hold for the value that was drawn."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from synthohive_spark.logs import get_logger
from synthohive_spark.rules.kinds.aggregate import Aggregate, recomputed
from synthohive_spark.schema.keys import KeysPlan
from synthohive_spark.schema.rule import Rule, RulesPlan
from synthohive_spark.schema.table_plan import Plans, generation_order
from synthohive_spark.sql import names_in
from synthohive_spark.tables import Table

log = get_logger(__name__)
FOLLOWING = ("driving", "drawn", "bound", "implied")  # roles of keys whose rows are made after their parents


def closed_columns(name: str, tables: Mapping[str, Table], types: Collection[str]) -> set[str]:
    """Columns of a table that a key or a person decides, or that stand in what is declared of its rows.

    Args:
        name: the table.
        tables: the metadata.
        types: the table's columns.
    """
    spec = tables[name]
    closed = {*spec.key_columns, *spec.derived, *spec.personal, *spec.exclude}
    closed |= {c for key in spec.unique for c in key}
    for law in spec.constraints:
        closed |= {law.column} if law.column else set()
        closed |= names_in(law.expression or "", types)
    for sql in spec.declared.values():  # what people declared they may have declared of the value that is drawn
        closed |= names_in(sql, types)
    keys = [fk for other in tables.values() for fk in other.foreign_keys if fk.references == name]
    return closed.union(*(fk.referenced_columns for fk in keys))


def without_obstacles(plans: Plans) -> dict[str, RulesPlan]:
    """{table: its rules}, of tables that lose aggregates against which something stands; that is said.

    Args:
        plans: of all tables.
    """
    stage = {t: i for i, tables in enumerate(generation_order(plans)) for t in tables}
    changed = {}
    for name, plan in plans.items():
        kept = list[Rule]()
        for rule in plan.rules.each:
            why = _obstacle(name, rule, plans, stage) if isinstance(rule, Aggregate) else None
            if why is None:
                kept.append(rule)
            else:
                log.info("rule_refused", table=name, kind=rule.kind, column=rule.column, why=why)
        if len(kept) < len(plan.rules.each):
            changed[name] = RulesPlan(each=tuple(kept))
    return changed


def _obstacle(name: str, aggregate: Aggregate, plans: Plans, stage: Mapping[str, int]) -> str | None:
    """Why a column may not become what its children say; None if nothing stands against it."""
    for child in aggregate.children:
        roles = {fk.role for fk in plans[child.table].keys.foreign if fk.columns == child.columns}
        if not roles <= {*FOLLOWING} or stage[child.table] <= stage[name]:
            return f"{child.table} is not made after it"
    rules, types = plans[name].rules, plans[name].columns.types()
    again = recomputed(rules, {aggregate.column})
    changed = {aggregate.column, *again}
    first = {child.table for child in aggregate.children}
    holding = [o for o, plan in plans.items() if changed & _held(name, plan.keys) and not first <= {*plan.after}]
    if holding:
        return f"keys of {holding[0]} hang on it"
    for rule in rules.each:
        firm = rule.binding and not isinstance(rule, Aggregate) and rule.column not in again
        if firm and changed & _names(rule, types):
            return f"a rule of {rule.column} hangs on it"
    return None


def _held(parent: str, keys: KeysPlan) -> set[str]:
    """Columns of a parent that the keys of a child table need as they were when its rows were made."""
    held, driving = set[str](), keys.driving
    for fk in keys.foreign:
        if fk.references == parent:
            held |= {*fk.referenced_columns, *fk.part_of, *(mine for _, mine in fk.tie)}
        if fk.anchor is not None and keys.at(fk.anchor).references == parent:
            held |= {theirs for theirs, _ in fk.tie}
        if driving is not None and driving.references == parent:
            held |= {*(fk.bucket or ())}
    if driving is not None and driving.references == parent:
        held |= {*keys.together, *(keys.sequence.within if keys.sequence else ())}
    return held


def _names(rule: Rule, columns: Collection[str]) -> set[str]:
    """Columns of its table that a rule may name."""
    said = json.dumps({k: v for k, v in rule.model_dump(mode="json").items() if k != "kind"}, ensure_ascii=False)
    for seen in rule.seen:  # an ancestor's column may have the name of an own one
        said = said.replace(json.dumps(seen, ensure_ascii=False), "")
    return names_in(said, columns) | ({rule.column} & {*columns})
