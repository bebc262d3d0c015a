"""What a plan says of shapes and starts does not depend on how the rows of the source are spread."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.lake import quantiles
from synthohive_spark.metadata import Metadata
from synthohive_spark.privacy.support import Support
from synthohive_spark.profiling.key_formats import TWENTIETHS, byte_masks, sequence
from synthohive_spark.profiling.shapes import shape_plans

ROWS = 3000
TYPES = {"id": "bigint", "note": "string", "born": "date", "income": "double", "seen": "timestamp"}
pytestmark = pytest.mark.spark


def people() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    letters = np.array(list("abcdefgh ijklmnopq"))
    notes = ["".join(rng.choice(letters, 5 + i % 50)) for i in range(ROWS // 2)]
    frame = pd.DataFrame({"id": np.arange(ROWS), "note": notes * 2})
    frame["born"] = [dt.date(1950, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 20_000, ROWS)]
    frame["income"] = rng.lognormal(10, 1, ROWS)
    frame["seen"] = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 10**6, ROWS), unit="s")
    return frame


def test_shapes_are_the_same_however_rows_are_spread(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"primary_key": "id", "pii": ["born", "income", "seen"]}
    spec = Metadata.load({"tables": {"people": table}}).tables["people"]
    frame = spark.createDataFrame(people())
    monkeypatch.setattr(quantiles, "SAMPLE", 1000)
    learnt = dict([*TYPES.items()][1:])
    whole, spread = (
        shape_plans(f, spec, learnt, Support(3), ()).shapes for f in (frame.coalesce(1), frame.repartition(5, "income"))
    )
    assert whole == spread
    assert set(whole) == {"born", "income", "seen", "note"}
    assert whole["note"].format is not None
    assert [len(m.tokens) for m in whole["note"].format.masks] == [9, 19, 29, 39, 49]
    truth = people()["income"].quantile([0.05, 0.95])
    assert np.allclose([whole["income"].low, whole["income"].high], truth, rtol=0.15)


def test_starts_of_families_are_the_same_however_rows_are_spread(spark: SparkSession) -> None:
    rng = np.random.default_rng(4)
    first = rng.integers(0, 5000, 200)
    rows = pd.DataFrame({"family": np.repeat(np.arange(200), 5), "n": (first[:, None] + np.arange(5)).ravel()})
    frame = spark.createDataFrame(rows)
    found = [
        sequence(f, ("family",), "n", "bigint", Support(3)) for f in (frame.coalesce(1), frame.repartition(7, "n"))
    ]
    assert found[0] == found[1]
    ends = np.maximum(np.ceil(np.array(TWENTIETHS) * 200) - 1, 0).astype(int)
    assert found[0].starts == tuple(np.sort(first - first.min())[ends])


def test_a_binary_key_of_few_rows_keeps_its_middle_length(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(b"12345678",), (b"12",), (None,)], "k binary")
    assert [m.tokens for m in byte_masks(frame, "k", 2, Support(3))] == [("byte",) * 2]
    assert [m.tokens for m in byte_masks(frame.where("k is null"), "k", 0, Support(3))] == [("byte",)]
