"""Which rules among siblings a copy keeps: those against which no other rule of the table stands."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from synthohive_spark.rules.kin.find import kin
from synthohive_spark.rules.kin.kind import Drawn, SiblingKind
from synthohive_spark.rules.kinds.aggregate import Aggregate
from synthohive_spark.rules.kinds.anchored import AnchoredInFamily
from synthohive_spark.rules.kinds.bounds import Ordered
from synthohive_spark.rules.kinds.extreme import ExtremeOfFamily
from synthohive_spark.rules.kinds.first import FirstOfFamily
from synthohive_spark.rules.kinds.handed_down import HandedDown
from synthohive_spark.rules.kinds.once import OnceInFamily
from synthohive_spark.rules.kinds.present import PresentInFamily
from synthohive_spark.rules.kinds.running import RunningSum
from synthohive_spark.rules.kinds.shared import SharedOut
from synthohive_spark.rules.kinds.siblings import AmongSiblings
from synthohive_spark.rules.kinds.stepped import SteppedInFamily
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.keys import KeysPlan
from synthohive_spark.schema.rule import Rule
from synthohive_spark.sql import names_in


def sums(laws: Iterable[Rule]) -> dict[str, set[str]]:
    """{column that is a running sum: columns that it follows from}, as other rules have to know it."""
    return {law.column: {*law.needed} for law in laws if isinstance(law, RunningSum)}


def kept_rules(
    laws: Sequence[Rule],
    keys: KeysPlan,
    columns: ColumnsPlan,
    rules: Sequence[Rule],
    intervals: Sequence[AmongSiblings],
) -> list[Rule]:
    """The rules that are kept, in the order in which they are applied, with those of intervals among them.

    Args:
        laws: those that hold, of each kind the preferred ones first.
        keys: of the table.
        columns: likewise.
        rules: between the columns of a row.
        intervals: of siblings that follow each other.
    """
    drawn, made = _drawn(keys, columns, rules), dict[str, list[Rule]]()
    moved = {c for rule in intervals for c in (rule.column, *rule.moved)}
    summed = {law.column for law in laws if isinstance(law, RunningSum)}
    computed = {rule.column for rule in rules if rule.sql is not None}  # by Spark, when workers are done
    laws = [law for law in laws if computed.isdisjoint(law.moved)]
    intervals = [_ranked(rule, laws, drawn) for rule in intervals]
    for kind in reversed(kin()):  # sums first: what they give no other rule may
        own = list[Rule]()
        for law in laws:
            rule = kind.kept(law, drawn) if _of(kind, law) else None
            if rule is not None and _open(rule, own, made, summed, moved):
                own.append(rule)
        made[kind.name] = own
        if kind.name == "running":
            summed = {rule.column for rule in own}
    firsts = [rule for rule in made["first"] if isinstance(rule, FirstOfFamily)]
    once: list[Rule] = [_placed(rule, firsts) for rule in made["once"] if isinstance(rule, OnceInFamily)]
    made["once"] = once
    later = ("stepped", "rising", "first", "once", "present", "handed", "anchored", "shared", "running")
    return [*made["extreme"], *intervals, *(rule for kind in later for rule in made[kind])]


def _ranked(interval: AmongSiblings, laws: Iterable[Rule], drawn: Drawn) -> AmongSiblings:
    """Intervals in the order of a counter with which their begins rise."""
    for law in laws:
        if not isinstance(law, AmongSiblings) or law.form != "rising" or law.column != interval.column:
            continue
        if law.other not in drawn.columns and not interval.fixed:
            return interval.model_copy(update={"by": law.other})
    return interval


def _of(kind: SiblingKind, law: Rule) -> bool:
    made = {
        "extreme": ExtremeOfFamily,
        "stepped": SteppedInFamily,
        "rising": AmongSiblings,
        "first": FirstOfFamily,
        "once": OnceInFamily,
        "present": PresentInFamily,
        "handed": HandedDown,
        "anchored": AnchoredInFamily,
        "shared": SharedOut,
    }
    return isinstance(law, made.get(kind.name, RunningSum))


def _open(
    rule: Rule, own: Sequence[Rule], made: dict[str, list[Rule]], summed: Collection[str], moved: set[str]
) -> bool:
    """Whether a column is free for a rule."""
    if rule.column in {r.column for r in own} and not isinstance(rule, FirstOfFamily):
        return False
    if rule.name in {r.name for r in own}:
        return False
    if isinstance(rule, RunningSum):
        return not {*rule.needed} & {r.column for r in own}
    if isinstance(rule, AmongSiblings) and rule.column in moved:
        return False
    if isinstance(rule, SteppedInFamily) and not moved.isdisjoint(rule.moved):
        return False
    return rule.column not in summed


def _placed(rule: OnceInFamily, firsts: Iterable[FirstOfFamily]) -> OnceInFamily:
    """The rule with who keeps a value, where the first or the last row has it."""
    for first in firsts:
        if first.column == rule.column and len(first.values) == 1 and first.values[0] in (*rule.each, *rule.most):
            return rule.model_copy(update={"by": first.by, "last": first.last})
    return rule


def _drawn(keys: KeysPlan, plan: ColumnsPlan, rules: Sequence[Rule]) -> Drawn:
    """What workers have of a table once the model has drawn, and which other rules hang on it."""
    driving = keys.driving
    given = {r.column for r in rules if r.sql is not None or r.gives is not None}
    columns = frozenset(c for c in plan.named("model") if c not in given)
    ordered = {r.column: r for r in rules if isinstance(r, Ordered)}
    bases: dict[str, list[tuple[str, int]]] = {}
    for rule in ordered.values():
        for side, bounds in ((1, rule.lower), (-1, rule.upper)):
            for bound in bounds:
                if not bound.above:
                    bases.setdefault(bound.name, []).append((rule.column, side))
    others = [r for r in rules if r.column not in ordered and not isinstance(r, Aggregate) and _hangs(r)]
    named = {c for rule in others for c in _names(rule, plan.types()) if rule.binding or c != rule.column}
    parent = f"{'+'.join(driving.columns)}:" if driving is not None else ""
    return Drawn(columns, frozenset(named), ordered, bases, parent)


def _hangs(rule: Rule) -> bool:
    """Whether a rule gives values before Spark does, from what the row has then."""
    changed = (type(rule).decode, type(rule).complete, type(rule).before)
    return changed != (Rule.decode, Rule.complete, Rule.before)


def _names(rule: Rule, columns: Collection[str]) -> set[str]:
    """Columns of the table that a rule may name."""
    said = json.dumps({k: v for k, v in rule.model_dump(mode="json").items() if k != "kind"}, ensure_ascii=False)
    return names_in(said, columns) | {rule.column}
