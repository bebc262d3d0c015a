"""Meanings found on an executor: only findings come back, the same ones whatever the order of rows."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.privacy.meaning.search import find_meanings

pytestmark = pytest.mark.spark


def test_a_table_is_looked_at_in_one_task(spark: SparkSession) -> None:
    rows = spark.range(0, 30_000, 1, 4).select(
        F.col("id"),
        F.concat(F.lit("user"), F.col("id"), F.lit("@mail.example")).alias("c`ontact"),
        F.concat(F.lit("+4930"), (F.col("id") + 1_000_000).cast("string")).alias("reach"),
        F.expr("date_add(DATE'1980-01-01', cast(id % 9000 as int))").alias("geburtsdatum"),
        F.lit(None).cast("string").alias("empty"),
        F.expr("cast('x' as binary)").alias("blob"),
    )
    types = {f.name: f.dataType.simpleString() for f in rows.schema.fields}
    found = find_meanings(rows, "things", types, 30_000, ["id"])
    assert {c: m.kind for c, m in found.items() if m.personal} == {
        "c`ontact": "email",
        "reach": "phone",
        "geburtsdatum": "birth_date",
    }
    assert found["empty"].kind == "unknown"
    assert "blob" not in found
    assert find_meanings(rows.orderBy(F.rand(3)), "things", types, 30_000, ["id"]) == found
