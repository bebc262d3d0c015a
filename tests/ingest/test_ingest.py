from __future__ import annotations

import datetime as dt
import gzip
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.config import Config, load_config
from synthohive_spark.errors import SchemaError, SourceDataError
from synthohive_spark.ingest.tables import ingest

pytestmark = pytest.mark.spark

TYPES = {
    "id": "bigint",
    "name": "string",
    "price": "decimal(10,2)",
    "ratio": "double",
    "day": "date",
    "at": "timestamp",
    "ok": "boolean",
}
HEADER = ",".join(TYPES)
ROWS = """1,"a ""quoted""
name, two lines",1.50,0.5,2013-01-01,2013-01-01T10:00:00Z,true
2,NA,NA,NA,NA,NA,NA
3,,,,,2013-07-01 12:30:00,false
"""
EXPECTED = [
    (1, 'a "quoted"\nname, two lines', Decimal("1.50"), 0.5, dt.date(2013, 1, 1), "2013-01-01 10:00:00", True),
    (2, None, None, None, None, None, None),
    (3, None, None, None, None, "2013-07-01 12:30:00", False),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files in a folder"
    made.mkdir()
    return made


def _config(tmp_path: Path, **tables: dict[str, str]) -> Config:
    file = tmp_path / "run.yaml"
    spec = {t: {"primary_key": None, "columns": columns} for t, columns in tables.items()}
    places = {p: {"path": str(tmp_path / p)} for p in ("source", "target", "workspace")}
    file.write_text(json.dumps({**places, "metadata": {"tables": spec}}))
    return load_config(str(file), [])


def _rows(spark: SparkSession, config: Config, table: str) -> list[tuple[object, ...]]:
    frame = spark.sql(f"SELECT *, string(at) AS text FROM {config.source.location.table(table).sql} ORDER BY id")
    return [(*row[:5], row["text"], row["ok"]) for row in frame.collect()]


def test_csv_in_every_wrapping_is_typed(spark: SparkSession, tmp_path: Path, folder: Path) -> None:
    text = f"{HEADER}\n{ROWS}"
    (folder / "Plain.csv").write_text(text)
    with gzip.open(folder / "Packed.csv.gz", "wt") as packed:
        packed.write(text)
    with zipfile.ZipFile(folder / "Zipped.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Zipped.csv", text)
    (folder / "Parts").mkdir()
    records = ROWS.split("\n2,")
    (folder / "Parts" / "one.csv").write_text(f"{HEADER}\n{records[0]}\n")
    (folder / "Parts" / "two.csv").write_text(f"{HEADER}\n2,{records[1]}")
    (folder / "README.txt").write_text("not a table")
    tables = ("Plain", "Packed", "Zipped", "Parts")
    config = _config(tmp_path, **dict.fromkeys(tables, TYPES))

    assert ingest(spark, config, str(folder)) == dict.fromkeys(tables, 3)
    for table in tables:
        frame = spark.read.format("delta").load(str(tmp_path / "source" / table))
        assert dict(frame.dtypes) == TYPES
        assert _rows(spark, config, table) == EXPECTED


def test_parquet_keeps_its_types_and_column_names(spark: SparkSession, tmp_path: Path, folder: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([1, None], pa.int32()),
            "a column, named oddly": pa.array(["x", None]),
            "at": pa.array([dt.datetime(2013, 1, 1, 10), None], pa.timestamp("us")),
            "zoned": pa.array([dt.datetime(2013, 1, 1, 10), None], pa.timestamp("us", tz="UTC")),
            "money": pa.array([Decimal("1.25"), None], pa.decimal128(10, 2)),
        }
    )
    pq.write_table(table, folder / "Odd Table.parquet")
    config = _config(tmp_path, **{"Odd Table": {"at": "timestamp"}})

    assert ingest(spark, config, str(folder)) == {"Odd Table": 2}
    frame = spark.read.format("delta").load(str(tmp_path / "source" / "Odd Table"))
    expected = ["int", "string", "timestamp", "timestamp", "decimal(10,2)"]
    assert frame.dtypes == list(zip(table.column_names, expected, strict=True))
    first = frame.where("id = 1").selectExpr("string(at) AS at", "string(zoned) AS zoned").first()
    assert first is not None
    assert (first["at"], first["zoned"]) == ("2013-01-01 10:00:00", "2013-01-01 10:00:00")


def test_a_second_ingest_replaces_the_table_and_its_schema(spark: SparkSession, tmp_path: Path, folder: Path) -> None:
    (folder / "T.csv").write_text("id\n1\n2\n")
    ingest(spark, _config(tmp_path, T={"id": "bigint"}), str(folder))
    (folder / "T.csv").write_text("id,more\nx,1.5\n")
    config = _config(tmp_path, T={"id": "string", "more": "double"})
    assert ingest(spark, config, str(folder)) == {"T": 1}
    frame = spark.read.format("delta").load(str(tmp_path / "source" / "T"))
    assert [tuple(r) for r in frame.collect()] == [("x", 1.5)]


def test_every_missing_table_is_named_and_nothing_is_written(spark: SparkSession, tmp_path: Path, folder: Path) -> None:
    (folder / "There.csv").write_text("id\n1\n")
    (folder / "Other.csv").write_text("id\n1\n")
    columns = {"id": "bigint"}
    with pytest.raises(SourceDataError, match=r"(?s)holds Other, There.*Gone: no.*Lost: no") as raised:
        ingest(spark, _config(tmp_path, There=columns, Gone=columns, Lost=columns), str(folder))
    assert raised.value.exit_code == 3
    assert not (tmp_path / "source").exists()


def test_a_folder_that_is_not_there(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match=r"nowhere \(--from\) cannot be read"):
        ingest(spark, _config(tmp_path, T={"id": "bigint"}), str(tmp_path / "nowhere"))


def test_two_sources_of_one_table_are_refused(spark: SparkSession, tmp_path: Path, folder: Path) -> None:
    (folder / "T.csv").write_text("id\n1\n")
    pq.write_table(pa.table({"id": [1]}), folder / "T.parquet")
    with pytest.raises(SourceDataError, match=r"T: more than one source \(\.csv, \.parquet\)"):
        ingest(spark, _config(tmp_path, T={"id": "bigint"}), str(folder))


@pytest.mark.parametrize("zipped", [False, True])
def test_values_that_do_not_fit_are_counted_and_never_shown(
    spark: SparkSession, tmp_path: Path, folder: Path, zipped: bool
) -> None:
    text = "id,price,day\n1,1.239,2013-01-01\nsecret,2.00,01/02/2013\n3.5,3.1,2013-02-30\n"
    if zipped:
        with zipfile.ZipFile(folder / "T.csv.zip", "w") as archive:
            archive.writestr("T.csv", text)
    else:
        (folder / "T.csv").write_text(text)
    config = _config(tmp_path, T={"id": "bigint", "price": "decimal(10,2)", "day": "date"})
    with pytest.raises(SourceDataError) as raised:
        ingest(spark, config, str(folder))
    message = str(raised.value)
    assert "T.id: 2 values are not bigint" in message
    assert "T.price: 1 values are not decimal(10,2)" in message
    assert "T.day: 2 values are not date" in message
    assert "secret" not in message
    assert not (tmp_path / "source").exists()


@pytest.mark.parametrize("zipped", [False, True])
def test_a_malformed_csv_is_refused_without_its_record(
    spark: SparkSession, tmp_path: Path, folder: Path, zipped: bool
) -> None:
    text = "id,name\n1,a\n2,secret,too many\n"
    if zipped:
        with zipfile.ZipFile(folder / "T.csv.zip", "w") as archive:
            archive.writestr("T.csv", text)
    else:
        (folder / "T.csv").write_text(text)
    with pytest.raises(SourceDataError, match="not a well-formed CSV") as raised:
        ingest(spark, _config(tmp_path, T={"id": "bigint", "name": "string"}), str(folder))
    assert "secret" not in str(raised.value)


def test_absent_columns_and_unknown_types(spark: SparkSession, tmp_path: Path, folder: Path) -> None:
    (folder / "T.csv").write_text("id,b\n1,2\n")
    with pytest.raises(SourceDataError, match="has no column name; its header names id, b"):
        ingest(spark, _config(tmp_path, T={"id": "bigint", "name": "string"}), str(folder))
    with pytest.raises(SchemaError, match=r"T\.columns: id has the type 'bigit'"):
        ingest(spark, _config(tmp_path, T={"id": "bigit"}), str(folder))


def test_the_shared_data_sets_are_read(spark: SparkSession, tmp_path: Path, shared_data: Path) -> None:
    file = tmp_path / "run.yaml"
    places = "".join(f"{p}: {{path: {tmp_path}/{p}}}\n" for p in ("source", "target", "workspace"))
    file.write_text(f"{places}metadata: {shared_data}/mutagenesis/schema.json\n")
    config = load_config(str(file), [])
    rows = ingest(spark, config, str(shared_data / "mutagenesis"))
    assert rows == {"molecule": 188, "atom": 4893, "bond_end": 10486}
