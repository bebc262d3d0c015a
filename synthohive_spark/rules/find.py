"""The rules of one table: where candidates come from, which columns may follow, what the plan keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from synthohive_spark.rules.children.steady import lost
from synthohive_spark.rules.evidence import ROWS
from synthohive_spark.rules.kin.choose import kept_rules, sums
from synthohive_spark.rules.kin.find import SiblingTable
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds import load
from synthohive_spark.rules.kinds.aggregate import Aggregate, aggregates
from synthohive_spark.rules.kinds.bounds import Ordered
from synthohive_spark.rules.kinds.one_of import OneOf
from synthohive_spark.rules.kinds.present import PresentInFamily
from synthohive_spark.rules.kinds.siblings import AmongSiblings
from synthohive_spark.rules.kinds.written import without_parts_of_keys
from synthohive_spark.rules.siblings import follow_each_other, sibling_rules
from synthohive_spark.rules.table_search import TableSearch
from synthohive_spark.rules.turned import turned
from synthohive_spark.rules.verify import SAMPLE
from synthohive_spark.schema.ancestors import Ancestors
from synthohive_spark.schema.people import People
from synthohive_spark.schema.rule import Rule
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.tables import Table


def find(plan: TablePlan, spec: Table, people: People, ancestors: Ancestors) -> list[Rule]:
    """Rules between the columns of a row, and with the rows of its parents and children, and declared ones.

    A status that any or all of the children tell gives way to rules of the row that hang on it (a date that is null but
    where an order is delivered): they would hold for the status that was drawn, which its children see and follow.

    Args:
        plan: the table's plan so far: roles, keys, context, and aggregates of children, which no other rule may give.
        spec: its metadata.
        people: its rows, and those behind them, who must hold a value before a law may name it.
        ancestors: joins rows of its ancestors.
    """
    load()
    made = aggregates(plan.rules)
    held = [r for r in made if r.name not in spec.switched_off]
    table = SiblingTable(plan.keys, plan.columns, plan.rows, spec, people, ancestors, frozenset(r.column for r in held))
    kin = table.laws() if plan.rows >= ROWS and not plan.reference else []
    summed = sums(r for r in kin if r.name not in spec.switched_off)
    while True:
        later = {r.column: {*r.own} for r in held}
        search = TableSearch(plan, spec, people, ancestors, later | summed)
        laws = search.laws() if plan.rows >= ROWS and search.drawn and not plan.reference else []
        yielding = _overruled(laws, held, search) or _said_twice(laws, held, search)
        if not yielding:
            break
        held, made = ([r for r in each if r not in yielding] for each in (held, made))
    source = people.source.frame(plan.table)
    laws = [law for law in laws if law.target not in search.later]
    laws = turned(laws, search.names, search.types, partial(follow_each_other, plan.keys, source, plan.rows))
    rules = search.rules(without_parts_of_keys(laws, search.numbered, min(plan.rows, SAMPLE)))
    if plan.reference:
        return [*rules, *made]
    firm = _without_sets(rules, kin)
    intervals = sibling_rules(plan.keys, plan.columns, source, plan.rows, firm)
    firm = [_between_keys(rule, intervals) for rule in firm]
    among = kept_rules(kin, plan.keys, plan.columns, firm, intervals)
    return [*_without_sets([_between_keys(rule, intervals) for rule in rules], among), *among, *made]


def _overruled(laws: Sequence[Law], held: Iterable[Aggregate], search: TableSearch) -> list[Aggregate]:
    """The statuses of children, and what these can be given, on which laws of the row hang that would be lost."""
    named = {search.names[i] for law in lost(laws, {*search.later}) for i in law.inputs if i in search.names}
    return [r for r in held if (r.is_status or (r.handed and not r.is_share)) and r.column in named]


def _said_twice(laws: Sequence[Law], held: Iterable[Aggregate], search: TableSearch) -> list[Aggregate]:
    """A sum or status of children that the row says as well, if more of its laws hold when children have it from there.

    A sum they share out; of what kinds they are follows from the state. So it is, too, where a column would have to
    fill the gap between two sums of children: freight would be what was paid less what the lines cost, which one drew
    without the other. Of several, the one from which least follows goes: a total rather than what it is made of.
    """
    kept, found = len(search.choice(laws, ())[0].values), list[tuple[int, int, Aggregate]]()
    for rule in (r for r in held if r.is_open):
        own, open_ = search.id(rule.column), search.choice(laws, {rule.column})[0].values
        law = open_.get(own)
        if law is None or law.reach != "whole":
            continue
        if len(open_) > kept or not {*search.later}.isdisjoint(law.inputs):
            others = {w.target for w in laws if own in w.inputs and search.later.keys().isdisjoint({*w.inputs} - {own})}
            found.append((len(others), law.sql.count("try_subtract"), rule))
    return [min(found, key=lambda each: each[:2])[2]] if found else []


def _between_keys(rule: Rule, intervals: Iterable[AmongSiblings]) -> Rule:
    """An end that is the next row's begin, which a key decides, without the bounds that it would have otherwise."""
    for interval in intervals:
        if isinstance(rule, Ordered) and interval.fixed and interval.column == rule.column:
            return rule.model_copy(update={"lower": tuple(b for b in rule.lower if b.name == interval.other)})
    return rule


def _without_sets(rules: Iterable[Rule], among: Iterable[Rule]) -> list[Rule]:
    """Rules without sets of values that say nothing of some rows, where siblings decide the column together."""
    decided = {c for law in among for c in (law.column, *law.moved)}
    told = {law.column for law in among if isinstance(law, PresentInFamily)}
    sets = [r for r in rules if isinstance(r, OneOf) and (r.column in told or (r.some and r.column in decided))]
    return [r for r in rules if r not in sets]
