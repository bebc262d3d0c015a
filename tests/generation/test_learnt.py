"""What training left reaches the tasks beside their rows: once each, first of all, and outside their function."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.errors import GenerationError
from synthohive_spark.generation.learnt import MATCHING, MODEL, learnt_row, taken, with_learnt
from synthohive_spark.generation.stage import stage_frame
from synthohive_spark.generation.stage_input import StageInput
from synthohive_spark.generation.stage_plan import plan_stage
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.artifact import Artifact
from tests.lakes import fitted, write_lake
from tests.shuffle import ColumnShuffle

SMALL, LARGE = Artifact(b"m" * 1_000), Artifact(b"m" * 3_000_000)


def batch(**columns: list[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_the_first_row_that_comes_brings_it() -> None:
    rows = [batch(n=[], **{MODEL: [], MATCHING: []}), batch(n=[1, 2], **{MODEL: [b"m", None], MATCHING: ["{}", None]})]
    artifact, left = taken([*rows, batch(n=[3], **{MODEL: [None], MATCHING: [None]})])
    assert artifact == Artifact(b"m", "{}")
    assert [b.to_pydict() for b in left] == [{"n": [1, 2]}, {"n": [3]}]


def test_a_task_without_rows_needs_none() -> None:
    artifact, left = taken([])
    assert (artifact, list(left)) == (Artifact(), [])


def test_a_task_that_gets_rows_alone_says_so() -> None:
    with pytest.raises(GenerationError, match="got no model"):
        taken([batch(n=[1], **{MODEL: [None], MATCHING: [None]})])


def told(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of one task: its rows as they came, and bytes of the model."""
    artifact, rows = taken(batches)
    numbers = [n for b in rows for n in b.column("n").to_pylist()]
    if numbers:
        yield batch(rows=[json.dumps(numbers)], model=[len(artifact.model or b"")], matching=[artifact.matching])


@pytest.mark.spark
@pytest.mark.parametrize("adaptive", ["true", "false"])
def test_each_task_gets_it_once_and_its_rows_in_their_order(spark: SparkSession, adaptive: str) -> None:
    spark.conf.set("spark.sql.adaptive.enabled", adaptive)
    try:
        rows = spark.range(5_000).select(F.xxhash64("id").alias("n")).repartition(3, "n").sortWithinPartitions("n")
        learnt = learnt_row(spark, "t", Artifact(LARGE.model, "{}"))
        found = with_learnt(rows, "t", learnt).mapInArrow(told, "rows string, model long, matching string").collect()
        nothing = with_learnt(rows, "t", None).mapInArrow(told, "rows string, model long, matching string").first()
    finally:
        spark.conf.unset("spark.sql.adaptive.enabled")
    parts = [json.loads(r["rows"]) for r in found]
    assert len(parts) == 3
    assert sum(map(len, parts)) == 5_000
    assert all(part == sorted(part) for part in parts)
    assert {(r["model"], r["matching"]) for r in found} == {(3_000_000, "{}")}
    assert nothing is not None
    assert (nothing["model"], nothing["matching"]) == (0, "")


@pytest.mark.spark
def test_what_tasks_run_does_not_grow_with_the_model(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where rows are made nor where they are drawn again."""
    metadata = Metadata.load(
        {"tables": {"visits": {"primary_key": "id", "constraints": [{"expression": "late >= early"}]}}}
    )
    rows = [(i, i % 50, i % 50 + i % 7) for i in range(200)]
    paths = write_lake(spark, tmp_path, {"visits": ("id bigint not null, early int, late int", rows)})
    trained = fitted(spark, metadata, paths).trained
    assert trained is not None
    plan = trained.plans["visits"]
    stage = plan_stage(StageInput(spark, plan, trained.plans, trained.copies, {}, 200, 1))
    pack: Any = cloudpickle.dumps
    sizes: list[int] = []
    map_in_arrow = type(spark.range(1)).mapInArrow

    def measured(frame: DataFrame, function: Any, *more: Any, **named: Any) -> DataFrame:
        sizes.append(len(pack(function)))
        return map_in_arrow(frame, function, *more, **named)

    monkeypatch.setattr(type(spark.range(1)), "mapInArrow", measured)
    shown = {}
    for artifact in (SMALL, LARGE):
        sizes.clear()
        with redirect_stdout(io.StringIO()) as out:
            stage_frame(stage, ColumnShuffle, artifact).explain("simple")
        shown[artifact] = [*sizes]
        assert out.getvalue().count("BroadcastHashJoin") == 3, out.getvalue()
    assert len(shown[SMALL]) == 4  # rows are made, drawn again twice, and chosen
    assert shown[SMALL] == shown[LARGE]
    assert max(shown[LARGE]) < 100_000
