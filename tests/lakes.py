"""Small planted lakes for the tests, and the oracles that look at what was generated from them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.metadata import Metadata
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.parallel import side_by_side
from synthohive_spark.sql import quote

from . import delta_table
from .shuffle import ColumnShuffle

Rows = pd.DataFrame | tuple[str, Sequence[tuple[Any, ...]]]
"""A table: a pandas frame, or a DDL schema with rows."""
SHUFFLE = "tests.shuffle.ColumnShuffle"


def write_lake(spark: SparkSession, folder: Path, tables: Mapping[str, Rows]) -> dict[str, str]:
    """Write each table into a folder of its own, as Delta. Returns {table: path}."""
    for name, rows in tables.items():
        if isinstance(rows, pd.DataFrame):
            schema, table = delta_table.of_pandas(rows)
        else:
            schema = StructType.fromDDL(rows[0])
            table = delta_table.of_rows(schema, rows[1]) if delta_table.fits(schema) else None
        if table is not None and delta_table.fits(schema) and not (folder / name).exists():
            delta_table.write_table(folder / name, schema, table)
        else:
            frame = spark.createDataFrame(table if isinstance(rows, pd.DataFrame) else rows[1], schema)
            DeltaIO(spark).write_dataset(frame.coalesce(1), str(folder / name))
    return {name: str(folder / name) for name in tables}


def config_file(folder: Path, metadata: Mapping[str, Any], **groups: Any) -> str:
    """A configuration over folder/source, /target and /workspace with the trivial model; ``groups`` add to it."""
    config = {p: {"path": str(folder / p)} for p in ("source", "target", "workspace")}
    base: dict[str, Any] = {"run": "t", **config, "train": {"model": SHUFFLE}, "metadata": {"tables": dict(metadata)}}
    for name, values in groups.items():
        base[name] = {**base.get(name, {}), **values} if isinstance(values, dict) else values
    file = folder / "run.yaml"
    file.write_text(json.dumps(base))
    return str(file)


def fitted(spark: SparkSession, metadata: Metadata, paths: Mapping[str, str], **options: Any) -> StagedOrchestrator:
    """An orchestrator with the trivial model, fitted."""
    made = StagedOrchestrator(metadata, spark, model_cls=ColumnShuffle)
    made.fit_all(paths, **options)
    return made


def key_faults(metadata: Metadata, tables: Mapping[str, DataFrame]) -> list[str]:
    """Every primary key with nulls or repeats, every foreign key with orphans.

    Keys are read once and looked at in Python: an oracle beside Spark, for tables that fit into memory.
    """

    def keys(name: str) -> dict[str, list[Any]]:
        spec = metadata.tables[name]
        referenced = {
            c
            for t in metadata.tables.values()
            for fk in t.foreign_keys
            if fk.references == name
            for c in fk.referenced_columns
        }
        wanted = sorted({*spec.primary_key, *(c for fk in spec.foreign_keys for c in fk.columns), *referenced})
        return tables[name].select(*(quote(c) for c in wanted)).toArrow().to_pydict() if wanted else {}

    held, found = side_by_side(keys, metadata.tables), []
    for name, spec in metadata.tables.items():
        rows = _tuples(held[name], spec.primary_key)
        if any(None in row for row in rows) or len(set(rows)) != len(rows):
            found.append(f"{name}: primary key")
        for fk in spec.foreign_keys:
            known = set(_tuples(held[fk.references], fk.referenced_columns))
            if any(None not in row and row not in known for row in _tuples(held[name], fk.columns)):
                found.append(f"{name}({', '.join(fk.columns)}): orphans")
    return found


def _tuples(columns: Mapping[str, list[Any]], names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(columns[n] for n in names), strict=True)) if names else []


def content(frame: DataFrame) -> tuple[int, int]:
    """Rows and an order-free hash of them."""
    hashed = F.xxhash64(*(F.col(quote(c)) for c in frame.columns)).cast("decimal(38,0)")
    row = frame.agg(F.count(F.lit(1)).alias("n"), F.sum(hashed).alias("h")).first()
    assert row is not None
    return int(row["n"]), int(row["h"] or 0)


def children(child: DataFrame, columns: Sequence[str], parents: int) -> dict[int, int]:
    """{children: parents}, those without children included."""
    families = child.dropna(subset=list(columns)).groupBy(*(F.col(quote(c)) for c in columns)).count()
    law = {int(r["count"]): int(r["n"]) for r in families.groupBy("count").agg(F.count(F.lit(1)).alias("n")).collect()}
    without = parents - sum(law.values())
    return {**law, 0: without} if without else law


@dataclass(frozen=True)
class Done:
    """How a job ended: its exit code, its JSON line, and what it said on stderr."""

    code: int
    line: dict[str, Any]
    err: str

    def events(self, event: str) -> list[dict[str, Any]]:
        """Log lines of that event."""
        lines = [json.loads(text) for text in self.err.splitlines() if text.startswith('{"') and '"event"' in text]
        return [line for line in lines if line["event"] == event]


def run_job(job: Callable[[list[str]], None], *argv: str) -> Done:
    """Run a job of ``synthohive_spark.cli`` in this process, in the active session."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            job(list(argv))
        except SystemExit as left:
            code = int(str(left.code))
        finally:
            structlog.contextvars.clear_contextvars()
            structlog.reset_defaults()
    return Done(code, json.loads(out.getvalue()), err.getvalue())
