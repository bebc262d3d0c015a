"""Which way round a length goes: where a row's times lie behind those of its sibling, the length follows from them.

A leg that ends so many minutes after it began gives all of its times or its minutes. Its end computed from the minutes
could not be moved behind the leg before; the minutes computed from both times can follow wherever these are moved to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from synthohive_spark.rules.evidence import family_of
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.sum import Sum

Pair = tuple[str, str]
TEMPORAL = ("date", "time", "plain time")


def turned(
    laws: Sequence[Law],
    names: Mapping[str, str],
    types: Mapping[str, str],
    following: Callable[[list[Pair]], list[Pair]],
) -> list[Law]:
    """The laws without those that give an end by a length, where siblings' times follow each other.

    Args:
        laws: verified ones.
        names: of the table's own columns, by id.
        types: Spark types, by id.
        following: which pairs of a begin and an end lie one behind the other among siblings.
    """
    found = {(names[begin], names[end]): {begin, end, length} for begin, end, length in _lengths(laws, names, types)}
    if not found:
        return [*laws]
    behind = [found[pair] for pair in following(list(found))]
    return [law for law in laws if not (_timed(law, types) and {law.target, *law.inputs} in behind)]


def _lengths(laws: Sequence[Law], names: Mapping[str, str], types: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Begin, end and length of each end that follows from the others, where the length does so too."""
    sums = [law for law in laws if law.kind == Sum.name and {law.target, *law.inputs} <= {*names}]
    given = {(law.target, frozenset(law.inputs)) for law in sums if law.reach == "whole"}
    for law in sums:
        begin, length = law.inputs
        measured = (length, frozenset((law.target, begin))) in given
        if _timed(law, types) and measured and "try_subtract" not in law.sql and "date_sub" not in law.sql:
            yield begin, law.target, length


def _timed(law: Law, types: Mapping[str, str]) -> bool:
    """Whether a law gives a time from another one and a length."""
    return law.kind == Sum.name and family_of(types[law.target]) in TEMPORAL
