"""Numbers that are a parent's but for a few factors keep these factors, whatever the parent's number is in the copy."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.metadata import Metadata
from synthohive_spark.rules.evidence import Column, Sample
from synthohive_spark.rules.kinds.ratio import Multiple, Ratio
from tests.lakes import fitted, key_faults, write_lake

GOODS, LINES = 80, 2_000


def test_what_is_no_multiple_is_not_taken_for_one() -> None:
    rng = np.random.default_rng(2)
    price = rng.integers(100, 9_000, LINES) / 100
    columns = {
        "v0": np.round(price * rng.choice([1.0, 0.8, 0.75], LINES, p=[0.6, 0.3, 0.1]), 2),
        "v1": rng.integers(1, 9, LINES).astype(float),
        "v2": np.round(price + rng.integers(1, 900, LINES), 2),
        "v3": price,
        "c0": price,
        "c1": np.full(LINES, 3.0),
        "c2": np.where(rng.random(LINES) < 0.01, 0.0, price),
    }
    own = {c for c in columns if c.startswith("v")}
    made = tuple(Column(c, "double", v, c in own, c in own) for c, v in columns.items())
    found = {law.target: (law.inputs[0], law.step) for law in Ratio().search(Sample(made, LINES))}
    assert found == {"v0": ("c0", 2), "v3": ("c0", 2)}, "v3 is copied: the choice of laws passes the multiple over"


@pytest.mark.parametrize("dtype", ["Int64", "float64", "decimal"])
def test_factors_give_the_numbers_again(dtype: str) -> None:
    rng = np.random.default_rng(3)
    base = pd.Series(rng.integers(0, 60, 500)).astype("Int64").mask(rng.random(500) < 0.1)
    number = pd.Series(base.fillna(7) * rng.integers(1, 4, 500)).astype("Int64").mask(rng.random(500) < 0.2)
    column: Any = number if dtype == "Int64" else number.astype("Float64").astype("float64")
    if dtype == "decimal":
        column = pd.Series([None if pd.isna(v) else Decimal(int(v)) for v in number], dtype=object)
    data, context = pd.DataFrame({"n": column}), pd.DataFrame({"b": base})
    rule = Multiple(column="n", source="b", scale=0)
    again = rule.decode(rule.encode(data, context, data, 1), context)["n"]
    pd.testing.assert_series_equal(again.astype("Int64"), number, check_names=False)


@pytest.mark.spark
@pytest.mark.slow
def test_a_line_costs_what_its_product_costs_or_a_fifth_less(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    price = rng.integers(200, 9_000, GOODS)
    which = rng.integers(GOODS, size=LINES)
    cheap = rng.random(LINES) < 0.3
    cents = np.where(cheap, np.round(price[which] * 0.8), price[which]).astype(int)
    goods = pd.DataFrame({"good": np.arange(GOODS), "price": [Decimal(int(p)) / 100 for p in price]})
    lines = pd.DataFrame(
        {
            "line": np.arange(LINES),
            "good": which,
            "paid": [Decimal(int(c)) / 100 for c in cents],
            "pieces": rng.integers(
                1, 500, LINES
            ),  # so many that hardly a row is one of the source, which would be drawn again
        }
    )
    key = {"columns": ["good"], "references": "goods", "referenced_columns": ["good"]}
    spec: dict[str, Any] = {"goods": {"primary_key": "good"}, "lines": {"primary_key": "line", "foreign_keys": [key]}}
    metadata = Metadata.load({"tables": spec})
    made = fitted(spark, metadata, write_lake(spark, tmp_path / "source", {"goods": goods, "lines": lines}))
    made.generate({}, str(tmp_path / "copy"))
    assert made.trained is not None
    assert made.trained.plans["lines"].rules.each == (Multiple(column="paid", source="good:price", scale=2),)
    frames = {t: DeltaIO(spark).read_dataset(str(tmp_path / "copy" / t)) for t in spec}
    assert key_faults(metadata, frames) == []
    copy = frames["lines"].toPandas().merge(frames["goods"].toPandas(), on="good")
    assert isinstance(copy["paid"].iloc[0], Decimal)
    paid, asked = copy["paid"].astype(float), copy["price"].astype(float)
    whole, less = (paid == asked).mean(), ((paid - 0.8 * asked).abs() < 0.011).mean()
    assert whole + less == 1
    assert abs(less - cheap.mean()) < 0.02
