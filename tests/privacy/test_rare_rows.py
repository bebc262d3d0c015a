"""The filter of rare rows, and the hash by which Spark and Python ask whether rows agree."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pyspark.sql import SparkSession

from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.privacy.rare_rows import BITS, MOST, RareRows, fewest, filter_text
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.schema.conversion import arrow_type
from synthohive_spark.schema.row_hashes import Hashes, hash_rows, row_hash

from ..lakes import write_lake

UTC = dt.timezone.utc
VALUES: dict[str, list[Any]] = {
    "tinyint": [-128, 127],
    "int": [-5, 2**31 - 1],
    "bigint": [-(2**63), 2**60 + 1],
    "float": [0.1, float("nan")],
    "double": [-0.0, 1e300],
    "boolean": [True, False],
    "string": ["", "Größe \U0001f40b"],
    "binary": [b"", b"\x00\xff"],
    "date": [dt.date(1500, 1, 1), dt.date(9999, 12, 31)],
    "timestamp": [dt.datetime(1500, 1, 1, 3, 4, 5, 6, UTC), dt.datetime(2024, 2, 29, tzinfo=UTC)],
    "timestamp_ntz": [dt.datetime(1969, 12, 31, 23, 59, 59, 999_999), dt.datetime(2024, 2, 29)],
    "decimal(9,2)": [Decimal("-0.10"), Decimal("1234567.89")],
    "decimal(30,12)": [Decimal("0.000000000001"), Decimal("-123456789012345678.5")],
}


def arrays() -> list[pa.Array]:
    return [pa.array([*values, None, values[0]], arrow_type(kind)) for kind, values in VALUES.items()]


def random(n: int, seed: int = 1) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


@pytest.mark.spark
def test_spark_and_python_agree_about_every_type(spark: SparkSession) -> None:
    names = [f"c {i}`" for i in range(len(VALUES))]
    frame = spark.createDataFrame(pa.table(dict(zip(names, arrays(), strict=True)))).coalesce(1)
    typed = list(zip(names, VALUES, strict=True))
    whole = [r["h"] for r in frame.select(row_hash(typed, 7).alias("h")).collect()]
    assert hash_rows(arrays(), 7).view(np.int64).tolist() == whole
    for one, array in zip(typed, arrays(), strict=True):
        told = [r["h"] for r in frame.select(row_hash([one], -3).alias("h")).collect()]
        assert hash_rows([array], -3).view(np.int64).tolist() == told, one
        assert len({*told[:3]}) == 3, "two values and null"
        assert told[3] == told[0]


def test_a_row_is_its_values_in_their_order() -> None:
    one, two, null = (pa.array([v], pa.int64()) for v in (1, 2, None))
    asked = [[one, two], [two, one], [one, null], [null, one], [one, one]]
    assert len({int(hash_rows(columns, 1)[0]) for columns in asked}) == len(asked)
    assert hash_rows([one, two], 1) != hash_rows([one, two], 2), "the salt"
    zero, minus = pa.array([0.0]), pa.array([-0.0])
    assert hash_rows([zero], 1) == hash_rows([minus], 1)
    parts = pa.chunked_array([pa.array(["a", "b"]), pa.array(["a"])])
    assert hash_rows([parts], 1).tolist() == hash_rows([pa.array(["a", "b", "a"])], 1).tolist()
    assert hash_rows([pa.array(["x", "a", "b"]).slice(1)], 1).tolist() == hash_rows([pa.array(["a", "b"])], 1).tolist()


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60))
def test_what_is_in_a_filter_is_found(held: list[int]) -> None:
    hashes = np.array(held, np.uint64)
    rare = RareRows(columns=("a",), bits=filter_text(hashes))
    assert rare.holds(hashes).all()
    assert RareRows.model_validate_json(rare.model_dump_json()).holds(hashes).all()
    assert bool(rare.bits) == bool(held)


def test_other_rows_are_found_so_often_that_a_hit_tells_little() -> None:
    rare = RareRows(bits=filter_text(random(50_000)))
    assert len(rare.bits) == 50_000 * BITS // 6
    assert abs(rare.holds(random(200_000, 2)).mean() - 0.056) < 0.003
    assert not RareRows().holds(random(10)).any()


def test_a_filter_is_bounded_and_does_not_hang_on_the_order() -> None:
    hashes = random(MOST + 1000)
    kept = fewest(hashes)
    assert np.sort(kept).tolist() == np.sort(hashes)[:MOST].tolist()
    rare = RareRows(bits=filter_text(hashes))
    assert rare.bits == filter_text(hashes[::-1])
    assert rare.holds(kept).all()
    with pytest.raises(ValidationError):
        RareRows(bits=rare.bits + "AAAA" * 8)
    with pytest.raises(ValidationError):
        RareRows(bits="no filter")


@pytest.mark.spark
def test_a_plan_holds_what_few_people_have(spark: SparkSession, tmp_path: Path) -> None:
    """A customer's orders are one person's, however many they are; keys and reference tables are not looked at."""
    customers = pd.DataFrame({"id": range(40), "size": [1] * 36 + [2] * 4})
    orders = pd.DataFrame({"id": range(240), "customer": np.repeat(range(40), 6)})
    orders["amount"] = np.random.default_rng(6).choice([10, 20], len(orders))
    orders.loc[orders["customer"] == 7, "amount"] = [10, 70, 70, 20, 70, 70]
    orders["rest"] = 1.5
    sizes = pd.DataFrame({"size": [1, 2], "width": [3, 4]})
    tables: dict[str, Any] = {
        "sizes": {"primary_key": "size", "reference": True},
        "customers": {"primary_key": "id"},
        "orders": {
            "primary_key": "id",
            "foreign_keys": [{"columns": ["customer"], "references": "customers", "referenced_columns": ["id"]}],
        },
    }
    paths = write_lake(spark, tmp_path, {"sizes": sizes, "customers": customers, "orders": orders})
    metadata = Metadata.load({"tables": tables})
    pinned = pin_source(DeltaIO(spark), metadata, {t: TableRef.parse(p) for t, p in paths.items()})
    plans = plan_tables(check_source(pinned), 5)
    assert plans["sizes"].rare == RareRows()
    rare = plans["customers"].rare
    assert rare.columns == ("size",)
    assert rare.holds(hash_rows([pa.array([1, 2])], rare.salt)).tolist() == [False, True]
    rare = plans["orders"].rare
    assert set(rare.columns) == {"amount", "rest"}
    values = {"amount": pa.array([10, 20, 70]), "rest": pa.array([1.5] * 3)}
    found = rare.holds(hash_rows([values[c] for c in rare.columns], rare.salt))
    assert found.tolist() == [False, False, True], "four rows of one customer"
    assert "70" not in json.dumps(plans["orders"].rare.model_dump())
