"""Trees are grown on a sample: each question is the one that tells most about a column, and far more than chance."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from synthohive_spark.rules.asks import Ask, Codes, every_ask
from synthohive_spark.rules.branches import Branch, Leaf, Question, Value, Way, joined, leaves, merged, questions, size
from synthohive_spark.rules.evidence import EVIDENCE, FEW, Column, Flags, Sample, Vector

ROWS_SEEN = 1_000  # of a node, by which the column of its question is chosen; the question is made of all its rows
BEST = 3  # columns that are looked at more closely, and trees that are grown for one target
NEAR = 0.9  # of what the best first question tells, for another tree
DEEP, LONG = 3, 6  # different columns, and questions, on the way to a leaf
CLASSES = 8  # values, null among them, of a column that follows from questions
SET, NUMBER, WORD, NONE = "set", "number", "text", "null"  # classes that are no values: of hashes none is a word
LARGEST = 32  # values that a group may have
SLIGHT = 1e-6  # nats
LATER = 15.0  # nats by which chance must be worse behind the first question, beside the number of questions


@dataclass(frozen=True)
class Split:
    """A question, its answers on the rows of a node, and what it tells in nats beyond the number of such questions."""

    question: Question
    yes: Flags
    tells: float


class Grower:
    """Grows trees for the columns of one sample."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        weights = _weights(sample)
        self.asks = [replace(a, weight=max(weights.get(c.id, 1.0) for c in a.columns)) for a in every_ask(sample)]
        self.bounds = [a for a in self.asks if a.form != "group"]
        self.groups = [a for a in self.asks if a.form == "group"]
        self.matrix = np.array([a.values for a in self.bounds]).reshape(len(self.bounds), sample.rows)

    @functools.cached_property
    def _first(self) -> Codes:
        """The rows by which the first column is chosen."""
        return _spread(np.arange(self.sample.rows))

    @functools.cached_property
    def _first_order(self) -> Codes:
        order: Codes = np.argsort(self.matrix[:, self._first], axis=1, kind="stable")
        return order

    def trees(self, target: Column, codes: Codes, names: Sequence[Value]) -> list[Way]:
        """Trees for a column, the best first, each beginning with another column.

        Further ones do without columns of which those before ask whether they are null, and without those by which
        they begin: where these follow from the target themselves, a tree of others is left.

        Args:
            target: the column.
            codes: the class of each row, shape (rows,).
            names: what each class is called.
        """
        first = self._rooted(_Node(frozenset({target.id}), codes, names))
        nulls = {q.column for way in first for q in questions(way) if q.asks == "null"}
        roots = {c for way in first if isinstance(way, Branch) for c in way.asked.columns}
        found = list(first)
        for without in dict.fromkeys((frozenset(nulls), frozenset(nulls | roots))):
            found += self._rooted(_Node(without | {target.id}, codes, names)) if first and without else []
        return found

    def _rooted(self, node: _Node) -> list[Way]:
        """Trees that begin with one of the best first questions, each with another column."""
        rows = np.arange(self.sample.rows)
        first = self._splits(rows, node)
        first = [s for s in first if s.tells >= max(EVIDENCE, NEAR * first[0].tells)][:BEST]
        return sorted((self._branch(rows, node, split, ()) for split in first), key=size)

    def _grown(self, rows: Codes, node: _Node, path: tuple[Question, ...]) -> Way:
        """The tree of the rows behind some questions."""
        counts = np.bincount(node.codes[rows], minlength=len(node.names))
        if (counts > 0).sum() > 1 and len(path) < LONG:
            used = {q.columns for q in path}
            splits = self._splits(rows, node, used)
            fits = (s for s in splits if len(used | {s.question.columns}) <= DEEP)
            best = next(fits, None)
            if best is not None and best.tells >= LATER:
                return self._branch(rows, node, best, path)
        found = sorted((int(n), -k) for k, n in enumerate(counts) if n)[::-1]
        return Leaf(tuple((node.names[-k], n) for n, k in found))

    def _branch(self, rows: Codes, node: _Node, split: Split, path: tuple[Question, ...]) -> Branch:
        further = (*path, split.question)
        yes, no = rows[split.yes], rows[~split.yes]
        return Branch(split.question, self._grown(yes, node, further), self._grown(no, node, further))

    def _splits(self, rows: Codes, node: _Node, used: Collection[tuple[str, ...]] = ()) -> list[Split]:
        """The best questions about some columns, the best first.

        Args:
            rows: those of a node.
            node: what is asked for.
            used: the columns of the questions before: another group of their values is one of few questions.
        """
        codes, classes = node.codes, len(node.names)
        free = np.array([node.without.isdisjoint(c.id for c in a.columns) for a in self.bounds], bool)
        seen = _spread(rows)
        order = self._first_order if len(rows) == self.sample.rows else None
        gains = _gains(self.matrix[:, seen], codes[seen], classes, order) if free.any() else np.zeros(len(free))
        gains = np.where(free, gains * np.array([a.weight for a in self.bounds]), -1.0)
        cost = math.log(max(1, len(self.asks)) * len(rows))
        found = [
            s
            for i in np.argsort(-gains, kind="stable")[:BEST]
            if gains[i] > 0 and (s := _bound(self.bounds[i], rows, codes[rows], classes, cost)) is not None
        ]
        for ask in self.groups:
            if ask.columns[0].id not in node.without:
                again = tuple(c.id for c in ask.columns) in used
                split = _group(ask, rows, codes[rows], classes, math.log(2 * len(used)) if again else cost)
                found += [split] if split is not None else []
        return sorted(found, key=lambda s: -s.tells)


@dataclass(frozen=True)
class _Node:
    """Which columns a tree does not ask about, the class of each row, and the names of the classes."""

    without: frozenset[str]
    codes: Codes
    names: Sequence[Value]


def _spread(rows: Codes) -> Codes:
    """As many of some rows as a question's column is chosen by."""
    some: Codes = rows[np.linspace(0, len(rows) - 1, min(len(rows), ROWS_SEEN)).astype(np.int64)]
    return some


def _disorder(counts: Vector) -> Vector:
    """Rows times the entropy of their classes, in nats, over the last axis."""
    total = counts.sum(axis=-1)
    return np.asarray(_xlogx(total) - _xlogx(counts).sum(axis=-1), np.float64)


def _xlogx(x: Vector) -> Vector:
    return np.asarray(x * np.log(np.maximum(x, 1.0)), np.float64)


def _gains(matrix: Vector, codes: Codes, classes: int, order: Codes | None) -> Vector:
    """What the best bound of each question tells of the classes, in nats, shape (questions,)."""
    order = np.argsort(matrix, axis=1, kind="stable") if order is None else order
    values = np.take_along_axis(matrix, order, axis=1)
    left = np.cumsum(np.eye(classes)[codes][order], axis=1)
    known = np.maximum((~np.isnan(values)).sum(axis=1), 1)  # nulls come last: what they tell is another question
    total = np.take_along_axis(left, (known - 1)[:, None, None], axis=1)
    with np.errstate(invalid="ignore"):
        parts = values[:, :-1] < values[:, 1:]  # false where one is null
    told = _disorder(total) - _disorder(left[:, :-1]) - _disorder(total - left[:, :-1])
    return np.asarray(np.where(parts, told, 0.0).max(axis=1, initial=0.0), np.float64)


def _bound(ask: Ask, rows: Codes, codes: Codes, classes: int, cost: float) -> Split | None:
    """The best bound on all rows of a node."""
    values = ask.values[rows]
    order = np.argsort(values, kind="stable")
    ordered, known = values[order], int((~np.isnan(values)).sum())
    left = np.cumsum(np.eye(classes)[codes[order[:known]]], axis=0)
    places = np.flatnonzero(ordered[:-1] < ordered[1:])
    places = places[(places + 1 >= FEW) & (known - places - 1 >= FEW)]
    if not len(places):
        return None
    told = _disorder(left[-1]) - _disorder(left[places]) - _disorder(left[-1] - left[places])
    best = places[int(np.argmax(told))]
    low, high = float(ordered[best]), float(ordered[best + 1])
    return Split(ask.question(low, high), values <= low, ask.weight * float(told.max()) - cost)


def _choices(values: int) -> Vector:
    """Nats that it takes to name the first so many of some values, in any order: a smaller group is a bit cheaper."""
    many = range(1, values + 1)
    ways = [math.lgamma(values + 1) - math.lgamma(m + 1) - math.lgamma(values - m + 1) + SLIGHT * m for m in many]
    return np.array(ways)


def _group(ask: Ask, rows: Codes, codes: Codes, classes: int, cost: float) -> Split | None:
    """The best group of values on all rows of a node: those in which some class has its greatest shares."""
    places, known = ask.values[rows].astype(np.int64), ask.known
    table = np.zeros((len(known) + 1, classes))
    np.add.at(table, (places, codes), 1.0)  # nulls last: what they tell is another question
    counts, best = table[:-1], None
    total = counts.sum(axis=0)
    there = np.flatnonzero((counts.sum(axis=1) > 0) & ask.common)
    for k in range(classes):
        shares = counts[there, k] / counts[there].sum(axis=1)
        order = there[np.argsort(-shares, kind="stable")]
        left = np.cumsum(counts[order], axis=0)
        held = left.sum(axis=1)
        told = _disorder(total) - _disorder(left) - _disorder(total - left)
        told = np.where(
            (held >= FEW) & (np.arange(len(held)) < LARGEST) & (total.sum() - held >= FEW),
            ask.weight * told - _choices(len(there)),
            -np.inf,
        )
        m = int(np.argmax(told)) if len(told) else 0
        if len(told) and (best is None or told[m] > best[0]):
            best = (float(told[m]), order[: m + 1])
    if best is None or not math.isfinite(best[0]):
        return None
    chosen = np.sort(best[1])
    return Split(ask.among(chosen, len(there)), np.isin(places, chosen), best[0] - cost)


def _weights(sample: Sample) -> dict[str, float]:
    """{column of an ancestor: different ancestors per row}; beyond the parents as far as their columns tell."""
    made: dict[str, float] = {}
    known = {c.id: c for c in sample.columns}
    for path in dict.fromkeys(sample.paths.values()):
        behind = [i for i, its in sample.paths.items() if its == path and i in known]
        keys = [known[i] for i in path.split(",") if i in known] or [known[i] for i in behind]
        rows = np.column_stack([c.values for c in keys]) if keys else np.zeros((0, 1))
        made |= dict.fromkeys(behind, len(np.unique(rows, axis=0)) / sample.rows)
    return made


@functools.lru_cache(maxsize=1)
def grower(sample: Sample) -> Grower:
    """The trees of a sample; kinds that ask one after the other share what they need."""
    return Grower(sample)


@functools.lru_cache(maxsize=1)
def few_valued(sample: Sample) -> dict[str, list[Way]]:
    """{column of few values: its trees}."""
    found: dict[str, list[Way]] = {}
    for target in sample.targets:
        values, codes = np.unique(target.values, return_inverse=True)  # NaN, null, is one value, the last
        counts, held = np.bincount(codes.reshape(-1)), sample.held(codes.reshape(-1), len(values))
        if 2 <= len(values) <= CLASSES and counts.min() >= FEW and held.min() >= sample.least:
            names = [None if np.isnan(v) else target.named(float(v)) for v in values]
            found[target.id] = grower(sample).trees(target, codes.reshape(-1), names)
    return found


def nulls(sample: Sample, columns: Iterable[Column]) -> dict[str, list[Way]]:
    """{column that is null on some rows: its trees, whose values are null and ``SET``}."""
    found: dict[str, list[Way]] = {}
    for target in columns:
        codes = (~np.isnan(target.values)).astype(np.int64)
        if FEW <= codes.sum() <= sample.rows - FEW:
            found[target.id] = grower(sample).trees(target, codes, [None, SET])
    return found


def proven(way: Way) -> Way:
    """Leaves of which chance does not explain that they lack some values are closed, the others open.

    Where a value is much rarer than elsewhere, others may be as rare and lack by chance: then each row says less.
    """
    counts, ends = dict(joined(way).values), leaves(way)
    total = sum(counts.values())
    rarest = min(n / leaf.rows / (counts[v] / total) for leaf in ends for v, n in leaf.values)

    def close(way: Way, chosen: float) -> Way:
        if isinstance(way, Branch):
            more = chosen + _naming(way.asked)
            return replace(way, yes=close(way.yes, more), no=close(way.no, more))
        share = sum(counts[v] for v, _ in way.values) / total
        return replace(way, open=-way.rows * math.log(share) * min(1.0, rarest) - chosen < LATER)

    return merged(close(way, 0.0), _alike)


def _naming(question: Question) -> float:
    """Nats that it takes to name the values of a question: those that lack something are easily chosen."""
    return math.log(math.comb(question.of, len(question.values))) if question.asks == "among" and question.of else 0.0


def _alike(a: Leaf, b: Leaf) -> bool:
    """Whether two leaves say the same."""
    return a.open == b.open and (a.open or {v for v, _ in a.values} == {v for v, _ in b.values})
