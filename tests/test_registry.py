"""The registry of models: what it gives back, and what it says of models that another version wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from synthohive_spark.errors import SerializationError
from synthohive_spark.location import Location
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.registry import Workspace
from synthohive_spark.rules.kinds.copy import Inherited
from synthohive_spark.rules.kinds.ratio import Multiple
from synthohive_spark.schema.columns import ColumnPlan, ColumnsPlan
from synthohive_spark.schema.rule import RulesPlan
from synthohive_spark.schema.table_plan import TablePlan

pytestmark = pytest.mark.spark


def test_a_registry_of_another_version_is_told_so(spark: SparkSession, tmp_path: Path) -> None:
    rules = RulesPlan(each=(Multiple(column="paid", source="good:price", scale=2), Inherited(column="a", source="b")))
    fields = [{"name": n, "type": "double", "nullable": True, "metadata": {}} for n in ("paid", "a")]
    columns = ColumnsPlan(
        each=tuple(ColumnPlan(name=n, type="double", role="model") for n in ("paid", "a")),
        spark_schema={"type": "struct", "fields": fields},
    )
    plan = TablePlan(table="t", rows=1, columns=columns, rules=rules)
    workspace = Workspace(spark, Location(path=str(tmp_path)))
    workspace.prepare()
    workspace.keep_model("now", plan, None, {})
    assert workspace.models("now") == ({"t": plan}, {"t": Artifact()}, {"t": {}})
    of_old = spark.createDataFrame(
        [(None, '{"0": {"rows": {}}}', "{}")], "model binary, matching string, metrics string"
    )
    workspace.keep_model("before", plan, of_old, {})
    with pytest.raises(SerializationError, match=r"another version.*train again"):
        workspace.models("before")
