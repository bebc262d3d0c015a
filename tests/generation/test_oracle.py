"""A table whose keys are broken, or whose rows are missing, does not count as written: whoever broke it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.errors import GenerationError
from synthohive_spark.generation import oracle
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.metadata import Metadata
from tests.lakes import content, fitted, write_lake

pytestmark = pytest.mark.spark
KEY = {"columns": ["up"], "references": "parent", "referenced_columns": ["id"], "nullable": True}
METADATA = Metadata.load(
    {
        "tables": {
            "parent": {"primary_key": "id"},
            "child": {"primary_key": "id", "unique": [["code"]], "foreign_keys": [KEY]},
        }
    }
)
CHILDREN = pd.DataFrame(
    {
        "id": range(200),
        "up": pd.array([i % 40 if i % 5 else None for i in range(200)], "Int64"),
        "code": [f"C{i:04d}" for i in range(200)],
    }
)
BROKEN = {
    "twice": (lambda f: f.unionByName(f.limit(3)), ["child(id): 3 rows repeat", "child(code): 3 rows repeat"]),
    "orphans": (lambda f: f.withColumn("up", F.col("up") + 1000), ["child(up): 32 keys name no row of parent"]),
    "null": (lambda f: f.withColumn("id", F.when(F.col("id") > 3, F.col("id"))), ["the primary key is null in 4 rows"]),
    "lost": (lambda f: f.where("id >= 50"), ["child: 150 rows instead of 200"]),
}


class Breaking(DeltaIO):
    """A lake whose writes of the child change the rows."""

    change: Any = None

    def write_dataset(self, frame: DataFrame, place: Any, *args: Any, **options: Any) -> tuple[int, int]:
        changed = self.change(frame) if self.change is not None and "child" in str(place) else frame
        return super().write_dataset(changed, place, *args, **options)


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("oracle")
    data = {"parent": pd.DataFrame({"id": range(40), "v": [1, 2] * 20}), "child": CHILDREN}
    made = fitted(spark, METADATA, write_lake(spark, folder / "source", data))
    made.generate({}, str(folder / "target"))
    return {"made": made, "folder": folder, "io": made.io}


QUICK = ("null",)  # the other breaches are in the slow tier: each is a job of its own; the first write has one more


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in BROKEN])
def test_a_breach_fails_the_stage_and_takes_the_table_back(
    lake: dict[str, Any], spark: SparkSession, name: str
) -> None:
    change, expected = BROKEN[name]
    place = str(lake["folder"] / "target" / "child")
    before = content(lake["io"].read_dataset(place))
    lake["made"]._io = Breaking(spark)
    lake["made"]._io.change = change
    with pytest.raises(GenerationError) as caught:
        lake["made"].generate({}, str(lake["folder"] / "target"), seed=2)
    for line in expected:
        assert line in str(caught.value)
    assert content(lake["io"].read_dataset(place)) == before


def test_a_valid_table_passes(lake: dict[str, Any]) -> None:
    def read(table: str) -> DataFrame:
        frame: DataFrame = lake["io"].read_dataset(str(lake["folder"] / "target" / table))
        return frame

    child = METADATA.tables["child"]
    assert oracle.broken("child", child, read("child"), 200) == []
    assert oracle.broken("child", child, read("child"), 201) == []  # 1 % may be missing
    assert oracle.orphans("child", child.foreign_keys, read("child"), read) == []


def test_the_first_write_that_is_broken_leaves_no_row(
    lake: dict[str, Any], spark: SparkSession, tmp_path: Path
) -> None:
    lake["made"]._io = Breaking(spark)
    lake["made"]._io.change, expected = BROKEN["twice"]
    with pytest.raises(GenerationError) as caught:
        lake["made"].generate({}, str(tmp_path / "new"))
    for line in expected:
        assert line in str(caught.value)
    assert lake["io"].read_dataset(str(tmp_path / "new" / "child")).count() == 0
