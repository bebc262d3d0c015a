"""Columns as sub-columns: codes come back, bins are even, and codes follow the values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.models.autoregressive.discretize import IMPOSSIBLE, Resolution, TableCodes
from synthohive_spark.models.encoders import Limits, TableSpec, analyze_table, decode_table, encode_table, reduce_table

from .frames import every_kind

FLAT, DEEP = Resolution(32, 1, 1), Resolution(16, 8, 32)


def spec_of(frame: pd.DataFrame) -> TableSpec:
    return reduce_table([analyze_table(frame)], Limits())


def codes_of(spec: TableSpec, codes: TableCodes, frame: pd.DataFrame) -> np.ndarray:
    return codes.encode(encode_table(spec, frame, np.random.default_rng(0)), len(frame))


@pytest.mark.parametrize("resolution", [FLAT, DEEP])
def test_rows_decoded_from_codes_are_encoded_to_the_same_codes(resolution: Resolution) -> None:
    frame = every_kind(600)
    spec = spec_of(frame)
    codes = TableCodes.of(spec, resolution)
    wanted = codes_of(spec, codes, frame)
    assert (wanted.max(axis=0) < codes.cardinalities).all()
    uniform = np.random.default_rng(1).random((len(frame), len(spec.names)))
    encoded = codes.decode(wanted, uniform)
    assert (codes.encode(encoded, len(frame)) == wanted).all()
    pd.testing.assert_frame_equal(decode_table(spec, encoded, len(frame)).isna(), frame.isna())


def test_dates_come_first_then_the_order_of_the_table() -> None:
    frame = every_kind()
    spec = spec_of(frame)
    order = list(dict.fromkeys(spec.names[sub.column] for sub in TableCodes.of(spec, DEEP).subs))
    assert order[:3] == ["date", "stamp", "zoned"]
    rest = [name for name in spec.names if name in order[3:]]
    assert order[3:] == rest
    assert not {"constant", "nothing"} & set(order)


@given(st.integers(0, 2**32), st.sampled_from([FLAT, DEEP]))
@settings(max_examples=15, deadline=None)
def test_bins_hold_about_equal_shares_and_follow_the_values(seed: int, resolution: Resolution) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": np.concatenate([rng.normal(size=900), np.full(100, 0.25)])})
    spec = spec_of(frame)
    codes = TableCodes.of(spec, resolution)
    first = codes_of(spec, codes, frame)[:, 0]
    order = np.argsort(frame["x"].to_numpy(), kind="stable")
    # The atom lies among the bins by its value: elsewhere codes rise with the values.
    loose = frame["x"].to_numpy()[order] != 0.25
    assert (np.diff(first[order][loose]) >= 0).all()
    counts = np.bincount(first, minlength=codes.cardinalities[0])
    assert counts.max() == 100
    assert np.sort(counts)[-2] < 2.5 * 900 / resolution.bins
    below, above = first[frame["x"] < 0].max(), first[frame["x"] > 0.8].min()
    assert below < first[frame["x"] == 0.25][0] < above


def test_repeated_values_are_not_split() -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).integers(0, 300, 9000)})
    spec = spec_of(frame)
    codes = TableCodes.of(spec, DEEP)
    seen = codes_of(spec, codes, frame)
    assert len(np.unique(seen, axis=0)) == 300
    again = pd.DataFrame(seen).groupby(frame["x"].to_numpy()).nunique()
    assert (again == 1).all(axis=None)


def test_pieces_that_a_bin_lacks_are_impossible() -> None:
    frame = pd.DataFrame({"x": [*np.random.default_rng(0).normal(size=500), *[None] * 20]})
    spec = spec_of(frame)
    codes = TableCodes.of(spec, DEEP)
    assert [sub.level for sub in codes.subs] == [0, 1]
    assert codes.barrier(0) is None
    barrier = codes.barrier(1)
    assert barrier is not None
    assert (barrier[-1] == [0.0] + [IMPOSSIBLE] * (codes.subs[1].cardinality - 1)).all()
    assert (barrier[0] == 0).all()


def test_resolution_follows_the_size_of_the_table() -> None:
    assert [Resolution.of(rows, None, None, 1000).bins for rows in (1, 188, 1500, 9999)] == [8, 12, 100, 128]
    assert Resolution.of(20_000, None, None, 1000).pieces > 1
    assert Resolution.of(20_000, None, False, 1000) == Resolution(128, 1, 1)
    assert Resolution.of(20_000, None, None, 20).bins == 20
    assert Resolution.of(100, 40, None, 1000).bins == 40
