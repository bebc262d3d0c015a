"""Keys to earlier rows of a batch: as many rows refer to nobody as in the source, whatever other keys say. No Spark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthohive_spark.generation.hierarchies import earlier_rows
from synthohive_spark.schema.keys import Beside

ROWS = 400


@pytest.mark.parametrize(("without", "roots"), [(0.0, 0.5), (0.3, 0.6), (0.7, 0.6)])
def test_rows_that_can_refer_to_nobody_count_among_those_that_do_not(without: float, roots: float) -> None:
    rng = np.random.default_rng(2)
    group = pd.Series(np.where(rng.random(ROWS) < without, None, rng.integers(0, 3, ROWS)), dtype=object)
    columns = {"up_group": group, "group": pd.Series(rng.integers(0, 3, ROWS)), "n": pd.Series(np.arange(ROWS))}
    own = Beside(columns=("up_group", "up_n"), own=("up_n",), referenced=("group", "n"), roots=roots)
    up = earlier_rows(own, columns, np.arange(ROWS), ROWS, np.ones(ROWS, bool), 5)
    assert (up < np.arange(ROWS)).all(), "an earlier one, or none"
    alone = int(group.isna().sum())
    assert (up < 0).sum() == pytest.approx(max(alone, roots * ROWS), abs=3), "the first rows of each group have nobody"
    found = up >= 0
    assert (columns["group"].to_numpy()[up[found]] == group.to_numpy()[found]).all()
