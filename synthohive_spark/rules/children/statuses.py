"""A category of the parent that follows from whether any, or all, of its children are of a category.

The rule is a list of decisions: all lines F -> F, no line F -> O, else P. Each must be pure on every family.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthohive_spark.rules.children.family import FEW_VALUES, Family, FamilySample
from synthohive_spark.rules.children.features import label, marks
from synthohive_spark.rules.children.search import ChildLaw
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, Flags
from synthohive_spark.rules.value_kind import DIFFERENT
from synthohive_spark.schema import frames

DECISIONS = 8  # of one list: more are a dictionary


@dataclass(frozen=True)
class _Sign:
    """What may be asked of the children of a parent.

    Attributes:
        sql: an aggregate that gives a boolean.
        marked: the parents of which it is true.
    """

    sql: str
    marked: Flags


@dataclass(frozen=True)
class _Leaf:
    """One decision: parents whose sign is ``wanted`` have the value."""

    sign: _Sign
    wanted: bool
    value: float


def statuses(sample: FamilySample) -> list[ChildLaw]:
    """Categories of the parents that follow from those of the children of one table."""
    found = list[ChildLaw]()
    for family in sample.children:
        there = family.size > 0
        if there.sum() < ROWS or (family.size > 1).sum() < DIFFERENT:
            continue
        signs = _signs(family)
        for target in sample.targets:
            if target.family in ("other", "integer") and 1 < target.distinct <= FEW_VALUES:
                law = _decided(sample, family, target, signs)
                found += [law] if law is not None else []
    return found


def _signs(family: Family) -> list[_Sign]:
    """Any and all of each mark, without what holds of no parent, or of every one."""
    found = list[_Sign]()
    for sql, marked in marks(family):
        rows = marked(family)
        if family.differ(rows.astype(float)) < DIFFERENT:  # children that agree may as well repeat the parent
            continue
        for name, flags in (("bool_or", family.any(rows)), ("bool_and", ~family.any(~rows))):
            inside = flags[family.size > 0]
            if inside.any() and not inside.all():
                found.append(_Sign(f"{name}({sql})", flags))
    return found


def _decided(sample: FamilySample, family: Family, target: Column, signs: list[_Sign]) -> ChildLaw | None:
    there = family.size > 0
    if np.isnan(target.values[there]).any() or not signs:
        return None
    rest, leaves, nats = there, list[_Leaf](), 0.0
    choices = math.log(2 * len(signs) * len(sample.targets) * FEW_VALUES)
    while not _pure(target.values[rest]):
        leaf = _next(target, rest, signs) if len(leaves) < DECISIONS else None
        if leaf is None:
            return None
        taken = rest & (leaf.sign.marked == leaf.wanted)
        nats += _surprise(target.values[rest], leaf.value, int(taken.sum())) - choices
        rest = rest & ~taken
        leaves.append(leaf)
    if not leaves or nats < EVIDENCE or rest.sum() < DIFFERENT:
        return None
    return _list(sample, family, target, leaves, float(target.values[rest][0]))


def _pure(values: npt.NDArray[np.float64]) -> bool:
    return len(np.unique(values)) <= 1


def _surprise(values: npt.NDArray[np.float64], value: float, rows: int) -> float:
    """Nats by which it surprises that so many of the rows, drawn by chance, all have the value (hypergeometric)."""
    have = int((values == value).sum())
    return _ways(len(values), rows) - _ways(have, rows)


def _ways(of: int, some: int) -> float:
    """The logarithm of how many ways there are to choose some rows."""
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


def _next(target: Column, rest: Flags, signs: list[_Sign]) -> _Leaf | None:
    """The sign whose parents all have one value, and which decides most of them."""
    best, most = None, DIFFERENT - 1
    for sign in signs:
        for wanted in (True, False):
            rows = rest & (sign.marked == wanted)
            count = int(rows.sum())
            if count > most and count < rest.sum() and _pure(target.values[rows]):
                best, most = _Leaf(sign, wanted, float(target.values[rows][0])), count
    return best


def _list(sample: FamilySample, family: Family, target: Column, leaves: list[_Leaf], last: float) -> ChildLaw:
    at = sample.parents.index(target)
    signs = list(dict.fromkeys(leaf.sign.sql for leaf in leaves))
    decisions = "".join(
        f" when {'' if leaf.wanted else 'not '}{frames.child(signs.index(leaf.sign.sql))}"
        f" then {label(-1, at, leaf.value)}"
        for leaf in leaves
    )
    none = target.values[family.size == 0]
    nulls = len(none) > 0 and bool(np.isnan(none).all())
    alike = not nulls and len(np.unique(none)) == 1
    childless = label(-1, at, float(none[0])) if alike else "null"
    made = f"case when {frames.child(0)} is null then {childless}{decisions} else {label(-1, at, last)} end"
    return ChildLaw(at, (), tuple((family.place, sql) for sql in signs), made, None, nulls)
