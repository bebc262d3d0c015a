"""Few rows through the real models, the gate and the report."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthohive_spark.evaluation import evaluate
from synthohive_spark.evaluation.report import render
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.autoregressive.model import AutoregressiveModel
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.orchestrator import StagedOrchestrator
from tests.lakes import write_lake

pytestmark = [pytest.mark.spark, pytest.mark.slow]
EPOCH = dt.date(1970, 1, 1)


def planted() -> tuple[dict[str, Any], dict[str, Any]]:
    few = "id int, d date, m decimal(10,2), n bigint, x double, s timestamp"
    day = dt.date(2004, 5, 6)

    def row(i: int) -> tuple[Any, ...]:
        moment = dt.datetime(2011, 2, 3, 4, i // 60, i % 60)
        return (i, day + dt.timedelta(days=i), Decimal(4150 + 97 * i) / 100, 720_000 + 31 * i, 0.25 * (i + 3), moment)

    tables = {name: {"primary_key": "id"} for name in ("one", "two", "five", "mostly")}
    rows = {name: (few, [row(i + 1) for i in range(n)]) for name, n in (("one", 1), ("two", 2), ("five", 5))}
    empty = (None,) * 5
    known = {7: row(3), 200: row(8)}  # as near each other as in the small tables
    sparse = [(i + 1, *(known[i][1:] if i in known else empty), f"{9 + i % 8:02d}:{i % 3}0") for i in range(297)]
    rare = [(298 + i, *empty, f"22:0{i}") for i in range(3)]
    return tables, {**rows, "mostly": (f"{few}, clock string", [*sparse, *rare])}


@pytest.mark.parametrize("model", [CTGAN, AutoregressiveModel])
def test_field_11_12_13_and_19(spark: SparkSession, tmp_path: Path, model: Any) -> None:
    tables, rows = planted()
    metadata = Metadata.load({"tables": tables})
    paths = write_lake(spark, tmp_path / "source", rows)
    made = StagedOrchestrator(metadata, spark, model_cls=model)
    made.fit_all(paths, max_seconds=2.0)
    made.generate({}, str(tmp_path / "target"))
    copies = {t: made.io.read_dataset(str(tmp_path / "target" / t)) for t in tables}
    for name in tables:
        for i, r in enumerate(copies[name].drop("id").collect()):
            assert r["d"] is None or r["d"].year == 2004, (name, i)
            assert r["m"] is None or Decimal(40) <= r["m"] <= Decimal(50), (name, i)
            assert r["n"] is None or 700_000 <= r["n"] <= 800_000, (name, i)
            assert r["x"] is None or 0.9 <= r["x"] <= 60, (name, i)
            assert r["s"] is None or r["s"].year == 2011, (name, i)
            assert name != "mostly" or dt.time.fromisoformat(r["clock"])
    assert copies["mostly"].where("d is not null").count() <= 12
    five = copies["five"].collect()
    for column in ("d", "m", "n", "s"):
        assert len({r[column] for r in five}) == 5, column
    assert made.trained is not None
    real = {t: spark.read.format("delta").load(path) for t, path in paths.items()}
    found = evaluate(metadata, real, copies, made.trained.plans, k=3)
    scores = {t.table: t.score for t in found.tables}
    assert scores["one"] is scores["two"] is scores["five"] is None, "not judged"
    assert scores["mostly"] is not None
    assert {j.place for j in found.judged if j.figure == "columns"} == {"mostly"}, "nor do they count in a figure"
    assert "too few rows to judge: 5 of the real table have a value" in render(found, {})
