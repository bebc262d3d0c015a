"""Delta tables written and read as plain files: hundreds of small ones in the time that Spark takes for one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.types import StructType

from tests.delta_table import write_table

ARROW = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "binary": pa.binary(),
    "string": pa.string(),
}
IN_JSON = {"tinyint": "byte", "smallint": "short", "int": "integer", "bigint": "long"}
Columns = Mapping[str, tuple[str, bool, list[Any]]]
"""{column: (Spark type, NOT NULL, values)}."""


def write_delta(folder: Path, columns: Columns) -> None:
    """One table of one file."""
    fields, arrays = [], []
    for name, (spark, required, values) in columns.items():
        text = spark.startswith(("char", "varchar"))
        kind = "string" if text else spark
        arrow = pa.decimal128(*(int(n) for n in spark[8:-1].split(","))) if kind.startswith("decimal") else ARROW[kind]
        fields.append(
            {
                "name": name,
                "type": IN_JSON.get(kind, kind),
                "nullable": not required,
                "metadata": {"__CHAR_VARCHAR_TYPE_STRING": spark} if text else {},
            }
        )
        arrays.append(pa.array(values, arrow))
    table = pa.Table.from_arrays(arrays, names=list(columns))
    write_table(folder, StructType.fromJson({"type": "struct", "fields": fields}), table)


def read_delta(folder: Path) -> Columns:
    """The newest version of a table that has no checkpoint, deletion vectors, partitions or renamed columns."""
    files: dict[str, Path] = {}
    fields: list[dict[str, Any]] = []
    for commit in sorted((folder / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "metaData" in action:
                fields = json.loads(action["metaData"]["schemaString"])["fields"]
            if "add" in action:
                files[action["add"]["path"]] = folder / action["add"]["path"]
            if "remove" in action:
                files.pop(action["remove"]["path"])
    names = [f["name"] for f in fields]
    parts = [pq.read_table(file, columns=names) for file in files.values()]
    short = {v: k for k, v in IN_JSON.items()}
    return {
        f["name"]: (
            f["metadata"].get("__CHAR_VARCHAR_TYPE_STRING", short.get(f["type"], f["type"])),
            not f["nullable"],
            [v for part in parts for v in part.column(f["name"]).to_pylist()],
        )
        for f in fields
    }
