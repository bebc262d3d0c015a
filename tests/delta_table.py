"""Delta tables as Spark leaves them after CREATE TABLE and one WRITE, as plain files: Spark takes a second for each."""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import ArrayType, MapType, NullType, StructType, TimestampNTZType

from synthohive_spark.lake.ddl import NEEDS_COLUMN_MAPPING

FILE = "part-0.parquet"
SETTINGS = {"delta.enableDeletionVectors": "false"}
NTZ = "timestampNtz"


def fits(schema: StructType) -> bool:
    """Whether ``write_table`` can write such a table; others are Spark's."""
    nested = (ArrayType, MapType, NullType, StructType)
    odd = any(ch in name for name in schema.fieldNames() for ch in NEEDS_COLUMN_MAPPING)
    return not odd and not any(isinstance(f.dataType, nested) or f.metadata for f in schema.fields)


def of_rows(schema: StructType, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Python rows as Spark's ``createDataFrame`` understands them: a time without a zone is one of this machine."""
    kinds = to_arrow_schema(schema)
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    arrays = []
    for kind, values in zip(kinds.types, columns, strict=True):
        zoned = pa.types.is_timestamp(kind) and kind.tz is not None
        arrays.append(pa.array([_zoned(v) for v in values] if zoned else values, kind))
    return pa.Table.from_arrays(arrays, names=schema.fieldNames())


def _zoned(value: dt.datetime | None) -> dt.datetime | None:
    naive = value is not None and value.tzinfo is None
    return value.astimezone(dt.timezone.utc) if naive and value is not None else value


def of_pandas(frame: pd.DataFrame) -> tuple[StructType, pa.Table]:
    """A pandas frame as Spark takes it through Arrow, where integers with nulls stay integers; its times are UTC."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    schema = from_arrow_schema(table.schema)
    columns = [
        pc.assume_timezone(c.cast(pa.timestamp("us")), "UTC") if pa.types.is_timestamp(c.type) and not c.type.tz else c
        for c in table.columns
    ]
    return schema, pa.Table.from_arrays(columns, names=table.column_names).cast(to_arrow_schema(schema))


def write_table(folder: Path, schema: StructType, rows: pa.Table) -> None:
    """One table in two commits, with the checksums that spare Spark to look through them."""
    log, now = folder / "_delta_log", int(time.time() * 1000)
    log.mkdir(parents=True)
    pq.write_table(rows, folder / FILE)
    size = (folder / FILE).stat().st_size
    ntz = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [NTZ], "writerFeatures": [NTZ, "invariants"]}
    told = any(isinstance(f.dataType, TimestampNTZType) for f in schema.fields)
    protocol = ntz if told else {"minReaderVersion": 1, "minWriterVersion": 2}
    about = {
        "id": str(uuid.uuid4()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.json(),
        "partitionColumns": [],
        "configuration": SETTINGS,
        "createdTime": now,
    }
    stats = json.dumps({"numRecords": rows.num_rows})
    file = {"path": FILE, "partitionValues": {}, "size": size, "modificationTime": now, "stats": stats}
    files = [file] if rows.num_rows else []
    made = {"operation": "CREATE TABLE", "operationParameters": {"properties": json.dumps(SETTINGS)}}
    metrics = {"numFiles": str(len(files)), "numOutputRows": str(rows.num_rows)}
    wrote = {"operation": "WRITE", "operationParameters": {"mode": "Append"}, "readVersion": 0}
    adds = [{"add": {**f, "dataChange": True}} for f in files]
    _commit(log, 0, [], made, {"metaData": about}, {"protocol": protocol})
    _commit(log, 1, files, {**wrote, "operationMetrics": metrics}, *adds, metaData=about, protocol=protocol)


def _commit(
    log: Path, version: int, files: list[dict[str, Any]], info: dict[str, Any], *actions: dict[str, Any], **known: Any
) -> None:
    """A commit and its checksum: what the table is after it."""
    told, known = {"timestamp": int(time.time() * 1000), "isBlindAppend": True, **info}, dict(known)
    for action in actions:
        known |= action
    lines = [json.dumps(action) for action in ({"commitInfo": told}, *actions)]
    (log / f"{version:020d}.json").write_text("\n".join(lines) + "\n")
    sums = {
        "tableSizeBytes": sum(f["size"] for f in files),
        "numFiles": len(files),
        "numMetadata": 1,
        "numProtocol": 1,
        "setTransactions": [],
        "domainMetadata": [],
        "metadata": known["metaData"],
        "protocol": known["protocol"],
        "allFiles": [{**f, "dataChange": False} for f in files],
    }
    (log / f"{version:020d}.crc").write_text(json.dumps(sums))
