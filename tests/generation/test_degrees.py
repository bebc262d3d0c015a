"""What rows see of the number of their parent's children: the same when a model learns and when it generates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.counts.distribution import STRETCH, LinkageModel
from synthohive_spark.metadata import Metadata
from synthohive_spark.orchestrator import StagedOrchestrator

from ..lakes import write_lake
from ..shuffle import ColumnShuffle

PARENTS, NOBODY = 60, 200


@given(st.lists(st.integers(0, 40), min_size=1, max_size=300))
def test_no_stretch_tells_fewer_parents_than_it_may(degrees: list[int]) -> None:
    counts = np.array(degrees)
    law = LinkageModel().fit(counts)
    shown = law.shown(counts)
    busy = counts > 0
    if not busy.any():
        assert shown.tolist() == degrees
        return
    held = np.unique(shown[busy], return_counts=True)[1]
    assert held.min() >= min(STRETCH, int(busy.sum()))
    assert abs(shown[busy].mean() - counts[busy].mean()) <= 0.5
    order = np.argsort(counts, kind="stable")
    assert (np.diff(shown[order]) >= 0).all()
    many = np.tile(counts, STRETCH)
    assert (LinkageModel().fit(many).shown(many)[np.tile(busy, STRETCH)] == many[many > 0]).all()
    assert LinkageModel.from_dict(law.to_dict()).shown(np.array([10**6])) == shown.max()


class Seen(ColumnShuffle):
    """Gives the number of children that it sees, of the source's rows (below 0) or of its own."""

    def fit(self, data: pd.DataFrame, context: Any = None, table_name: Any = None, seed: Any = None) -> Seen:
        super().fit(data, context, table_name, seed)
        if self.seen:
            self.pools = {"v": sorted({-int(v) for v in context["up:#"].dropna()})}
            assert context["up:#"].isna().sum() == NOBODY
        return self

    def sample(self, num_rows: int, context: Any = None, seed: int | None = None) -> pd.DataFrame:
        if not self.seen:
            return super().sample(num_rows, context, seed)
        seen = context["up:#"].astype("Int64")
        learnt = pd.Series(np.resize(self.pools["v"], num_rows))
        return pd.DataFrame({"v": seen.where(np.arange(num_rows) % 2 == 0, learnt).fillna(learnt)})

    sample_table = sample


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize("driving", [True, False])
def test_rows_see_what_the_model_learnt(spark: SparkSession, tmp_path: Path, driving: bool) -> None:
    keys = Metadata()
    keys.add_table("parents", pk="id")
    keys.add_table("others", pk="id")
    fks = [
        {
            "columns": [c],
            "references": t,
            "referenced_columns": ["id"],
            "nullable": True,
            "driving": driving == (c == "up"),
        }
        for c, t in (("up", "parents"), ("other", "others"))
    ]
    keys.add_table("children", pk="id", fk=fks)
    up = pd.array([*np.repeat(np.arange(PARENTS), np.arange(1, PARENTS + 1)), *[None] * NOBODY], dtype="Int64")
    rows = len(up)
    drawn = np.random.default_rng(2).integers(-PARENTS, PARENTS + 1, rows)  # the model stays within what the table has
    lake = {
        "parents": pd.DataFrame({"id": range(PARENTS), "size": [1, 2] * (PARENTS // 2)}),
        "others": pd.DataFrame({"id": range(400), "size": [1, 2] * 200}),
        "children": pd.DataFrame({"id": range(rows), "up": up, "other": np.arange(rows) % 400, "v": drawn}),
    }
    made = StagedOrchestrator(keys, spark, model_cls=Seen)
    made.fit_all(write_lake(spark, tmp_path / "source", lake))
    made.generate({}, str(tmp_path / "target"))
    children = made.io.read_dataset(str(tmp_path / "target" / "children"))
    learnt = {-r["v"] for r in children.where("v < 0").distinct().collect()}
    assert learnt == {10, 30, 50}
    found = children.where("v > 0").join(children.groupBy("up").agg(F.count("*").alias("n")), "up")
    sizes = {(r["v"], r["n"]) for r in found.select("v", "n").distinct().collect()}
    assert {v for v, _ in sizes} == learnt
    assert all(abs(v - n) <= 10 for v, n in sizes)
    assert children.where("up is null and v > 0").count() == 0
