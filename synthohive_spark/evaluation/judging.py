"""How much of what the source holds is kept: similarities between a floor and a ceiling. Arithmetic, no Spark.

All three are measured in the same way between halves of the same size, so that the noise of small tables is in each of
them. Ceiling: one half of the source beside the other. Floor: one half beside a sample of the other in which nothing
goes together any more (independent columns, shuffled keys).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from synthohive_spark.randomness import Floats, generator

Half = TypeVar("Half")
Place = tuple[float, float, float, float]
"""Score, floor, ceiling, and the standard error of the score."""
FigureName = Literal["columns", "pairs", "relations", "c2st", "rules"]
DistanceKind = Literal["ordered", "category"]
FIGURES: tuple[FigureName, ...] = ("columns", "pairs", "relations", "c2st")
ROUNDS = 15  # of proportional fitting
SMOOTH = 1e-6  # share of an independent table in the fitted one, so that every margin is possible
LEAST_HALF = 15  # rows of a half from which something can be said
ROOM = {"columns": 0.1, "pairs": 0.05, "relations": 0.05, "c2st": 0.1, "rules": 1.0}  # least way from floor to ceiling
WORST_SHARE = 0.1  # of what is judged: its mean is half of a figure


@dataclass(frozen=True)
class Judged:
    """One thing that is judged: a column, a pair, the children per parent of a key, ...

    Attributes:
        figure: that it belongs to; rules are no figure, they hold or they do not.
        place: the table, or the foreign key as ``child(columns) -> parent``.
        kind: rule, column, pair, parent and child, siblings, order, children per parent, c2st, c2st_agg.
        what: the columns, or what a person calls it.
        score: similarity of the copy, in [0, 1].
        floor: similarity where nothing goes together.
        ceiling: similarity of two halves of the source.
        margin: standard error of the score, from the halves; 0 where it is not known.
    """

    figure: FigureName
    place: str
    kind: str
    what: str
    score: float
    floor: float
    ceiling: float
    margin: float = 0.0

    @property
    def room(self) -> float:
        """The way from floor to ceiling: how much there is to lose."""
        return max(self.ceiling - self.floor, ROOM[self.figure])

    @property
    def way(self) -> float:
        """The same, never so short that noise would decide: a standard error is at most a tenth of it."""
        return max(self.room, self.margin / WORST_SHARE)

    @property
    def share(self) -> float:
        """How much of the way the copy has gone: 1 at the ceiling and above, 0 at the floor and below."""
        return self.share_at(self.score)

    def share_at(self, score: float) -> float:
        """How much of the way is gone at another score."""
        return min(1.0, max(0.0, 1 - (self.ceiling - score) / self.way))

    @property
    def lost(self) -> float:
        """Similarity that the copy lacks."""
        return (1 - self.share) * self.room


@dataclass(frozen=True)
class Figure:
    """One of the four figures.

    Attributes:
        score: share of the way from floor to ceiling, in [0, 1].
        similarity: of the copy, where floor and ceiling are.
        floor: similarity of independent columns and shuffled keys.
        ceiling: similarity of two halves of the source.
        judged: how many things it rests on.
        low: the score if all of them were worse by their standard error.
        high: the score if all of them were better by it.
    """

    score: float
    similarity: float
    floor: float
    ceiling: float
    judged: int
    low: float = 0.0
    high: float = 1.0


def figure(judged: Sequence[Judged]) -> Figure | None:
    """The figure of what was judged; None of nothing.

    A group is what one table or key has of one kind. The figure is half the mean of the groups and half the mean of
    their worst tenth, and so is each group's of what is in it: one thing lost is not averaged away.
    """
    if not judged:
        return None
    groups: dict[tuple[str, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.place, one.kind), []).append(one)
    shares: dict[int, list[float]] = {-1: [], 0: [], 1: []}
    middles = []
    for group in groups.values():
        weights = [one.room for one in group]
        for way, found in shares.items():
            found.append(blend([one.share_at(one.score + way * one.margin) for one in group], weights))
        middles.append([np.average([getattr(o, n) for o in group], weights=weights) for n in _LEVELS])
    similarity, floor, ceiling = (round(float(v), 6) for v in np.mean(middles, axis=0))
    low, score, high = (round(blend(found, [1.0] * len(found)), 6) for found in shares.values())
    return Figure(score, similarity, floor, ceiling, len(judged), low, high)


_LEVELS = ("score", "floor", "ceiling")


def blend(shares: Sequence[float], weights: Sequence[float]) -> float:
    """Half the weighted mean, half the mean of the worst tenth (of the weight, and at least one)."""
    order = np.argsort(shares, kind="stable")
    value, weight = np.asarray(shares)[order], np.asarray(weights)[order]
    total = weight.sum()
    before = np.cumsum(weight) - weight
    worst = np.minimum(weight, np.maximum(WORST_SHARE * total - before, 0.0))
    worst[0] = weight[0]
    return float((value @ weight / total + value @ worst / worst.sum()) / 2)


def near_joint(left: Floats, right: Floats) -> float:
    """1 - total variation distance of two tables of counts, the second brought to the margins of the first.

    So only what goes together is compared; that a column itself has moved is said where columns are judged.
    """
    if not left.sum() or not right.sum():
        return 0.0
    p = left / left.sum()
    return 1 - float(np.abs(p - _with_margins(right, p.sum(axis=1), p.sum(axis=0))).sum()) / 2


def _with_margins(counts: Floats, rows: Floats, columns: Floats) -> Floats:
    """Iterative proportional fitting (Deming and Stephan, 1940)."""
    cells = (1 - SMOOTH) * counts / counts.sum() + SMOOTH * np.outer(rows, columns)
    for _ in range(ROUNDS):
        cells *= (rows / np.maximum(cells.sum(axis=1), 1e-300))[:, None]
        cells *= (columns / np.maximum(cells.sum(axis=0), 1e-300))[None, :]
    fitted: Floats = cells
    return fitted


def independent(counts: Floats, *names: object) -> Floats:
    """A sample of as many rows with the same margins in which nothing goes together."""
    n = counts.sum()
    p = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n**2
    drawn = generator("floor", *names).multinomial(int(n), p.ravel() / p.sum())
    return drawn.reshape(counts.shape).astype(np.float64)


def dependence(counts: Floats, *names: object, floor: Floats | None = None) -> Place | None:
    """Score, floor, ceiling and margin of a pair; None where there are too few rows.

    Args:
        counts: by side and codes, shape (4, a, b).
        names: what the floor's randomness follows from.
        floor: counts, shape (4, a, b), that the floor is instead of independence.
    """
    if counts.sum(axis=(1, 2))[:2].min() < LEAST_HALF:
        return None
    used = counts.sum(axis=0) > 0
    counts = counts[:, used.any(axis=1)][:, :, used.any(axis=0)]
    if floor is not None:
        floor = floor[:, used.any(axis=1)][:, :, used.any(axis=0)]
        if floor.sum(axis=(1, 2))[:2].min() < LEAST_HALF:
            return None
    a, b, c, d = counts
    without = [independent(side, *names, i) for i, side in enumerate((a, b))] if floor is None else [floor[0], floor[1]]
    score, margin = over_four(near_joint, (a, b, c, d), counts.sum(axis=(1, 2))[:2].min())
    floors = _mean(near_joint(a, without[1]), near_joint(b, without[0]))
    return score, floors, _mean(near_joint(a, b), near_joint(b, a)), margin


def over_four(near: Callable[[Half, Half], float], halves: Sequence[Half], rows: float) -> tuple[float, float]:
    """The mean similarity of the halves of the source to those of the copy, and its standard error beside the ceiling.

    The four comparisons share halves, so the error of their mean is that of two rows and two columns. The ceiling is
    one comparison of two samples of so many rows; the total variation distance of such has a variance of
    (1 - 2 / pi) / (2 rows), whatever the number of cells.

    Args:
        near: similarity of two halves.
        halves: two of the source, two of the copy.
        rows: of the smaller half of the source.
    """
    a, b, c, d = halves
    table = np.array([[near(a, c), near(a, d)], [near(b, c), near(b, d)]])
    across, down = table.mean(axis=1), table.mean(axis=0)
    error = math.hypot(float(across[0] - across[1]), float(down[0] - down[1])) / 2
    ceiling = math.sqrt((1 - 2 / math.pi) / (2 * max(rows, 1)))
    return round(float(table.mean()), 6), round(math.hypot(error, ceiling), 6)


def _mean(*values: float) -> float:
    return round(sum(values) / len(values), 6)


def over_halves(counts: Floats, distance_kind: DistanceKind) -> Place | None:
    """Score, floor, ceiling and margin of a column; None where there are too few values.

    The floor is a column that holds one value only, the most typical one: independence leaves a column as it is.

    Args:
        counts: by side and code, shape (4, codes); code 0 counts the nulls.
        distance_kind: KS for what has an order, TVD for the rest.
    """
    values = counts[:, 1:]
    if values.sum(axis=1)[:2].min() < LEAST_HALF:
        return None
    a, b, c, d = counts

    def near(x: Floats, y: Floats) -> float:
        if not x[1:].sum() or not y[1:].sum():
            return 0.0
        nulls = abs(float(x[0] / x.sum() - y[0] / y.sum()))
        p, q = x[1:] / x[1:].sum(), y[1:] / y[1:].sum()
        gap = np.abs(np.cumsum(p - q)).max() if distance_kind == "ordered" else np.abs(p - q).sum() / 2
        return 1 - max(float(gap), nulls)

    def constant(x: Floats) -> Floats:
        out = np.zeros_like(x)
        inner = x[1:]
        middle = int(np.searchsorted(np.cumsum(inner), inner.sum() / 2))
        out[1 + (middle if distance_kind == "ordered" else int(inner.argmax()))] = inner.sum()
        out[0] = x[0]
        return out

    score, margin = over_four(near, (a, b, c, d), values.sum(axis=1)[:2].min())
    return score, _mean(near(a, constant(b)), near(b, constant(a))), round(near(a, b), 6), margin


def association(counts: Floats) -> float:
    """Cramér's V of a table of counts without the share that chance gives (Bergsma, 2013), in [0, 1]."""
    used = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    n, (r, k) = used.sum(), used.shape
    if n < 2 or r < 2 or k < 2:
        return 0.0
    expected = np.outer(used.sum(axis=1), used.sum(axis=0)) / n
    phi = float(((used - expected) ** 2 / expected).sum() / n)
    phi = max(0.0, phi - (r - 1) * (k - 1) / (n - 1))
    less = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return round(min(1.0, math.sqrt(phi / less)), 6) if less > 0 else 0.0


def contingency(real: Floats, synthetic: Floats) -> float:
    """ContingencySimilarity of SDMetrics: 1 - total variation distance of two tables of counts."""
    if not real.sum() or not synthetic.sum():
        return 0.0
    return round(1 - float(np.abs(real / real.sum() - synthetic / synthetic.sum()).sum()) / 2, 6)
