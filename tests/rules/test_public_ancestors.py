"""What a reference table says, keys away, is repeated: each row is evidence, since the copy has the same table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, write_lake


def key(column: str, parent: str) -> dict[str, Any]:
    return {"columns": [column], "references": parent, "referenced_columns": [column]}


TABLES: dict[str, Any] = {
    "country": {"primary_key": "code", "reference": True},
    "customer": {"primary_key": "customer", "foreign_keys": [key("code", "country")]},
    "invoice": {"primary_key": "invoice", "foreign_keys": [key("customer", "customer")]},
}
CURRENCY = {"DE": "EUR", "FR": "EUR", "PL": "PLN", "SE": "SEK", "CZ": "CZK"}


@pytest.mark.spark
def test_the_currency_of_a_customers_country(spark: SparkSession, tmp_path: Path) -> None:
    rng, customers, invoices = np.random.default_rng(5), 200, 900
    code = rng.choice([*CURRENCY], customers, p=[0.35, 0.25, 0.2, 0.12, 0.08])
    who = rng.integers(0, customers, invoices)
    lake = {
        "country": pd.DataFrame({"code": [*CURRENCY], "currency": [*CURRENCY.values()]}),
        "customer": pd.DataFrame({"customer": range(customers), "code": code}),
        "invoice": pd.DataFrame(
            {"invoice": range(invoices), "customer": who, "currency": [CURRENCY[code[w]] for w in who]}
        ),
    }
    made = fitted(spark, Metadata.load({"tables": TABLES}), write_lake(spark, tmp_path / "source", lake))
    made.generate({}, str(tmp_path / "copy"))
    copy = {t: made.io.read_dataset(str(tmp_path / "copy" / t)).toPandas() for t in TABLES}
    seen = copy["invoice"].merge(copy["customer"], on="customer")
    assert (seen["currency"] == seen["code"].map(CURRENCY)).all()
