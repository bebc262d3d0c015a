"""Numbers that are multiples of an ancestor's, as the models see them: by how much.

So a model learns what such numbers have in common: the discount, not the price.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Floats
from synthohive_spark.relational.plan import Relative
from synthohive_spark.relational.values import Values

DIGITS = 4  # of a factor
USUAL, USUAL_DIGITS = 16, 3  # factors that explain a number although it was rounded, and their digits


def factors(data: pd.DataFrame, context: pd.DataFrame, laws: Mapping[str, Relative]) -> pd.DataFrame:
    """Rows with the factor instead of the number, for each number of ``laws``.

    Args:
        data: modelled columns in the dtypes of ``as_model``, shape (rows, columns).
        context: what the model sees of each row.
        laws: what each number is a multiple of.
    """
    return data.assign(**{c: _factor(_floats(data[c]), _base(context, law), law.scale) for c, law in laws.items()})


def multiplied(data: pd.DataFrame, context: pd.DataFrame | None, laws: Mapping[str, Relative]) -> pd.DataFrame:
    """The inverse of ``factors``: numbers of the rows that a model drew, rounded as those of the source are."""
    shown = context if context is not None else pd.DataFrame(index=data.index)
    made = {}
    for column, law in laws.items():
        number = _floats(data[column]) * _base(shown, law)
        rounded = number if law.scale is None else np.round(number, law.scale)
        made[column] = pd.Series(rounded, index=data.index).astype("Float64")
    return data.assign(**made)


def _factor(number: Floats, base: Floats, scale: int | None) -> Floats:
    """The factor of each row: the most usual one that gives the number, which may be rounded; shape (rows,)."""
    factor = np.round(number / base, DIGITS)
    if scale is None:
        return factor
    values, rows = np.unique(np.round(factor[~np.isnan(factor)], USUAL_DIGITS), return_counts=True)
    for usual in values[np.argsort(rows, kind="stable")][-USUAL:]:  # the most usual last: it stays
        factor[np.abs(np.round(base * usual, scale) - number) < 0.1 * 10.0**-scale] = usual
    return factor


def _base(context: pd.DataFrame, law: Relative) -> Floats:
    """The ancestor's number of each row; 1 where it is none to divide by."""
    base = _floats(context[law.seen])
    base[np.isnan(base) | (base == 0)] = 1.0
    return base


def _floats(values: Values) -> Floats:
    """A copy of a column as floats, NaN where null."""
    return np.array(values.astype("Float64").to_numpy(np.float64, na_value=np.nan))
