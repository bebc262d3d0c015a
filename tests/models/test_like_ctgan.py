"""Models by themselves on a pandas frame, with the habits of those who know the package ctgan. No Spark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthohive_spark import CTGAN, AutoregressiveModel
from synthohive_spark.errors import GenerationError, TrainingError
from synthohive_spark.models.common.table_model import TableModel

RNG = np.random.default_rng(0)
PEOPLE = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, 400),
        "code": RNG.choice([100, 250, 999], 400, p=[0.6, 0.3, 0.1]),
        "town": RNG.choice(["Ulm", "Bonn"], 400),
    }
)
MODELS = [lambda: CTGAN(epochs=2), lambda: AutoregressiveModel(epochs=2)]


@pytest.mark.parametrize("make", MODELS)
def test_discrete_columns_come_second_and_keep_their_type(make: Callable[[], TableModel], tmp_path: Path) -> None:
    model = make().fit(PEOPLE, ["code", "town"], seed=1)
    made = model.sample(50, seed=2)
    assert list(made) == ["age", "code", "town"]
    assert {*made["code"].unique()} <= {100, 250, 999}, "categories, and numbers again"
    assert made["code"].dtype == PEOPLE["code"].dtype
    assert {*made["town"].unique()} <= {"Ulm", "Bonn"}
    model.save(tmp_path / "model")
    again = type(model).load(tmp_path / "model").sample(50, seed=2)
    pd.testing.assert_frame_equal(again, made)
    named = make().fit(PEOPLE, discrete_columns=["code", "town"], seed=1).sample(50, seed=2)
    pd.testing.assert_frame_equal(named, made)


@pytest.mark.parametrize("make", MODELS)
def test_wrong_arguments_are_answered(make: Callable[[], TableModel]) -> None:
    with pytest.raises(TrainingError, match="'cod': did you mean 'code'"):
        make().fit(PEOPLE, ["cod"])
    with pytest.raises(TrainingError, match="fit was given dict; give a pandas DataFrame"):
        make().fit(PEOPLE.to_dict())
    with pytest.raises(GenerationError, match="not trained; call fit"):
        make().sample(5)
