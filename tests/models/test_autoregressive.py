"""The autoregressive model: what it learns, its likelihoods, that it is seeded, and what survives save and load."""

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
from synthohive_spark.models.autoregressive import trainer
from synthohive_spark.models.autoregressive.model import AutoregressiveModel
from synthohive_spark.models.encoders import RARE_TOKEN

from .frames import every_kind, planted

FILES = ("model.json", "weights.safetensors")


def tiny(**options: Any) -> AutoregressiveModel:
    return AutoregressiveModel(**{"epochs": 2, **options})


def pair(rows: int = 3000) -> pd.DataFrame:
    """Two fair coins that agree nine times in ten."""
    rng = np.random.default_rng(2)
    first = rng.integers(0, 2, rows)
    return pd.DataFrame({"a": first, "b": np.where(rng.random(rows) < 0.9, first, 1 - first)})


@pytest.fixture(scope="module")
def planted_model() -> AutoregressiveModel:
    data, context = planted()
    return AutoregressiveModel(max_seconds=2.5).fit(data, context, "orders", seed=1)


@pytest.fixture(scope="module")
def pair_model() -> AutoregressiveModel:
    return AutoregressiveModel(epochs=10).fit(pair(), seed=1)


def test_children_follow_their_parents(planted_model: AutoregressiveModel) -> None:
    _, context = planted()
    fresh = context.sample(frac=1, random_state=3, ignore_index=True)
    rows = planted_model.sample(len(fresh), fresh, seed=2)
    wanted = pd.Series(np.where(fresh["region"] == "north", "skis", "boat"))
    sold = rows["product"] != "tent"
    assert (rows["product"] == wanted)[sold].mean() > 0.95
    assert np.corrcoef(rows["price"], fresh["budget"])[0, 1] > 0.85


def test_margins_are_kept(planted_model: AutoregressiveModel) -> None:
    data, context = planted()
    rows = planted_model.sample(len(context), context, seed=2)
    shares = data["product"].value_counts(normalize=True) - rows["product"].value_counts(normalize=True)
    assert shares.abs().sum() / 2 < 0.03
    grid = np.sort(data["price"])
    real = np.arange(1, len(grid) + 1) / len(grid)
    assert np.abs(np.searchsorted(np.sort(rows["price"]), grid, side="right") / len(rows) - real).max() < 0.06
    assert (rows["price"].round(2) == rows["price"]).all()


def test_a_law_of_three_columns_is_learnt_where_no_two_of_them_hang_together() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 2, 2000), rng.integers(0, 2, 2000)
    parity = np.where(rng.random(2000) < 0.97, left ^ right, rng.integers(0, 2, 2000))
    data = pd.DataFrame({"left": left, "right": right, "parity": parity})
    rows = AutoregressiveModel(epochs=15).fit(data, seed=1).sample(2000, seed=1)
    assert ((rows["left"] ^ rows["right"]) == rows["parity"]).mean() > 0.95
    assert abs(np.corrcoef(rows["left"], rows["parity"])[0, 1]) < 0.1


def test_a_column_known_by_heart_does_not_stop_the_others_and_is_held_back() -> None:
    """``label`` is one draw for each family, so nothing tells it of a new one; ``y`` is ``x`` and a little noise."""
    rng = np.random.default_rng(1)
    family, rows = np.repeat(np.arange(60), 25), 1500
    context = pd.DataFrame({"p": rng.random(60)[family], "q": rng.random(60)[family]})
    label, x = np.array([f"k{i}" for i in rng.integers(0, 20, 60)])[family], rng.random(rows)
    data = pd.DataFrame({"label": label, "x": x, "y": x + rng.normal(0, 0.02, rows)})
    model = AutoregressiveModel(max_seconds=15).fit(data, context, seed=1)
    drawn = model.sample(rows, context=pd.DataFrame({"p": rng.random(rows), "q": rng.random(rows)}), seed=1)
    assert (drawn["y"] - drawn["x"]).abs().median() < 0.05  # 0.3 if the label stops all
    assert model.metrics["shrinkage"]["label"]["context"] < 0.5
    entropy = -(data["label"].value_counts(normalize=True).map(lambda share: share * math.log(share))).sum()
    unseen = [model.log_likelihood(data.assign(label=name), context.iloc[::-1]) for name in data["label"].unique()]
    shares = np.exp(np.array(unseen) - np.logaddexp.reduce(unseen, axis=0))
    assert -(shares * np.log(shares)).sum(axis=0).mean() > 0.8 * entropy


def test_metrics_are_json_and_say_what_happened(planted_model: AutoregressiveModel) -> None:
    metrics = json.loads(json.dumps(planted_model.metrics))
    assert metrics["folds"] == 3
    assert metrics["clock_stop"] is False
    assert 0 < metrics["best_round"] <= len(metrics["history"])
    losses = [entry["held_out_loss"] for entry in metrics["history"]]
    assert metrics["held_out_loss"] == min(losses) == losses[metrics["best_round"] - 1]
    assert min(losses) < losses[0] - 0.5


def test_likelihoods_of_all_rows_of_a_small_domain_sum_to_one() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "flag": pd.Series(rng.random(600) < 0.3, dtype="boolean").mask(pd.Series(rng.random(600) < 0.2)),
            "text": rng.choice(["x", "y", "z"], 600),
            "count": rng.integers(0, 4, 600),
        }
    )
    context = pd.DataFrame({"size": rng.normal(size=600)})
    model = tiny().fit(data, context, seed=1)
    flags = pd.Series([True, False, pd.NA], dtype="boolean")
    every = pd.MultiIndex.from_product([range(3), ["x", "y", "z"], range(4)]).to_frame(index=False)
    domain = pd.DataFrame({"flag": flags.iloc[every[0]].array, "text": every[1], "count": every[2]})
    for size in (-1.0, 2.0):
        same = pd.DataFrame({"size": np.full(len(domain), size)})
        likelihood = np.exp(model.log_likelihood(domain, same))
        assert likelihood.sum() == pytest.approx(1.0, abs=1e-5)
        assert likelihood.min() > 0


def test_likelihoods_sum_to_one_over_bins_and_pieces() -> None:
    values = pd.DataFrame({"x": np.repeat(np.arange(300) ** 2, 8), "y": np.resize(["a", None], 2400)})
    model = tiny(two_level=True, bins=16).fit(values, seed=1)
    assert model.metrics["sub_columns"] == 3
    domain = values.drop_duplicates()
    assert len(domain) == 600
    assert np.exp(model.log_likelihood(domain)).sum() == pytest.approx(1.0, abs=1e-4)
    drawn = model.sample(500, seed=1)
    assert set(drawn["x"]) <= set(values["x"])


def test_likelihoods_are_those_that_rows_are_drawn_with(pair_model: AutoregressiveModel) -> None:
    rows = pair_model.sample(20_000, seed=3)
    domain = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]})
    shares = rows.value_counts(normalize=True).reindex(pd.MultiIndex.from_frame(domain)).to_numpy()
    assert np.abs(np.exp(pair_model.log_likelihood(domain)) - shares).max() < 0.01
    usual, odd = pair_model.log_likelihood(pd.DataFrame({"a": [1, 1], "b": [1, 0]}))
    assert usual - odd > 1


@pytest.mark.parametrize(("given", "free"), [("a", "b"), ("b", "a")])
def test_given_columns_are_kept_and_the_others_follow(pair_model: AutoregressiveModel, given: str, free: str) -> None:
    rows = pair_model.sample(4000, seed=1, given=pd.DataFrame({given: np.resize([0, 1], 4000)}))
    assert list(rows) == ["a", "b"]
    assert rows[given].tolist() == np.resize([0, 1], 4000).tolist()
    assert (rows[free] == rows[given]).mean() == pytest.approx(0.9, abs=0.03)


def test_given_numbers_stay_as_they_are(planted_model: AutoregressiveModel) -> None:
    _, context = planted()
    price = context["budget"].head(300) * 2 + 0.00123
    rows = planted_model.sample(300, context.head(300), seed=1, given=pd.DataFrame({"price": price}))
    assert rows["price"].tolist() == price.tolist()
    north = context["region"].head(300) == "north"
    assert (rows["product"] == "skis")[north].mean() > 0.85
    with pytest.raises(GenerationError, match=r"no columns \['weight'\]"):
        planted_model.sample(300, context.head(300), given=pd.DataFrame({"weight": price}))
    with pytest.raises(GenerationError, match="num_rows is 10 but there are 300 given rows"):
        planted_model.sample(10, context.head(10), given=pd.DataFrame({"price": price}))


def test_temperature_sharpens_and_flattens(pair_model: AutoregressiveModel) -> None:
    agree = {}
    for temperature in (0.2, 1.0, 5.0):
        rows = pair_model.sample(4000, seed=1, temperature=temperature)
        agree[temperature] = (rows["a"] == rows["b"]).mean()
    assert agree[0.2] > 0.99 > agree[1.0] > 0.85 > agree[5.0] > 0.5
    with pytest.raises(GenerationError, match="temperature is 0"):
        pair_model.sample(1, temperature=0)


def test_one_seed_one_model_and_one_table(tmp_path: Path) -> None:
    data, context = planted(400)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    for name in ("a", "b"):
        AutoregressiveModel(max_seconds=0.5).fit(data, context, seed=5).save(tmp_path / name)
    AutoregressiveModel(max_seconds=0.5).fit(data, context, seed=6).save(tmp_path / "c")
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a" / FILES[1]).read_bytes() != (tmp_path / "c" / FILES[1]).read_bytes()
    model = AutoregressiveModel.load(tmp_path / "a")
    pd.testing.assert_frame_equal(model.sample(400, context, seed=1), model.sample(400, context, seed=1))
    assert not model.sample(400, context, seed=1).equals(model.sample(400, context, seed=2))
    assert not model.sample(400, context).equals(model.sample(400, context))
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


def test_long_samples_start_like_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthohive_spark.models.autoregressive.model.SAMPLE_BATCH", 100)
    model = tiny().fit(planted(300)[0], seed=1)
    pd.testing.assert_frame_equal(model.sample(250, seed=1).head(200), model.sample(200, seed=1))


def test_save_and_load_give_the_same_rows_and_likelihoods(tmp_path: Path, planted_model: AutoregressiveModel) -> None:
    data, context = (frame.head(50) for frame in planted())
    planted_model.save(tmp_path / "deep" / "model")
    loaded = AutoregressiveModel.load(tmp_path / "deep" / "model")
    pd.testing.assert_frame_equal(planted_model.sample(50, context, seed=1), loaded.sample(50, context, seed=1))
    assert (planted_model.log_likelihood(data, context) == loaded.log_likelihood(data, context)).all()
    assert loaded.settings == planted_model.settings
    assert loaded.metrics["steps"] == planted_model.metrics["steps"]
    assert sorted(path.name for path in (tmp_path / "deep" / "model").iterdir()) == list(FILES)


def test_broken_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    tiny().fit(planted(60)[0], seed=1).save(tmp_path)
    header, weights = (tmp_path / "model.json").read_text(), (tmp_path / "weights.safetensors").read_bytes()
    texts = ["{", header.replace('"autoregressive"', '"ctgan"'), header.replace('"scale"', '"skale"')]
    texts.append(header.replace('"bins": 8', '"bins": 5'))
    for text in texts:
        assert text != header
        (tmp_path / "model.json").write_text(text)
        with pytest.raises(SerializationError, match=r";"):
            AutoregressiveModel.load(tmp_path)
    (tmp_path / "model.json").write_text(header)
    (tmp_path / "weights.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(SerializationError, match="corrupt"):
        AutoregressiveModel.load(tmp_path)
    with pytest.raises(SerializationError, match="not trained"):
        AutoregressiveModel().save(tmp_path)


def test_every_kind_keeps_dtype_nulls_and_range(tmp_path: Path) -> None:
    data = every_kind()
    AutoregressiveModel(epochs=30).fit(data, seed=1).save(tmp_path)
    rows = AutoregressiveModel.load(tmp_path).sample(500, seed=1)
    assert rows.dtypes.to_dict() == data.dtypes.to_dict()
    assert list(rows.columns) == list(data.columns)
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
    model = AutoregressiveModel(max_seconds=4 if rows == 188 else 1).fit(data, context, seed=1)
    drawn = model.sample(rows, context, seed=1)
    assert len(drawn) == rows
    assert drawn.notna().all(axis=None)
    if rows < 3:
        assert set(drawn["product"]).isdisjoint({RARE_TOKEN, *data["product"]})
    if rows == 188:
        assert model.metrics["steps"] >= 400
        assert (drawn["product"] == "skis").sum() > 50


def test_odd_shapes() -> None:
    nothing = pd.DataFrame(index=pd.RangeIndex(9))
    empty_model = tiny().fit(nothing, planted(9)[1], seed=1)
    assert empty_model.sample(4, planted(4)[1]).shape == (4, 0)
    constant = pd.DataFrame({"x": ["a"] * 9, "y": [None] * 9, "z": [2.5] * 9})
    model = tiny().fit(constant, seed=1)
    drawn = model.sample(4, given=pd.DataFrame({"z": [2.5] * 4}))
    assert drawn["x"].tolist() == ["a"] * 4
    assert drawn["y"].isna().all()
    assert drawn["z"].tolist() == [2.5] * 4
    assert model.log_likelihood(constant).tolist() == [0.0] * 9
    single = tiny().fit(planted(50)[0][["price"]], nothing.reindex(range(50)), seed=1)
    assert single.sample(7, seed=1).shape == (7, 1)
    empty = single.sample(0)
    assert empty.shape == (0, 1)
    assert empty["price"].dtype == np.float64


def test_wide_tables_and_many_categories(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({f"x{number}": rng.integers(0, 4, 800) for number in range(70)})
    data["echo"] = data["x3"]
    data["many"] = [f"v{number}" for number in rng.integers(0, 100_000, 798)] + ["often"] * 2
    model = AutoregressiveModel(epochs=10, min_count=2, max_categories=50).fit(data, seed=1)
    model.save(tmp_path)
    rows = AutoregressiveModel.load(tmp_path).sample(500, seed=1)
    pd.testing.assert_frame_equal(rows, model.sample(500, seed=1))
    assert (rows["echo"] == rows["x3"]).mean() > 0.6
    assert set(rows["many"]).isdisjoint({RARE_TOKEN, *data["many"]} - {"often"})


def test_a_row_index_does_not_matter() -> None:
    data, context = planted(120)
    shuffled = data.set_index(np.arange(120)[::-1]), context.set_index(np.arange(120) + 7)
    first, second = tiny().fit(data, context, seed=1), tiny().fit(*shuffled, seed=1)
    pd.testing.assert_frame_equal(first.sample(120, context, seed=1), second.sample(120, shuffled[1], seed=1))


def test_what_does_not_fit_is_refused(planted_model: AutoregressiveModel) -> None:
    data, context = planted(60)
    with pytest.raises(GenerationError, match="lacks the columns"):
        planted_model.sample(60)
    with pytest.raises(GenerationError, match="num_rows is 5 but the context has 60 rows"):
        planted_model.sample(5, context)
    with pytest.raises(GenerationError, match=r"lack the columns \['price'\]"):
        planted_model.log_likelihood(data[["product"]], context)
    with pytest.raises(TrainingError, match="60 rows but 59 rows of context"):
        tiny().fit(data, context.head(59))
    with pytest.raises(TrainingError, match="no rows"):
        tiny().fit(data.head(0))
    with pytest.raises(GenerationError, match="not trained"):
        tiny().sample(1)
    with pytest.raises(GenerationError, match="not trained"):
        tiny().log_likelihood(data)
    strange = pd.DataFrame({"region": ["west", None], "budget": [np.nan, 1e30], "more": [1, 2]})
    assert len(planted_model.sample(2, strange, seed=1)) == 2


def test_keys_of_the_metadata_are_not_modelled() -> None:
    class Keys:
        def key_columns(self, table_name: str) -> set[str]:
            return {"orders": {"id", "user_id"}}[table_name]

    data = planted(60)[0].assign(id=range(60), user_id=1)
    assert list(tiny(metadata=Keys()).fit(data, None, "orders", seed=1).sample(3)) == ["product", "price"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"epoch": 3}, "nearest one is 'epochs'"), ({"dropout": 1.0}, "out of range"), ({"bins": 0}, "out of range")],
)
def test_options_are_checked_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AutoregressiveModel(**options)


def test_divergence_is_reported() -> None:
    with pytest.raises(TrainingError, match="non-finite; lower learning_rate"):
        tiny(learning_rate=math.inf).fit(planted(300)[0], None, "orders", seed=1)


def test_a_divergence_is_undone_once_at_a_lower_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    step, seen = trainer._Run._step, list[float]()

    def diverges(self: trainer._Run, index: torch.Tensor) -> torch.Tensor:
        seen.append(self._adam.param_groups[0]["lr"])
        loss = step(self, index)
        if len(seen) == 4:
            with torch.no_grad():
                next(self.network.parameters()).fill_(math.nan)
            return loss * math.nan
        return loss

    monkeypatch.setattr(trainer._Run, "_step", diverges)
    with structlog.testing.capture_logs() as lines:
        model = tiny(epochs=3).fit(planted(300)[0], None, "orders", seed=1)
    told = [line for line in lines if line["event"] == "training_diverged"]
    assert len(told) == 1
    assert max(seen[-5:]) < max(seen[:4]), "it went on more slowly"
    assert model.sample(50, seed=1).notna().any().all()


def test_the_clock_stops_a_training_that_costs_far_more_than_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr("synthohive_spark.models.autoregressive.trainer.time.thread_time", lambda: 300 * next(clock))
    model = AutoregressiveModel(max_seconds=1).fit(*planted(1000), seed=1)
    assert model.metrics["clock_stop"] is True


def test_a_late_search_leaves_the_rounds_that_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([0.0] * 6 + [1e6] * 10**4)  # at the start and after each of five rounds, then far too late
    monkeypatch.setattr("synthohive_spark.models.autoregressive.trainer.time.thread_time", lambda: next(looks))
    metrics = AutoregressiveModel(max_seconds=4).fit(*planted(188), seed=1).metrics
    assert metrics["clock_stop"] is True
    assert metrics["steps"] == metrics["history"][5]["step"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_model_trained_on_a_gpu_loads_on_the_cpu(tmp_path: Path) -> None:
    data, context = planted(300)
    AutoregressiveModel(epochs=3, device="cuda").fit(data, context, seed=1).save(tmp_path)
    assert len(AutoregressiveModel.load(tmp_path).sample(300, context, seed=1)) == 300


def test_epochs_are_taken_and_logged() -> None:
    data, context = planted(200)
    configure("debug")
    with structlog.testing.capture_logs() as logs:
        model = AutoregressiveModel(epochs=3, batch_size=50).fit(data, context, "orders", seed=1)
    assert model.metrics["steps"] == 12
    events = [entry["event"] for entry in logs]
    assert events == ["training_start", "epoch_end", "epoch_end", "epoch_end", "training_complete"]
    assert {"loss", "held_out_loss", "epoch", "eta"} <= set(logs[1])
    assert {entry["table"] for entry in logs} == {"orders"}
