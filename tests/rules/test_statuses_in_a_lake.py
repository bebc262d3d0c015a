"""A status that children tell and that columns of the row hang on: what hangs on it holds in the copy."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from synthohive_spark.rules.kinds.aggregate import aggregates
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
TABLES: dict[str, Any] = {
    "shipment": {"primary_key": "id"},
    "event": {
        "primary_key": "event",
        "foreign_keys": [{"columns": ["shipment"], "references": "shipment", "referenced_columns": ["id"]}],
    },
}


def planted() -> dict[str, pd.DataFrame]:
    rng, rows = np.random.default_rng(4), 400
    delivered, checked = rng.random(rows) < 0.6, rng.random(rows) < 0.5
    days = [dt.date(2022, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 700, rows)]
    shipment = pd.DataFrame(
        {
            "id": range(rows),
            "status": np.where(delivered, "delivered", "on its way"),  # as any event says, too
            "arrived": [day if d else None for day, d in zip(days, delivered, strict=True)],
            "checked": np.where(checked, "yes", "no"),  # as any event says, and nothing else
        }
    )
    events = [
        (i, kind)
        for i in range(rows)
        for kind in [
            "booked",
            *["scanned"] * int(rng.integers(0, 3)),
            *["checked"] * int(checked[i]),
            *["delivered"] * int(delivered[i]),
        ]
    ]
    event = pd.DataFrame(events, columns=["shipment", "kind"])
    event.insert(0, "event", range(len(event)))
    return {"shipment": shipment, "event": event}


def test_a_status_gives_way_to_what_hangs_on_it_in_the_row(spark: SparkSession, tmp_path: Path) -> None:
    made = fitted(spark, Metadata.load({"tables": TABLES}), write_lake(spark, tmp_path / "source", planted()))
    assert made.trained is not None
    assert [r.column for r in aggregates(made.trained.plans["shipment"].rules)] == ["checked"]
    made.generate({}, str(tmp_path / "copy"))
    copy = made.io.read_dataset(str(tmp_path / "copy" / "shipment")).toPandas()
    assert ((copy["status"] == "delivered") == copy["arrived"].notna()).all()
    event = made.io.read_dataset(str(tmp_path / "copy" / "event")).toPandas()
    told = event.assign(is_=event["kind"] == "checked").groupby("shipment")["is_"].any()
    there = copy[copy["id"].isin(told.index)]
    assert ((there["checked"] == "yes").to_numpy() == told.loc[there["id"]].to_numpy()).all()
