"""The context of a training sample as synthetic parents will show it: no text that few parents hold.

Synthetic parents hold another text in its place, drawn given the rest of their row. So do the parents of the sample:
each takes the text of one of some other parents, the one most like it (hot deck imputation, Andridge and Little 2010).
Where a copy makes up words instead, a child's model knows none of them: there they are the rare token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from synthohive_spark.counts.features import Features
from synthohive_spark.models.encoders import RARE_TOKEN, Limits
from synthohive_spark.models.encoders.categorical import shown
from synthohive_spark.randomness import Floats, Ints, generator
from synthohive_spark.schema.context import ContextColumn
from synthohive_spark.tables import TEXT

DONORS = 16  # parents of which the one most like another lends its text
AT_ONCE = 1_000  # parents that are compared with their donors at once


def as_published(
    context: pd.DataFrame,
    columns: Sequence[ContextColumn],
    people: Mapping[tuple[int, ...], Ints],
    k: int,
    seed: int,
) -> pd.DataFrame:
    """The context without texts that few people hold, whether or not these are frequent among the children.

    Args:
        context: what rows see of their ancestors, shape (rows, c).
        columns: of the context.
        people: {``ContextColumn.holder``: code of whom the ancestor of each row is about}.
        k: people who must hold a text.
        seed: of the donors.
    """
    made = dict[str, pd.Series]()
    for column in columns:
        if column.verbatim or not column.type.startswith(TEXT):
            continue
        pairs = pd.DataFrame({"who": people[column.holder], "text": context[column.name].to_numpy()})
        group = pairs.groupby(["who", "text"], dropna=False).ngroup().to_numpy()
        first = np.unique(group, return_index=True)[1]
        holders = context.iloc[first].reset_index(drop=True)
        text = holders[column.name]
        kept, made_up = shown({str(t): n for t, n in text.value_counts().items()}, Limits(min_count=k))
        rare = (text.notna() & ~text.isin(kept)).to_numpy(bool)
        if not rare.any():
            continue
        donors = np.flatnonzero(text.isin(kept).to_numpy(bool))
        text = text.mask(rare, RARE_TOKEN)
        if not made_up and len(donors):
            beside = [c.name for c in columns if c.path == column.path and c.name != column.name]
            matrix = Features.fit(holders[beside], k).matrix(holders[beside])
            lent = _donors(matrix, np.flatnonzero(rare), donors, generator(seed, column.name))
            text = text.where(~rare, pd.Series(text.to_numpy()[lent[np.cumsum(rare) - 1]], dtype=text.dtype))
        made[column.name] = text.iloc[group].set_axis(context.index)
    return context.assign(**made)


def _donors(matrix: Floats, rare: Ints, donors: Ints, rng: np.random.Generator) -> Ints:
    """For each rare row of a matrix the row, among some that the generator picks, most like it; shape (len(rare),)."""
    spread = matrix.std(axis=0) if matrix.size else np.ones(0)
    scaled = ((matrix - matrix.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
    tried = donors[rng.integers(0, len(donors), (len(rare), DONORS))]
    parts = [np.zeros(0, np.int64)]
    for begin in range(0, len(rare), AT_ONCE):
        some = tried[begin : begin + AT_ONCE]
        apart = np.abs(scaled[some] - scaled[rare[begin : begin + AT_ONCE], None]).sum(axis=2)
        parts.append(some[np.arange(len(some)), apart.argmin(axis=1)])
    found: Ints = np.concatenate(parts)
    return found
