"""Key values without repetition inside a batch: drawn again, then replaced by unused neighbours. No row is dropped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.randomness import Ints, mix, seed_of
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.keys import SequencePlan

REDRAWS = 3  # values that the model is asked for again before neighbours are taken
STEPS = 1_000_000  # neighbours that are tried
Mask = npt.NDArray[np.bool_]


def sequence_values(plan: SequencePlan, families: pd.DataFrame, owner: Ints, at: Ints, seed: int) -> Values:
    """The ``at``-th key value of each row's family: distinct in the family, whatever slices it is cut into.

    Args:
        plan: domain and step of the key column.
        families: one row per family, with ``rank`` and ``total``.
        owner: the family of each row, shape (rows,).
        at: position of each row in its family, shape (rows,).
        seed: the generation seed.
    """
    total = families["total"].to_numpy(np.int64)
    size = np.maximum(plan.size, total)
    luck = (mix(families["rank"].to_numpy(np.int64), seed) >> np.uint64(1)).astype(np.int64)
    if plan.consecutive:
        begin = np.minimum(np.array(plan.starts)[luck % len(plan.starts)], size - total)
        index = begin[owner] + at
    else:
        share, rest = np.divmod(size[owner], total[owner])  # apart, since a domain may be as wide as its type
        low = at * share + at * rest // total[owner]
        high = (at + 1) * share + (at + 1) * rest // total[owner]
        jitter = (mix(luck[owner] + at, seed) >> np.uint64(1)).astype(np.int64)
        index = low + jitter % np.maximum(high - low, 1)
    return plan.format.values(plan.steps(index), int(size.max(initial=1)))


def grid_values(grid: Sequence[SequencePlan], index: Ints, total: int) -> dict[str, Values]:
    """The columns of a natural key from positions in the table: the product of the domains, the last column fastest.

    A product that is too small for the table is widened in its first column.
    """
    sizes = [p.size for p in grid]
    rest = int(np.prod(sizes[1:], dtype=np.int64))
    sizes[0] = max(sizes[0], -(-total // rest))
    made, left = {}, index
    for plan, size in reversed(list(zip(grid, sizes, strict=True))):
        made[plan.column] = plan.format.values(left % size, size)
        left = left // size
    return made


def distinct(
    group: Ints, value: Values, redraw: Callable[[Ints], Values] | None, cut: int, slices: int, place: str
) -> Values:
    """Values that do not repeat inside a group.

    Families that share the rest of their key share a batch; where families are sliced, slice s keeps to values of its
    own, so that batches cannot meet: whole numbers that leave the remainder s, which each number has near it, so that
    rows stay what they are; other values that hash to s.

    Args:
        group: code of the rest of the key, shape (rows,).
        value: the key column, shape (rows,).
        redraw: gives new values for rows, by their places, which may recur; None where the column is not modelled.
        cut: this batch's slice.
        slices: slices in the batch's block.
        place: table and column, for the message.

    Raises:
        GenerationError: no unused value is left.
    """
    value = _nearest(value, cut, slices)
    wrong = _wrong(group, value, cut, slices)
    if not wrong.any():
        return value
    if redraw is not None:
        asked = np.flatnonzero(wrong)
        drawn = redraw(np.tile(asked, REDRAWS))  # at once: a call costs more than some rows
        offered = _nearest(drawn, cut, slices).array
        value = value.copy()
        for attempt in range(REDRAWS):
            left = wrong[asked]
            value[wrong] = offered[attempt * len(asked) + np.flatnonzero(left)]
            order = np.r_[np.flatnonzero(~wrong), asked[left]]  # what was right stays
            wrong[order] = _wrong(group[order], value.iloc[order], cut, slices)
            if not wrong.any():
                return value
    return _neighbours(group, value, wrong, cut, slices, place)


def _nearest(value: Values, cut: int, slices: int) -> Values:
    """Whole numbers moved to the nearest one of the slice, within their range where it has one; others as they are."""
    known = value.notna().to_numpy()
    if slices <= 1 or not known.any() or pd.api.types.infer_dtype(value, skipna=True) != "integer":
        return value
    number: Ints = value[known].to_numpy(np.int64)
    up = (cut - number) % slices
    moved = number + np.where(up > slices // 2, up - slices, up)
    moved += slices * (moved < number.min()).astype(np.int64) - slices * (moved > number.max()).astype(np.int64)
    result = value.astype(object)
    result[known] = moved
    return result


def _own(value: Any, cut: int, slices: int) -> bool:
    """Whether a value is one of the slice."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value) % slices == cut
    return seed_of(value) % slices == cut


def _wrong(group: Ints, value: Values, cut: int, slices: int) -> Mask:
    """Rows whose value is null, belongs to another slice, or came before in their group."""
    repeated = pd.DataFrame({"g": group, "v": value.array}).duplicated().to_numpy()
    wrong: Mask = repeated | value.isna().to_numpy()
    if slices > 1:
        wrong = wrong | np.array([not _own(v, cut, slices) for v in value], bool)
    return wrong


def _neighbours(group: Ints, value: Values, wrong: Mask, cut: int, slices: int, place: str) -> Values:
    """Replace wrong values by the next unused one: numbers and dates count up, text takes other seen values."""
    used = {(int(g), v) for g, v in zip(group[~wrong], value[~wrong], strict=True)}
    seen = sorted(set(value.dropna()), key=str)
    result = value.astype(object).tolist()
    for i in np.flatnonzero(wrong).tolist():
        free = (
            candidate
            for candidate in _candidates(result[i], seen)
            if (int(group[i]), candidate) not in used and (slices <= 1 or _own(candidate, cut, slices))
        )
        chosen = next(free, None)
        if chosen is None:
            raise GenerationError(
                f"{place}: no unused value is left for a primary key; lower generate.scale, or declare a wider key"
            )
        used.add((int(group[i]), chosen))
        result[i] = chosen
    return pd.Series(result, dtype=object)


def _candidates(value: Any, seen: list[Any]) -> Iterator[Any]:
    if value is None or pd.isna(value):
        value = seen[0] if seen else 0
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        yield from (int(value) + k for k in range(STEPS))
    elif isinstance(value, dt.datetime):
        yield from (value + dt.timedelta(seconds=k) for k in range(STEPS))
    elif isinstance(value, dt.date):
        yield from (
            value + dt.timedelta(days=k) for k in range(STEPS) if value.toordinal() + k < dt.date.max.toordinal()
        )
    elif isinstance(value, (float, np.floating, Decimal)):
        yield from (value + k for k in range(STEPS))
    else:
        start = seen.index(value) if value in seen else 0
        yield from (seen[(start + k) % len(seen)] for k in range(len(seen)))
