"""The classifiers of a two-sample test, in one Python task. Arithmetic, no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from synthohive_spark.evaluation.profile import Doubles
from synthohive_spark.randomness import Ints, generator, seed_of

FOLDS = 3
MANY_ROWS = 4_000  # of which one fold is enough for floor and ceiling: half the time, an error below 0.02
ROUNDS = 100  # trees, as many as XGBoost has by default
LEAST_ROWS = 25  # of each of two samples
Features = tuple[str, ...]
"""The kind of each value of a row: number, time or category."""


@dataclass(frozen=True)
class Told:
    """How hard two samples are to tell apart: 1 where a classifier guesses, 0 where it is always right.

    Attributes:
        score: of the copy beside the source.
        floor: of the source beside itself with independent columns and shuffled keys.
        ceiling: of the halves of the source.
        margin: standard error of the score, from the number of rows.
    """

    score: float
    floor: float
    ceiling: float
    margin: float = 0.0


@dataclass(frozen=True)
class Rows:
    """Rows of one table: key, side (0 and 1 real, 2 and 3 synthetic) and values."""

    key: Ints
    side: Ints
    values: Doubles

    @property
    def real(self) -> Rows:
        """Those of the source."""
        mine = self.side < 2
        return Rows(self.key[mine], self.side[mine], self.values[mine])


def tell_apart(rows: pa.Table, features: Sequence[Features]) -> dict[str, Told]:
    """C2ST of a table, and C2ST-Agg where it has children.

    Args:
        rows: role (-1 for the table, else the position of a child), side, key, v.
        features: of the table, then of each child.
    """
    role = rows.column("role").to_numpy()
    own, *children = (_part(rows.filter(pa.array(role == i - 1)), len(f)) for i, f in enumerate(features))
    real, found = own.real, dict[str, Told | None]()
    loose = _independent(real.values, "own")
    with threadpool_limits(1):
        if features[0]:
            found["c2st"] = _told(own, own.values, loose, features[0])
        if children:
            kinds = (*features[0], *(k for f in features[1:] for k in _added_kinds(f)))
            beside = [_added(own, c, f) for c, f in zip(children, features[1:], strict=True)]
            apart = [_added(real, _shuffled(c.real, real, i), f) for i, (c, f) in _numbered(children, features[1:])]
            found["c2st_agg"] = _told(own, np.hstack([own.values, *beside]), np.hstack([loose, *apart]), kinds)
    return {kind: told for kind, told in found.items() if told is not None}


def _numbered(children: Sequence[Rows], features: Sequence[Features]) -> list[tuple[int, tuple[Rows, Features]]]:
    return list(enumerate(zip(children, features, strict=True)))


def _part(rows: pa.Table, width: int) -> Rows:
    """Rows in an order that follows from what they hold."""
    flat = rows.column("v").combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    values = flat.reshape(len(rows), width)
    key, side = rows.column("key").to_numpy(), rows.column("side").to_numpy().astype(np.int64)
    order = np.lexsort((*np.nan_to_num(values).T, key, side))
    return Rows(key[order], side[order], values[order])


def _told(own: Rows, values: Doubles, floor: Doubles, kinds: Features) -> Told | None:
    real = values[own.side < 2]
    one, other = (values[own.side == side] for side in (0, 1))
    if min(len(one), len(other)) < LEAST_ROWS:
        return None
    copy = values[own.side >= 2]
    score, folds = _hard(real, copy, kinds), 1 if len(real) >= MANY_ROWS else FOLDS
    right = 0.5 + (1 - score) / 2
    margin = 2 * np.sqrt(right * (1 - right) / (2 * min(len(real), len(copy)) or 1))
    return Told(score, _hard(real, floor, kinds, folds), _hard(one, other, kinds, folds), round(float(margin), 6))


def _hard(left: Doubles, right: Doubles, kinds: Features, turns: int = FOLDS) -> float:
    """1 less what a classifier's accuracy is above guessing, in [0, 1]; of as many rows of both, in so many folds."""
    n = min(len(left), len(right))
    if n < LEAST_ROWS:
        return 0.0
    parts = [side[generator("c2st", i).permutation(len(side))[:n]] for i, side in enumerate((left, right))]
    x, y = np.vstack(parts), np.repeat([0, 1], n)
    right_answers = asked = 0
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed_of("folds") % 2**32)
    for fit, test in islice(folds.split(x, y), turns):
        told = [i for i in range(x.shape[1]) if not np.isnan(x[fit, i]).all()]
        if not told:
            return 1.0
        categorical = [kinds[i] == "category" for i in told]
        model = HistGradientBoostingClassifier(
            max_iter=ROUNDS, early_stopping=False, categorical_features=categorical, random_state=0
        )
        asked += len(test)
        right_answers += int((model.fit(x[fit][:, told], y[fit]).predict(x[test][:, told]) == y[test]).sum())
    return round(1 - 2 * max(right_answers / asked - 0.5, 0.0), 6)


def _independent(values: Doubles, *names: object) -> Doubles:
    """Each column in an order of its own."""
    columns = [column[generator("loose", *names, i).permutation(len(column))] for i, column in enumerate(values.T)]
    return np.stack(columns, axis=1) if columns else values


def _shuffled(children: Rows, parents: Rows, number: int) -> Rows:
    """Children with independent columns, each with any parent."""
    keys = generator("keys", number).choice(parents.key, len(children.key)) if len(parents.key) else children.key
    return Rows(keys, children.side, _independent(children.values, "child", number))


def _added_kinds(kinds: Features) -> list[str]:
    return ["number", *("number" for k in kinds if k != "time")]


def _added(parents: Rows, children: Rows, kinds: Features) -> Doubles:
    """What the children of each parent add up to: how many, different categories, means of numbers."""
    columns = [np.zeros(len(parents.key)) for _ in _added_kinds(kinds)]
    for synthetic in (False, True):
        mine, theirs = (parents.side >= 2) == synthetic, (children.side >= 2) == synthetic
        known = np.unique(parents.key[mine])
        if not len(known):
            continue
        place = np.searchsorted(known, children.key[theirs]).clip(0, len(known) - 1)
        there = known[place] == children.key[theirs]
        place, values = place[there], children.values[theirs][there]
        sums = [np.bincount(place, minlength=len(known)).astype(np.float64)]
        for i, kind in enumerate(kinds):
            if kind == "category":
                pairs = np.unique(np.stack([place, np.nan_to_num(values[:, i], nan=-1)], axis=1), axis=0)
                there = pairs[pairs[:, 1] >= 0, 0].astype(np.int64)
                sums.append(np.bincount(there, minlength=len(known)).astype(np.float64))
            elif kind == "number":
                seen = ~np.isnan(values[:, i])
                n = np.bincount(place[seen], minlength=len(known))
                total = np.bincount(place[seen], values[seen, i], minlength=len(known))
                sums.append(np.where(n > 0, total / np.maximum(n, 1), np.nan))
        for column, of_key in zip(columns, sums, strict=True):
            column[mine] = of_key[np.searchsorted(known, parents.key[mine])]
    return np.stack(columns, axis=1)
