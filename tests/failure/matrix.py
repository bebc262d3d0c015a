"""Every write policy on every kind of target: ``python -m tests.failure.matrix FOLDER`` in the session of SPARK_REMOTE.

A run of two copied tables loses its connection at the second one. A line of JSON per case says what is there then.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.errors import WriteError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location, TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.session import get_session
from tests.lakes import fitted, write_lake
from tests.shuffle import ColumnShuffle

POLICIES, PLACES = ("raise", "retry", "cleanup"), ("path", "catalog")
TARGETS = ("new", "older", "of another shape", "foreign beside")
TABLES = {"a": {"primary_key": "id", "reference": True}, "b": {"primary_key": "id", "reference": True}}
DDL = "id bigint not null, word string"
NEW, OLD = [(i, "new") for i in range(5)], [(7, "old")]


class Loses(DeltaIO):
    """Loses the connection at one table: always, or once, after its rows are committed."""

    def __init__(self, spark: SparkSession, always: bool) -> None:
        super().__init__(spark)
        self.always, self.lost = always, False

    def write_dataset(self, frame: DataFrame, place: TableRef | str, **options: Any) -> tuple[int, int]:
        here = "b" in str(getattr(place, "sql", place)).rpartition("target")[2].rpartition(".")[2]
        if here and self.always:
            raise OSError("Connection reset")
        written = super().write_dataset(frame, place, **options)
        if here and not self.lost:
            self.lost = True
            raise OSError("Connection reset")
        return written


def rows(spark: SparkSession, ref: TableRef) -> list[Any] | None:
    """The rows of a table, sorted; None where there is none."""
    io = DeltaIO(spark)
    return None if io.version(ref) is None else sorted([*r] for r in io.read_dataset(ref).collect())


def outcome(spark: SparkSession, made: StagedOrchestrator, target: Location, policy: str, kind: str) -> dict[str, Any]:
    """What a target of that kind is after a run that lost its connection under a policy."""
    io = DeltaIO(spark)
    ddl = "id int, word string" if kind == "of another shape" else DDL
    for table in {"new": (), "foreign beside": ("stranger",)}.get(kind, TABLES):
        io.write_dataset(spark.createDataFrame(OLD, ddl), target.table(table))
    run = StagedOrchestrator(made.metadata, spark, Loses(spark, policy != "retry"), policy, ColumnShuffle)
    run.trained = made.trained
    with nullcontext() if policy == "retry" else pytest.raises(WriteError, match="Connection reset"):
        run.write_stages(target, {}, 1)
    return {t: rows(spark, target.table(t)) for t in ("a", "b", "stranger")}


def expected(policy: str, kind: str) -> dict[str, Any]:
    """What it should be."""
    new, old = [[*r] for r in NEW], [[*r] for r in OLD]
    before = dict.fromkeys(("a", "b"), old if kind in ("older", "of another shape") else None)
    after = {"raise": {"a": new, "b": before["b"]}, "retry": {"a": new, "b": new}, "cleanup": before}[policy]
    return {**after, "stranger": old if kind == "foreign beside" else None}


def cases(spark: SparkSession, folder: Path) -> Iterator[dict[str, Any]]:
    """Every case, with what the target is and should be."""
    source = write_lake(spark, folder / "source", dict.fromkeys(TABLES, (DDL, NEW)))
    made = fitted(spark, Metadata.load({"tables": TABLES}), source)
    for number, (policy, place, kind) in enumerate(itertools.product(POLICIES, PLACES, TARGETS)):
        name = f"target{number}"
        target = Location(path=str(folder / name)) if place == "path" else Location(schema_name=f"m_{name}")
        if place == "catalog":
            spark.sql(f"CREATE SCHEMA {target.sql} LOCATION '{folder / name}'")
        found = outcome(spark, made, target, policy, kind)
        wanted = expected(policy, kind)
        if place == "catalog":
            spark.sql(f"DROP SCHEMA {target.sql} CASCADE")
        yield {"policy": policy, "place": place, "target": kind, "found": found, "wanted": wanted}


if __name__ == "__main__":
    for case in cases(get_session("matrix"), Path(sys.argv[1])):
        print(json.dumps(case), flush=True)
