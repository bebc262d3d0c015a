"""Each kind of damage is caught by what was made for it, named first, and fails the default gate; none passes it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.config import Evaluate
from synthohive_spark.errors import QualityError
from synthohive_spark.evaluation import Evaluation, evaluate
from synthohive_spark.metadata import Metadata
from synthohive_spark.tables import Constraint
from tests.evaluation.planted import DAMAGES, LAW, METADATA, Shop, shop

pytestmark = pytest.mark.spark
GATE = Evaluate().fail_under
CHEAP = "one pair decorrelated"  # in make test; the others take as long each


def frames(spark: SparkSession, tables: Mapping[str, pd.DataFrame]) -> dict[str, DataFrame]:
    made = {}
    for name, frame in tables.items():
        arrow = pa.Table.from_pandas(frame, preserve_index=False)
        micros = [f.with_type(pa.timestamp("us")) if pa.types.is_timestamp(f.type) else f for f in arrow.schema]
        made[name] = spark.createDataFrame(arrow.cast(pa.schema(micros)))
    return made


@cache
def judged(spark: SparkSession, name: str | None) -> Evaluation:
    copy: Shop = shop(2)
    if name is not None:
        copy = DAMAGES[name].lose(copy, np.random.default_rng(3))
    metadata = METADATA
    if name is not None and DAMAGES[name].kind == "rule":
        orders = METADATA.tables["orders"].model_copy(update={"constraints": (Constraint(**LAW),)})
        metadata = Metadata({**METADATA.tables, "orders": orders})
    return evaluate(metadata, frames(spark, shop(1)), frames(spark, copy))


@pytest.mark.slow
def test_another_sample_of_the_same_shop_passes(spark: SparkSession) -> None:
    found = judged(spark, None)
    assert min(f.score for f in found.figures.values()) > 0.9, (found.figures, found.worst())
    assert set(found.figures) == {"columns", "pairs", "relations", "c2st"}
    found.check(GATE)


@pytest.mark.parametrize("name", [n if n == CHEAP else pytest.param(n, marks=pytest.mark.slow) for n in DAMAGES])
def test_damage_is_named_first_and_fails_the_gate(spark: SparkSession, name: str) -> None:
    damage, found = DAMAGES[name], judged(spark, name)
    first = found.worst()[0]
    assert first.kind == damage.kind, found.worst()
    for word in damage.names:
        assert word in first.what, found.worst()
    with pytest.raises(QualityError, match=damage.names[0]):
        found.check(GATE)
    assert isinstance(GATE, float)
    if damage.figure != "rules":
        assert {n: f.score for n, f in found.figures.items()}[damage.figure] < GATE
