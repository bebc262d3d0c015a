"""What a source table declares beside its columns holds on the copy, and is declared there, or is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable, IdentityGenerator
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.lake.design import Design, design_of
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from tests.lakes import config_file, content, run_job

pytestmark = pytest.mark.spark
ROWS = 300
TABLES = {"t": {"primary_key": "id", "exclude": ["tags"]}, "g": {"primary_key": "the key"}}
LAID = {
    "delta.enableChangeDataFeed": "true",
    "delta.dataSkippingStatsColumns": "`the key`,place.city",
    "delta.logRetentionDuration": "interval 7 days",
}
KEPT = {"evaluate": {"fail_under": 0}, "privacy": {"keep_comments": True}}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source of two tables that declare all that Delta knows, and a run over it. A third of independent pairs break
    the CHECK."""
    folder = tmp_path_factory.mktemp("declared")
    t = f"delta.`{folder}/source/t`"
    spark.sql(
        f"CREATE TABLE {t} (id bigint NOT NULL COMMENT 'the key', lo int, hi int DEFAULT 7, day date, tags array<int>, "
        "size char(3), word varchar(5)) "
        "USING DELTA PARTITIONED BY (day) COMMENT 'it''s' "
        "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
    )
    spark.sql(
        f"INSERT INTO {t} SELECT id, int(id * 7 % 50), int(id * 7 % 50 + id * 13 % 40), "
        f"date_add(date'2024-01-01', int(id % 3)), array(1), "
        f"array('S', 'M', 'XL')[int(id % 11 % 3)], array('red', 'green')[int(id % 5 % 2)] FROM range({ROWS})"
    )
    for name, sql in {"`lo hi`": "lo <= hi", "of_key": "`id` >= 0", "tagged": "size(tags) > 0"}.items():
        spark.sql(f"ALTER TABLE {t} ADD CONSTRAINT {name} CHECK ({sql})")
    made = DeltaTable.create(spark).location(str(folder / "source" / "g")).clusterBy("`the key`", "place.city")
    for name, value in {"team": "ours", "delta.columnMapping.mode": "name", **LAID}.items():
        made = made.property(name, value)
    made = made.addColumn("the key", "BIGINT", nullable=False).addColumn("at", "TIMESTAMP")
    made = made.addColumn("place", "STRUCT<city: STRING, spot: STRUCT<x: INT>>")
    made = made.addColumn("n", "BIGINT", generatedAlwaysAs=IdentityGenerator())
    made.addColumn("day", "DATE", generatedAlwaysAs="CAST(at AS DATE)", comment="of at").execute()
    spark.sql(
        f"INSERT INTO delta.`{folder}/source/g` (`the key`, at, place) "
        f"SELECT id, timestamp'2024-01-01 00:00:00' + make_interval(0, 0, 0, 0, 7 * id), named_struct('city', "
        f"array('Rome', 'Oslo')[int(id % 7 % 2)], 'spot', named_struct('x', int(id % 4))) FROM range({ROWS})"
    )
    done = run_job(cli.pipeline, "--config", config_file(folder, TABLES, **KEPT))
    assert (done.code, done.line["tables"]) == (0, dict.fromkeys(TABLES, ROWS)), done.err
    (folder / "done.json").write_text(json.dumps({"report": done.line["report"], "said": done.events("not_carried")}))
    return folder


def design(spark: SparkSession, folder: Path, table: str) -> Design:
    return design_of(spark, TableRef.parse(str(folder / table)))


def rows(spark: SparkSession, folder: Path, table: str) -> Any:
    return spark.read.format("delta").load(str(folder / table))


def test_field_14_checks_hold_on_the_copy_and_are_carried(spark: SparkSession, lake: Path) -> None:
    copy, real = rows(spark, lake / "target", "t"), rows(spark, lake / "source", "t")
    pairs = real.select("lo").crossJoin(real.select("hi"))
    assert pairs.where("lo > hi").count() > 0.2 * ROWS**2, "independent draws break the law"
    assert copy.where("(lo <= hi) is true").count() == ROWS
    assert design(spark, lake / "target", "t").checks == {"lo hi": "lo <= hi", "of_key": "`id` >= 0"}
    assert "tagged" in design(spark, lake / "source", "t").checks, "of a column that is left out of the copy"
    with pytest.raises(Exception, match="DELTA_VIOLATE_CONSTRAINT_WITH_VALUES"):
        spark.sql(f"INSERT INTO delta.`{lake}/target/t` (id, lo, hi) VALUES (9999, 2, 1)")
    report = json.loads(Path(json.loads((lake / "done.json").read_text())["report"]).with_suffix(".json").read_text())
    (table,) = [t for t in report["tables"] if t["table"] == "t"]
    assert "(lo <= hi) is true" in json.dumps(table["constraints"])


def columns(spark: SparkSession, folder: Path, table: str) -> dict[str, tuple[str, bool, dict[str, Any]]]:
    fields = rows(spark, folder, table).schema.fields
    return {f.name: (f.dataType.simpleString(), f.nullable, f.metadata) for f in fields}


def mapping(spark: SparkSession, folder: Path, table: str) -> str | None:
    told = spark.sql(f"SHOW TBLPROPERTIES delta.`{folder}/{table}`").collect()
    return {r["key"]: r["value"] for r in told}.get("delta.columnMapping.mode")


LENGTH = "__CHAR_VARCHAR_TYPE_STRING"
DECLARED = {
    "partitioned": (lambda *at: design(*at, "t").partitions, ("day",)),
    "clustered": (lambda *at: design(*at, "g").clustering, ("the key", "place.city")),
    "not null": (lambda *at: [c for c, (_, null, _) in columns(*at, "g").items() if not null], ["the key"]),
    "default": (lambda *at: columns(*at, "t")["hi"], ("int", True, {"CURRENT_DEFAULT": "7"})),
    "comment of a table": (lambda *at: design(*at, "t").comment, "it's"),
    "comment of a column": (lambda *at: columns(*at, "t")["id"], ("bigint", False, {"comment": "the key"})),
    "char": (lambda *at: columns(*at, "t")["size"], ("string", True, {LENGTH: "char(3)"})),
    "varchar": (lambda *at: columns(*at, "t")["word"], ("string", True, {LENGTH: "varchar(5)"})),
    "column mapping": (lambda *at: mapping(*at, "g"), "name"),
    "struct": (lambda *at: columns(*at, "g")["place"], ("struct<city:string,spot:struct<x:int>>", True, {})),
    "properties": (lambda *at: design(*at, "g").properties, LAID),
}


@pytest.mark.parametrize("kind", DECLARED)
def test_field_16_what_a_table_declares_is_declared_of_the_copy(spark: SparkSession, lake: Path, kind: str) -> None:
    told, expected = DECLARED[kind]
    assert told(spark, lake / "source") == expected
    assert told(spark, lake / "target") == expected


@pytest.mark.parametrize("table", TABLES)
def test_field_16_the_copy_has_the_schema_of_the_source(spark: SparkSession, lake: Path, table: str) -> None:
    """Names, order, types, nullability, comments, defaults."""
    assert rows(spark, lake / "target", table).schema == rows(spark, lake / "source", table).schema


def test_field_16_what_is_declared_acts_on_the_copy(spark: SparkSession, lake: Path) -> None:
    assert sorted(p.name for p in (lake / "target" / "t").glob("day=*")) == [f"day=2024-01-0{i}" for i in (1, 2, 3)]
    with pytest.raises(Exception, match=r"EXCEED_LIMIT_LENGTH|DELTA_EXCEED_CHAR_VARCHAR_LIMIT"):
        spark.sql(f"INSERT INTO delta.`{lake}/target/t` (id, lo, hi, word) VALUES (9999, 1, 2, 'longer')")
    assert rows(spark, lake / "target", "g").where("place.city IN ('Rome', 'Oslo')").count() == ROWS


def test_field_16_what_cannot_be_declared_is_said_before_training(spark: SparkSession, lake: Path) -> None:
    """Open-source Delta has no SQL for generated and identity columns: their values alone are what it would make."""
    generated = rows(spark, lake / "target", "g")
    assert generated.where("day <=> cast(at as date)").count() == ROWS
    assert generated.select("day").distinct().count() > 50
    assert generated.where("n is null").count() == 0
    said = json.loads((lake / "done.json").read_text())["said"]
    assert {line["table"]: line["what"] for line in said} == {
        "t": ["check tagged"],
        "g": ["generated column day", "identity column n", "property team"],
    }
    assert {line["level"] for line in said} == {"warning"}


def test_comments_reach_neither_plan_nor_copy_unless_asked_for(spark: SparkSession, lake: Path) -> None:
    """People write into them what a column is for, and for whom."""
    refs = {t: TableRef.parse(str(lake / "source" / t)) for t in TABLES}
    source = pin_source(DeltaIO(spark), Metadata.load({"tables": TABLES}), refs)
    assert source.design("t").comment is None
    assert source.design("t").checks == design(spark, lake / "target", "t").checks
    told = json.dumps([source.copied_schema(t).jsonValue() for t in TABLES])
    assert "comment" not in told
    assert "CURRENT_DEFAULT" in told
    kept = replace(pin_source(DeltaIO(spark), Metadata.load({"tables": TABLES}), refs), keep_comments=True)
    assert kept.copied_schema("t")["id"].metadata["comment"] == "the key"


def test_a_second_run_writes_the_same_rows_into_the_same_table(spark: SparkSession, lake: Path) -> None:
    before = {t: content(rows(spark, lake / "target", t)) for t in TABLES}
    made = design(spark, lake / "target", "t")
    assert run_job(cli.generate, "--config", config_file(lake, TABLES, **KEPT)).code == 0
    assert {t: content(rows(spark, lake / "target", t)) for t in TABLES} == before
    assert design(spark, lake / "target", "t") == made
    history = spark.sql(f"DESCRIBE HISTORY delta.`{lake}/target/t`").collect()
    assert "REPLACE TABLE" not in {line["operation"] for line in history}


def test_an_older_table_takes_the_declarations_of_the_source(spark: SparkSession, tmp_path: Path) -> None:
    """Its rows may break the CHECK, it has another one of that name, and it is not parted."""
    io, place = DeltaIO(spark), str(tmp_path / "t")
    old = spark.sql("SELECT id, int(5) AS lo, int(1) AS hi FROM range(3)")
    io.write_dataset(old, place, design=Design(checks={"Law": "hi > 0", "own": "lo > 0"}))
    new = spark.sql("SELECT id, int(1) AS lo, int(id) + 1 AS hi FROM range(4)").select("id", "lo", "hi")
    assert io.write_dataset(new, place, design=Design(checks={"law": "lo <= hi"}))[1] == 4
    assert design(spark, tmp_path, "t").checks == {"law": "lo <= hi", "own": "lo > 0"}
    assert io.read_dataset(place).count() == 4
    assert io.write_dataset(new, place, design=Design(checks={"law": "lo <= hi"}, partitions=("hi",)))[1] == 4
    made = design(spark, tmp_path, "t")
    assert (made.partitions, made.checks) == (("hi",), {"law": "lo <= hi"})
    assert io.write_dataset(new, place)[1] == 4
    assert design(spark, tmp_path, "t") == made, "a table that declares more is left as it is"
    laid = Design(clustering=("lo",), properties={"delta.checkpointInterval": "20"})
    assert io.write_dataset(new, place, design=laid)[1] == 4
    made = design(spark, tmp_path, "t")
    assert (made.partitions, made.clustering, made.properties) == ((), ("lo",), laid.properties)
    wider = new.selectExpr("*", "named_struct('a', 1) AS more")
    assert io.write_dataset(wider, place, design=Design(checks={"law": "lo <= hi"}))[1] == 4
    assert design(spark, tmp_path, "t") == laid.model_copy(update={"checks": {"law": "lo <= hi"}}), "its own are kept"
    assert io.write_dataset(old.select("id", "hi"), place, design=Design(comment="no lo"))[1] == 3
    assert design(spark, tmp_path, "t") == Design(comment="no lo", properties=laid.properties)
