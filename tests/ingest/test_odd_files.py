"""Files from the field: types that Spark has not, columns that folders name, files of one table that differ."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.ingest.footer import layout_of
from tests.lakes import Done, run_job

pytestmark = pytest.mark.spark
NS = 1_700_000_000_123_456_789
AT = dt.datetime(2023, 11, 14, 22, 13, 20, 123456)
BEFORE = dt.datetime(1969, 12, 31, 23, 59, 59, 999999)  # what holds one nanosecond before 1970

NESTED = pa.struct([("a b", pa.list_(pa.uint16(), 1)), ("k", pa.map_(pa.string(), pa.uint32()))])
UUIDS = [uuid.UUID(int=i) for i in (1, 2**128 - 1, 2**100 + 17)]


def ingested(tmp_path: Path, tables: dict[str, dict[str, str]], folder: str = "in") -> Done:
    """The job over files in a folder; ``tables`` have the declared types."""
    places = {p: {"path": str(tmp_path / p)} for p in ("source", "target", "workspace")}
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps({**places, "metadata": {"tables": {t: {"columns": c} for t, c in tables.items()}}}))
    return run_job(cli.ingest, "--config", str(file), "--from", str(tmp_path / folder))


def write(file: Path, **columns: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file)


def rows(spark: SparkSession, tmp_path: Path, table: str) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    frame = spark.read.format("delta").load(str(tmp_path / "source" / table)).orderBy("id")
    return dict(frame.dtypes), [tuple(r)[1:] for r in frame.collect()]


def test_field_05_06_15_types_that_spark_has_not_are_read_exactly(spark: SparkSession, tmp_path: Path) -> None:
    """One file with all of them, and each said in the log."""
    halves = np.array([1.5, -0.1, 6e-8, np.inf], np.float16)
    write(
        tmp_path / "in" / "t.parquet",
        id=[0, 1, 2, 3],
        ns=pa.array([NS, -1, 0, None], pa.timestamp("ns")),
        zoned=pa.array([NS, -1, 0, None], pa.timestamp("ns", tz="UTC")),
        declared=pa.array([NS, -1, 0, None], pa.timestamp("ns")),
        none=pa.nulls(4),
        whole=pa.nulls(4),
        t32=pa.array([0, 1, 86_399_999, None], pa.time32("ms")),
        t64=pa.array([36_000_000_000, 1, 86_399_999_999, None], pa.time64("us")),
        t9=pa.array([0, 1, 86_399_999_999_999, None], pa.time64("ns")),
        half=pa.array(halves),
        u8=pa.array([255, 0, 1, None], pa.uint8()),
        u32=pa.array([2**32 - 1, 0, 1, None], pa.uint32()),
        u64=pa.array([2**64 - 1, 0, 1, None], pa.uint64()),
        span=pa.array([-5, 0, 2**62, None], pa.duration("us")),
        kind=pa.array(["a", "b", "a", None]).dictionary_encode(),
        nested=pa.array([{"a b": [1], "k": {"x": 2**32 - 1}}, None, None, None], NESTED),
        uuid=pa.array([*(u.bytes for u in UUIDS), None], pa.uuid()),
    )
    done = ingested(tmp_path, {"t": {"declared": "timestamp", "whole": "int"}})
    assert (done.code, done.line["tables"]) == (0, {"t": 4}), done.err
    types, found = rows(spark, tmp_path, "t")
    assert types == {
        "id": "bigint",
        "ns": "timestamp_ntz",
        "zoned": "timestamp",
        "declared": "timestamp",
        "none": "string",
        "whole": "int",
        "t32": "string",
        "t64": "string",
        "t9": "string",
        "half": "float",
        "u8": "smallint",
        "u32": "bigint",
        "u64": "decimal(20,0)",
        "span": "bigint",
        "kind": "string",
        "nested": "struct<a b:array<int>,k:map<string,bigint>>",
        "uuid": "string",
    }
    columns = dict(zip([*types][1:], zip(*found, strict=True), strict=True))
    epoch = dt.datetime(1970, 1, 1)
    assert columns["ns"] == (AT, BEFORE, epoch, None)
    frame = spark.read.format("delta").load(str(tmp_path / "source" / "t"))
    shown = frame.selectExpr("id", "string(zoned)", "string(declared)")
    utc = [f"{AT}", f"{BEFORE}", "1970-01-01 00:00:00", None]
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    try:
        assert [tuple(r)[1:] for r in shown.orderBy("id").collect()] == [(t, t) for t in utc]
    finally:
        spark.conf.unset("spark.sql.session.timeZone")
    assert columns["none"] == columns["whole"] == (None,) * 4
    assert columns["t32"] == ("00:00:00", "00:00:00.001", "23:59:59.999", None)
    assert columns["t64"] == ("10:00:00", "00:00:00.000001", "23:59:59.999999", None)
    assert columns["t9"] == ("00:00:00", "00:00:00.000000001", "23:59:59.999999999", None)
    assert columns["half"] == tuple(float(np.float32(h)) for h in halves)
    assert (columns["u8"], columns["u32"]) == ((255, 0, 1, None), (2**32 - 1, 0, 1, None))
    assert columns["u64"] == (Decimal(2**64 - 1), Decimal(0), Decimal(1), None)
    assert columns["span"] == (-5, 0, 2**62, None)
    assert columns["kind"] == ("a", "b", "a", None)
    assert columns["nested"][0].asDict() == {"a b": [1], "k": {"x": 2**32 - 1}}
    assert columns["uuid"] == (*map(str, UUIDS), None)
    (said,) = done.events("columns_read_as")
    assert set(said["columns"]) == {"ns", "zoned", "declared", "none", "whole", "t32", "t64", "t9", "span"}
    assert said["columns"]["ns"] == "nanoseconds, read as microseconds: finer digits are cut"
    assert said["columns"]["span"].endswith("read as a whole number of its unit (us)")


def test_every_half_is_the_number_that_it_was(spark: SparkSession, tmp_path: Path) -> None:
    bits = np.r_[np.arange(0, 2**16, 37), [0, 1, 1023, 1024, 0x7BFF, 0x7C00, 0x8000, 0xFC00, 0xFFFF]].astype(np.uint16)
    write(tmp_path / "in" / "t.parquet", id=list(range(len(bits))), half=pa.array(bits.view(np.float16)))
    assert ingested(tmp_path, {"t": {}}).code == 0
    found = np.array([r[0] for r in rows(spark, tmp_path, "t")[1]], np.float64)
    np.testing.assert_array_equal(found, bits.view(np.float16).astype(np.float64))


def test_field_15_what_cannot_be_read_is_named_at_once(spark: SparkSession, tmp_path: Path) -> None:
    times = pa.array([[0], None], pa.list_(pa.timestamp("ns")))
    wide = pa.array([Decimal(1), None], pa.decimal256(50, 2))
    write(tmp_path / "in" / "t.parquet", id=[0, 1], ID=[0, 1], times=times, wide=wide)
    write(tmp_path / "in" / "u" / "a.parquet", id=[0, 1], x=[1.5, 2.5])
    write(tmp_path / "in" / "u" / "b.parquet", id=[2, 3], x=["a", "secret"])
    (tmp_path / "in" / "v.csv").write_text("id,Name,name\n1,secret,b\n")
    (tmp_path / "in" / "w.csv").write_text(",a\n1,secret\n")
    (tmp_path / "in" / "x.parquet").write_text("no Parquet")
    done = ingested(tmp_path, {t: {} for t in "tuvwx"})
    assert done.code == 3
    error = done.line["error"]
    at = f"file:{tmp_path}/in"
    for line in (
        f"t.times ({at}/t.parquet): has timestamp[ns] inside; cast the column to one that Spark has",
        f"t.wide ({at}/t.parquet): is decimal256(50, 2), which Spark cannot read; cast the column",
        f"t.ID ({at}/t.parquet): differs from id in case alone, which Spark and Delta do not tell apart; rename one",
        f"u.x is double in {at}/u/a.parquet and string in {at}/u/b.parquet; write its files with one type",
        "have one name but for its case (Name and name), which Spark and Delta do not tell apart; rename one of each",
        "has no name in the header; give it one",
        "x: Spark cannot read",
    ):
        assert line in error, error
    assert "secret" not in done.err
    assert not (tmp_path / "source").exists()


def test_files_of_one_table_may_differ(spark: SparkSession, tmp_path: Path) -> None:
    """A file whose values are all null has no type for them; another has a column more, or a wider number."""
    write(tmp_path / "in" / "t" / "a.parquet", id=pa.array([0, 1], pa.int32()), x=pa.nulls(2))
    write(tmp_path / "in" / "t" / "b.parquet", id=pa.array([2**40], pa.int64()), x=["x"], more=[1.5])
    assert ingested(tmp_path, {"t": {}}).code == 0
    types, found = rows(spark, tmp_path, "t")
    assert types == {"id": "bigint", "x": "string", "more": "double"}
    assert found == [(None, None), (None, None), ("x", 1.5)]


def test_field_hive_folders_are_columns(spark: SparkSession, tmp_path: Path) -> None:
    days = ("2024-01-01", "2024-01-02", "__HIVE_DEFAULT_PARTITION__")
    for i, day in enumerate(days):
        for shop in ("007", "a b%2Fc"):
            part = tmp_path / "in" / "t" / f"day={day}" / f"shop={shop}"
            write(part / "part.parquet", id=[10 * i + len(shop)], x=[0.5])
            text = tmp_path / "in" / "u" / f"day={day}" / f"shop={shop}"
            text.mkdir(parents=True)
            (text / "part.csv").write_text(f"id,x\n{10 * i + len(shop)},0.5\n")
        write(tmp_path / "in" / "v" / f"n={i}" / "part.parquet", id=[i], at=pa.array([NS], pa.timestamp("ns")))
    types = {"id": "bigint", "x": "double", "day": "date", "shop": "string"}
    done = ingested(tmp_path, {"t": types, "u": types, "v": {"n": "smallint"}})
    assert (done.code, done.line["tables"]) == (0, {"t": 6, "u": 6, "v": 3}), done.err
    wanted = [(0.5, day, shop) for day in (dt.date(2024, 1, 1), dt.date(2024, 1, 2), None) for shop in ("007", "a b/c")]
    for table in ("t", "u"):
        found = rows(spark, tmp_path, table)
        assert found == (types, wanted), table
    assert rows(spark, tmp_path, "v") == (
        {"id": "bigint", "at": "timestamp_ntz", "n": "smallint"},
        [(AT, i) for i in range(3)],
    )


def test_folders_that_name_no_column_are_read_too_and_a_mixture_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "in" / "t" / "2024" / "01" / "a.parquet", id=[0, 1])
    write(tmp_path / "in" / "t" / "2024" / "02" / "a.parquet", id=[2])
    assert ingested(tmp_path, {"t": {}}).line["tables"] == {"t": 3}
    write(tmp_path / "in" / "t" / "day=2024-01-01" / "a.parquet", id=[3])
    done = ingested(tmp_path, {"t": {}})
    assert done.code == 3
    assert "t: its folders name columns (day), whose values are lost beside other folders" in done.line["error"]
    assert spark.read.format("delta").load(str(tmp_path / "source" / "t")).count() == 3


def test_folders_with_the_signs_of_patterns_and_urls_are_read(spark: SparkSession, tmp_path: Path) -> None:
    odd = "in#1 [a] {b,c} 50% x? é"
    write(tmp_path / odd / "t#1.parquet", id=[0, 1])
    write(tmp_path / odd / "u [x]" / "a?b.parquet", id=[0, 1, 2], n=pa.nulls(3))
    (tmp_path / odd / "v*.csv").write_text("id\n1\n")
    write(tmp_path / "in#1 b 50% xy é" / "t#1.parquet", id=[7])
    done = ingested(tmp_path, {"t#1": {}, "u [x]": {}, "v*": {}}, odd)
    assert (done.code, done.line["tables"]) == (0, {"t#1": 2, "u [x]": 3, "v*": 1}), done.err


def test_what_a_footer_says_is_enough_for_old_and_ordinary_files(tmp_path: Path) -> None:
    """Nothing odd is seen in what Spark reads by itself: then Spark does."""
    table = pa.table({"at": pa.array([NS], pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "old.parquet", use_deprecated_int96_timestamps=True)
    pq.write_table(table, tmp_path / "micros.parquet", coerce_timestamps="us", allow_truncated_timestamps=True)
    for name in ("old", "micros"):
        layout = layout_of(str(tmp_path / f"{name}.parquet"))
        assert layout is not None
        assert not layout[0][1].odd
        assert not layout[0][1].problem
    assert layout_of(str(tmp_path / "absent.parquet")) is None
