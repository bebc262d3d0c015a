"""Which units are told to keep the shares of their table: those whose rows stand for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from synthohive_spark.orchestrator import StagedOrchestrator

from ..lakes import write_lake
from ..shuffle import Told

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(4)


@pytest.mark.slow
def test_units_that_stand_for_their_table_are_told_so(spark: SparkSession, tmp_path: Path) -> None:
    rows = 40_000  # more than two units
    metadata = Metadata()
    for name in ("few", "many"):
        metadata.add_table(name, pk="id")
    fk = {"columns": ["up"], "references": "many", "referenced_columns": ["id"], "nullable": True}
    metadata.add_table("of_few", pk="id", fk={"up": "few.id"})
    metadata.add_table("sliced", pk="id", fk={"up": "few.id"})
    metadata.add_table("of_many", pk="id", fk={"up": "many.id"})
    metadata.add_table("partly", pk="id", fk=[fk])

    def child(parents: int) -> pd.DataFrame:
        return pd.DataFrame({"id": range(rows), "up": np.arange(rows) % parents, "v": RNG.integers(0, 2, rows)})

    lake = {
        "few": pd.DataFrame({"id": range(10), "v": [0, 1] * 5}),
        "many": pd.DataFrame({"id": range(600), "v": [0, 1] * 300}),
        "of_few": child(10),
        "sliced": child(10).assign(up=np.repeat(range(7), [15_000, 12_500, 6_000, 3_000, 2_500, 500, 500])),
        "of_many": child(600),
        "partly": child(600).assign(up=lambda f: f["up"].astype("Int64").mask(RNG.random(rows) < 0.3)),
    }
    made = StagedOrchestrator(metadata, spark, model_cls=Told)
    made.fit_all(write_lake(spark, tmp_path / "source", lake))
    made.generate({}, str(tmp_path / "target"))
    told = {}
    for table in lake:
        frame = made.io.read_dataset(str(tmp_path / "target" / table))
        told[table] = {r["v"] for r in frame.select("v").distinct().collect()}
    assert told == {"few": {1}, "many": {1}, "of_few": {1}, "sliced": {1}, "of_many": {1}, "partly": {0}}
