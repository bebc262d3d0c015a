"""Structs: their fields are learnt as columns, and the copy has the structs of the source again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from synthohive_spark import cli
from synthohive_spark.nested import flat, flat_schema, nested, nested_schema, uncommented
from tests.lakes import config_file, content, run_job

SPOT = StructType().add("x", "integer").add("y", "integer")
PLACE = StructType().add("city", "string", False, {"comment": "where"}).add("spot", SPOT).add("zip", "integer")
OWNER = StructType().add("name", "string").add("born", "date")
SCHEMA = (
    StructType()
    .add("id", "long", False)
    .add("place", PLACE, True, {"comment": "home"})
    .add("owner", OWNER, False)
    .add("n", "integer")
)


def test_a_schema_lies_flat_and_is_put_together_again() -> None:
    lying = flat_schema(SCHEMA)
    names = ["id", "place.city", "place.spot.x", "place.spot.y", "place.zip", "owner.name", "owner.born", "n"]
    assert lying.fieldNames() == names
    assert [f.nullable for f in lying.fields] == [False, *[True] * 7]
    assert nested_schema(lying) == SCHEMA
    assert flat_schema(lying) == lying
    bare = nested_schema(StructType([uncommented(f) for f in lying.fields]))
    assert "comment" not in bare.json()
    assert [f.name for f in bare.fields] == [f.name for f in SCHEMA.fields]


def test_a_struct_that_stays_and_names_that_meet_are_left() -> None:
    inner = StructType().add("b", "integer")
    schema = StructType().add("a", inner).add("c", inner)
    assert flat_schema(schema, {"a"}).fieldNames() == ["a", "c.b"]
    twice = StructType().add("a", inner).add("a.b", "integer")
    assert flat_schema(twice) == twice


def test_a_column_that_is_left_out_is_out_of_its_struct() -> None:
    lying = flat_schema(SCHEMA)
    kept = nested_schema(StructType([f for f in lying.fields if f.name != "place.spot.x"]))
    assert kept["place"].dataType.simpleString() == "struct<city:string,spot:struct<y:int>,zip:int>"


@pytest.mark.spark
def test_rows_lie_flat_and_are_put_together_again(spark: SparkSession) -> None:
    rows: list[tuple[Any, ...]] = [
        (1, ("A", (1, 2), 7), ("x", None), 5),
        (2, None, ("y", None), None),
        (3, ("B", None, None), (None, None), 6),
        (4, ("C", (None, 3), None), ("z", None), 6),
    ]
    frame = spark.createDataFrame(rows, SCHEMA)
    lying = flat(frame)
    assert lying.columns == flat_schema(frame.schema).fieldNames()
    assert nested(lying, lying.schema).collect() == frame.collect()
    broken = lying.select(*(f"`{c}`" for c in lying.columns if c != "place.city"))
    made = nested(broken.selectExpr("*", "cast(null as string) as `place.city`"), lying.schema)
    assert [r["place"] for r in made.collect()] == [None] * 4, "a field that may not be null is"
    assert flat(made).columns == lying.columns


TABLES = {
    "people": {"primary_key": "id", "pii": ["owner.name"]},
    "visits": {
        "primary_key": "id",
        "foreign_keys": [{"columns": ["who.person"], "references": "people", "referenced_columns": ["id"]}],
    },
}


def read(spark: SparkSession, folder: Path) -> dict[str, DataFrame]:
    return {t: spark.read.format("delta").load(str(folder / t)) for t in TABLES}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline over two tables with structs."""
    folder = tmp_path_factory.mktemp("structs")
    people = spark.sql(
        "SELECT id, IF(id % 4 = 0, NULL, named_struct('city', concat('C', id % 3), 'spot', named_struct("
        "'x', int(id % 5), 'y', int(id % 7)))) AS place, "
        "named_struct('name', concat('Ann', id), 'age', int(id % 50)) AS owner FROM range(200)"
    )
    visits = spark.sql("SELECT id, named_struct('person', id % 200, 'stars', int(id % 5)) AS who FROM range(600)")
    for name, rows in {"people": people, "visits": visits}.items():
        rows.coalesce(1).write.format("delta").save(f"{folder}/source/{name}")
    done = run_job(cli.pipeline, "--config", config_file(folder, TABLES, evaluate={"fail_under": 0}))
    assert (done.code, done.line["tables"]) == (0, {"people": 200, "visits": 600}), done.err
    return folder


@pytest.mark.spark
def test_a_table_with_structs_goes_through_the_pipeline(spark: SparkSession, lake: Path) -> None:
    made, real = read(spark, lake / "target"), read(spark, lake / "source")
    for table in TABLES:
        assert made[table].schema == real[table].schema
    assert 20 < made["people"].where("place is null").count() < 90
    assert made["people"].where("place.city in ('C0', 'C1', 'C2')").count() > 100
    assert (
        made["people"].join(real["people"], made["people"]["owner.name"] == real["people"]["owner.name"]).count() == 0
    )
    keys = made["visits"].selectExpr("who.person AS id").join(made["people"], "id", "leftanti")
    assert keys.count() == 0


@pytest.mark.slow
@pytest.mark.spark
def test_structs_are_written_again_with_the_same_rows(spark: SparkSession, lake: Path) -> None:
    before = {t: content(flat(rows)) for t, rows in read(spark, lake / "target").items()}
    config = config_file(lake, TABLES, evaluate={"fail_under": 0})
    assert run_job(cli.generate, "--config", config).code == 0
    assert {t: content(flat(rows)) for t, rows in read(spark, lake / "target").items()} == before
