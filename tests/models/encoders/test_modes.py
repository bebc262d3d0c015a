"""Mode-specific normalisation: what comes back, within which error, and what is kept of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.models.encoders import Limits, TableSpec, analyze_table, decode_table, encode_table, reduce_table
from synthohive_spark.models.encoders.mode_scale import ModeScale
from synthohive_spark.models.encoders.numbers import NumberSpec

from ..frames import every_kind

MODES = Limits(modes=10)


def spec_of(frame: pd.DataFrame, chunks: int = 1) -> TableSpec:
    parts = [frame.iloc[part::chunks] for part in range(chunks)]
    spec = reduce_table([analyze_table(part) for part in parts], MODES)
    return TableSpec.from_json(spec.to_json())


def scale_of(spec: TableSpec) -> ModeScale:
    (column,) = spec.specs
    assert isinstance(column, NumberSpec)
    assert isinstance(column.scale, ModeScale)
    return column.scale


def three_groups(rows: int) -> pd.Series[Any]:
    rng = np.random.default_rng(5)
    group = rng.choice(3, rows, p=[0.2, 0.5, 0.3])
    return pd.Series(
        np.array([-60.0, 0.0, 90.0])[group] + rng.normal(0, [2.0, 5.0, 3.0], (rows, 3))[range(rows), group]
    )


def test_planted_groups_are_found() -> None:
    scale = scale_of(spec_of(pd.DataFrame({"x": three_groups(20_000)})))
    centres = scale.low + np.asarray(scale.means) * (scale.high - scale.low)
    deviations = np.asarray(scale.deviations) * (scale.high - scale.low)
    for centre, deviation, weight in ((-60, 2, 0.2), (0, 5, 0.5), (90, 3, 0.3)):
        near = np.abs(centres - centre) < 10
        assert np.asarray(scale.weights)[near].sum() == pytest.approx(weight, abs=0.03)
        heaviest = np.flatnonzero(near)[np.asarray(scale.weights)[near].argmax()]
        assert centres[heaviest] == pytest.approx(centre, abs=2)
        assert deviations[heaviest] == pytest.approx(deviation, rel=0.4)
    assert sum(scale.weights) == pytest.approx(1)


@given(st.sampled_from(["float", "int", "huge"]), st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_what_the_modes_reach_comes_back(kind: str, seed: int) -> None:
    values = three_groups(600)
    if kind != "float":
        values = pd.Series([int(value * (1000 if kind == "int" else 10**16)) for value in values])
    frame = pd.DataFrame({"x": values})
    spec = spec_of(frame)
    (encoded,) = encode_table(spec, frame, np.random.default_rng(seed))
    (again,) = encode_table(spec, frame, np.random.default_rng(seed))
    assert encoded.ranks is not None
    assert np.array_equal(encoded.codes, again.codes)
    assert np.abs(encoded.ranks).max() <= 1
    back = decode_table(spec, [encoded], len(frame))["x"]
    assert back.dtype == values.dtype
    scale = scale_of(spec)
    reached = (np.abs(encoded.ranks) < 1) & values.between(scale.low, scale.high).to_numpy()
    assert reached.mean() > 0.98
    error = np.abs(back.to_numpy(dtype=float) - values.to_numpy(dtype=float))[reached]
    assert error.max() <= 1e-12 * float(scale.high - scale.low)
    assert back.between(scale.low, scale.high).all()


def test_the_mode_of_a_number_between_two_is_drawn_by_their_densities() -> None:
    scale = ModeScale(True, 0.0, 1.0, (0.4, 0.6), (0.1, 0.1), (0.75, 0.25), False)
    middle = np.full(20_000, 0.5)
    drawn = scale.encode(middle, np.random.default_rng(0))
    assert (drawn.codes == 0).mean() == pytest.approx(0.75, abs=0.01)
    numbers, null = scale.decode(drawn)
    assert not null.any()
    assert numbers == pytest.approx(middle)
    assert (scale.encode(middle, None).codes == 0).all()
    narrow = ModeScale(True, 0.0, 1.0, (0.4, 0.6), (0.1, 0.01), (0.5, 0.5), False)
    assert (narrow.encode(np.full(500, 0.5), np.random.default_rng(0)).codes == 0).all()
    far = narrow.encode(np.array([1.0, 0.0]), np.random.default_rng(0))
    assert far.codes.tolist() == [0, 0]  # 0.8 is nearer to 1 than 0.64 is
    assert far.ranks is not None
    assert far.ranks.tolist() == pytest.approx([1.0, -1.0])


def test_every_kind_of_number_keeps_dtype_and_nulls() -> None:
    data = every_kind()
    spec = spec_of(data)
    back = decode_table(spec, encode_table(spec, data, np.random.default_rng(0)), len(data))
    assert back.dtypes.to_dict() == data.dtypes.to_dict()
    pd.testing.assert_frame_equal(back.isna(), data.isna())
    moded = [name for name, column in spec.columns if isinstance(getattr(column, "scale", None), ModeScale)]
    assert {"large", "nullable", "float", "single", "date", "stamp", "zoned", "money"} <= set(moded)
    assert "small" not in moded
    for name in ("large", "date", "stamp", "zoned", "money"):
        assert data[name].min() <= back[name].min()
        assert back[name].max() <= data[name].max()


def test_modes_do_not_depend_on_the_partitions_and_hold_no_single_row() -> None:
    frame = pd.DataFrame({"x": three_groups(700)})
    assert spec_of(frame) == spec_of(frame, chunks=7)
    ordered = np.sort(frame["x"])
    scale = scale_of(spec_of(frame))
    assert ordered[0] < scale.low < ordered[5]
    assert ordered[-6] < scale.high < ordered[-1]
    assert not {scale.low, scale.high} & {*ordered.tolist()}, "an end is nobody's own number"
