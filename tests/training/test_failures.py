"""Training that fails: half the batch when memory runs out, a lower rate after a divergence, wrong rows by column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import structlog

from synthohive_spark.errors import TrainingError
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.training.drawn import check_drawn
from synthohive_spark.training.memory_left import halved, out_of_memory
from tests.shuffle import ColumnShuffle

DATA = pd.DataFrame({"a": pd.array([1, 2, 3], "Int64"), "b": ["x", None, "z"], "c": [0.5, 1.5, 2.5]})


class Gives(ColumnShuffle):
    """Gives what it is told to."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.given = given

    def sample(self, num_rows: int, context: Any = None, seed: int | None = None) -> Any:
        return self.given


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.nan, "b": np.nan, "c": np.nan}, "column 'a' is null or NaN in 3 of 3 rows"),
        ({"c": [0.5, np.nan, 1.0]}, "column 'c' is null or NaN in 1 of 3 rows, and in none of those it learnt"),
        ({"a": "many"}, "column 'a' holds what is no number"),
        ({"b": None}, None),
    ],
)
def test_line_10_a_model_that_gives_nan_is_refused_by_column(change: dict[str, Any], message: str | None) -> None:
    model = Gives(DATA.assign(**change))
    if message is None:
        check_drawn("t", model, DATA, None)
        return
    with pytest.raises(TrainingError) as raised:
        check_drawn("t", model, DATA, None)
    assert "t: what Gives.sample gives is not of the table" in str(raised.value)
    assert message in str(raised.value)


def test_line_10_rows_and_columns_that_are_missing_are_named() -> None:
    for given, message in ((DATA[:1], "1 for 3 rows"), (DATA[["a"]], "column 'b' is missing"), ([], "list for 3 rows")):
        with pytest.raises(TrainingError, match=message):
            check_drawn("t", Gives(given), DATA, None)


def test_a_model_that_cannot_be_asked_yet_is_asked_later() -> None:
    with structlog.testing.capture_logs() as lines:
        check_drawn("t", ColumnShuffle(), DATA, None)
    assert [line["event"] for line in lines] == ["model_not_asked"]


def test_half_the_batch_when_memory_runs_out() -> None:
    assert out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert out_of_memory(MemoryError())
    assert not out_of_memory(ValueError("out of memory"))
    assert halved(CTGAN, {}, 10_000) == 250
    assert halved(CTGAN, {"batch_size": 100}, 10_000) == 50
    assert halved(ColumnShuffle, {}, 40) == 20
