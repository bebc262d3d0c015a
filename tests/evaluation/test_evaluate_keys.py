"""Keys, orphans and children per parent against planted answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.errors import QualityError, SourceDataError
from synthohive_spark.evaluation import Evaluation, evaluate, integrity, relations
from synthohive_spark.evaluation.judging import FIGURES
from synthohive_spark.evaluation.relations import FamilySizes
from synthohive_spark.metadata import Metadata

pytestmark = pytest.mark.spark

PLACE_KEY = {"columns": ["city", "year"], "references": "place", "referenced_columns": ["city", "year"]}
BOSS_KEY = {"columns": ["boss"], "references": "shop", "referenced_columns": ["id"], "nullable": True}
METADATA = Metadata()
METADATA.add_table("place", pk=["city", "year"])
METADATA.add_table("shop", pk="id", fk=[{**PLACE_KEY, "nullable": True}, BOSS_KEY])
PLACES = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
SHOPS = [(1, "a", 1, None), (2, "a", 1, 1), (3, "a", 2, 1), (4, "b", 1, 2), (5, None, 1, 4), (6, "b", None, 4)]
Rows = Sequence[tuple[Any, ...]]


def frame(spark: SparkSession, rows: Rows, **columns: pa.DataType) -> DataFrame:
    """A frame without a Python process behind it."""
    values = zip(*rows, strict=True)
    return spark.createDataFrame(
        pa.table({n: pa.array(v, t) for v, (n, t) in zip(values, columns.items(), strict=True)})
    )


def lake(spark: SparkSession, places: Rows, shops: Rows) -> dict[str, DataFrame]:
    return {
        "place": frame(spark, places, city=pa.string(), year=pa.int32()),
        "shop": frame(spark, shops, id=pa.int32(), city=pa.string(), year=pa.int32(), boss=pa.int32()),
    }


def families(spark: SparkSession, places: Rows, shops: Rows) -> tuple[tuple[FamilySizes, FamilySizes], ...]:
    keys = METADATA.tables["shop"].foreign_keys
    return relations.families("shop", keys, lake(spark, PLACES, SHOPS), lake(spark, places, shops))


@pytest.fixture(scope="module")
def same(spark: SparkSession) -> Evaluation:
    tables = lake(spark, PLACES, SHOPS)
    return evaluate(METADATA, tables, tables)


@pytest.fixture(scope="module")
def broken(spark: SparkSession) -> Evaluation:
    shops = [
        (1, "a", 1, None),
        (2, "c", 1, 9),  # no such city, no such boss
        (3, "b", 3, 1),  # both columns known, not together
        (4, "a", 9, 1),
        (5, None, 99, 1),  # a null column: no key, so no orphan
        (5, "zz", None, 2),
        (5, "a", 1, 2),
        (None, "a", 1, 2),
    ]
    return evaluate(METADATA, lake(spark, PLACES, SHOPS), lake(spark, [*PLACES, ("a", 1)], shops))


def test_a_faithful_copy_has_no_failures(same: Evaluation) -> None:
    assert same.failures == []
    assert (same.orphans, same.bad_keys) == (0, 0)
    assert (same.score, same.stages) == (None, (("place",), ("shop",))), "four rows are judged by nobody"
    assert [k.score for k in same.tables[1].foreign_keys] == [1.0, 1.0]
    same.check(0)
    with pytest.raises(QualityError, match="nothing could be judged"):
        same.check(0.5)


def test_null_shares_of_a_composite_key_count_any_null(same: Evaluation) -> None:
    composite, boss = same.tables[1].foreign_keys
    assert composite.real_nulls == composite.synthetic_nulls == pytest.approx(2 / 6, abs=1e-6)
    assert boss.real_nulls == pytest.approx(1 / 6, abs=1e-6)


def test_children_per_parent_count_parents_without_children(same: Evaluation) -> None:
    composite, boss = same.tables[1].foreign_keys
    assert (composite.real_mean, composite.real_max) == (1.0, 2)
    assert composite.histogram.labels == ("≤ 0", "1", "≥ 2")
    assert composite.histogram.real == (0.25, 0.5, 0.25)
    assert (boss.real_mean, boss.real_max) == (pytest.approx(5 / 6, abs=1e-6), 2)


def test_orphans_and_bad_keys_are_counted_and_said(broken: Evaluation) -> None:
    assert [k.orphans for k in broken.tables[1].foreign_keys] == [3, 1]
    assert (broken.orphans, broken.bad_keys) == (4, 4)
    assert broken.failures == [
        "place(city, year): 1 row with a primary key that another row has.",
        "shop(id): 2 rows with a primary key that another row has.",
        "shop(id): 1 row with a null in the primary key.",
        "shop(city, year) -> place(city, year): 3 rows without a parent.",
        "shop(boss) -> shop(id): 1 row without a parent.",
    ]
    assert broken.tables[1].foreign_keys[0].synthetic_mean == 3 / 4, "a repeated parent counts once"
    with pytest.raises(QualityError, match=r"shop\(boss\) -> shop\(id\): 1 row without a parent"):
        broken.check(0)


def test_null_parents_do_not_adopt(spark: SparkSession) -> None:
    shops = [(1, "a", 1, None), (2, "b", 2, 1), (3, None, 2, 1)]
    (_, composite), (_, boss) = families(spark, [("a", 1), (None, 2), ("b", None)], shops)
    assert (composite.orphans, composite.mean, boss.orphans) == (1, 1.0, 0)


def test_nulls_and_repeats_of_a_composite_primary_key(spark: SparkSession) -> None:
    rows = [("a", 1), ("a", 1), ("a", 1), ("b", None), ("b", None), (None, None), ("b", 1)]
    found = integrity.primary_key(frame(spark, rows, city=pa.string(), year=pa.int32()), ("city", "year"))
    assert found is not None
    assert (found.duplicates, found.nulls) == (2, 3)
    assert integrity.primary_key(spark.range(1), ()) is None


def test_children_per_parent_similarity(spark: SparkSession) -> None:
    (real, synthetic), _ = families(spark, PLACES, [(i, "a", 1, None) for i in range(6)])
    assert relations.similarity(real, synthetic) == 0.5  # real 0, 1, 1, 2 against 0, 0, 0, 6
    assert (synthetic.mean, synthetic.most) == (1.5, 6)


def test_large_families_share_buckets_and_keep_mean_and_maximum(spark: SparkSession) -> None:
    metadata = Metadata()
    metadata.add_table("p", pk="k")
    metadata.add_table("c", fk={"k": "p.k"})
    sizes = [0, 3, 999, 1000, 1500, 1502, 4000]
    cases = " ".join(f"when id < {bound} then {i}L" for i, bound in enumerate(np.cumsum(sizes)))
    children = spark.range(sum(sizes)).selectExpr(f"case {cases} end k")
    tables = {"p": spark.range(len(sizes)).toDF("k"), "c": children}
    ((real, synthetic),) = relations.families("c", metadata.tables["c"].foreign_keys, tables, tables)
    assert real.mean == sum(sizes) / len(sizes)
    assert (real.most, real.orphans) == (4000, 0)
    assert list(real.parents) == [1, 1, 1, 1, 2, 1]
    assert relations.similarity(real, synthetic) == 1


def test_a_table_without_parents_has_no_similarity(spark: SparkSession) -> None:
    nothing = FamilySizes(np.empty(0), np.empty(0), np.empty(0), 0, 0)
    assert relations.similarity(nothing, nothing) is None
    assert sum(relations.counts_picture(nothing, nothing).real) == 0


def test_it_becomes_json(broken: Evaluation) -> None:
    tree = json.loads(json.dumps(broken.to_dict(), allow_nan=False))
    assert (tree["score"], tree["orphans"], tree["bad_keys"]) == (broken.score, 4, 4)
    assert tree["failures"] == broken.failures
    assert tree["tables"][1]["foreign_keys"][0]["orphans"] == 3
    assert tree["tables"][0]["columns"][0]["column"] == "city"


def test_what_cannot_be_compared_comes_in_one_error(spark: SparkSession) -> None:
    real = lake(spark, PLACES, SHOPS)
    with pytest.raises(SourceDataError, match="place: not among the synthetic tables"):
        evaluate(METADATA, real, {"shop": real["shop"]})
    place = real["place"].selectExpr("city", "cast(year as string) year")
    with pytest.raises(SourceDataError) as error:
        evaluate(METADATA, real, {"place": place, "shop": real["shop"].drop("boss")})
    assert "place.year: int in the real table, string in the synthetic one" in str(error.value)
    assert "shop.boss: not in the synthetic table" in str(error.value)


@pytest.mark.slow
def test_a_real_database_is_like_itself(spark: SparkSession, shared_data: Path) -> None:
    folder = shared_data / "mutagenesis"
    metadata = Metadata.load(folder / "schema.json")
    tables = {name: spark.read.parquet(str(folder / f"{name}.parquet")) for name in metadata.tables}
    found = evaluate(metadata, tables, tables)
    assert {name: f.score for name, f in found.figures.items()} == dict.fromkeys(FIGURES, 1.0)
    assert found.worst() == []
    found.check(1.0)
    assert found.failures == []
    assert [fk.score for t in found.tables for fk in t.foreign_keys] == [1.0, 1.0]
    assert found.tables[1].foreign_keys[0].real_mean == pytest.approx(26.027, abs=1e-3)
