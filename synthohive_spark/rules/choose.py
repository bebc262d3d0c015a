"""Which laws are used: each column follows from one law, and no column follows from itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from synthohive_spark.rules.branches import from_json, questions
from synthohive_spark.rules.kind import KINDS, Law
from synthohive_spark.rules.value_kind import ValueKind


@dataclass(frozen=True)
class Choice:
    """A consistent set of laws.

    Attributes:
        values: the law that gives each column, by id.
        order: columns with such a law or a declaration, each after those that it follows from.
        after: {id of such a column: ids of those that it follows from}.
    """

    values: dict[str, Law]
    order: list[str]
    after: Mapping[str, frozenset[str]] = field(default_factory=dict)


def choose(laws: Iterable[Law], given: Collection[str], taken: Mapping[str, Collection[str]]) -> Choice:
    """A consistent set of laws that give values: one per column, and no column follows from itself.

    Columns that keys and parents decide come first, then laws that give every row, then those that put a day to an
    hour, then those that round on the way and cannot be turned round (tax from the net amount), then the column with
    the most distinct values of each relation: a sum rather than its parts.

    Args:
        laws: verified ones; those of kinds that give no values are passed over.
        given: ids of columns that are known before anything is modelled: keys, and what ancestors say.
        taken: {id of a column that is derived already, by declaration: ids that its expression may name}.
    """
    found = list(laws)
    values = [
        law
        for kind in KINDS.values()
        if isinstance(kind, ValueKind)
        for law in kind.settled([law for law in found if law.kind == kind.name])
    ]
    after = {target: set(inputs) for target, inputs in taken.items()}
    known, chosen = set(given), dict[str, Law]()
    waiting = sorted(_right_way_round(values), key=_preference)
    while waiting:
        fixed = (w for w in waiting if w.reach == "whole" and known.issuperset(w.inputs))
        law = next(fixed, waiting[0])
        waiting.remove(law)
        if law.target in chosen or law.target in taken or law.target in reached(law.inputs, after):
            continue
        chosen[law.target] = law
        after[law.target] = set(law.inputs)
        if known.issuperset(law.inputs):
            known.add(law.target)
    return Choice(chosen, in_order(after), {target: frozenset(inputs) for target, inputs in after.items()})


def _right_way_round(laws: Iterable[Law]) -> list[Law]:
    """Laws without those that tell a category from a number which it gives itself, together with others.

    A room's rate, which its type and the hotel's stars give, may tell the type; drawn first it would fit no stars.
    """
    found = list(laws)
    made = {law.target: {*law.inputs} for law in found if KINDS[law.kind].tabled and _gives_all(law)}
    return [
        law for law in found if not (KINDS[law.kind].listed and any(law.target in made.get(i, ()) for i in law.inputs))
    ]


def _gives_all(law: Law) -> bool:
    return law.reach == "whole" and len(law.inputs) > 1


def acyclic(laws: Iterable[Law], after: Mapping[str, Collection[str]]) -> list[Law]:
    """One law per column, the first that lets no column follow from itself.

    Args:
        laws: those that are preferred first.
        after: {column that follows from others already: these}.
    """
    known, kept = {target: set(inputs) for target, inputs in after.items()}, dict[str, Law]()
    for law in laws:
        if law.target not in kept and law.target not in reached(law.inputs, known):
            kept[law.target] = law
            known.setdefault(law.target, set()).update(law.inputs)
    return list(kept.values())


def reached(columns: Iterable[str], after: Mapping[str, Collection[str]]) -> set[str]:
    """The columns and all that they follow from."""
    seen: set[str] = set()
    todo = list(columns)
    while todo:
        column = todo.pop()
        if column not in seen:
            seen.add(column)
            todo += after.get(column, ())
    return seen


def in_order(after: Mapping[str, Collection[str]]) -> list[str]:
    """Derived columns, each after those that it follows from; of a cycle, in the order given."""
    done: list[str] = []
    begun: set[str] = set()

    def visit(column: str) -> None:
        if column not in begun:
            begun.add(column)
            for other in sorted(after.get(column, ())):
                visit(other)
            if column in after:
                done.append(column)

    for column in after:
        visit(column)
    return done


def _preference(law: Law) -> tuple[int, int, bool, int, int, int, tuple[int, int, int], str]:
    kind, asked = KINDS[law.kind], (0, 0, 0)
    if law.data:  # a threshold of one column rather than which of two is greater
        asked = len(questions(from_json(law.data))), len(law.inputs), len(law.data)
    renewed = isinstance(kind, ValueKind) and kind.renewed
    some = 0 if law.reach == "whole" else 1 if renewed else 2  # an hour on some day, then a day where there is an hour
    late = kind.order if kind.tabled else int(kind.listed)  # formulas, then constants, then dictionaries
    return some, late, not law.slack, -law.distinct, kind.order, -int(law.target[1:]), asked, law.sql
