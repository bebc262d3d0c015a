"""What may be told of sorted numbers with the people behind them, and is nobody's own: supports, ends and means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthohive_spark.models.encoders.sample import BottomK

Numbers = NDArray[Any]
Ints = NDArray[np.int64]


def supports(sample: BottomK) -> tuple[Numbers, Ints, Ints]:
    """Returns the (v,) distinct numbers of a sorted sample, the rows of each, and the people who hold it."""
    values, place, rows = np.unique(sample.values, return_inverse=True, return_counts=True)
    if sample.origin.people is None:
        return values, rows, rows
    known = sample.people >= 0
    pairs = np.unique(np.stack([place.reshape(-1)[known], sample.people[known]]), axis=1)
    return values, rows, np.bincount(pairs[0], minlength=values.size)


def people_behind(sample: BottomK) -> int:
    """Returns how many people a sample is of."""
    return (
        sample.values.size if sample.origin.people is None else int(np.unique(sample.people[sample.people >= 0]).size)
    )


def ends(sample: BottomK, k: int) -> tuple[Any, Any]:
    """Returns where a scale begins and ends: about the numbers of the k-th person from below and from above.

    An end that k people share is told as it is. Others follow on a straight line from the mean of the k people next to
    the k - 1 outermost ones and the mean of the k people next to these; none lies beyond the k-th person's number.

    Args:
        sample: sorted, of at least 3 k people where k is above 1.
        k: people who must be behind what is told.
    """
    backwards = sample.chosen(np.arange(sample.values.size)[::-1])
    return _end(sample, k), _end(backwards, k)


def _end(sample: BottomK, k: int) -> Any:
    """Returns the end next to the first number."""
    values, first = sample.values, _first_of_each(sample)
    most, beyond = (values[[first[0], first[k - 1]]]).tolist()
    if most == beyond:
        return most
    near, far = (_mean(values[first[begin : begin + k]]) for begin in (k - 1, 2 * k - 1))
    step = (far - near) * (k - 1)
    end = near - (step / (2 * k) if values.dtype.kind == "f" else step // (2 * k))
    if min(beyond, near) <= end <= max(beyond, near):
        return end
    return near + (beyond - near) / 2 if values.dtype.kind == "f" else near + (beyond - near) // 2


def _first_of_each(sample: BottomK) -> Ints:
    """Returns the place of the first number of each person, in order."""
    if sample.origin.people is None:
        return np.arange(sample.values.size)
    who, first = np.unique(sample.people, return_index=True)
    return np.sort(first[who >= 0])


def _mean(values: Numbers) -> Any:
    """Returns the mean in the type of the numbers, exact for integers of any size."""
    return float((values / values.size).sum()) if values.dtype.kind == "f" else sum(values.tolist()) // values.size


def means_around(sample: BottomK, centre: Ints, k: int) -> Numbers:
    """Returns the (c,) means of the k people around each place of a sorted sample, in the type of its numbers.

    A person counts once, with the mean of the numbers in the stretch: nobody's number is told for having it often.
    """
    last, values, people = sample.values.size - 1, sample.values, sample.people
    around = np.clip(centre[:, None] + np.arange(k) - k // 2, 0, last)
    if sample.origin.people is None:
        return window_means(values[around])
    told = list[Any]()
    for at in centre.tolist():
        width = k
        while True:
            begin, end = max(0, at - width // 2), min(last + 1, at - width // 2 + width)
            known = people[begin:end] >= 0
            own = people[begin:end][known]
            if end - begin > last or np.unique(own).size >= k:
                break
            width *= 2
        who, place = np.unique(own, return_inverse=True)
        each = [values[begin:end][known][place == i] for i in range(who.size)]
        told.append(_mean(np.asarray([_mean(part) for part in each], dtype=values.dtype)))
    return np.asarray(told, dtype=values.dtype)


def window_means(windows: Numbers) -> Numbers:
    """Returns the (c,) means of the (c, w) windows in the type of the numbers, between their extremes."""
    if windows.dtype.kind == "f":
        means: Numbers = (windows / windows.shape[1]).sum(axis=1)
        return np.clip(means, windows.min(axis=1), windows.max(axis=1))
    return np.asarray([sum(window) // len(window) for window in windows.tolist()], dtype=windows.dtype)
