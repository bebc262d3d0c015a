"""Whether a trained model gives back what it learnt: rows, columns, types, and nulls only where there were any."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from synthohive_spark.errors import TrainingError
from synthohive_spark.logs import get_logger
from synthohive_spark.models.base import ConditionalGenerativeModel

log = get_logger(__name__)
ROWS = 256  # drawn for the question: few, and enough for what is wrong on most rows


def check_drawn(
    table: str,
    model: ConditionalGenerativeModel,
    data: pd.DataFrame,
    context: pd.DataFrame | None,
) -> None:
    """Draw some rows and look at them. A model that cannot be asked for rows yet is asked when it generates.

    Args:
        table: its name.
        model: that was fitted.
        data: to these (n, k) rows.
        context: and to the (n, c) context of each.

    Raises:
        TrainingError: with each column that is wrong.
    """
    rows = min(ROWS, len(data))
    seen = None if context is None else context.iloc[:rows].reset_index(drop=True)
    try:
        drawn = model.sample(rows, context=seen, seed=0)
    except Exception as e:
        log.warning("model_not_asked", table=table, cause=type(e).__name__)
        return
    found = []
    if not isinstance(drawn, pd.DataFrame) or len(drawn) != rows:
        found.append(f"{len(drawn) if isinstance(drawn, pd.DataFrame) else type(drawn).__name__} for {rows} rows")
    else:
        found += [line for c in data.columns for line in _problems(c, drawn, data[c])]
    if found:
        name = type(model).__name__
        said = f"{table}: what {name}.sample gives is not of the table; correct it:"
        raise TrainingError("\n  - ".join([said, *found]))


def _problems(column: str, drawn: pd.DataFrame, learnt: pd.Series) -> list[str]:
    if column not in drawn.columns:
        return [f"{_named(column)} is missing"]
    made = drawn[column]
    null = int(made.isna().sum())
    if null and not learnt.isna().any():
        return [f"{_named(column)} is null or NaN in {null} of {len(made)} rows, and in none of those it learnt"]
    if is_numeric_dtype(learnt) and not is_bool_dtype(learnt):
        try:
            pd.to_numeric(made.dropna())
        except (TypeError, ValueError):
            return [f"{_named(column)} holds what is no number"]
    return []


def _named(name: str) -> str:
    return f"column {name!r}"
