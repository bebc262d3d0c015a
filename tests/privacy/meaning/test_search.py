"""Meanings found on an executor: only findings come back, the same ones whatever the order of rows."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.privacy.meaning.search import Look, find_meanings

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
    found = find_meanings([Look("things", rows, types, 30_000, ["id"])])["things"]
    assert {c: m.kind for c, m in found.items() if m.personal} == {
        "c`ontact": "email",
        "reach": "phone",
        "geburtsdatum": "birth_date",
    }
    assert found["empty"].kind == "unknown"
    assert "blob" not in found
    assert find_meanings([Look("things", rows.orderBy(F.rand(3)), types, 30_000, ["id"])])["things"] == found


def test_small_tables_are_looked_at_together_and_each_has_what_it_has_alone(spark: SparkSession) -> None:
    def look(i: int) -> Look:
        base = spark.range(i % 7 * 50)
        rows = base.select("id", F.concat(F.lit(f"user{i}."), F.col("id"), F.lit("@mail.example")).alias("contact"))
        rows = rows.withColumn("said", F.lit("yes")) if i % 2 else rows
        return Look(f"t{i}", rows, {f.name: f.dataType.simpleString() for f in rows.schema.fields}, i % 7 * 50, ["id"])

    looks = [look(i) for i in range(40)]
    together = find_meanings(looks)
    assert list(together) == [f"t{i}" for i in range(40)]
    assert {t for t, found in together.items() if not found} == {f"t{i}" for i in range(0, 40, 7)}
    for i in (1, 2, 16, 39):
        assert together[f"t{i}"] == find_meanings([looks[i]])[f"t{i}"]
        assert together[f"t{i}"]["contact"].kind == "email"
