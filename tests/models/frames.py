"""Small tables with a planted structure, shared by the tests of the models."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders.sample import BottomK, Origin


def sampled(values: Any, people: Any = None) -> BottomK:
    """Returns a column as it reaches a scale: sorted, with whom each value is about."""
    values = np.asarray(values)
    who = None if people is None else np.asarray(people)
    return BottomK(values, Origin(np.zeros(values.size, np.uint64), who)).sorted()


def planted(rows: int = 1200) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns data and context: the region decides the product, the budget drives the price."""
    rng = np.random.default_rng(7)
    region = rng.choice(["north", "south"], rows)
    budget = rng.normal(100, 20, rows)
    product = np.where(rng.random(rows) < 0.95, np.where(region == "north", "skis", "boat"), "tent")
    price = budget * 2 + rng.normal(0, 8, rows)
    data = pd.DataFrame({"product": product, "price": price.round(2)})
    return data, pd.DataFrame({"region": region, "budget": budget})


def every_kind(rows: int = 240) -> pd.DataFrame:
    """Returns a table with a column of each kind, constant and all-null ones included."""
    rng = np.random.default_rng(3)
    whole = pd.Series(rng.integers(0, 1000, rows), dtype="Int64")
    days = rng.integers(0, 300, rows)
    return pd.DataFrame(
        {
            "text": rng.choice(["a", "b", "ü"], rows),
            "text_null": np.where(rng.random(rows) < 0.3, None, "x"),
            "small": rng.integers(0, 5, rows),
            "large": rng.integers(-(10**12), 10**12, rows),
            "nullable": whole.mask(pd.Series(rng.random(rows) < 0.2)),
            "float": rng.normal(size=rows),
            "float_null": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows).round(2)),
            "single": rng.normal(size=rows).astype("float32"),
            "flag": rng.random(rows) < 0.4,
            "flag_null": pd.Series(rng.random(rows) < 0.4, dtype="boolean").mask(pd.Series(rng.random(rows) < 0.2)),
            "date": [datetime.date(2020, 1, 1) + datetime.timedelta(int(day)) for day in days],
            "stamp": pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 10**6, rows), unit="s"),
            "zoned": (pd.Timestamp("2021-03-01", tz="UTC") + pd.to_timedelta(days, unit="h")).tz_convert("Asia/Tokyo"),
            "money": [Decimal(int(cents)).scaleb(-2) for cents in rng.integers(0, 10**5, rows)],
            "constant": "same",
            "nothing": pd.Series([None] * rows, dtype=object),
        }
    )
