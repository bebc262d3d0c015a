"""Times that are never before others, as the models see them: how long after, counted from 1970.

So a model cannot break the order, and learns what such times have in common: days until delivery, not days of delivery.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthohive_spark.randomness import Ints
from synthohive_spark.relational.plan import After
from synthohive_spark.relational.values import Values

EPOCH = dt.date(1970, 1, 1).toordinal()
NONE = np.iinfo(np.int64).min
LAST_DAY = dt.date.max.toordinal() - EPOCH
LAST_MICROS = np.datetime64(dt.datetime.max, "us").astype(np.int64)


def elapsed(data: pd.DataFrame, context: pd.DataFrame, after: Mapping[str, After]) -> pd.DataFrame:
    """Rows with how long after instead of when, for each time of ``after``.

    Args:
        data: modelled columns in the dtypes of ``as_model``, shape (rows, columns).
        context: what the model sees of each row; the row's own key columns are among it.
        after: what each time is never before.
    """
    made = {}
    for column, law in after.items():
        when, least = _counted(data[column]), _least(data, context, law)
        there = (when != NONE) & (least != NONE)
        made[column] = _like(data[column], np.where(there, np.maximum(when - least, 0), NONE))
    return data.assign(**made)


def placed(data: pd.DataFrame, context: pd.DataFrame | None, after: Mapping[str, After]) -> pd.DataFrame:
    """The inverse of ``elapsed``: times of the rows that a model drew, null where what they are after is not known."""
    shown = context if context is not None else pd.DataFrame(index=data.index)
    for column, law in after.items():  # bases first
        long, least = _counted(data[column]), _least(data, shown, law)
        there = (long != NONE) & (least != NONE)
        data = data.assign(**{column: _like(data[column], np.where(there, least + np.maximum(long, 0), NONE))})
    return data


def _least(data: pd.DataFrame, context: pd.DataFrame, law: After) -> Ints:
    """The first time of its grid at which a column may lie: at or after the last of what it is never before."""
    bases = [data[b] if b in data else context[b] for b in law.own] + [context[b] for b in law.seen]
    last: Ints = np.max([_counted(b) for b in bases], axis=0)
    if not law.step:
        return last
    up: Ints = np.where(last != NONE, -(-last // law.step) * law.step, NONE)
    return up


def _counted(values: Values) -> Ints:
    """Dates as days, times as microseconds since 1970; ``NONE`` where null."""
    if values.dtype.kind == "M":
        return values.to_numpy("datetime64[us]").astype("int64")
    days = [NONE if v is None or v is pd.NaT or v != v else v.toordinal() - EPOCH for v in values]
    return np.array(days, np.int64)


def _like(values: Values, counted: npt.NDArray[Any]) -> Values:
    """Counts as a column of the same dtype; null where ``NONE``."""
    if values.dtype.kind == "M":
        return pd.Series(np.minimum(counted, LAST_MICROS).astype("datetime64[us]"), index=values.index)
    days = np.minimum(counted, LAST_DAY).tolist()
    dates = [None if n == NONE else dt.date.fromordinal(n + EPOCH) for n in days]
    return pd.Series(dates, index=values.index, dtype=object)
