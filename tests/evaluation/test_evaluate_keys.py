"""Keys, orphans and children per parent against planted answers; the gate."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.errors import QualityError, SourceDataError
from synthohive_spark.evaluation import Evaluation, evaluate, relations
from synthohive_spark.metadata import Metadata

pytestmark = pytest.mark.spark

METADATA: dict[str, Any] = {
    "tables": {
        "place": {"primary_key": ["city", "year"]},
        "shop": {
            "primary_key": "id",
            "foreign_keys": [
                {
                    "columns": ["city", "year"],
                    "references": "place",
                    "referenced_columns": ["city", "year"],
                    "nullable": True,
                },
                {"columns": ["boss"], "references": "shop", "referenced_columns": ["id"], "nullable": True},
            ],
        },
    }
}
PLACES = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
SHOPS = [(1, "a", 1, None), (2, "a", 1, 1), (3, "a", 2, 1), (4, "b", 1, 2), (5, None, 1, 4), (6, "b", None, 4)]


def lake(spark: SparkSession, places: list[Any], shops: list[Any]) -> dict[str, DataFrame]:
    return {
        "place": spark.createDataFrame(places, "city string, year int"),
        "shop": spark.createDataFrame(shops, "id int, city string, year int, boss int"),
    }


def judge(spark: SparkSession, places: list[Any], shops: list[Any]) -> Evaluation:
    return evaluate(Metadata.load(METADATA), lake(spark, PLACES, SHOPS), lake(spark, places, shops))


@pytest.fixture(scope="module")
def same(spark: SparkSession) -> Evaluation:
    return judge(spark, PLACES, SHOPS)


def test_a_faithful_copy_has_no_failures(same: Evaluation) -> None:
    assert same.failures == []
    assert (same.orphans, same.bad_keys) == (0, 0)
    place, shop = same.tables
    assert [k.score for k in shop.foreign_keys] == [1.0, 1.0]
    assert shop.primary_key is not None
    assert place.foreign_keys == ()
    assert same.stages == (("place",), ("shop",))


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


def test_orphans_of_composite_and_self_references(spark: SparkSession) -> None:
    shops = [
        (1, "a", 1, None),
        (2, "c", 1, 9),  # city unknown; no such boss
        (3, "b", 3, 1),  # both columns known, not together
        (4, "a", 9, 1),
        (5, None, 99, 1),  # a null column: no key, so no orphan
        (6, "zz", None, 2),
    ]
    found = judge(spark, PLACES, shops)
    assert [k.orphans for k in found.tables[1].foreign_keys] == [3, 1]
    assert found.orphans == 4
    assert found.failures == [
        "shop(city, year) -> place(city, year): 3 rows without a parent.",
        "shop(boss) -> shop(id): 1 row without a parent.",
    ]


def test_null_parents_do_not_adopt(spark: SparkSession) -> None:
    found = judge(spark, [("a", 1), (None, 2), ("b", None)], [(1, "a", 1, None), (2, "b", 2, 1), (3, None, 2, 1)])
    assert found.tables[1].foreign_keys[0].orphans == 1
    assert found.tables[0].primary_key is not None
    assert found.tables[0].primary_key.nulls == 2


def test_repeated_and_null_primary_keys(spark: SparkSession) -> None:
    shops = [(1, "a", 1, None), (1, "a", 1, None), (1, "a", 1, None), (2, "a", 1, 1), (2, "a", 1, 1), (None, "a", 1, 1)]
    found = judge(spark, [*PLACES, ("a", 1), ("a", None), ("a", None)], shops)
    keys = [t.primary_key for t in found.tables]
    assert [(k.duplicates, k.nulls) for k in keys if k] == [(1, 2), (3, 1)]
    assert found.bad_keys == 7
    assert found.orphans == 0
    assert found.tables[1].foreign_keys[0].synthetic_mean == 1.5, "a repeated parent counts once"
    with pytest.raises(QualityError, match=r"shop\(id\): 3 rows with a primary key that another row has"):
        found.check(0)


def test_children_per_parent_similarity(spark: SparkSession) -> None:
    shops = [(i, "a", 1, None) for i in range(6)]
    found = judge(spark, PLACES, shops).tables[1].foreign_keys[0]
    assert found.score == 0.5  # real 0,1,1,2 against 0,0,0,6
    assert (found.synthetic_mean, found.synthetic_max) == (1.5, 6)


def test_large_families_share_buckets_and_keep_mean_and_maximum(spark: SparkSession) -> None:
    metadata = Metadata()
    metadata.add_table("p", pk="k")
    metadata.add_table("c", fk={"k": "p.k"})
    sizes = [0, 3, 999, 1000, 1500, 1502, 4000]
    parents = spark.createDataFrame([(i,) for i in range(len(sizes))], "k bigint")
    bounds = np.cumsum(sizes)
    cases = " ".join(f"when id < {b} then {i}" for i, b in enumerate(bounds))
    tables = {"p": parents, "c": spark.range(int(bounds[-1])).selectExpr(f"cast(case {cases} end as bigint) k")}
    keys = metadata.tables["c"].foreign_keys
    ((real, synthetic),) = relations.families("c", keys, tables, tables)
    assert real.mean == sum(sizes) / len(sizes)
    assert (real.most, real.orphans) == (4000, 0)
    assert list(real.parents) == [1, 1, 1, 1, 2, 1]
    assert relations.similarity(real, synthetic) == 1


def test_the_gate(spark: SparkSession, same: Evaluation) -> None:
    assert same.score == 1
    same.check(1.0)
    moved = judge(spark, [(c, y) for c, y in PLACES if y == 1], [(1, "a", 1, None)])
    assert moved.failures == []
    assert moved.score == 0.75  # city 1, year 0.5
    moved.check(0.75)
    with pytest.raises(QualityError) as error:
        moved.check(0.8)
    assert error.value.exit_code == 6
    for part in ("0.7500", "fail_under 0.8", "place.year 0.500", "Train longer"):
        assert part in str(error.value)


def test_a_gate_needs_something_to_judge(spark: SparkSession) -> None:
    metadata = Metadata()
    metadata.add_table("t", pk="id")
    tables = {"t": spark.range(3)}
    found = evaluate(metadata, tables, tables)
    assert found.score is None
    found.check(0)
    with pytest.raises(QualityError, match="no column could be scored"):
        found.check(0.1)


def test_it_becomes_json(same: Evaluation) -> None:
    tree = json.loads(json.dumps(same.to_dict(), allow_nan=False))
    assert tree["score"] == 1
    assert tree["failures"] == []
    assert tree["tables"][1]["foreign_keys"][0]["orphans"] == 0
    assert tree["tables"][0]["columns"][0]["column"] == "city"


def test_what_cannot_be_compared_comes_in_one_error(spark: SparkSession) -> None:
    real = lake(spark, PLACES, SHOPS)
    with pytest.raises(SourceDataError, match="place: not among the synthetic tables"):
        evaluate(Metadata.load(METADATA), real, {"shop": real["shop"]})
    place = real["place"].selectExpr("city", "cast(year as string) year")
    with pytest.raises(SourceDataError) as error:
        evaluate(Metadata.load(METADATA), real, {"place": place, "shop": real["shop"].drop("boss")})
    assert "place.year: int in the real table, string in the synthetic one" in str(error.value)
    assert "shop.boss: not in the synthetic table" in str(error.value)


def test_a_real_database_is_like_itself(spark: SparkSession, shared_data: Any) -> None:
    folder = shared_data / "mutagenesis"
    metadata = Metadata.load(folder / "schema.json")
    tables = {name: spark.read.parquet(str(folder / f"{name}.parquet")) for name in metadata.tables}
    found = evaluate(metadata, tables, tables)
    assert found.score == 1
    assert found.failures == []
    assert [fk.score for t in found.tables for fk in t.foreign_keys] == [1.0, 1.0]
    assert found.tables[1].foreign_keys[0].real_mean == pytest.approx(26.027, abs=1e-3)
