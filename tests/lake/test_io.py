"""Single Delta tables, with the installed pair of pyspark and delta."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.errors import SourceDataError, WriteError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import pin_source
from synthohive_spark.location import Location, TableRef
from synthohive_spark.metadata import Metadata

ODD = "`a.b` bigint not null comment 'it''s \"the\" key', `two words, odd` string, ok boolean"


@pytest.fixture
def io(spark: SparkSession) -> DeltaIO:
    return DeltaIO(spark)


def history(spark: SparkSession, ref: str) -> list[Any]:
    return spark.sql(f"DESCRIBE HISTORY {TableRef.parse(ref).sql}").orderBy("version").collect()


def properties(spark: SparkSession, ref: str) -> dict[str, str]:
    shown = spark.sql(f"SHOW TBLPROPERTIES {TableRef.parse(ref).sql}").collect()
    return {r["key"]: r["value"] for r in shown}


def test_places_are_quoted() -> None:
    assert TableRef.parse("main.gold.t-1").sql == "`main`.`gold`.`t-1`"
    assert TableRef.parse("/lake/a b").sql == "delta.`/lake/a b`"
    assert TableRef.parse("s3://bucket/t").path == "s3://bucket/t"
    assert TableRef.parse("dbfs:/t").path == "dbfs:/t"
    assert TableRef.parse("./t").path == str(Path("t").absolute())
    assert Location(schema_name="main.gold").table("order.lines").sql == "`main`.`gold`.`order.lines`"
    assert Location(path="/lake/").table("order.lines").sql == "delta.`/lake/order.lines`"
    assert Location(path="/la`ke").table("t").sql == "delta.`/la``ke/t`"
    assert Location(path="/lake/").table("t").beside("new_").sql == "delta.`/lake/new_t`"
    assert len(Location(path="/lake").table("t" * 255).beside("new_").sql) < 100, "a name that a folder can have"
    odd = Location(schema_name="main.gold").table("a`.`b")
    assert odd.beside("new_").sql == "`main`.`gold`.`new_a``.``b`"


@pytest.mark.spark
def test_a_table_comes_back_as_it_was_written(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    place = str(tmp_path / "t 1")
    frame = spark.createDataFrame([(1, "x", True), (2, None, None)], ODD)
    version, rows = io.write_dataset(frame, place, properties={"synthohive.a": "it's"}, user_metadata='{"seed": 1}')
    assert (version, rows) == (1, 2)
    back = io.read_dataset(place)
    assert back.schema == frame.schema, "names, order, types, nullability, comments"
    assert sorted(back.collect()) == sorted(frame.collect())
    assert properties(spark, place)["synthohive.a"] == "it's"
    assert properties(spark, place)["delta.columnMapping.mode"] == "name"
    assert [h["operation"] for h in history(spark, place)] == ["CREATE TABLE", "WRITE"]
    assert history(spark, place)[-1]["userMetadata"] == '{"seed": 1}'


@pytest.mark.spark
def test_every_type_survives(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    ddl = (
        "i tinyint, s smallint, n int, l bigint, f float, d double, m decimal(20,4), b boolean, t string, "
        "day date, at timestamp, local timestamp_ntz, raw binary, list array<int>, pair struct<a:int,b:string>"
    )
    moment = dt.datetime(2013, 7, 1, 12, 30, 0, 123456)
    values = (1, 2, 3, 2**60 + 1, 0.5, 0.1, Decimal("1.2500"), True, "é\n'", dt.date(1500, 1, 1))
    row = (*values, moment, moment, bytearray(b"\0\1"), [1, None], (1, "x"))
    frame = spark.createDataFrame([row, (None,) * len(row)], ddl)
    io.write_dataset(frame, str(tmp_path / "t"))
    back = io.read_dataset(str(tmp_path / "t"))
    assert back.dtypes == frame.dtypes
    assert set(map(str, back.collect())) == set(map(str, frame.collect()))
    assert "delta.columnMapping.mode" not in properties(spark, str(tmp_path / "t")), "a plain protocol"


@pytest.mark.spark
def test_names_inside_types_are_quoted(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    ddl = (
        "id bigint, s struct<`x y`: int, `p.q`: array<struct<`it``s, odd`: string COMMENT 'it''s'>>, "
        "`select`: date NOT NULL>, m map<string, struct<`a b`: int>>, short varchar(3)"
    )
    spark.sql(
        f"CREATE TABLE delta.`{tmp_path}/of` ({ddl}) USING DELTA TBLPROPERTIES ('delta.columnMapping.mode'='name')"
    )
    frame = io.read_dataset(str(tmp_path / "of"))
    assert frame.schema["s"].dataType.fieldNames() == ["x y", "p.q", "select"]
    io.write_dataset(frame, str(tmp_path / "t"))
    assert io.read_dataset(str(tmp_path / "t")).schema == frame.schema


@pytest.mark.spark
def test_each_write_replaces_the_rows_in_one_commit(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    place = str(tmp_path / "t")
    assert io.write_dataset(spark.range(10).repartition(3), place) == (1, 10)
    assert io.write_dataset(spark.range(4), place, properties={"run": "2"}, user_metadata="second") == (2, 4)
    assert [h["operation"] for h in history(spark, place)] == ["CREATE TABLE", "WRITE", "WRITE", "SET TBLPROPERTIES"]
    assert io.read_dataset(place).count() == 4
    assert io.write_dataset(spark.range(0), place)[1] == 0
    assert io.read_dataset(place).count() == 0
    # a table of another shape takes its place, and the old one can be restored with its shape
    other = spark.createDataFrame([("x",)], "name string not null comment 'c'")
    io.write_dataset(other, place)
    assert io.read_dataset(place).schema == other.schema
    assert "REPLACE TABLE" in [h["operation"] for h in history(spark, place)]
    io.restore(place, 3)
    assert sorted(r["id"] for r in io.read_dataset(place).collect()) == [0, 1, 2, 3]
    assert properties(spark, place)["run"] == "2"


@pytest.mark.spark
def test_a_null_in_a_column_that_is_not_null_stops_the_write(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    place = str(tmp_path / "t")
    schema = spark.createDataFrame([], "id bigint not null").schema
    io.write_dataset(spark.range(3), place, schema=schema)
    assert not io.read_dataset(place).schema["id"].nullable
    nulls = spark.range(5).select(F.when(F.col("id") < 4, F.col("id")).alias("id"))
    with pytest.raises(WriteError, match=r"t` could not be written: .*NOT_NULL"):
        io.write_dataset(nulls, place, schema=schema)
    assert io.read_dataset(place).count() == 3


@pytest.mark.spark
def test_what_is_no_delta_table_is_said(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    spark.range(2).write.parquet(str(tmp_path / "parquet"))
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("absent", "parquet", "file", "empty", "file/below"):
        assert io.version(str(tmp_path / name)) is None, name
        with pytest.raises(SourceDataError, match="is not a Delta table; check the path or name"):
            io.read_dataset(str(tmp_path / name))
    assert io.version("default.absent") is None
    assert io.version("no_such_schema.absent") is None


@pytest.mark.spark
def test_an_unwritable_place_is_a_write_error(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    place = str(tmp_path / "file" / "t")
    with pytest.raises(WriteError, match=r"file/t` could not be written"):
        io.write_dataset(spark.range(3), place)
    with pytest.raises(WriteError, match=r"file/t` could not be created"):
        io.create(place, spark.range(3).schema)
    with pytest.raises(WriteError, match=r"absent` could not be written"):
        io.append(spark.range(3), str(tmp_path / "absent"))


@pytest.mark.spark
def test_a_table_without_rows_is_written(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    place = str(tmp_path / "t")
    assert io.write_dataset(spark.range(0), place)[1] == 0
    assert io.read_dataset(place).count() == 0
    assert io.write_dataset(spark.range(3), place)[1] == 3
    assert io.write_dataset(spark.range(0), place)[1] == 0
    assert io.write_dataset(spark.range(0), place)[1] == 0
    assert io.read_dataset(place).count() == 0


@pytest.mark.spark
def test_a_pinned_version_does_not_see_later_writes(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    metadata = Metadata()
    metadata.add_table("t", pk="id")
    place = TableRef.parse(str(tmp_path / "t"))
    io.write_dataset(spark.range(3), place)
    time.sleep(1.1)  # the moments of commits are told apart by the second
    source = pin_source(io, metadata, {"t": place})
    between = spark.sql("SELECT string(current_timestamp()) AS t").collect()[0]["t"]
    time.sleep(1.1)
    io.write_dataset(spark.range(50), place)
    assert source.versions == {"t": 1}
    assert source.frame("t").count() == 3
    assert pin_source(io, metadata, {"t": place}, timestamp=between).frame("t").count() == 3
    assert pin_source(io, metadata, {"t": place}, {"t": 1}).frame("t").count() == 3
    assert pin_source(io, metadata, {"t": place}).frame("t").count() == 50
    with pytest.raises(SourceDataError, match=r"t` cannot be read at version 99"):
        pin_source(io, metadata, {"t": place}, {"t": 99})
    with pytest.raises(SourceDataError, match=r"t: no version is as old as source.timestamp 2001-01-01"):
        pin_source(io, metadata, {"t": place}, timestamp="2001-01-01")


@pytest.mark.spark
def test_catalog_names(spark: SparkSession, io: DeltaIO) -> None:
    spark.sql("CREATE SCHEMA test_io")
    place = Location(schema_name="test_io").table("order")
    try:
        assert io.version(place) is None
        assert io.write_dataset(spark.range(3), place, properties={"a": "b"}) == (1, 3)
        io.write_dataset(spark.range(5), place)
        assert io.read_dataset(place).count() == 5
        assert io.read_dataset(place, 1).count() == 3
        assert spark.catalog.tableExists("test_io.order")
        io.restore(place, 1)
        assert io.read_dataset(place).count() == 3
        io.drop(place)
        assert io.version(place) is None
    finally:
        spark.sql("DROP SCHEMA test_io CASCADE")


@pytest.mark.spark
def test_a_dropped_folder_is_gone_and_its_neighbour_is_not(spark: SparkSession, io: DeltaIO, tmp_path: Path) -> None:
    for name in ("one", "one more"):
        io.write_dataset(spark.range(2), str(tmp_path / name))
    io.drop(str(tmp_path / "one"))
    assert [p.name for p in tmp_path.iterdir()] == ["one more"]
    assert io.write_dataset(spark.range(9), str(tmp_path / "one")) == (1, 9), "the place can be written again"
