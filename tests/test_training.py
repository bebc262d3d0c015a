"""What a training task does to its sample before a model sees it. No Spark."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthohive_spark.training import _filled


def test_nulls_that_a_law_makes_are_not_learnt_twice() -> None:
    rng = np.random.default_rng(4)
    cancelled, lost = rng.random(2000) < 0.1, rng.random(2000) < 0.05
    leave = pd.array(np.where(cancelled, 0, rng.integers(1, 9, 2000)), "Int64")
    leave[cancelled] = pd.NA
    arrive = pd.array(rng.integers(10, 20, 2000), "Int64")
    arrive[cancelled | lost] = pd.NA
    data = pd.DataFrame({"leave": leave, "arrive": arrive, "other": range(2000)})
    made = _filled(data, {"arrive": ("leave",)}, 1)
    assert made["arrive"].isna().to_numpy().tolist() == (lost & ~cancelled).tolist()
    assert made["arrive"].dtype == data["arrive"].dtype
    untouched = ~cancelled
    assert made["arrive"][untouched].equals(data["arrive"][untouched])
    assert made[["leave", "other"]].equals(data[["leave", "other"]])
    assert set(made["arrive"].dropna()) <= set(data["arrive"].dropna())
    assert _filled(data, {"arrive": ("leave",)}, 1).equals(made)
