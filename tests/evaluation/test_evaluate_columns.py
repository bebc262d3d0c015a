"""Column similarity against planted answers and against numpy.

A frame costs a query or three, a column next to nothing: so most cases are columns of one table, padded with nulls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.evaluation import TableEvaluation, evaluate
from synthohive_spark.evaluation.kinds import plan
from synthohive_spark.evaluation.scores import ColumnScore, SkippedColumn
from synthohive_spark.metadata import Metadata

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(3)

# name: (real, synthetic)
RANDOM = {
    "normal": (RNG.normal(size=5000), RNG.normal(0.1, 1.3, size=3000)),
    "heavy": (np.exp(RNG.normal(scale=3, size=5000)), np.exp(RNG.normal(0.5, 2, size=3000))),
    "whole": (RNG.poisson(3, size=5000), RNG.poisson(3.4, size=3000)),
    "spread": (RNG.integers(0, 10**9, size=5000), RNG.integers(10**7, 10**9, size=4000)),
    "mixed": (
        np.where(RNG.random(5000) < 0.6, 0, RNG.random(5000)),
        np.where(RNG.random(3000) < 0.4, 0, RNG.random(3000) ** 2),
    ),
    "few": (RNG.random(7), RNG.random(4)),
    "gap": (np.concatenate([RNG.random(2500), 9 + RNG.random(2500)]), 2 + 6 * RNG.random(1000)),
}
ORDERED: dict[str, tuple[Sequence[Any], Sequence[Any], float]] = {
    "shift": ([float(i) for i in range(1000)], [i + 250.0 for i in range(1000)], 0.75),
    "shift of all": (range(1000), range(999, 1999), 0.001),
    "discrete": ([0] * 60 + [1] * 30 + [2] * 10, [0] * 30 + [1] * 50 + [2] * 20, 0.7),
    "between": ([0.0] * 60 + [1.0] * 30 + [2.0] * 10, [0.5] * 60 + [1.5] * 30 + [2.5] * 10, 0.4),
    "constant": ([5] * 20, [5] * 30, 1.0),
    "constant moved": ([5] * 20, [7] * 20, 0.0),
    "infinite": ([float("inf"), float("-inf"), 1.0, 2.0] * 5, [float("inf"), 1.0, 1.0, 2.0] * 5, 0.75),
    "not a number": ([1.0, 2.0, float("nan"), float("nan")] * 5, [1.0, 2.0] * 5, 1.0),
    "emptied": ([1.0, 2.0], [], 0.0),
}
CATEGORICAL: dict[str, tuple[Sequence[Any], Sequence[Any], float]] = {
    "letters": (list("aaaaaabbbc") * 3, list("aaabbbbddd"), 0.6),
    "flags": ([True] * 6 + [False] * 4, [True] * 9 + [False] * 21, 0.7),
    "apart": (list("aaa"), list("bbb"), 0.0),
    "emptied text": (["a"] * 9, [], 0.0),
    "rare": (
        [f"common {i % 30}" for i in range(300)] + ["secret", "secret", "only"],
        ["secret"] * 50 + ["common 0"] * 50,
        12 / 303,
    ),
}


def table(spark: SparkSession, columns: dict[str, Sequence[Any]]) -> DataFrame:
    """A frame of columns of any length, the short ones padded with nulls; no Python process behind it."""
    longest = max(map(len, columns.values()))
    arrays = {}
    for name, values in columns.items():
        plain = [v.item() if isinstance(v, np.generic) else v for v in values]
        kind = None if plain else (pa.string() if "text" in name else pa.float64())
        arrays[name] = pa.array([*plain, *[None] * (longest - len(plain))], type=kind)
    return spark.createDataFrame(pa.table(arrays))


def compare(real: DataFrame, synthetic: DataFrame, **spec: object) -> TableEvaluation:
    metadata = Metadata.load({"tables": {"t": {"primary_key": None, **spec}}})
    return evaluate(metadata, {"t": real}, {"t": synthetic}).tables[0]


def column(found: TableEvaluation, name: str) -> ColumnScore:
    return next(c for c in found.columns if c.column == name)


def skipped(found: TableEvaluation) -> dict[str, str]:
    return {s.column: s.reason for s in found.skipped}


def exact_ks(a: np.ndarray, b: np.ndarray) -> float:
    values = np.union1d(a, b)
    f, g = (np.searchsorted(np.sort(x), values, side="right") / len(x) for x in (a, b))
    return float(np.abs(f - g).max())


@pytest.fixture(scope="module")
def planted(spark: SparkSession) -> TableEvaluation:
    salaries = [*RNG.normal(size=1000), 123456.789]
    cases = {**RANDOM, **ORDERED, **CATEGORICAL, "salary": (salaries, salaries)}
    real, synthetic = (table(spark, {n: case[side] for n, case in cases.items()}) for side in (0, 1))
    return compare(real.repartition(3), synthetic)


@pytest.fixture(scope="module")
def every_type(spark: SparkSession) -> DataFrame:
    i = F.col("id")
    return spark.range(400).select(
        (i % 7).cast("tinyint").alias("tiny"),
        (i * i).alias("big"),
        (i / 3).cast("float").alias("float"),
        (i / 7).cast("decimal(12,3)").alias("decimal"),
        (i.cast("decimal(38,0)") + F.expr("1000000000000000000000000000000BD")).alias("wide"),
        F.expr("date'2020-01-01' + cast(id as int)").alias("date"),
        F.timestamp_seconds(i * 3600).alias("timestamp"),
        F.timestamp_seconds(i * 60).cast("timestamp_ntz").alias("ntz"),
        F.concat(F.lit("v"), (i % 9).cast("string")).alias("string"),
        (i % 3 == 0).alias("boolean"),
        F.when(i % 4 == 0, F.lit("x")).alias("mostly null"),
        F.lit(None).cast("double").alias("void"),
        F.lit(None).cast("string").alias("void text"),
        F.array(i).alias("array"),
        i.cast("string").cast("binary").alias("binary"),
    )


@pytest.fixture(scope="module")
def identical(every_type: DataFrame) -> TableEvaluation:
    return compare(every_type, every_type)


def test_identical_frames_score_one(identical: TableEvaluation) -> None:
    assert identical.score == 1
    assert {c.score for c in identical.columns} == {1.0}
    assert skipped(identical) == {
        "array": "type array<bigint> is not compared",
        "binary": "type binary is not compared",
        "void": "no values on either side",
        "void text": "no values on either side",
    }
    assert {p.score for p in identical.pairs} == {1.0}
    kinds = ["integer", "integer", *["number"] * 2, "integer", "date", "timestamp", "timestamp", "string", "boolean"]
    assert [c.kind for c in identical.columns] == [*kinds, "string"]


def test_histograms_hold_every_value_in_few_bins(identical: TableEvaluation) -> None:
    for c in identical.columns:
        assert len(c.histogram.labels) == len(c.histogram.real) == len(c.histogram.synthetic) <= 30
        assert sum(c.histogram.real) == pytest.approx(1, abs=1e-4)
        assert c.histogram.real == c.histogram.synthetic


@pytest.mark.parametrize("name", ORDERED)
def test_ks_of_planted_columns(planted: TableEvaluation, name: str) -> None:
    assert column(planted, name).score == pytest.approx(ORDERED[name][2], abs=1.6e-3 if "shift" in name else 1e-6)


@pytest.mark.parametrize("name", CATEGORICAL)
def test_total_variation_of_planted_columns(planted: TableEvaluation, name: str) -> None:
    assert column(planted, name).score == pytest.approx(CATEGORICAL[name][2], abs=1e-6)


@pytest.mark.parametrize("name", RANDOM)
def test_ks_is_that_of_numpy(planted: TableEvaluation, name: str) -> None:
    exact = 1 - exact_ks(*RANDOM[name])
    assert exact - 1e-6 <= column(planted, name).score <= exact + 0.0016


def test_nulls_and_nan_stand_beside_the_score(planted: TableEvaluation, identical: TableEvaluation) -> None:
    assert column(planted, "not a number").real_nulls == pytest.approx(1 - 10 / 5000)
    assert column(planted, "shift").synthetic_nulls == pytest.approx(1 - 1000 / 4000)
    assert column(planted, "emptied").synthetic_nulls == 1
    assert column(identical, "mostly null").synthetic_nulls == 0.75
    assert column(identical, "big").real_nulls == 0


def test_a_constant_is_pictured_in_three_bins(planted: TableEvaluation) -> None:
    moved = column(planted, "constant moved").histogram
    assert (moved.labels, moved.real, moved.synthetic) == (("≤ 4", "5", "≥ 6"), (0, 1, 0), (0, 0, 1))


def test_rare_categories_are_not_shown(planted: TableEvaluation) -> None:
    histogram = column(planted, "rare").histogram
    assert len(histogram.labels) == 21
    assert histogram.labels[-1] == "other"
    assert not {"secret", "only"} & set(histogram.labels)
    assert histogram.synthetic[-1] == 0.5
    assert sum(histogram.real) == pytest.approx(1, abs=1e-4)
    assert column(planted, "apart").histogram.labels == ("a", "other")


def test_the_outer_bins_are_open_and_no_edge_is_an_extreme(planted: TableEvaluation) -> None:
    histogram = column(planted, "salary").histogram
    assert "123456" not in str(histogram)
    assert histogram.labels[-1].startswith("≥ ")
    assert histogram.labels[0].startswith("< ")


def test_an_empty_synthetic_table_scores_zero(every_type: DataFrame) -> None:
    found = compare(every_type, every_type.limit(0))
    assert found.score == 0
    assert found.synthetic_rows == 0


def test_keys_personal_and_free_text_columns_are_not_scored(spark: SparkSession) -> None:
    ids = range(20)
    values: dict[str, Sequence[Any]] = {"id": ids, "line": [i % 3 for i in ids], "parent": [i % 2 for i in ids]}
    values |= {"mail": [f"{i}@x" for i in ids], "note": [f"text {i}" for i in ids], "code": ["ab"[i % 2] for i in ids]}
    frame, parents = table(spark, values), table(spark, {"parent": [0, 1]})
    key = {"columns": ["parent"], "references": "p", "referenced_columns": ["parent"]}
    metadata = Metadata()
    metadata.add_table("p", pk="parent")
    metadata.add_table("t", pk="id", fk=[key], pii=["mail"])
    tables = {"p": parents, "t": frame}
    found = evaluate(metadata, tables, tables)
    parent, child = found.tables
    assert [c.column for c in child.columns] == ["line", "code"]
    reasons = skipped(child)
    assert (reasons["id"], reasons["parent"]) == ("primary key", "foreign key")
    assert "personal" in reasons["mail"]
    assert "free text" in reasons["note"]
    assert parent.score is None
    assert child.score == 1
    assert "t.mail: personal data, replaced" in found.left_out, "what is not judged is named"
    assert not [line for line in found.left_out if line.startswith(("t.id:", "t.parent:"))], "but no key"


def test_columns_of_a_natural_key_are_scored_unless_they_refer(every_type: DataFrame) -> None:
    metadata = Metadata()
    key = {"columns": ["big"], "references": "p", "referenced_columns": ["big"]}
    metadata.add_table("t", pk=["big", "date"], fk=[key])
    found = plan(metadata.tables["t"], every_type)
    assert "date" in [f.name for f in found.ordered]
    assert found.skipped[0] == SkippedColumn("big", "foreign key")


def test_a_reference_table_does_not_lift_the_score(every_type: DataFrame) -> None:
    metadata = Metadata()
    metadata.add_table("t", reference=True)
    found = plan(metadata.tables["t"], every_type)
    assert found.ordered == found.categories == ()
    assert {s.reason for s in found.skipped} == {"reference table, copied"}


def test_protected_values_are_compared_as_one_category(spark: SparkSession) -> None:
    common = ["a"] * 50 + ["b"] * 30
    real = table(spark, {"text": [*common, *(f"rare {i}" for i in range(20))]})
    shaped = table(spark, {"text": [*common, *(f"xxxx {i}" for i in range(20))]})
    fewer = table(spark, {"text": [*common, "a", "a", *(f"xxxx {i}" for i in range(18))]})
    metadata = Metadata.load({"tables": {"t": {"primary_key": None}}})

    def score(synthetic: DataFrame, min_subjects: int) -> float:
        return column(evaluate(metadata, {"t": real}, {"t": synthetic}, None, min_subjects).tables[0], "text").score

    assert score(shaped, 1) == pytest.approx(0.8)
    assert score(shaped, 3) == 1
    assert score(fewer, 3) == pytest.approx(0.98)


def test_correlations_are_those_of_numpy(spark: SparkSession) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 800))
    real, synthetic = {"a": 1e9 + x, "b": x + y}, {"a": 1e9 + x, "b": y - x}
    (pair,) = compare(table(spark, real), table(spark, synthetic)).pairs
    assert pair.real == pytest.approx(np.corrcoef(real["a"], real["b"])[0, 1], abs=1e-5)
    assert pair.synthetic == pytest.approx(np.corrcoef(synthetic["a"], synthetic["b"])[0, 1], abs=1e-5)
    assert pair.score == pytest.approx(1 - abs(pair.real - pair.synthetic) / 2)


def test_awkward_names(spark: SparkSession) -> None:
    names = ["a.b", "a b", "a`b", "größe", "select", "n0", "side"]
    frame = table(spark, {n: [c % 3 + i % (c + 2) for i in range(60)] for c, n in enumerate(names)})
    frame = frame.withColumn("a b", F.concat(F.lit("x"), F.col("a b"))).withColumn(
        "a`b", F.monotonically_increasing_id()
    )
    shifted = frame.withColumn("a`b", F.col("`a``b`") + 1000)
    found = compare(frame, shifted, primary_key=["a.b", "a b", "a`b"])
    assert {c.column: c.score for c in found.columns} == {n: float(n != "a`b") for n in names}
    assert found.failures == []
