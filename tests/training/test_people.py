"""What a training task tells a model of whom its values are about. No Spark."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.models.artifact import unpack
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.schema import frames
from synthohive_spark.schema.columns import ColumnPlan, ColumnsPlan
from synthohive_spark.schema.context import ContextColumn, ContextPlan
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.training.settings import TrainSettings
from synthohive_spark.training.task import Trainer

PEOPLE, EACH = 60, 8
MINE, ALONE = 4_711.25, "mine alone"


def plan() -> TablePlan:
    """Orders of customers, who have an income."""
    law = LinkageModel().fit({EACH: PEOPLE}).to_dict()
    key = ForeignKeyPlan(
        position=0, columns=("c",), references="customers", referenced_columns=("c",), role="driving",
        null_share=0.0, distribution=law,
    )  # fmt: skip
    columns = [("word", "string"), ("price", "double"), ("c", "bigint")]
    return TablePlan(
        table="orders",
        rows=PEOPLE * EACH,
        subject=(0,),
        keys=KeysPlan(foreign=(key,)),
        columns=ColumnsPlan(
            each=tuple(ColumnPlan(name=n, type=t, role="foreign" if n == "c" else "model") for n, t in columns),
            spark_schema={"type": "struct", "fields": []},
        ),
        context=ContextPlan(
            each=(ContextColumn(name="c:income", path=(0,), holder=(0,), column="income", type="double"),)
        ),
    )


def test_a_value_of_one_person_reaches_no_model_however_many_rows_repeat_it() -> None:
    rng = np.random.default_rng(1)
    rows, who = PEOPLE * EACH, np.repeat(np.arange(PEOPLE), EACH)
    word = rng.choice(["red", "green"], rows).astype(object)
    price = rng.normal(5_000, 900, rows).round(2)
    word[who == 3], price[who == 4] = ALONE, MINE
    price[rng.random(rows) < 0.05] = np.nan  # which get values of other rows in training, mine among them
    income = rng.normal(3_000, 400, PEOPLE).round(2)
    batch = pa.RecordBatch.from_pydict(
        {
            frames.ORDER: np.arange(rows),
            frames.model(0): pa.array(word.tolist()),
            frames.model(1): pa.array(price, from_pandas=False),
            frames.parent(0): who + 100,
            frames.person(0): who * 7919,
            frames.context(0): income[who],
        }
    )
    trained = next(Trainer(plan(), TrainSettings(CTGAN, epochs=1, k=5))(iter([batch]))).to_pydict()
    model = unpack(CTGAN, trained["model"][0], "orders")
    told = json.dumps(model._fitted.columns.to_json() + model._fitted.context.to_json())  # type: ignore[union-attr]
    assert ALONE not in told
    assert "red" in told
    numbers = {float(n) for n in _numbers(json.loads(told))}
    assert MINE not in numbers
    assert not numbers & {*income.tolist()}, "eight orders each"


def _numbers(tree: object) -> list[float]:
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return [n for p in parts for n in _numbers(p)] or ([float(tree)] if isinstance(tree, (int, float)) else [])
