"""The search: which columns of the parents equal what their children have together, on every family of the sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.children.family import FEW_PARENTS, Family, FamilySample
from synthohive_spark.rules.children.features import NUMBER, Feature, features, summed
from synthohive_spark.rules.evidence import EVIDENCE, PROBE, Column, Flags, Vector, close, evidence
from synthohive_spark.rules.kinds.aggregate import HALF
from synthohive_spark.rules.value_kind import DIFFERENT
from synthohive_spark.schema import frames
from synthohive_spark.schema.rule import EXACT

BEST = 4  # candidates of each column that go on to the whole table
TWICE, SOME = 2.0, 0.1  # times as often as by chance, and so much more, is no accident of small families ...
FEW_ROWS = 3.0  # ... and of large ones so many rows each: of many payments of a term some are on its first day
PROPORTION = 1e-3  # relative difference of factors that are one: small numbers are rounded


@dataclass(frozen=True)
class ChildLaw:
    """A candidate that no family of the sample refutes.

    Attributes:
        target: place of the column among the parents'.
        own: places of the parents' columns that it is made from, too.
        children: (place of the key, aggregate in Spark SQL) of each value of children.
        expression: as ``Aggregate.expression``; likewise ``scale`` and ``nulls``.
    """

    target: int
    own: tuple[int, ...]
    children: tuple[tuple[int, str], ...]
    expression: str
    scale: int | None
    nulls: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ChildLaw:
        """The inverse of ``to_dict``."""
        children = tuple((int(place), str(sql)) for place, sql in state["children"])
        return cls(**{**state, "own": tuple(state["own"]), "children": children})


@dataclass(frozen=True)
class Asked:
    """What a value of children may equal: a column of the parents, or what is left of it without another one.

    Attributes:
        target: the column.
        base: the other one.
        values: of all parents, shape (parents,).
    """

    target: Column
    base: Column | None
    values: Vector

    @property
    def slack(self) -> float:
        """By how much it may differ from what it was rounded from."""
        scale = self.target.scale
        return 0.0 if not self.target.number or scale is None else HALF * 10.0**-scale

    def allowed(self, rows: Ints | slice = slice(None)) -> Vector:
        """By how much each parent may differ."""
        made: Vector = self.slack + EXACT * np.maximum(1.0, np.abs(np.nan_to_num(self.target.values[rows])))
        return made


def asked_of(sample: FamilySample) -> list[Asked]:
    """The columns, and numbers without another number of the parent."""
    found = [Asked(t, None, t.values) for t in sample.targets]
    numbers = [(t, o) for t in sample.targets if t.number for o in sample.bases if o.id != t.id]
    return found + [Asked(t, o, t.values - o.values) for t, o in numbers]


def sums_and_ends(sample: FamilySample) -> list[ChildLaw]:
    """Columns that equal one value of one child table, or of two."""
    asked, found = asked_of(sample), list[tuple[int, ChildLaw]]()
    if not asked:
        return []
    with np.errstate(all="ignore"):  # infinities of the source refute themselves
        for family in sample.children:
            found += _of_one(sample, family, asked)
        found += _of_two(sample, asked)
    return _best(found)


def _best(found: list[tuple[int, ChildLaw]]) -> list[ChildLaw]:
    """Of each column those that are made of least, and those that are made of little first."""

    def order(pair: tuple[int, ChildLaw]) -> tuple[int, int, bool, int]:
        law = pair[1]
        return len(law.own), len(law.children), " - " in law.expression, pair[0]

    kept, held = list[ChildLaw](), dict[int, int]()
    for _, law in sorted(found, key=order):
        held[law.target] = held.get(law.target, 0) + 1
        if held[law.target] <= BEST:
            kept.append(law)
    return kept


def probed(sizes: Vector) -> Ints:
    """Parents that refute most candidates: those with children, those with several first."""
    several, one = np.flatnonzero(sizes > 1), np.flatnonzero(sizes == 1)
    return np.concatenate([_spread(several, PROBE), _spread(one, max(0, PROBE - len(several)))])


def _spread(places: Ints, most: int) -> Ints:
    if len(places) <= most:
        return places
    kept: Ints = places[np.linspace(0, len(places) - 1, most).astype(np.int64)] if most else places[:0]
    return kept


class _Probe:
    """The questions on a few parents, compared with one candidate at a time."""

    def __init__(self, asked: Sequence[Asked], rows: Ints) -> None:
        self.asked = asked
        self.values = np.array([a.values[rows] for a in asked])
        self.allowed = np.array([a.allowed(rows) for a in asked])
        self.null = np.isnan(self.values)
        self.unit = np.array([a.slack for a in asked])[:, None] * 2

    def hits(self, made: Vector) -> list[Asked]:
        """The questions that a candidate answers."""
        same = (np.abs(self.values - made) <= self.allowed) | (self.null & np.isnan(made))
        return [self.asked[int(i)] for i in np.flatnonzero(same.all(axis=1))]

    def near(self, made: Vector, most: Vector) -> list[Asked]:
        """Those that it answers but for so many roundings."""
        close = np.abs(self.values - made) <= self.allowed + self.unit * most
        return [self.asked[int(i)] for i in np.flatnonzero(close.all(axis=1) & (self.unit[:, 0] > 0))]


def _of_one(sample: FamilySample, family: Family, asked: list[Asked]) -> Iterator[tuple[int, ChildLaw]]:
    rows = probed(family.size)
    if len(rows) < DIFFERENT:
        return
    few = family.few(rows)
    probes = {
        face: _Probe([a for a in asked if face == (NUMBER if a.target.number else a.target.family)], rows)
        for face in {NUMBER if a.target.number else a.target.family for a in asked}
    }
    for order, feature in enumerate(features(family)):
        probe = probes.get(feature.face)
        if probe is None:
            continue
        made = feature.make(few)
        hits = probe.hits(made)
        yield from ((order, law) for a in hits for law in _confirmed(sample, a, [(feature, 1)]))
        if feature.zero:
            less = [a for a in probe.hits(-made) if a.base is not None]
            yield from ((order, law) for a in less for law in _confirmed(sample, a, [(feature, -1)]))
        if feature.term is None or hits:
            continue
        steps = few.size * len(feature.term.factors)
        for a in probe.near(made, steps):
            for term in feature.term.stepped(a.target.scale or 0):
                rounded = summed(family.place, term)
                if any(a is hit for hit in probe.hits(rounded.make(few))):
                    yield from ((order, law) for law in _confirmed(sample, a, [(rounded, 1)]))


def _of_two(sample: FamilySample, asked: list[Asked]) -> Iterator[tuple[int, ChildLaw]]:
    """Sums of two tables, or counts of two."""
    numbers = [a for a in asked if a.target.number]
    sizes = np.sum([f.size > 0 for f in sample.children], axis=0) if sample.children else np.zeros(0)
    rows = probed(sizes)
    if len(rows) < DIFFERENT or not numbers:
        return
    probe = _Probe(numbers, rows)
    simple = []
    for family in sample.children:
        few = family.few(rows)
        plain = [f for f in features(family) if f.plain and "if(" not in f.sql]
        simple.append([(f, f.make(few)) for f in plain])
    order = 0
    for one, other in itertools.combinations(simple, 2):
        for (f, a), (g, b), sign in itertools.product(one, other, (1, -1)):
            order += 1
            if f.alone == g.alone:
                for question in probe.hits(a + sign * b):
                    yield from ((order, law) for law in _confirmed(sample, question, [(f, 1), (g, sign)]))


def _confirmed(sample: FamilySample, asked: Asked, parts: list[tuple[Feature, int]]) -> Iterator[ChildLaw]:
    """The law on all sampled parents, if none of them and no accident refutes it."""
    if not all(f.fits(asked.target) for f, _ in parts):
        return
    made = [sign * f.make(_family(sample, f)) for f, sign in parts]
    sizes = np.sum([_family(sample, f).size for f, _ in parts], axis=0)
    value, there = np.sum(made, axis=0), sizes > 0
    null = np.isnan(asked.values) & np.isnan(value)
    same = (np.abs(asked.values - value) <= asked.allowed()) | null
    told = all(_told(_family(sample, f), f) and not _repeated(asked, _family(sample, f), f) for f, _ in parts)
    if there.sum() < FEW_PARENTS or not same[there].all() or not told or not _needed(asked, made, there):
        return
    none = asked.target.values[~there]
    nulls = bool(null[there].any() or (len(none) and np.isnan(none).all()))
    if nulls and not np.isnan(none).all():
        return
    filled = not nulls and _zero(asked, [f for f, _ in parts], np.nan_to_num(value), ~there)
    if filled or len(parts) == 1:
        yield _law(sample, asked, parts, filled, nulls)


def _zero(asked: Asked, parts: list[Feature], value: Vector, none: Flags) -> bool:
    """Whether parents without children have what they would have if the value were 0."""
    if not none.any():
        return all(f.zero for f in parts)
    numbers = all(f.face == NUMBER for f in parts)
    return numbers and bool((np.abs(asked.values - value) <= asked.allowed())[none].all())


def _told(family: Family, feature: Feature) -> bool:
    """Whether families are large, and different, enough to tell the value from others."""
    if feature.among is not None:
        return family.differ(feature.among(family)) >= DIFFERENT
    return feature.alone or int((family.size > 1).sum()) >= DIFFERENT


def _repeated(asked: Asked, family: Family, feature: Feature) -> bool:
    """Whether rows have the parent's value far more often than the one that it could be read off: they repeat it.

    A list price is the highest price of its sales, but they have it because it is the list price.
    """
    if feature.among is None or asked.base is not None:
        return False
    mixed = family.mixed()
    by_chance = _having(mixed, feature, feature.make(mixed))
    more = min(SOME, FEW_ROWS / max(float(family.size[family.size > 0].mean()), 1.0))
    return _having(family, feature, asked.target.values) > TWICE * by_chance + more


def _having(family: Family, feature: Feature, values: Vector) -> float:
    """The share of rows, of those with siblings, that have their parent's value."""
    assert feature.among is not None
    own, theirs = feature.among(family), values[family.parent]
    known = (family.size[family.parent] > 1) & ~np.isnan(own) & ~np.isnan(theirs)
    return float(close(own[known], theirs[known]).mean()) if known.any() else 0.0


def _needed(asked: Asked, made: list[Vector], there: Flags) -> bool:
    """Whether chance is the worse explanation, and each part matters on some parents."""
    known = asked.values[there & ~np.isnan(asked.values)]
    if evidence(known) < EVIDENCE or (asked.base is not None and _multiple(asked, there)):
        return False
    parts = made if asked.base is None else [*made, asked.base.values]
    return len(parts) == 1 or all((np.nan_to_num(p) != 0).sum() >= DIFFERENT for p in parts)


def _multiple(asked: Asked, there: Flags) -> bool:
    """Whether the column is a multiple of the other one, so that it follows from that alone."""
    base = asked.base.values if asked.base is not None else asked.values
    told = there & (np.nan_to_num(base) != 0) & ~np.isnan(asked.values)
    factors = asked.values[told] / base[told]
    return not len(factors) or bool(np.ptp(factors) <= PROPORTION * np.abs(factors).max())


def _law(sample: FamilySample, asked: Asked, parts: list[tuple[Feature, int]], filled: bool, nulls: bool) -> ChildLaw:
    made, own = "", tuple[int, ...]()
    for i, (feature, sign) in enumerate(parts):
        value = feature.value(filled).format(frames.child(i))
        made += f" {'+' if sign > 0 else '-'} {value}"
    if asked.base is not None:
        own = (sample.parents.index(asked.base),)
        made = f"cast({asked.base.id} as double){made}"
    else:
        made = made.removeprefix(" + ")
    numeric = asked.target.number and asked.target.scale is not None
    return ChildLaw(
        sample.parents.index(asked.target),
        own,
        tuple((f.place, f.sql) for f, _ in parts),
        made,
        asked.target.scale if numeric and parts[0][0].face == NUMBER else None,
        nulls,
    )


def _family(sample: FamilySample, feature: Feature) -> Family:
    return next(f for f in sample.children if f.place == feature.place)
