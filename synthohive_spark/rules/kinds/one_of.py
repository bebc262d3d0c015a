"""Which values a column may have follows from thresholds and categories: "Mr." is no woman.

The model draws; where it draws what the row may not have, a value that the row may have takes its place, as often as in
the source.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from synthohive_spark.rules.branches import (
    Branch,
    Leaf,
    Question,
    Way,
    case,
    from_json,
    inputs_of,
    joined,
    leaves,
    shallow,
    to_json,
)
from synthohive_spark.rules.choose import acyclic
from synthohive_spark.rules.evidence import EVIDENCE, FEW, WORDS, Column, Flags, Sample
from synthohive_spark.rules.growing import CLASSES, LARGEST, few_valued, proven
from synthohive_spark.rules.kind import WAY, Decided, Kind, Law, Searched
from synthohive_spark.rules.kinds.decision import gives_all
from synthohive_spark.rules.sharpen import spoken
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.rule import Ancestor, Rule, worded

MOST = 16  # values that take the place of others where many may
LEVELS = 2  # of questions: what more of them exclude is seldom a law
BUCKETS = 100_000  # of hashes, by which a value is drawn


class AllowedSets(Kind):
    """Columns of few values, null among them."""

    name = "one_of"
    order = 31

    def search(self, sample: Sample) -> list[Law]:
        """Trees that leave fewer values at some leaves than chance would."""
        found = []
        for target, ways in few_valued(sample).items():
            if any(gives_all(way, target, sample) for way in ways):
                continue
            closed = (proven(shallow(way, LEVELS)) for way in ways)
            found += [
                Law(self.name, target, inputs_of(way), "", "part", facts={WAY: to_json(way)})
                for way in closed
                if isinstance(way, Branch) and not _of_nulls(way)
            ]
        return [*dict.fromkeys(found), *self._beside_keys(sample)]  # trees that differ in what is no law are one

    def _beside_keys(self, sample: Sample) -> list[Law]:
        """Values that a column has exactly where a key is null, or set: keys are there before anything is drawn."""
        many = [c for c in sample.targets if CLASSES < c.distinct <= WORDS and not np.isnan(c.values).any()]
        found = []
        for key in (c for c in sample.own if not c.target and not c.input):
            null = np.isnan(key.values)
            for target in many if FEW <= null.sum() <= sample.rows - FEW else ():
                told = _apart(target, null, sample)
                if told is not None:
                    way = Branch(Question("null", key.id), *told)
                    found.append(Law(self.name, target.id, (key.id,), "", "part", facts={WAY: to_json(way)}))
        return found

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The value that the row has, or one that it may have."""
        return self._case(law, names, types, [names[law.target]])

    def _case(self, law: Law, names: Mapping[str, str], types: Mapping[str, str], place: Sequence[str]) -> str:
        """The same, drawn by the hash of some columns."""
        own, at = names[law.target], f"pmod(xxhash64({', '.join(place)}), {BUCKETS})"

        def told(leaf: Leaf) -> str:
            values = ["null" if v is None else spoken(types, law.target, v) for v, _ in leaf.values]
            if leaf.never:
                wrong = _among(own, [spoken(types, law.target, v) for v in leaf.never])
                return f"if({wrong}, {_drawn(at, values, leaf)}, {own})"
            return own if leaf.open else f"if({_among(own, values)}, {own}, {_drawn(at, values, leaf)})"

        return case(from_json(law.data), names, lambda column, v: spoken(types, column, v), told)

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per column that nothing else decides."""
        free = [law for law in laws if table.names[law.target] not in decided.valued]
        ruled = {i for i, n in table.names.items() if n in decided.nulls}  # where these are null is said exactly
        free = [law for law in free if law.target not in ruled or None not in dict(joined(from_json(law.data)).values)]
        drawn = sorted(table.references[i] for i, n in table.names.items() if n not in decided.valued)
        return [
            OneOf(
                column=table.names[law.target],
                expression=self._case(law, table.references, table.types, drawn),
                above=table.above(law.inputs),
                shown=self._shown(law, table),
                some=any(leaf.open for leaf in leaves(from_json(law.data))),
            )
            for law in acyclic(free, decided.after)
        ]

    def _shown(self, law: Law, table: Searched) -> str:
        def told(leaf: Leaf) -> str:
            named = leaf.never or [v for v, _ in leaf.values]
            values = ", ".join("null" if v is None else spoken(table.types, law.target, v) for v in named)
            if leaf.never:
                return f"none of ({values})"
            return "any" if leaf.open else f"one of ({values})"

        way = from_json(law.data)
        return case(way, table.references, lambda column, v: spoken(table.types, column, v), told)


def _apart(column: Column, null: Flags, sample: Sample) -> tuple[Leaf, Leaf] | None:
    """What a column has where a key is null and where it is set, if no value is on both sides; None by chance."""
    values, codes = np.unique(column.values, return_inverse=True)
    rows, held = np.bincount(codes.reshape(-1)), sample.held(codes.reshape(-1), len(values))
    there = np.bincount(codes.reshape(-1), weights=null)
    if not ((there == 0) | (there == rows)).all():
        return None
    fewer = (there == rows) if (there > 0).sum() * 2 <= len(values) else (there == 0)
    group = int(fewer.sum())
    share = float(null.mean())
    told = -len(null) * (share * math.log(share) + (1 - share) * math.log(1 - share))
    if group > LARGEST or told - math.log(math.comb(len(values), group)) - math.log(len(null)) < EVIDENCE:
        return None
    if held[fewer].min() < sample.least:
        return None
    order = np.argsort(-rows, kind="stable")
    named = [(column.named(float(values[k])), int(rows[k]), bool(fewer[k])) for k in order if held[k] >= sample.least]
    few = Leaf(tuple((v, n) for v, n, inside in named if inside))
    others = tuple((v, n) for v, n, inside in named if not inside)[:MOST]
    rest = Leaf(others, open=True, never=tuple(v for v, _ in few.values if v is not None))
    return (few, rest) if there[fewer].sum() > 0 else (rest, few)


def _of_nulls(way: Way) -> bool:
    """Whether it says no more than where the column is null, which another kind does."""
    known = {v for leaf in leaves(way) for v, _ in leaf.values} - {None}
    return all(leaf.open or {v for v, _ in leaf.values} - {None} in (set(), known) for leaf in leaves(way))


def _among(own: str, values: list[str]) -> str:
    known = [v for v in values if v != "null"]
    told = f"{own} in ({', '.join(known)})" if known else "false"
    return f"{own} is null or {told}" if "null" in values else f"coalesce({told}, false)"


def _drawn(at: str, values: list[str], leaf: Leaf) -> str:
    """One of the values, each as often as on the leaf's rows of the sample."""
    below, cases = 0, []
    for value, (_, rows) in zip(values[:-1], leaf.values, strict=False):
        below += rows
        cases.append(f"when {at} < {round(BUCKETS * below / leaf.rows)} then {value}")
    return f"case {' '.join(cases)} else {values[-1]} end" if cases else values[-1]


class OneOf(Rule):
    """A column has one of the values that its row may have.

    Attributes:
        expression: Spark SQL of the column.
        above: names of columns of ancestors in the context that the expression names.
        shown: what the row may have, as a person reads it.
        some: of other rows it says nothing.
    """

    needs: ClassVar[Role | None] = "model"

    kind: Literal["one_of"] = "one_of"
    expression: str
    above: tuple[str, ...] = ()
    shown: str
    some: bool = False

    @property
    def seen(self) -> tuple[str, ...]:
        """Columns of ancestors."""
        return self.above

    @property
    def sql(self) -> str | None:
        """What replaces values that the row may not have."""
        return self.expression

    @property
    def follows(self) -> str:
        """What decides."""
        return self.shown

    def text(self, ancestor: Ancestor) -> str:
        """What the row may have."""
        return worded(self.shown, self.above, ancestor)
