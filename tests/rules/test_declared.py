"""What people say of rules: one is switched off by its name, another is declared in Spark SQL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
ROWS = 400


def test_rules_are_switched_off_and_declared_by_name(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 100, ROWS), rng.integers(0, 100, ROWS)
    table = pd.DataFrame({"id": range(ROWS), "a": a, "b": b, "total": a + b, "twice": 2 * a})
    rules = {"derived.total": "off", "never both": "NOT (a > 50 AND b > 50)"}
    metadata = Metadata.load({"tables": {"t": {"primary_key": "id", "rules": rules}}})
    made = fitted(spark, metadata, write_lake(spark, tmp_path / "source", {"t": table}))
    assert made.trained is not None
    plan = made.trained.plans["t"]
    assert plan.columns.named("derived") == ["twice"]
    assert "total" in plan.columns.named("model")
    made.generate({}, str(tmp_path / "target"))
    copy = made.io.read_dataset(str(tmp_path / "target" / "t"))
    assert copy.where("a > 50 AND b > 50").isEmpty()
    assert copy.where("twice <> 2 * a").isEmpty()
    assert not copy.where("total <> a + b").isEmpty()


def test_a_rule_is_sql_or_off() -> None:
    with pytest.raises(SchemaValidationError, match="rules"):
        Metadata.load({"tables": {"t": {"primary_key": "id", "rules": {"derived.total": 3}}}})
