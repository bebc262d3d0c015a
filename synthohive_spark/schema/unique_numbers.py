"""Numbers of a model that are unique by construction: each keeps its size, and its remainder is the row's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints, scatter
from synthohive_spark.strict import Strict


class Apart(Strict):
    """A number that is unique: its remainder modulo the table's rows follows from the row's position.

    Attributes:
        low: the least number; remainders count from it.
        most: the largest number that its type holds.
    """

    low: int
    most: int


def apart(law: Apart, values: pd.Series[Any], index: Ints, total: int) -> pd.Series[Any]:
    """Numbers of the model, each moved to the near one that only this row may have; nulls stay.

    Args:
        law: where numbers begin and end.
        values: of the model, shape (n,).
        index: position of each row in the table, shape (n,).
        total: rows of the table.
    """
    null = values.isna().to_numpy(bool)
    number: Ints = np.array([law.low if gone else int(v) for v, gone in zip(values, null, strict=True)], np.int64)
    block = np.maximum(number - law.low, 0) // total
    block = np.minimum(block, max(0, (law.most - law.low + 1) // total - 1))
    moved = law.low + block * total + scatter(index, total)
    return pd.Series(moved, dtype="Int64").mask(null)
