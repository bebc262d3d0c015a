"""Kinds whose laws give values: candidates are refuted on a few rows first, then on all, then held against chance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthohive_spark.rules.evidence import DAY_OF, EVIDENCE, Column, Flags, Sample, Vector, close, evidence, judge
from synthohive_spark.rules.kind import Kind, Law
from synthohive_spark.schema.rule import EXACT

NARROW = ("tinyint", "smallint", "int", "decimal")  # a result that does not fit becomes null instead of an error
DIFFERENT = 10  # rows on which an input must matter: on fewer, the target may as well equal the other input


@dataclass(frozen=True)
class Candidate:
    """A possible law, before any row was looked at.

    Attributes:
        inputs: the columns that it is made from.
        sql: as ``Law.sql``.
        make: its values from those of the inputs, on any rows.
        fits: which targets it could be meant for.
        rounded: the target may be this, rounded to its decimals.
        zone: as ``Law.zone``.
        slack: as ``Law.slack``; such a candidate rounds by itself.
    """

    inputs: tuple[Column, ...]
    sql: str
    make: Callable[[Sequence[Vector]], Vector]
    fits: Callable[[Column], bool] = lambda column: column.number
    rounded: bool = False
    zone: str = ""
    slack: float = 0.0


class ValueKind(Kind):
    """A kind whose laws give values. Of the laws of all such kinds one is chosen for each column (``choose``).

    Attributes:
        rounds: a target with decimals is the result rounded to them.
        casts: a result that does not fit the target's type becomes null.
        renewed: what does not give every row can be computed once more all the same, when its inputs have changed.
    """

    rounds: ClassVar[bool] = False
    casts: ClassVar[bool] = True
    renewed: ClassVar[bool] = False

    @abstractmethod
    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        """What the sample's columns could be made into; each is tried on every target."""

    def search(self, sample: Sample) -> list[Law]:
        """Candidates that fit a target on every row, more often than by chance."""
        return fitting(self, sample)

    def settled(self, laws: Sequence[Law]) -> list[Law]:
        """The kind's verified laws without those that others of them rule out."""
        return list(laws)

    def convinces(self, target: Column, both: Flags, candidate: Candidate) -> bool:
        """Whether agreement on these rows is no accident."""
        return evidence(target.values[both]) >= EVIDENCE

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The law's SQL in the type of its target; where it says nothing, what the model drew."""
        made, own = law.sql.format(*(names[i] for i in law.inputs)), names[law.target]
        fraction = types[law.target] == "bigint" and (" / " in made or made.startswith("round("))
        if self.casts and (types[law.target].startswith(NARROW) or fraction):
            made = f"try_cast({made} as {types[law.target]})"
        if law.reach == "fill":
            return f"coalesce({made}, {own})"
        return made if law.reach == "whole" else f"if({own} is null, null, coalesce({made}, {own}))"


def fitting(kind: ValueKind, sample: Sample) -> list[Law]:
    """Laws of a kind among its candidates, which say what they are made from but not which column they may give."""
    targets, probe = sample.targets, sample.probe
    shown = {c.id: c.values[probe] for c in (*sample.columns, *sample.views, *sample.days)}
    stacked = np.array([shown[t.id] for t in targets]).reshape(len(targets), len(probe))
    slack = np.array([_slack(t) for t in targets])[:, None]
    error = EXACT * np.maximum(1.0, np.abs(stacked))
    found = []
    for candidate in kind.candidates(sample):
        made = candidate.make([shown[b.id] for b in candidate.inputs])
        allowed = error + slack if candidate.rounded else error
        for i in np.flatnonzero(~(np.abs(stacked - made) > allowed).any(axis=1)):
            if candidate.fits(targets[i]) and all(b.base != targets[i].id for b in candidate.inputs):
                law = law_of(kind, sample, targets[i], candidate)
                if law is not None:
                    found.append(law)
    return found


def law_of(kind: ValueKind, sample: Sample, target: Column, candidate: Candidate) -> Law | None:
    """The law that a candidate is for a target; None where a row, or chance, refutes it."""
    values = [b.values for b in candidate.inputs]
    made = candidate.make(values)
    reach = judge(target.values, made, _slack(target) if candidate.rounded else candidate.slack)
    if reach is None or (reach != "whole" and candidate.inputs[0].above and candidate.sql == "{0}"):
        return None  # what is copied from a parent is copied on every row
    both = ~np.isnan(made) & ~np.isnan(target.values)
    if not kind.convinces(target, _told_apart(both, candidate), candidate):
        return None
    if len(values) > 1 and _agrees_only_trivially(target.values, values):
        return None
    sql = candidate.sql
    plain = kind.rounds and not candidate.slack
    if plain and target.number and target.scale is not None and _has_fractions(candidate):
        sql = f"round({sql}, {target.scale})"
    for n, b in enumerate(candidate.inputs):
        sql = sql.replace(f"{{{n}}}", f"to_date({{{n}}})") if b.id.endswith(DAY_OF) else sql
    inputs = tuple(b.base for b in candidate.inputs)
    return Law(kind.name, target.id, inputs, sql, reach, candidate.zone, target.distinct, slack=candidate.slack)


def _told_apart(both: Flags, candidate: Candidate) -> Flags:
    """One row of all that agree in what is computed: what follows from ancestors alone says as much as there are."""
    if candidate.sql == "{0}" or not all(b.above for b in candidate.inputs):
        return both
    rows = np.flatnonzero(both)
    first = np.unique(np.column_stack([b.values[rows] for b in candidate.inputs]), axis=0, return_index=True)[1]
    kept = np.zeros_like(both)
    kept[rows[first]] = True
    return kept


def _slack(target: Column) -> float:
    """By how much a value may miss a target that is rounded."""
    return 0.0 if target.scale is None else 0.5000001 * 10.0**-target.scale


def _has_fractions(candidate: Candidate) -> bool:
    """Whether the result may have decimals: fractions do, whole numbers where they are divided."""
    return any(b.family in ("double", "decimal") for b in candidate.inputs) or " / " in candidate.sql


def _agrees_only_trivially(target: Vector, inputs: list[Vector]) -> bool:
    """Whether the target equals one of the inputs nearly everywhere, so that the others prove nothing."""
    return any((~close(target, x) & ~np.isnan(target) & ~np.isnan(x)).sum() < DIFFERENT for x in inputs)
