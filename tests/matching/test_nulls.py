"""Which keys a row has follows the parents that it has for certain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
CARRIERS, PLANES, HOURS, FLIGHTS = 8, 120, 100, 4_000


@pytest.mark.slow
def test_a_carrier_without_known_planes_has_none_in_the_copy(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    keys = Metadata()
    keys.add_table("carriers", pk="carrier")
    keys.add_table("planes", pk="plane")
    keys.add_table("hours", pk="hour")
    foreign = [("hour", False, True), ("carrier", False, False), ("plane", True, False)]
    keys.add_table(
        "flights",
        pk="flight",
        fk=[
            {"columns": [c], "references": f"{c}s", "referenced_columns": [c], "nullable": null, "driving": driving}
            for c, null, driving in foreign
        ],
    )
    carrier = rng.choice(CARRIERS, FLIGHTS, p=np.arange(1, CARRIERS + 1) / 36)
    unknown = rng.random(FLIGHTS) < np.where(np.isin(carrier, (5, 7)), 0.95, 0.02)
    plane = pd.Series(rng.integers(PLANES, size=FLIGHTS)).astype("Int64").mask(unknown)
    tables = {
        "carriers": pd.DataFrame({"carrier": np.arange(CARRIERS)}),
        "planes": pd.DataFrame({"plane": np.arange(PLANES), "seats": rng.integers(50, 300, PLANES)}),
        "hours": pd.DataFrame({"hour": np.arange(HOURS), "wind": rng.normal(size=HOURS)}),
        "flights": pd.DataFrame(
            {"flight": np.arange(FLIGHTS), "hour": np.arange(FLIGHTS) % HOURS, "carrier": carrier, "plane": plane}
        ),
    }
    # Stretches of ranks hold k carriers; with 3, as here, eight of them are told apart well enough to be measured.
    fitted(spark, keys, write_lake(spark, tmp_path / "source", tables), k=3).generate(
        output_path_base=str(tmp_path / "copy")
    )
    made = {t: DeltaIO(spark).read_dataset(str(tmp_path / "copy" / t)) for t in tables}
    assert key_faults(keys, made) == []
    copy = made["flights"].toPandas()
    assert copy["plane"].isna().sum() == unknown.sum()
    shares = copy["plane"].isna().groupby(copy["carrier"]).mean().sort_values()
    assert shares.iloc[:5].max() < 0.15, "drawn without regard to carriers each would have .3"
    assert shares.iloc[-2:].min() > 0.6
