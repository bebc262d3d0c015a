"""Two keys of a row are unique together beside a number of its own: one invoice per customer and term."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

CUSTOMERS, TERMS, INVOICES = 80, 18, 600


def lake(again: int) -> dict[str, pd.DataFrame]:
    """Invoices, of which some repeat another one's customer and term."""
    rng = np.random.default_rng(11)
    pairs = rng.permutation(CUSTOMERS * TERMS)[:INVOICES]
    pairs[:again] = pairs[-again:] if again else pairs[:0]
    return {
        "customer": pd.DataFrame({"customer": range(CUSTOMERS), "size": rng.integers(0, 9, CUSTOMERS)}),
        "term": pd.DataFrame({"term": range(TERMS), "weeks": rng.integers(10, 20, TERMS)}),
        "invoice": pd.DataFrame(
            {
                "invoice": range(INVOICES),
                "customer": pairs // TERMS,
                "term": pairs % TERMS,
                "amount": rng.integers(0, 999, INVOICES),
            }
        ),
    }


def metadata(off: bool = False) -> Metadata:
    keys = [{"columns": [c], "references": c, "referenced_columns": [c]} for c in ("customer", "term")]
    invoice: dict[str, Any] = {"primary_key": "invoice", "foreign_keys": keys}
    if off:
        invoice["rules"] = {"unique.customer.term": False}
    tables = {"customer": {"primary_key": "customer"}, "term": {"primary_key": "term"}, "invoice": invoice}
    return Metadata.load({"tables": tables})


@pytest.mark.spark
def test_no_customer_has_two_invoices_of_a_term(spark: SparkSession, tmp_path: Path) -> None:
    made = fitted(spark, metadata(), write_lake(spark, tmp_path / "source", lake(0)))
    made.generate({}, str(tmp_path / "copy"))
    copy = {t: made.io.read_dataset(str(tmp_path / "copy" / t)) for t in ("customer", "term", "invoice")}
    assert key_faults(made.metadata, copy) == []
    rows = copy["invoice"].toPandas()
    assert len(rows) == INVOICES
    assert not rows.duplicated(["customer", "term"]).any()


@pytest.mark.spark
@pytest.mark.parametrize(("again", "off"), [(2, False), (0, True)])
def test_what_repeats_and_what_a_person_switches_off_is_no_key(
    spark: SparkSession, tmp_path: Path, again: int, off: bool
) -> None:
    made = fitted(spark, metadata(off), write_lake(spark, tmp_path / "source", lake(again)))
    assert made.trained is not None
    assert all(fk.bucket is None for fk in made.trained.plans["invoice"].keys.foreign)
