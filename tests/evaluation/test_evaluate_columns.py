"""Column similarity against planted answers and against numpy."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from synthohive_spark.evaluation import Evaluation, TableEvaluation, evaluate
from synthohive_spark.evaluation.scores import ColumnScore
from synthohive_spark.metadata import Metadata

pytestmark = pytest.mark.spark


def compare(real: DataFrame, synthetic: DataFrame, **table: object) -> TableEvaluation:
    metadata = Metadata.load({"tables": {"t": {"primary_key": None, **table}}})
    return evaluate(metadata, {"t": real}, {"t": synthetic}).tables[0]


def column(found: TableEvaluation, name: str) -> ColumnScore:
    return next(c for c in found.columns if c.column == name)


def skipped(found: TableEvaluation) -> dict[str, str]:
    return {s.column: s.reason for s in found.skipped}


def exact_ks(a: np.ndarray, b: np.ndarray) -> float:
    values = np.union1d(a, b)
    f, g = (np.searchsorted(np.sort(x), values, side="right") / len(x) for x in (a, b))
    return float(np.abs(f - g).max())


def doubles(spark: SparkSession, **columns: np.ndarray) -> DataFrame:
    rows = [tuple(float(v) for v in row) for row in zip(*columns.values(), strict=True)]
    return spark.createDataFrame(rows, ", ".join(f"{n} double" for n in columns))


@pytest.fixture(scope="module")
def every_type(spark: SparkSession) -> DataFrame:
    i = F.col("id")
    return spark.range(400).select(
        (i % 7).cast("tinyint").alias("tiny"),
        (i * i).alias("big"),
        (i / 3).cast("float").alias("float"),
        F.when(i % 5 == 0, F.lit(float("nan"))).otherwise(F.sqrt(i)).alias("nan"),
        (i / 7).cast("decimal(12,3)").alias("decimal"),
        F.expr("date'2020-01-01' + cast(id as int)").alias("date"),
        F.timestamp_seconds(i * 3600).alias("timestamp"),
        F.timestamp_seconds(i * 60).cast("timestamp_ntz").alias("ntz"),
        F.concat(F.lit("v"), (i % 9).cast("string")).alias("string"),
        (i % 3 == 0).alias("boolean"),
        F.when(i % 4 == 0, F.lit("x")).alias("mostly null"),
        F.array(i).alias("array"),
        i.cast("string").cast("binary").alias("binary"),
    )


def test_identical_frames_score_one(every_type: DataFrame) -> None:
    found = compare(every_type, every_type)
    assert found.score == 1
    assert {c.score for c in found.columns} == {1.0}
    assert skipped(found) == {
        "array": "type array<bigint> is not compared",
        "binary": "type binary is not compared",
    }
    assert column(found, "nan").real_nulls == 0.2
    assert column(found, "mostly null").synthetic_nulls == 0.75
    assert {p.score for p in found.pairs} == {1.0}
    for c in found.columns:
        assert len(c.histogram.labels) == len(c.histogram.real) == len(c.histogram.synthetic) <= 30
        assert sum(c.histogram.real) == pytest.approx(1, abs=1e-4)
        assert c.histogram.real == c.histogram.synthetic


def test_a_shift_gives_its_ks(spark: SparkSession) -> None:
    real = spark.range(1000).select(F.col("id").cast("double").alias("x"), F.col("id").alias("n"))
    synthetic = real.select((F.col("x") + 250).alias("x"), (F.col("n") + 999).alias("n"))
    found = compare(real, synthetic)
    assert column(found, "x").score == pytest.approx(0.75, abs=0.0015)
    assert column(found, "n").score == pytest.approx(0.001, abs=0.0015)


def test_a_discrete_column_is_compared_at_and_between_its_values(spark: SparkSession) -> None:
    real = spark.createDataFrame([(v,) for v in [0] * 60 + [1] * 30 + [2] * 10], "x int")
    synthetic = spark.createDataFrame([(v,) for v in [0] * 30 + [1] * 50 + [2] * 20], "x int")
    assert column(compare(real, synthetic), "x").score == pytest.approx(0.7)
    between = real.select((F.col("x") + 0.5).alias("x"))
    assert column(compare(real.select(F.col("x").cast("double")), between), "x").score == pytest.approx(0.4)


@pytest.mark.parametrize("value", [5, 7])
def test_a_constant_column(spark: SparkSession, value: int) -> None:
    real, synthetic = (spark.createDataFrame([(v,)] * 20, "x bigint") for v in (5, value))
    found = column(compare(real, synthetic), "x")
    assert found.score == float(value == 5)
    assert found.histogram.labels == ("≤ 4", "5", "≥ 6")


def test_total_variation_of_categories(spark: SparkSession) -> None:
    real = spark.createDataFrame([(v, v == "a") for v in "aaaaaabbbc"], "s string, b boolean")
    synthetic = spark.createDataFrame([(v, v == "a") for v in "aaabbbbddd"] * 3, "s string, b boolean")
    found = compare(real, synthetic)
    assert column(found, "s").score == pytest.approx(1 - 0.4)
    assert column(found, "b").score == pytest.approx(1 - 0.3)
    assert found.score == pytest.approx((0.6 + 0.7) / 2)


def test_nulls_stand_beside_the_score(spark: SparkSession) -> None:
    real = spark.createDataFrame([(1.0, "a"), (2.0, "a"), (3.0, "b"), (4.0, "b")] * 5, "x double, s string")
    emptied = real.union(spark.createDataFrame([(None, None)] * 20, real.schema))
    found = compare(real, emptied)
    assert [(c.score, c.real_nulls, c.synthetic_nulls) for c in found.columns] == [(1.0, 0.0, 0.5)] * 2


def test_a_side_without_values_scores_zero_and_two_are_left_out(spark: SparkSession) -> None:
    schema = "x double, s string, d date, empty string, void double"
    real = spark.createDataFrame([(1.0, "a", datetime.date(2020, 1, 1), None, None)] * 9, schema)
    synthetic = spark.createDataFrame([(None, None, None, None, None)] * 9, schema)
    for left, right in ((real, synthetic), (synthetic, real)):
        found = compare(left, right)
        assert {c.column: c.score for c in found.columns} == {"x": 0.0, "s": 0.0, "d": 0.0}
        assert skipped(found) == dict.fromkeys(("empty", "void"), "no values on either side")


def test_an_empty_synthetic_table_scores_zero(every_type: DataFrame) -> None:
    found = compare(every_type, every_type.limit(0))
    assert found.score == 0
    assert found.synthetic_rows == 0


def test_keys_personal_and_free_text_columns_are_not_scored(spark: SparkSession) -> None:
    schema = "id int, line int, parent int, mail string, note string, code string"
    rows = [(i, i % 3, i % 2, f"{i}@x", f"text {i}", "ab"[i % 2]) for i in range(20)]
    frame = spark.createDataFrame(rows, schema)
    parents = spark.createDataFrame([(0,), (1,)], "parent int")
    key = {"columns": ["parent"], "references": "p", "referenced_columns": ["parent"]}
    for primary, scored in ((["id"], ["line", "code"]), (["id", "line"], ["id", "line", "code"])):
        child = {"primary_key": primary, "foreign_keys": [key], "pii": ["mail"]}
        metadata = Metadata.load({"tables": {"p": {"primary_key": "parent"}, "t": child}})
        tables = {"p": parents, "t": frame}
        found: Evaluation = evaluate(metadata, tables, tables)
        assert [c.column for c in found.tables[1].columns] == scored
        reasons = skipped(found.tables[1])
        assert reasons["parent"] == "foreign key"
        assert "personal" in reasons["mail"]
        assert "free text" in reasons["note"]
        assert found.tables[0].score is None
        assert found.score == 1


def test_a_reference_table_does_not_lift_the_score(every_type: DataFrame) -> None:
    found = compare(every_type, every_type, reference=True)
    assert found.score is None
    assert set(skipped(found).values()) == {"reference table, copied"}


@pytest.mark.parametrize("seed", range(3))
def test_ks_is_that_of_numpy(spark: SparkSession, seed: int) -> None:
    rng = np.random.default_rng(seed)
    real = {
        "normal": rng.normal(size=5000),
        "heavy": np.exp(rng.normal(scale=3, size=5000)),
        "whole": rng.poisson(3, size=5000),
        "mixed": np.where(rng.random(5000) < 0.6, 0, rng.random(5000)),
    }
    synthetic = {
        "normal": rng.normal(0.1, 1.3, size=3000),
        "heavy": np.exp(rng.normal(0.5, 2, size=3000)),
        "whole": rng.poisson(rng.uniform(2, 4), size=3000),
        "mixed": np.where(rng.random(3000) < 0.4, 0, rng.random(3000) ** 2),
    }
    found = compare(doubles(spark, **real).repartition(3), doubles(spark, **synthetic))
    for name in real:
        exact = 1 - exact_ks(real[name], synthetic[name])
        assert exact - 1e-6 <= column(found, name).score <= exact + 0.0016, name


def test_correlations_are_those_of_numpy(spark: SparkSession) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 800))
    real, synthetic = {"a": 1e9 + x, "b": x + y}, {"a": 1e9 + x, "b": y - x}
    (pair,) = compare(doubles(spark, **real), doubles(spark, **synthetic)).pairs
    assert pair.real == pytest.approx(np.corrcoef(real["a"], real["b"])[0, 1], abs=1e-5)
    assert pair.synthetic == pytest.approx(np.corrcoef(synthetic["a"], synthetic["b"])[0, 1], abs=1e-5)
    assert pair.score == pytest.approx(1 - abs(pair.real - pair.synthetic) / 2)


def test_infinities_and_large_decimals(spark: SparkSession) -> None:
    schema = T.StructType([T.StructField("x", T.DoubleType()), T.StructField("d", T.DecimalType(38, 0))])
    rows = [(v, decimal.Decimal(10) ** 30 + i) for i, v in enumerate([float("inf"), float("-inf"), 1.0, 2.0] * 5)]
    frame = spark.createDataFrame(rows, schema)
    found = compare(frame, frame)
    assert found.score == 1


def test_awkward_names(spark: SparkSession) -> None:
    names = ["a.b", "a b", "a`b", "größe", "select", "n0", "side"]
    rows = [(i % 5, "xyz"[i % 3], float(i), i % 2, i % 4, i % 3, "pq"[i % 2]) for i in range(60)]
    frame = spark.createDataFrame(rows, names)
    found = compare(frame, frame, primary_key=["a.b", "a b", "a`b"])
    assert [c.column for c in found.columns] == names
    assert found.score == 1
    assert found.failures == []
    shifted = frame.withColumn("a`b", F.col("`a``b`") + 1000)
    assert column(compare(frame, shifted), "a`b").score == 0


def test_rare_categories_are_not_shown(spark: SparkSession) -> None:
    values = [f"common {i % 30}" for i in range(300)] + ["secret", "secret", "only"]
    real = spark.createDataFrame([(v,) for v in values], "s string")
    synthetic = spark.createDataFrame([("secret",)] * 50 + [("common 0",)] * 50, "s string")
    histogram = column(compare(real, synthetic), "s").histogram
    assert len(histogram.labels) == 21
    assert histogram.labels[-1] == "other"
    assert not {"secret", "only"} & set(histogram.labels)
    assert histogram.synthetic[-1] == 0.5
    assert sum(histogram.real) == pytest.approx(1, abs=1e-4)


def test_the_outer_bins_are_open_and_no_edge_is_an_extreme(spark: SparkSession) -> None:
    values = [float(v) for v in np.random.default_rng(0).normal(size=1000)] + [123456.789]
    frame = spark.createDataFrame([(v,) for v in values], "salary double")
    histogram = column(compare(frame, frame), "salary").histogram
    assert "123456" not in str(histogram)
    assert histogram.labels[-1].startswith("≥ ")
    assert histogram.labels[0].startswith("< ")
