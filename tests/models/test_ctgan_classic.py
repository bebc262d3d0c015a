"""The classic form of CTGAN: modes, the condition vector with training-by-sampling, packs of ten."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from synthohive_spark.errors import ConfigError, SerializationError
from synthohive_spark.models.common.layout import Layout, Packed
from synthohive_spark.models.ctgan.conditions import Conditions, ConditionSampler, draw_conditions
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.models.ctgan.options import CLASSIC
from synthohive_spark.models.ctgan.trainer import CTGANTrainer

from .frames import every_kind, planted

# Columns 0 and 2 are discrete; column 1 has two modes and a scalar.
LAYOUT = Layout((3, 2, 2), (1,), (0, 1, 2), (3, 2, 2), (-1,))
CPU = torch.device("cpu")


def rare_rows(rows: int = 3000) -> Packed:
    """Rows whose column 0 is 0, save one in a hundred 1 and one in three hundred 2; column 2 alternates."""
    codes = torch.zeros(rows, 3, dtype=torch.int32)
    codes[::100, 0] = 1
    codes[1::300, 0] = 2
    codes[::2, 2] = 1
    return Packed(codes, torch.zeros(rows, 1), LAYOUT.block_sizes)


def sampler(legacy: bool = False) -> ConditionSampler:
    rng = torch.Generator().manual_seed(3)
    return ConditionSampler(rare_rows(), Conditions(LAYOUT, CPU), 500, legacy, rng)


def test_discrete_columns_alone_can_be_asked_for() -> None:
    conditions = Conditions(LAYOUT, CPU)
    assert (conditions.blocks, conditions.sizes, conditions.width) == ([0, 2], [3, 2], 5)


def test_training_by_sampling_shows_states_by_the_logarithm_of_their_rows() -> None:
    rows, draw = rare_rows(), sampler()
    entries = torch.cat([draw.for_critic() for _ in range(100)])
    places = draw.places_of(entries)
    seen = torch.bincount(places, minlength=5) / len(places)
    logs = np.log1p([2960, 30, 10])
    wanted = [*(0.5 * logs / logs.sum()), 0.25, 0.25]
    assert seen.tolist() == pytest.approx(wanted, abs=0.01)
    codes = rows.codes[draw.rows_of(entries)]
    asked_first, asked_second = places < 3, places >= 3
    assert torch.equal(codes[asked_first, 0].long(), places[asked_first])
    assert torch.equal(codes[asked_second, 2].long(), places[asked_second] - 3)
    # Each row of a state is as likely as the others: the thirty rows of state 1 all come up.
    picked = draw.rows_of(entries)[places == 1]
    assert len(picked.unique()) == 30


def test_states_without_training_rows_are_never_asked_for() -> None:
    rows = rare_rows()
    rows.codes[rows.codes[:, 0] == 1, 0] = 0
    draw = ConditionSampler(rows, Conditions(LAYOUT, CPU), 5000, False, torch.Generator().manual_seed(0))
    assert set(draw.places_of(draw.for_critic()).tolist()) == {0, 2, 3, 4}


def test_the_generator_draws_conditions_of_its_own() -> None:
    fresh, legacy = sampler(), sampler(legacy=True)
    critic = fresh.for_critic()
    assert (fresh.for_generator(critic) == critic).float().mean() < 0.05
    critic = legacy.for_critic()
    assert torch.equal(legacy.for_generator(critic), critic)


def test_new_rows_are_asked_for_by_the_real_shares() -> None:
    shares = Conditions(LAYOUT, CPU).shares(rare_rows())
    assert shares.tolist() == pytest.approx([2960 / 6000, 30 / 6000, 10 / 6000, 0.25, 0.25])
    drawn = draw_conditions(shares, 40_000, torch.Generator().manual_seed(0))
    assert drawn is not None
    assert (torch.bincount(drawn, minlength=5) / 40_000).tolist() == pytest.approx(shares.tolist(), abs=0.01)
    assert draw_conditions(torch.zeros(0), 5, torch.Generator()) is None


def test_the_condition_loss_is_the_cross_entropy_of_the_column_asked_for() -> None:
    raw = torch.randn(4, LAYOUT.width, generator=torch.Generator().manual_seed(1))
    logits = raw[:, 1:]
    wanted = torch.nn.functional.cross_entropy(logits[:2, :3], torch.tensor([2, 0]), reduction="sum")
    wanted = wanted + torch.nn.functional.cross_entropy(logits[2:, 5:], torch.tensor([1, 0]), reduction="sum")
    found = Conditions(LAYOUT, CPU).loss(raw, torch.tensor([2, 0, 4, 3]))
    assert found.item() == pytest.approx(wanted.item() / 4, rel=1e-5)


SMALL: dict[str, Any] = {"generator_dim": (32,), "discriminator_dim": (32,), "embedding_dim": 8, "batch_size": 100}


def classic(**options: Any) -> CTGAN:
    return CTGAN.classic(**{**SMALL, "epochs": 2, **options})


def test_classic_is_the_published_model() -> None:
    settings = CTGAN.classic().settings
    assert (settings.batch_size, settings.embedding_dim, settings.epochs, settings.pac) == (500, 128, 300, 10)
    assert (settings.generator_dim, settings.discriminator_dim) == ((256, 256), (256, 256))
    assert (settings.learning_rate, settings.decay, settings.penalty_weight) == (2e-4, 1e-6, 10.0)
    assert (settings.normalisation, settings.conditional_sampling, settings.dropout) == ("mode", True, 0.5)
    assert (settings.moment_weight, settings.calibrate, settings.keep) == (0.0, False, "last")
    assert CTGAN.classic(pac=5).settings.pac == 5
    defaults = CTGAN().settings
    assert all(getattr(defaults, name) != value for name, value in CLASSIC.items())


def test_the_classic_form_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b", "c"], 2000, p=[0.6, 0.37, 0.03])
    size = np.where(kind == "a", -10.0, np.where(kind == "b", 20.0, 50.0)) + rng.normal(0, 1, 2000)
    data = pd.DataFrame({"kind": kind, "size": size})
    sizes = {"generator_dim": (64, 64), "discriminator_dim": (64, 64), "batch_size": 200, "embedding_dim": 16}
    model = CTGAN.classic(**sizes, epochs=60, learning_rate=1e-3).fit(data, seed=1)
    rows = model.sample(2000, seed=1)
    for name, centre in (("a", -10), ("b", 20), ("c", 50)):
        assert rows.loc[rows["kind"] == name, "size"].median() == pytest.approx(centre, abs=8)
    fitted = model._fitted
    assert fitted is not None
    assert fitted.generator is not None
    # The condition really conditions: asked for the rare state, nine rows of ten have it.
    asked = torch.zeros_like(fitted.conditions)
    asked[fitted.columns.specs[0].to_json()["tokens"].index("c")] = 1.0
    monkeypatch.setattr(model, "_fitted", replace(fitted, conditions=asked))
    assert (model.sample(500, seed=2)["kind"] == "c").mean() > 0.9
    assert (rows["kind"] == "c").mean() < 0.2


def test_same_seed_same_bytes_and_a_loaded_model_gives_the_same_rows(tmp_path: Path) -> None:
    data, context = planted(400)
    for name in ("a", "b"):
        classic().fit(data, context, seed=5).save(tmp_path / name)
    classic().fit(data, context, seed=6).save(tmp_path / "c")
    for file in ("model.json", "weights.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a/weights.safetensors").read_bytes() != (tmp_path / "c/weights.safetensors").read_bytes()
    model = classic().fit(data, context, seed=5)
    loaded = CTGAN.load(tmp_path / "a")
    assert loaded.settings == model.settings
    pd.testing.assert_frame_equal(model.sample(400, context, seed=1), loaded.sample(400, context, seed=1))
    header = json.loads((tmp_path / "a/model.json").read_text())
    header["options"]["conditional_sampling"] = False
    (tmp_path / "a/model.json").write_text(json.dumps(header))
    with pytest.raises(SerializationError, match="corrupt"):
        CTGAN.load(tmp_path / "a")


def test_every_kind_of_column_passes_through(tmp_path: Path) -> None:
    data = every_kind()
    classic().fit(data, seed=1).save(tmp_path)
    rows = CTGAN.load(tmp_path).sample(300, seed=1)
    assert rows.dtypes.to_dict() == data.dtypes.to_dict()
    for name in ("large", "date", "stamp", "zoned", "money"):
        assert data[name].min() <= rows[name].min()
        assert rows[name].max() <= data[name].max()
    assert set(rows["constant"]) == {"same"}


@pytest.mark.parametrize("columns", [["product"], ["price"]])
def test_tables_with_only_discrete_or_only_continuous_columns(columns: list[str]) -> None:
    rows = classic().fit(planted(300)[0][columns], seed=1).sample(50, seed=1)
    assert rows.shape == (50, 1)
    assert rows.notna().all(axis=None)


def test_each_option_of_the_classic_form_may_be_taken_alone() -> None:
    data, context = planted(300)
    for name, value in CLASSIC.items():
        rows = CTGAN(**SMALL, epochs=1, **{name: value}).fit(data, context, seed=1).sample(300, context, seed=1)
        assert rows.notna().all(axis=None)


def test_the_last_weights_are_those_of_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    finish = CTGANTrainer._finish

    def spy(self: CTGANTrainer, weights: dict[str, torch.Tensor]) -> Any:
        current = self.generator.state_dict()
        kept.append(all(torch.equal(weights[name], current[name]) for name in ("output.weight", "output.bias")))
        return finish(self, weights)

    monkeypatch.setattr(CTGANTrainer, "_finish", spy)
    classic(epochs=6).fit(planted(300)[0], seed=1)
    CTGAN(**SMALL, epochs=6).fit(planted(300)[0], seed=1)
    assert kept == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalisation": "modes"}, "use one of rank, mode"),
        ({"keep": "first"}, "use one of best, last"),
        ({"dropout": 1.0}, "out of range"),
        ({"decay": -1}, "out of range"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CTGAN(**options)
