"""CTGAN: what it learns, that it is seeded, and what survives save and load."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import structlog
import torch

from synthohive_spark.errors import ConfigError, GenerationError, SerializationError, TrainingError
from synthohive_spark.logs import configure
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.models.encoders import RARE_TOKEN

from .frames import every_kind, planted

SMALL: dict[str, Any] = {"generator_dim": (32,), "discriminator_dim": (32,), "embedding_dim": 8, "batch_size": 100}


def tiny(**options: Any) -> CTGAN:
    return CTGAN(**{**SMALL, "epochs": 2, **options})


@pytest.fixture(scope="module")
def planted_model() -> CTGAN:
    data, context = planted()
    sizes = {"generator_dim": (64, 64), "discriminator_dim": (64, 64), "batch_size": 200}
    return CTGAN(epochs=None, **sizes).fit(data, context, "orders", seed=1)


def test_children_follow_their_parents(planted_model: CTGAN) -> None:
    _, context = planted()
    fresh = context.sample(frac=1, random_state=3, ignore_index=True)
    rows = planted_model.sample(len(fresh), fresh, seed=2)
    wanted = pd.Series(np.where(fresh["region"] == "north", "skis", "boat"))
    sold = rows["product"] != "tent"
    assert (rows["product"] == wanted)[sold].mean() > 0.9
    assert np.corrcoef(rows["price"], fresh["budget"])[0, 1] > 0.7


def test_margins_are_kept(planted_model: CTGAN) -> None:
    data, context = planted()
    rows = planted_model.sample(len(context), context, seed=2)
    shares = data["product"].value_counts(normalize=True) - rows["product"].value_counts(normalize=True)
    assert shares.abs().sum() / 2 < 0.05
    grid = np.sort(data["price"])
    real = np.arange(1, len(grid) + 1) / len(grid)
    assert np.abs(np.searchsorted(np.sort(rows["price"]), grid, side="right") / len(rows) - real).max() < 0.08


def test_metrics_are_json_and_say_what_happened(planted_model: CTGAN) -> None:
    metrics = json.loads(json.dumps(planted_model.metrics))
    assert metrics["steps"] == 400
    assert metrics["clock_stop"] is False
    assert metrics["restarts"] == 0
    assert 0 < metrics["best_step"] <= metrics["steps"]
    assert metrics["seconds"] > 0
    assert len(metrics["history"]) == 15
    gaps = [entry["association_gap"] for entry in metrics["history"]]
    assert metrics["association_gap"] == min(gaps) < gaps[0]


def test_one_seed_one_model_and_one_table(tmp_path: Path) -> None:
    data, context = planted(400)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    for name in ("a", "b"):
        tiny().fit(data, context, seed=5).save(tmp_path / name)
    tiny().fit(data, context, seed=6).save(tmp_path / "c")
    for file in ("model.json", "weights.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a/weights.safetensors").read_bytes() != (tmp_path / "c/weights.safetensors").read_bytes()
    model = CTGAN.load(tmp_path / "a")
    pd.testing.assert_frame_equal(model.sample(400, context, seed=1), model.sample(400, context, seed=1))
    assert not model.sample(400, context, seed=1).equals(model.sample(400, context, seed=2))
    assert not model.sample(400, context).equals(model.sample(400, context))
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


def test_long_samples_start_like_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthohive_spark.models.ctgan.sampling.SAMPLE_BATCH", 100)
    model = tiny().fit(planted(300)[0], seed=1)
    pd.testing.assert_frame_equal(model.sample(250, seed=1).head(200), model.sample(200, seed=1))


def test_save_and_load_give_the_same_rows(tmp_path: Path) -> None:
    data, context = planted(400)
    model = tiny(legacy_context_conditioning=True, min_count=5).fit(data, context, seed=5)
    model.save(tmp_path / "deep" / "model")
    loaded = CTGAN.load(tmp_path / "deep" / "model")
    pd.testing.assert_frame_equal(
        model.sample(50, context.head(50), seed=1), loaded.sample(50, context.head(50), seed=1)
    )
    assert loaded.legacy_context_conditioning is True
    assert loaded.settings == model.settings
    assert loaded.metrics["steps"] == model.metrics["steps"]
    assert sorted(path.name for path in (tmp_path / "deep" / "model").iterdir()) == [
        "model.json",
        "weights.safetensors",
    ]


def test_an_old_checkpoint_without_the_flag_loads_as_false(tmp_path: Path) -> None:
    tiny(legacy_context_conditioning=True).fit(planted(60)[0], seed=1).save(tmp_path)
    header = json.loads((tmp_path / "model.json").read_text())
    assert header["options"].pop("legacy_context_conditioning") is True
    (tmp_path / "model.json").write_text(json.dumps(header))
    assert CTGAN.load(tmp_path).legacy_context_conditioning is False
    assert CTGAN().legacy_context_conditioning is False


def test_broken_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    tiny().fit(planted(60)[0], seed=1).save(tmp_path)
    header, weights = (tmp_path / "model.json").read_text(), (tmp_path / "weights.safetensors").read_bytes()
    texts = ["{", "[]", header.replace('"ctgan"', '"other"'), header.replace('"format": 1', '"format": 9')]
    texts += [header.replace('"scale"', '"skale"'), header.replace('"embedding_dim": 8', '"embedding_dim": 9')]
    for text in texts:
        (tmp_path / "model.json").write_text(text)
        with pytest.raises(SerializationError, match=r";"):
            CTGAN.load(tmp_path)
    (tmp_path / "model.json").write_text(header)
    (tmp_path / "weights.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(SerializationError, match="corrupt"):
        CTGAN.load(tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(SerializationError, match="no model can be read"):
        CTGAN.load(tmp_path)
    with pytest.raises(SerializationError, match="not trained"):
        CTGAN().save(tmp_path)


def test_every_kind_keeps_dtype_nulls_and_range(tmp_path: Path) -> None:
    data = every_kind()
    tiny().fit(data, seed=1).save(tmp_path)
    rows = CTGAN.load(tmp_path).sample(500, seed=1)
    assert rows.dtypes.to_dict() == data.dtypes.to_dict()
    assert list(rows.columns) == list(data.columns)
    assert len(rows) == 500
    nulls = (rows.isna().mean() - data.isna().mean()).abs()
    assert nulls.max() < 0.1
    assert (nulls[data.notna().all()] == 0).all()
    for name in ("large", "date", "stamp", "zoned", "money"):
        assert data[name].min() <= rows[name].min()
        assert rows[name].max() <= data[name].max()
    assert set(rows["constant"]) == {"same"}


@pytest.mark.parametrize("rows", [1, 2, 16, 188])
def test_small_tables(rows: int) -> None:
    data, context = planted(rows)
    drawn = tiny().fit(data, context, seed=1).sample(rows, context, seed=1)
    assert len(drawn) == rows
    assert drawn.notna().all(axis=None)
    if rows < 3:
        assert set(drawn["product"]).isdisjoint({RARE_TOKEN, *data["product"]})


def test_odd_shapes() -> None:
    nothing = pd.DataFrame(index=pd.RangeIndex(9))
    assert tiny().fit(nothing, planted(9)[1], seed=1).sample(4, planted(4)[1]).shape == (4, 0)
    constant = pd.DataFrame({"x": ["a"] * 9, "y": [None] * 9, "z": [2.5] * 9})
    drawn = tiny().fit(constant, seed=1).sample(4)
    assert drawn["x"].tolist() == ["a"] * 4
    assert drawn["y"].isna().all()
    assert drawn["z"].tolist() == [2.5] * 4
    single = tiny().fit(planted(50)[0][["price"]], nothing.reindex(range(50)), seed=1)
    assert single.sample(7, seed=1).shape == (7, 1)
    empty = single.sample(0)
    assert empty.shape == (0, 1)
    assert empty["price"].dtype == np.float64


def test_a_row_index_does_not_matter() -> None:
    data, context = planted(120)
    shuffled = data.set_index(np.arange(120)[::-1]), context.set_index(np.arange(120) + 7)
    first, second = tiny().fit(data, context, seed=1), tiny().fit(*shuffled, seed=1)
    pd.testing.assert_frame_equal(first.sample(120, context, seed=1), second.sample(120, shuffled[1], seed=1))


def test_context_that_does_not_fit_is_refused() -> None:
    data, context = planted(60)
    model = tiny().fit(data, context, seed=1)
    with pytest.raises(GenerationError, match="lacks the columns"):
        model.sample(60)
    with pytest.raises(GenerationError, match="num_rows is 5 but the context has 60 rows"):
        model.sample(5, context)
    with pytest.raises(TrainingError, match="60 rows but 59 rows of context"):
        tiny().fit(data, context.head(59))
    with pytest.raises(TrainingError, match="no rows"):
        tiny().fit(data.head(0))
    with pytest.raises(GenerationError, match="not trained"):
        tiny().sample(1)
    strange = pd.DataFrame({"region": ["west", None], "budget": [np.nan, 1e30], "more": [1, 2]})
    assert len(model.sample(2, strange, seed=1)) == 2


def test_keys_of_the_metadata_are_not_modelled() -> None:
    class Keys:
        def key_columns(self, table_name: str) -> set[str]:
            return {"orders": {"id", "user_id"}}[table_name]

    data = planted(60)[0].assign(id=range(60), user_id=1)
    assert list(tiny(metadata=Keys()).fit(data, None, "orders", seed=1).sample(3)) == ["product", "price"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"epoch": 3}, "nearest one is 'epochs'"), ({"pac": 0}, "out of range"), ({"generator_dim": (8, -1)}, "range")],
)
def test_options_are_checked_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CTGAN(**options)


def test_divergence_is_undone_or_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    data, context = planted(300)
    with pytest.raises(TrainingError, match="non-finite"):
        tiny(epochs=40, learning_rate=1e30).fit(data, context, "orders", seed=1)
    step, calls = torch.optim.Adam.step, {"count": 0}

    def poisoned(self: torch.optim.Adam, closure: Any = None) -> Any:
        calls["count"] += 1
        if calls["count"] == 60:
            for group in self.param_groups:
                group["params"][0].data.fill_(math.nan)
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", poisoned)
    model = tiny(epochs=40).fit(data, context, seed=1)
    assert model.metrics["restarts"] == 1
    assert model.sample(300, context, seed=1)["price"].notna().all()


def test_the_clock_stops_a_run_that_is_far_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthohive_spark.models.ctgan.trainer.safety_stop", lambda seconds: 0.0)
    model = tiny(epochs=40).fit(planted(300)[0], seed=1)
    assert model.metrics["clock_stop"] is True
    assert model.metrics["steps"] < 120
    assert len(model.sample(5)) == 5


def test_events_tell_the_course_of_the_training() -> None:
    configure("debug")
    with structlog.testing.capture_logs() as logs:
        tiny(epochs=10).fit(planted(300)[0], table_name="orders", seed=1)
    names = [entry["event"] for entry in logs]
    assert names[0] == "training_start"
    assert names[-1] == "training_complete"
    assert 10 <= names.count("epoch_end") <= 20
    assert all(entry["table"] == "orders" for entry in logs)
    assert {"critic_loss", "generator_loss", "association_gap", "eta", "epoch"} <= set(logs[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_model_trained_on_a_gpu_loads_on_the_cpu(tmp_path: Path) -> None:
    data, context = planted(300)
    tiny(device="cuda").fit(data, context, seed=1).save(tmp_path)
    assert len(CTGAN.load(tmp_path).sample(300, context, seed=1)) == 300


def test_names_of_single_rows_stay_narrow() -> None:
    names = [f"name {number}" for number in range(20_000)]
    data = pd.DataFrame({"name": names + ["often"] * 50, "x": range(20_050)})
    model = tiny(epochs=1).fit(data, pd.DataFrame({"parent": data["name"].to_numpy()}), seed=1)
    assert model.metrics["width"] < 10
    drawn = set(model.sample(50, data[["name"]].head(50).rename(columns={"name": "parent"}))["name"])
    assert drawn.isdisjoint({RARE_TOKEN, *names})


def test_wide_tables_share_a_budget_of_states() -> None:
    rng = np.random.default_rng(0)
    words = {f"w{column}": rng.integers(0, 30, 300).astype(str) for column in range(150)}
    numbers = {f"n{column}": rng.integers(0, 30, 300) for column in range(150)}
    model = tiny(epochs=1).fit(pd.DataFrame({**words, **numbers}), seed=1)
    assert model.metrics["width"] < 5000
    assert model.sample(3).shape == (3, 300)
