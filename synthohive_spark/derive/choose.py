"""Which laws are used: each column follows from one law, and no column follows from itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from synthohive_spark.derive.law import RANK, Law


@dataclass(frozen=True)
class Choice:
    """A consistent set of laws.

    Attributes:
        values: the law that gives each column, by id.
        nulls: the law that makes each column null, by id; to be applied before values are given.
        order: columns with a value law or a declaration, each after those that it follows from.
    """

    values: dict[str, Law]
    nulls: dict[str, Law]
    order: list[str]


def choose(laws: Iterable[Law], given: Collection[str], taken: Mapping[str, Collection[str]]) -> Choice:
    """A consistent set of laws: one per column, and no column follows from itself.

    Columns that keys and parents decide come first, then laws that give every row, then the column with the most
    distinct values of each relation: a sum rather than its parts.

    Args:
        laws: verified ones; those that only order times are passed over.
        given: ids of columns that are known before anything is modelled: keys, and what ancestors say.
        taken: {id of a column that is derived already, by declaration: ids that its expression may name}.
    """
    found = list(laws)
    values = _one_zone([law for law in found if law.kind in RANK])
    after = {target: set(inputs) for target, inputs in taken.items()}
    known, chosen = set(given), dict[str, Law]()
    waiting = sorted(values, key=_preference)
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
    whole = {target for target, law in chosen.items() if law.reach == "whole"} | set(taken)
    empty = _null_laws([law for law in found if law.kind == "null_when"], whole)
    return Choice(chosen, empty, in_order(after))


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


def names_in(sql: str, columns: Collection[str]) -> set[str]:
    """Columns that an expression may refer to: those whose name appears in it as a word or in backticks."""
    words = {w.lower() for w in re.findall(r"\w+", sql)}
    quoted = {q.replace("``", "`").lower() for q in re.findall(r"`((?:[^`]|``)+)`", sql)}
    return {c for c in columns if c.lower() in words | quoted}


def _preference(law: Law) -> tuple[bool, int, int, int, str]:
    return law.reach != "whole", -law.distinct, RANK[law.kind], -int(law.target[1:]), law.sql


def _one_zone(laws: Sequence[Law]) -> list[Law]:
    """Of the zones in which a time's parts agree with other columns, the one in which most do."""
    votes = Counter((law.inputs, law.zone) for law in laws if law.zone)
    best: dict[tuple[str, ...], str] = {}
    for inputs, zone in votes:  # of equals, the first found
        if inputs not in best or votes[inputs, zone] > votes[inputs, best[inputs]]:
            best[inputs] = zone
    return [law for law in laws if not law.zone or law.zone == best[law.inputs] or not _same_target(law, laws, best)]


def _same_target(law: Law, laws: Sequence[Law], best: Mapping[tuple[str, ...], str]) -> bool:
    zone = best[law.inputs]
    return any(o.target == law.target and o.inputs == law.inputs and o.zone == zone for o in laws)


def _null_laws(laws: Sequence[Law], whole: Collection[str]) -> dict[str, Law]:
    """One law per column that the model draws: null where any of the others is.

    The relation is transitive and complete, so one pass over the drawn values is enough; columns that a law gives
    take no part: those that they follow from stand for them. Of columns that are null together the first one leads.
    """
    implied: dict[str, list[str]] = {}
    for law in laws:
        if law.target not in whole and law.inputs[0] not in whole:
            implied.setdefault(law.target, []).append(law.inputs[0])

    def leader(column: str) -> str:
        together = [other for other in implied.get(column, []) if column in implied.get(other, [])]
        return min([column, *together], key=lambda c: int(c[1:]))

    kept = {t: [i for i in inputs if leader(i) == i and leader(t) != i] for t, inputs in implied.items()}
    kept = {t: [*([leader(t)] if leader(t) != t else []), *inputs] for t, inputs in kept.items()}
    return {
        t: Law("null_when", t, tuple(i), " or ".join(f"{{{n}}} is null" for n in range(len(i))), "part")
        for t, i in kept.items()
        if i
    }
