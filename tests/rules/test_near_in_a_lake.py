"""Times near those of their parents, before them and after them, stay as near, whatever the model knows of parents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
METADATA = Metadata()
METADATA.add_table("visits", pk="visit_id")
METADATA.add_table("readings", pk="reading_id", fk={"visit_id": "visits.visit_id"})


@pytest.mark.slow
def test_times_stay_near_those_of_their_parents(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    begun = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 90_000_000, 200), unit="s")
    of = rng.integers(0, 200, 1_000)
    taken = begun[of] + pd.to_timedelta(np.round(rng.normal(0, 7_200, 1_000)), unit="s")
    visits = pd.DataFrame({"visit_id": range(200), "begun": begun.tz_localize("UTC")})
    readings = pd.DataFrame({"reading_id": range(1_000), "visit_id": of, "taken": taken.tz_localize("UTC")})
    made = fitted(spark, METADATA, write_lake(spark, tmp_path, {"visits": visits, "readings": readings}))
    copy = {name: frame.toPandas() for name, frame in made.generate({}).items()}
    both = copy["readings"].merge(copy["visits"], on="visit_id")
    hours = (both["taken"] - both["begun"]).dt.total_seconds() / 3_600
    assert 1.6 < hours.std() < 2.4
    assert abs(hours.mean()) < 0.3
    assert (hours < 0).mean() == pytest.approx(0.5, abs=0.08)
