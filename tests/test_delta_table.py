"""Tables that tests write as plain files are those that Spark would have written."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.lake.commits import commits
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import TableRef
from tests.lakes import write_lake

UTC = dt.timezone.utc
DDL = (
    "id bigint not null, small tinyint, d double, ok boolean, day date, at timestamp, local timestamp_ntz, "
    "worth decimal(38,10), said string, raw binary"
)
ROWS: list[tuple[Any, ...]] = [
    (1, -7, 0.5, True, dt.date(1, 1, 1), dt.datetime(2024, 3, 31, 2, 30), dt.datetime(1, 1, 1), None, "ä", b"\x00"),
    (2, None, float("nan"), None, None, dt.datetime(9999, 12, 31, tzinfo=UTC), None, Decimal("1.5"), "", None),
]
FRAME = pd.DataFrame(
    {
        "id": [1, 2],
        "n": pd.array([1, None], "Int64"),
        "at": pd.to_datetime(["2024-01-01 05:06:07.000008", None]),
        "zoned": pd.to_datetime(["2024-01-01", "2024-07-01"]).tz_localize("Europe/Berlin"),
        "day": [dt.date(2024, 1, 1), None],
        "said": ["x", None],
    }
)


@pytest.mark.spark
def test_spark_reads_what_it_would_have_written(spark: SparkSession, tmp_path: Path) -> None:
    frames = {
        "rows": spark.createDataFrame(ROWS, DDL),
        "frame": spark.createDataFrame(pa.Table.from_pandas(FRAME, preserve_index=False)),
    }
    io, tables = DeltaIO(spark), {"rows": (DDL, ROWS), "frame": FRAME}
    paths = write_lake(spark, tmp_path / "files", tables)
    for name, frame in frames.items():
        assert not (tmp_path / "files" / name / "_delta_log" / "_staged_commits").exists(), "Spark had no part in it"
        io.write_dataset(frame.coalesce(1), str(tmp_path / "spark" / name))
        told = {}
        for place in (paths[name], str(tmp_path / "spark" / name)):
            made = io.read_dataset(place)
            past = [(c.version, c.operation, c.rows) for c in commits(spark, TableRef.parse(place))]
            told[place] = (made.schema, [repr(row) for row in made.orderBy("id").collect()], made.count(), past)
        assert told[paths[name]] == told[str(tmp_path / "spark" / name)]
        io.write_dataset(frame, paths[name])
        after = io.version(paths[name]), io.read_dataset(paths[name]).count()
        assert after == ((io.version(place) or 0) + 1, made.count()), "a further write is one more version"
