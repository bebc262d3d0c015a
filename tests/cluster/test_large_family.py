"""One parent with very many children beside 10,000 small ones: in bounded memory, the same on any partitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.lake.io import DeltaIO

from .processes import worker_peaks
from .runs import Trained, configured, job

SMALL = 10_000  # parents with one to three children
LIMIT_MIB = 1500
METADATA = {
    "parents": {"primary_key": "id", "columns": {"id": "bigint", "kind": "string"}},
    "children": {
        "primary_key": "child_id",
        "foreign_keys": [{"columns": ["parent_id"], "references": "parents", "referenced_columns": ["id"]}],
    },
}


def skewed(spark: SparkSession, folder: Path, children: int, model: str, **train: Any) -> Trained:
    """A trained lake of parents of which the first has ``children`` children."""
    trained = configured(spark, folder, METADATA, model=model, sample_rows=20_000, **train)
    io = DeltaIO(spark)
    kind = F.concat(F.lit("kind "), F.col("id") % 7)
    io.write_dataset(spark.range(SMALL + 1).select("id", kind.alias("kind")), str(folder / "source" / "parents"))
    giant = spark.range(children).select(F.lit(0).cast("long").alias("parent_id"))
    small = spark.range(1, SMALL + 1).select(
        F.col("id").alias("parent_id"), F.explode(F.sequence(F.lit(0), F.col("id").cast("int") % 3)).alias("n")
    )
    rows = giant.unionByName(small.drop("n")).withColumn("child_id", F.monotonically_increasing_id())
    amount, note = (F.col("child_id") % 1000) / 8, F.concat(F.lit("note "), F.col("child_id") % 20)
    made = rows.select("child_id", "parent_id", amount.alias("amount"), note.alias("note"))
    io.write_dataset(made, str(folder / "source" / "children"))
    job("train", trained.config)
    return trained


def check(trained: Trained, children: int) -> None:
    """Generate on one and on seven partitions: the same rows, the large family whole, no worker above the limit."""
    with worker_peaks() as peak:
        one = trained.here("one", {"spark.sql.shuffle.partitions": "1"})
        seven = trained.here("seven", {"spark.sql.shuffle.partitions": "7"})
        largest = peak()
    print(f"largest Python worker: {largest:.0f} MiB with a family of {children}")
    assert one == seven
    assert 0 < largest < LIMIT_MIB
    made = DeltaIO(trained.spark).read_dataset(str(trained.folder / "seven" / "children"))
    counts = made.groupBy("parent_id").count()
    assert counts.agg(F.max("count").alias("n")).first()["n"] == children  # type: ignore[index]
    assert counts.where("count < 4").count() == SMALL
    assert made.select("child_id").distinct().count() == made.count()


@pytest.mark.slow
@pytest.mark.spark
def test_a_family_of_200_000(spark: SparkSession, tmp_path: Path) -> None:
    check(skewed(spark, tmp_path, 200_000, "tests.shuffle.ColumnShuffle"), 200_000)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(1200)
def test_a_family_of_two_million(spark: SparkSession, tmp_path: Path) -> None:
    check(skewed(spark, tmp_path, 2_000_000, "ctgan", epochs=1), 2_000_000)
