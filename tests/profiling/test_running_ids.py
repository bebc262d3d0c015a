"""A line's id that runs through the whole table stays unique, though the primary key names its order beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

ORDERS = 60


@pytest.mark.slow
@pytest.mark.spark
def test_running_ids_of_lines_are_unique_and_counters_are_counters(spark: SparkSession, tmp_path: Path) -> None:
    lines = np.repeat(np.arange(1, ORDERS + 1), np.arange(ORDERS) % 4 + 1)
    nth = np.arange(len(lines)) - np.searchsorted(lines, lines) + 1
    tables = {
        "order": pd.DataFrame({"id": np.arange(1, ORDERS + 1), "x": np.arange(ORDERS) % 7}),
        "line": pd.DataFrame({"order": lines, "line": np.arange(len(lines)) + 1001, "qty": nth * 2}),
        "step": pd.DataFrame({"order": lines, "nth": nth, "qty": nth * 3}),
    }
    keys = [{"columns": ["order"], "references": "order", "referenced_columns": ["id"]}]
    metadata = Metadata.load(
        {
            "tables": {
                "order": {"primary_key": ["id"]},
                "line": {"primary_key": ["order", "line"], "foreign_keys": keys},
                "step": {"primary_key": ["order", "nth"], "foreign_keys": keys},
            }
        }
    )
    made = fitted(spark, metadata, write_lake(spark, tmp_path / "source", tables))
    made.generate({"order": ORDERS}, str(tmp_path / "target"))
    frames = {t: made.io.read_dataset(str(tmp_path / "target" / t)) for t in tables}
    assert key_faults(metadata, frames) == []
    line, step = frames["line"].toPandas(), frames["step"].toPandas()
    assert line["line"].is_unique
    assert step.groupby("order")["nth"].agg(["min", "max", "count"]).eval("min == 1 and max == count").all()
