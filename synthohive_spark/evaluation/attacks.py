"""Attacks on a copy by those who have it, each beside a control: the same on people whom no model has seen.

Rows are points: numbers by their rank in the source, categories as codes. The distance of two rows is the mean over
their columns (Gower 1971): the difference of ranks, 0 or 1 for categories, 1 where one of the two is null. Intervals
are percentiles of a bootstrap over people, since rows of one person say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthohive_spark.randomness import Floats, Ints

CELLS = 4_000_000  # distances that are held at once
ROUNDS = 200  # of the bootstrap: the 2.5th percentile is about the fifth of them
GUESSES = 500  # predicates that are tried
WIDE = 3  # columns of a predicate
NEIGHBOURS = 5  # rows of the copy that are looked up for what is known of a person
NEAR = 0.01  # half the width of a predicate about a number, as a share of the rows


@dataclass(frozen=True)
class Points:
    """Rows as points.

    Attributes:
        numbers: ranks in [0, 1], NaN for null, shape (rows, n).
        codes: of categories, -1 for null, shape (rows, c).
        people: code of whom each row is about, shape (rows,).
    """

    numbers: Floats
    codes: Ints
    people: Ints

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.people)

    @property
    def width(self) -> int:
        """How many columns."""
        return int(self.numbers.shape[1] + self.codes.shape[1])

    def take(self, rows: NDArray[Any]) -> Points:
        """Some of the rows."""
        return Points(self.numbers[rows], self.codes[rows], self.people[rows])

    def only(self, columns: Ints) -> Points:
        """Some of the columns, numbers counted first."""
        numbers = self.numbers.shape[1]
        return Points(
            self.numbers[:, columns[columns < numbers]],
            self.codes[:, columns[columns >= numbers] - numbers],
            self.people,
        )


@dataclass(frozen=True)
class Risk:
    """What an attack found.

    Attributes:
        value: of those whom the models have seen.
        low, high: its interval of 95 %.
        control: the same of those whom they have not.
        control_low, control_high: its interval.
    """

    value: float
    low: float
    high: float
    control: float
    control_low: float
    control_high: float

    @property
    def excess(self) -> float:
        """By how much the attack surely does better than its control; 0 where the intervals meet."""
        return max(0.0, self.low - self.control_high)

    def to_dict(self) -> dict[str, float]:
        """As JSON values."""
        return {name: round(v, 6) for name, v in {**asdict(self), "excess": self.excess}.items()}


def risks(seen: Points, unseen: Points, copy: Points, seed: int) -> dict[str, Risk]:
    """All attacks on one table.

    Args:
        seen: rows that the model was trained with.
        unseen: rows of other people, about as many.
        copy: rows that it made.
        seed: of samples and bootstraps.
    """
    rng = np.random.default_rng(seed)
    near_seen, near_unseen = distances(seen, copy), distances(unseen, copy)
    to_seen, to_unseen = distances(copy, seen), distances(copy, unseen)
    return {
        "identical": _shares(near_seen <= 0, seen.people, near_unseen <= 0, unseen.people, rng),
        "dcr": _closer(to_seen, to_unseen, rng),
        "membership": membership(near_seen, seen.people, near_unseen, unseen.people, rng),
        "singling_out": singling_out(seen, unseen, copy, rng),
        "linkability": linkability(seen, unseen, copy, rng),
    }


def distances(rows: Points, others: Points) -> Floats:
    """The distance of each row to the nearest of the others, shape (rows,)."""
    return np.concatenate([np.zeros(0), *(apart.min(axis=1) for apart in _apart(rows, others))])


def _apart(rows: Points, others: Points) -> Iterator[Floats]:
    """The distances of rows to the others, shape (some rows, others), some rows after the other."""
    step = max(1, CELLS // max(1, others.size * rows.width))
    for begin in range(0, rows.size, step):
        some = rows.take(np.arange(begin, min(begin + step, rows.size)))
        apart = np.abs(some.numbers[:, None] - others.numbers)
        null = np.isnan(some.numbers)[:, None] & np.isnan(others.numbers)
        apart = np.where(np.isnan(apart), np.where(null, 0.0, 1.0), apart).sum(axis=2)
        apart += (some.codes[:, None] != others.codes).sum(axis=2)
        yield apart / rows.width


def membership(seen: Floats, people: Ints, unseen: Floats, others: Ints, rng: np.random.Generator) -> Risk:
    """How well the distance to the copy tells who was in training: the area under its curve, one half for a guess.

    The control is the same among people who were not: one random half of them against the other.
    """
    whole = _interval(lambda a, b: _area(seen[a], unseen[b]), people, others, rng)
    half = rng.random(int(others.max(initial=0)) + 1) < 0.5
    one, two = np.flatnonzero(half[others]), np.flatnonzero(~half[others])
    control = _interval(lambda a, b: _area(unseen[one][a], unseen[two][b]), others[one], others[two], rng)
    return Risk(*whole, *control)


def singling_out(seen: Points, unseen: Points, copy: Points, rng: np.random.Generator) -> Risk:
    """How often a description that fits one row of the copy fits one person (Giomi et al. 2023, Anonymeter).

    A description is a few columns of a row of the copy: categories as they are, numbers up to a hundredth of the rows.
    """
    columns = copy.width
    hits: list[tuple[bool, bool]] = []
    for row in rng.permutation(copy.size)[: 4 * GUESSES].tolist():
        chosen = rng.permutation(columns)[: min(WIDE, columns)]
        if _fits(copy, copy, row, chosen).sum() == 1:
            fits = (len(np.unique(side.people[_fits(side, copy, row, chosen)])) for side in (seen, unseen))
            hits.append((next(fits) == 1, next(fits) == 1))
        if len(hits) == GUESSES:
            break
    found = np.array(hits, bool).reshape(len(hits), 2)
    each = np.arange(len(found))
    return _shares(found[:, 0], each, found[:, 1], each, rng)


def _fits(side: Points, copy: Points, row: int, chosen: Ints) -> NDArray[np.bool_]:
    fits = np.ones(side.size, bool)
    width = copy.numbers.shape[1]
    for column in chosen.tolist():
        if column < width:
            own, wanted = side.numbers[:, column], copy.numbers[row, column]
            fits &= np.isnan(own) if np.isnan(wanted) else np.abs(own - wanted) <= NEAR
        else:
            fits &= side.codes[:, column - width] == copy.codes[row, column - width]
    return fits


def linkability(seen: Points, unseen: Points, copy: Points, rng: np.random.Generator) -> Risk:
    """How often a row of the copy links two halves of what is known of a person (Giomi et al. 2023, Anonymeter).

    Whoever knows some columns of a person from one source and the others from a second one looks up in the copy which
    rows are nearest to each: a row that is near to both says that they are of one person.
    """
    if copy.width < 2:
        return Risk(*[0.0] * 6)
    columns = rng.permutation(copy.width)
    halves = columns[: copy.width // 2], columns[copy.width // 2 :]
    order = rng.permutation(copy.size)  # else rows that are equally near would come in one order for both halves
    found = []
    for side in (seen, unseen):
        one, two = (
            _nearest(side.only(half), copy.take(at).only(half), at)
            for half, at in zip(halves, (np.arange(copy.size), order), strict=True)
        )
        found.append((one[:, :, None] == two[:, None, :]).any(axis=(1, 2)))
    return _shares(found[0], seen.people, found[1], unseen.people, rng)


def _nearest(rows: Points, others: Points, names: Ints) -> Ints:
    """The names of the others that are nearest to each row, shape (rows, n)."""
    n = min(NEIGHBOURS, others.size)
    parts = [names[np.argpartition(apart, n - 1, axis=1)[:, :n]] for apart in _apart(rows, others)]
    nearest: Ints = np.concatenate([np.zeros((0, n), np.int64), *parts])
    return nearest


def _closer(to_seen: Floats, to_unseen: Floats, rng: np.random.Generator) -> Risk:
    """The share of the copy that is nearer to rows in training than to others; half where the copy knows neither."""
    told = np.where(to_seen < to_unseen, 1.0, np.where(to_seen > to_unseen, 0.0, 0.5))
    each = np.arange(len(told))
    value = _interval(lambda a, b: float(told[a].mean()) if len(a) else 0.5, each, each, rng)
    return Risk(*value, 0.5, 0.5, 0.5)


def _shares(
    seen: NDArray[np.bool_], people: Ints, unseen: NDArray[np.bool_], others: Ints, rng: np.random.Generator
) -> Risk:
    mean = [
        lambda a, b: float(seen[a].mean()) if len(a) else 0.0,
        lambda a, b: float(unseen[b].mean()) if len(b) else 0.0,
    ]
    return Risk(*_interval(mean[0], people, others, rng), *_interval(mean[1], people, others, rng))


def _interval(statistic: Any, people: Ints, others: Ints, rng: np.random.Generator) -> tuple[float, float, float]:
    """A statistic of the rows of two groups, and its interval where people are drawn again."""
    value = statistic(np.arange(len(people)), np.arange(len(others)))
    each = [_Groups.of(people), _Groups.of(others)]
    drawn = [statistic(*(g.draw(rng) for g in each)) for _ in range(ROUNDS)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(value), float(min(low, value)), float(max(high, value))


@dataclass(frozen=True)
class _Groups:
    """Rows by person."""

    order: Ints
    start: Ints
    size: Ints

    @classmethod
    def of(cls, people: Ints) -> _Groups:
        order = np.argsort(people, kind="stable")
        _, start, size = np.unique(people[order], return_index=True, return_counts=True)
        return cls(order, start, size)

    def draw(self, rng: np.random.Generator) -> Ints:
        """The rows of as many people, drawn with replacement."""
        if not len(self.size):
            return np.zeros(0, np.int64)
        who = rng.integers(0, len(self.size), len(self.size))
        size = self.size[who]
        first = np.repeat(self.start[who] - np.concatenate([[0], np.cumsum(size)[:-1]]), size)
        rows: Ints = self.order[first + np.arange(size.sum())]
        return rows


def _area(seen: Floats, unseen: Floats) -> float:
    """The chance that a row in training is nearer to the copy than another row is; ties count half."""
    if not len(seen) or not len(unseen):
        return 0.5
    ordered = np.sort(unseen)
    below, up_to = np.searchsorted(ordered, seen, "left"), np.searchsorted(ordered, seen, "right")
    return float(1.0 - ((below + up_to) / 2).mean() / len(unseen))
