"""The rare token is learnt and never written, and what it stood for is shared as the network says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthohive_spark.models.autoregressive.model import AutoregressiveModel
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.models.common.calibrated_sampling import draw_evenly
from synthohive_spark.models.common.closed import among_all, without
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.models.encoders import RARE_TOKEN

torch = pytest.importorskip("torch")


def towns(rows: int = 3000) -> pd.DataFrame:
    """Towns of two sides; a quarter of them have one row, and lie on the side where towns are called b."""
    rng = np.random.default_rng(2)
    side = rng.random(rows) < 0.5
    town = np.where(side, rng.choice(["b1", "b2"], rows, p=[0.7, 0.3]), rng.choice(["a1", "a2"], rows)).astype(object)
    rare = side & (rng.random(rows) < 0.5)
    town[rare] = [f"hamlet {i}" for i in np.flatnonzero(rare)]
    return pd.DataFrame({"side": np.where(side, "right", "left"), "town": town})


MODELS: dict[str, Any] = {
    "autoregressive": lambda: AutoregressiveModel(max_seconds=3),
    "ctgan": lambda: CTGAN(max_seconds=8),
    "classic": lambda: CTGAN.classic(epochs=2, generator_dim=(32, 32), discriminator_dim=(32, 32)),
}


# Two minutes of CTGAN
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "ctgan")) for n in MODELS])
@pytest.mark.parametrize("way", ["sample", "sample_table"])
def test_a_rare_town_becomes_one_of_the_kept_given_the_row(name: str, way: str) -> None:
    data = towns()
    model: ConditionalGenerativeModel = MODELS[name]().fit(data, seed=1)
    drawn = getattr(model, way)(2000, seed=1)
    assert set(drawn["town"]) <= {"a1", "a2", "b1", "b2"}
    if name != "classic":
        right = drawn["side"] == "right"
        assert abs(right.mean() - 0.5) < 0.06
        assert (drawn["town"][right].str[0] == "b").mean() > 0.9
        assert (drawn["town"][~right].str[0] == "a").mean() > 0.9


@pytest.mark.parametrize("closed", [None, 0, 1, 2])
def test_closed_states_are_left_out_and_codes_stay_those_of_all_states(closed: int | None) -> None:
    logits = torch.tensor([[0.5, 0.3, 0.2]])
    kept = without(logits, closed)
    back = among_all(torch.arange(kept.shape[1]), closed)
    assert closed not in back.tolist()
    assert (kept == logits[:, back]).all()


def test_what_a_closed_state_would_have_had_goes_to_what_is_likely_in_the_row() -> None:
    """Two sorts of rows: in one of them the closed state has half of what is not the first state's."""
    logits = torch.tensor([[0.8, 0.1, 0.1], [0.02, 0.49, 0.49]]).log().repeat_interleave(500, dim=0)
    shares = torch.tensor([0.41, 0.295, 0.295])
    drawn = draw_evenly(logits, shares, torch.Generator().manual_seed(3), closed=2)
    assert torch.bincount(drawn[:500], minlength=3).tolist()[0] == pytest.approx(500 * 8 / 9, abs=2)
    assert torch.bincount(drawn[500:], minlength=3).tolist() == [pytest.approx(20, abs=2), pytest.approx(480, abs=2), 0]


def test_a_table_of_rare_texts_alone_is_written_in_words_that_differ_from_draw_to_draw() -> None:
    data = pd.DataFrame({"name": [f"Person{i}" for i in range(90)]})
    model = AutoregressiveModel(max_seconds=1).fit(data, seed=1)
    first, second = model.sample(90, seed=1)["name"], model.sample(90, seed=2)["name"]
    assert first.str.fullmatch("[A-Z][a-z]{5}").all()
    assert first.nunique() > 60
    assert not first.equals(second)
    assert model.sample(90, seed=1)["name"].equals(first)
    assert RARE_TOKEN not in set(first) | set(second)
