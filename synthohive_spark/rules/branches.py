"""Decisions as shallow trees: questions about a row, and the values that a column has where they lead to.

The search sees hashes of texts, so a value is kept as the text of a number, or as the hash of a text, until Spark says
which text it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

Asks = Literal["null", "at most", "below", "among", "before", "not after", "same"]
Value: TypeAlias = "str | None"
Literals: TypeAlias = "Callable[[str, str], str]"  # the SQL of a value, by the id of its column
# How far a date or time is after another one, in whole units
MICROS = "unix_micros(cast({0} as timestamp)) - unix_micros(cast({1} as timestamp))"
MONTHS = "(year({0}) - year({1})) * 12 + month({0}) - month({1}) - if(day({0}) < day({1}), 1, 0)"
APART = {
    "days": "datediff({0}, {1})",
    "months": f"({MONTHS})",
    "seconds": f"cast(floor(({MICROS}) / 1000000) as bigint)",
}
SIGNS = {"at most": "<=", "below": "<", "before": "<", "not after": "<=", "same": "="}


@dataclass(frozen=True)
class Question:
    """What is asked of a row. The answer is no where something is not known, but to whether it is null.

    Attributes:
        asks: ``null`` whether the column is null; ``at most`` and ``below`` whether it is so far of a bound; ``among``
            whether it is one of some values; ``before``, ``not after`` and ``same`` how it lies to another column.
        column: id of the column.
        other: id of the other column.
        low, high: the greatest value of the sample that is answered yes, and the least that is answered no.
        values: those of ``among``; the bound as SQL, once it is known.
        of: values that those of ``among`` were chosen from.
        part: what is asked of is this part of a time: ``weekday``, ``month`` or ``hour``; with another column, how many
            whole ``days``, ``months`` or ``seconds`` it is after that.
    """

    asks: Asks
    column: str
    other: str = ""
    low: float = 0.0
    high: float = 0.0
    values: tuple[str, ...] = ()
    of: int = 0
    part: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Ids of the columns that it is about."""
        return (self.column, self.other) if self.other else (self.column,)

    def reference(self, names: Mapping[str, str]) -> str:
        """What is asked of, as Spark SQL."""
        own = names[self.column]
        if self.part in APART:
            return APART[self.part].format(own, names[self.other])
        return f"{self.part}({own})" if self.part else own

    def sql(self, names: Mapping[str, str], literal: Literals) -> str:
        """As Spark SQL.

        Args:
            names: reference to each column, by id.
            literal: of a value.
        """
        own = self.reference(names)
        if self.asks == "null":
            return f"{own} is null"
        if self.asks == "among":
            told = [f"{float(v):.0f}" if self.part else literal(self.column, v) for v in self.values]
            return f"{own} = {told[0]}" if len(told) == 1 else f"{own} in ({', '.join(told)})"
        if self.other and not self.part:
            return f"{own} {SIGNS[self.asks]} {names[self.other]}"
        low = f"{self.low:.0f}" if self.part else literal(self.column, repr(self.low))
        bound = self.values[0] if self.values else low
        return f"{own} {SIGNS[self.asks]} {bound}"


@dataclass(frozen=True)
class Leaf:
    """Where questions lead to.

    Attributes:
        values: the values that the target has there, with their rows in the sample, the most frequent first.
        open: it may have others too.
        never: but not these.
    """

    values: tuple[tuple[Value, int], ...]
    open: bool = False
    never: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the sample."""
        return sum(n for _, n in self.values)

    @property
    def only(self) -> bool:
        """Whether it has one value alone."""
        return len(self.values) == 1 and not self.open


@dataclass(frozen=True)
class Branch:
    """A question and what follows from its answers."""

    asked: Question
    yes: Way
    no: Way


Way: TypeAlias = "Branch | Leaf"


def leaves(way: Way) -> list[Leaf]:
    """All leaves, those of yes first."""
    return [way] if isinstance(way, Leaf) else [*leaves(way.yes), *leaves(way.no)]


def questions(way: Way) -> list[Question]:
    """All questions, in the order in which ``asked`` gives them back."""
    return [] if isinstance(way, Leaf) else [way.asked, *questions(way.yes), *questions(way.no)]


def asked(way: Way, others: Iterator[Question]) -> Way:
    """The same with other questions, in the order of ``questions``."""
    if isinstance(way, Leaf):
        return way
    question = next(others)
    yes = asked(way.yes, others)
    return replace(way, asked=question, yes=yes, no=asked(way.no, others))


def inputs_of(way: Way) -> tuple[str, ...]:
    """Ids of the columns that the questions are about, each once."""
    return tuple(dict.fromkeys(c for q in questions(way) for c in q.columns))


def size(way: Way) -> int:
    """How much it takes to say: questions, and values that they name."""
    return sum(1 + len(q.values) for q in questions(way))


def shallow(way: Way, levels: int) -> Way:
    """The same with so many levels of questions: what lies deeper is one leaf."""
    if isinstance(way, Leaf):
        return way
    return replace(way, yes=shallow(way.yes, levels - 1), no=shallow(way.no, levels - 1)) if levels else joined(way)


def joined(way: Way) -> Leaf:
    """All rows as one leaf."""
    counts: dict[Value, int] = {}
    for value, rows in (pair for leaf in leaves(way) for pair in leaf.values):
        counts[value] = counts.get(value, 0) + rows
    return Leaf(tuple(sorted(counts.items(), key=lambda pair: (-pair[1], f"{pair[0]}"))))


def at_leaves(way: Way, change: Callable[[Leaf], Leaf]) -> Way:
    """The same with other leaves."""
    if isinstance(way, Leaf):
        return change(way)
    return replace(way, yes=at_leaves(way.yes, change), no=at_leaves(way.no, change))


def merged(way: Way, alike: Callable[[Leaf, Leaf], bool]) -> Way:
    """Without questions whose answers lead to the same."""
    if isinstance(way, Leaf):
        return way
    way = replace(way, yes=merged(way.yes, alike), no=merged(way.no, alike))
    if isinstance(way.yes, Leaf) and isinstance(way.no, Leaf) and alike(way.yes, way.no):
        return replace(joined(way), open=way.yes.open)
    return way


def case(way: Way, names: Mapping[str, str], literal: Literals, told: Callable[[Leaf], str]) -> str:
    """The tree as Spark SQL, with what ``told`` says at each leaf."""
    if isinstance(way, Leaf):
        return told(way)
    cases = []
    while isinstance(way, Branch):
        made = case(way.yes, names, literal, told)
        cases.append(f"when {way.asked.sql(names, literal)} then {made}")
        way = way.no
    return f"case {' '.join(cases)} else {told(way)} end"


def to_json(way: Way) -> str:
    """As a text."""
    return json.dumps(_state(way))


def from_json(text: str) -> Way:
    """The inverse of ``to_json``."""
    return _way(json.loads(text))


def _state(way: Way) -> dict[str, Any]:
    if isinstance(way, Leaf):
        return asdict(way)
    return {"asked": asdict(way.asked), "yes": _state(way.yes), "no": _state(way.no)}


def _way(state: Mapping[str, Any]) -> Way:
    if "asked" not in state:
        values = tuple((v, int(n)) for v, n in state["values"])
        return Leaf(values, state["open"], tuple(state["never"]))
    question = Question(**{**state["asked"], "values": tuple(state["asked"]["values"])})
    return Branch(question, _way(state["yes"]), _way(state["no"]))
