from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthohive_spark.errors import GenerationError
from synthohive_spark.schema.conversion import (
    arrow_type,
    as_micros,
    as_model,
    as_spark,
    bounded,
    frame_from_arrow,
    from_arrow,
    pick,
    to_arrow,
    with_nan,
)
from synthohive_spark.schema.key_format import counted
from synthohive_spark.tables import Constraint

TIME = dt.datetime(2013, 7, 1, 12, 30, 0, 5)
DATE = dt.date(2013, 7, 1)
MICROS = 1_372_681_800_000_005


def test_large_integers_with_nulls_stay_exact() -> None:
    whole = 2**60 + 1
    carried = as_model(pd.Series([whole, None], dtype=object), "bigint")
    assert carried.dtype == "Int64"
    assert carried[0] == whole
    back = as_spark(carried, "bigint")
    assert pa.array(back, from_pandas=True).to_pylist() == [whole, None]


def test_times_are_microseconds_and_back() -> None:
    seen = as_model(pd.Series([MICROS, None], dtype=object), "timestamp")
    assert seen.dtype == "datetime64[us]"
    assert seen[0] == pd.Timestamp(TIME)
    for spark_type in ("timestamp", "timestamp_ntz"):
        back = as_spark(seen, spark_type)
        assert (back.dt.tz is not None) == (spark_type == "timestamp")
        assert back[0].tz_localize(None) == pd.Timestamp(TIME)
        assert back.isna().tolist() == [False, True]
        again = as_spark(pd.Series([MICROS, None], dtype=object), spark_type)
        assert again.equals(back)


@pytest.mark.parametrize(
    ("values", "spark_type", "expected"),
    [
        ([1.0, np.nan], "int", [1, None]),
        ([True, None], "boolean", [True, None]),
        ([1.005, None, "2.5"], "decimal(10,2)", [Decimal("1.00"), None, Decimal("2.50")]),
        ([None, None], "string", [None, None]),
        ([np.nan, "x"], "string", [None, "x"]),
        ([dt.date(1500, 1, 1), None], "date", [dt.date(1500, 1, 1), None]),
        ([0.5, None], "double", [0.5, None]),
        ([], "string", []),
    ],
)
def test_values_leave_as_their_spark_type(values: list[Any], spark_type: str, expected: list[Any]) -> None:
    made = as_spark(pd.Series(values, dtype=object), spark_type)
    kinds = {"int": pa.int32(), "boolean": pa.bool_(), "decimal(10,2)": pa.decimal128(10, 2), "string": pa.string()}
    arrow = pa.array(made, type={**kinds, "date": pa.date32(), "double": pa.float64()}[spark_type], from_pandas=True)
    assert arrow.to_pylist() == expected


D = Decimal


@pytest.mark.parametrize(
    ("values", "law", "expected"),
    [
        ([1, 5, None, 9], {"min": 2.5, "max": 8.5}, [3, 5, None, 8]),
        ([1.0, 5.0, None, 9.0], {"min": 2.5, "max": 8.5}, [2.5, 5.0, None, 8.5]),
        ([D("1.00"), None, D("9.00")], {"min": 2, "max": 8.5}, [D(2), None, D("8.5")]),
        ([DATE, None], {"min": "2014-02-03"}, [dt.date(2014, 2, 3), None]),
        ([DATE, None], {"allowed": ["2014-02-03"]}, [dt.date(2014, 2, 3), None]),
        ([pd.Timestamp(TIME)], {"max": "2013-01-01 10:00:00"}, [pd.Timestamp("2013-01-01 10:00:00")]),
        (["a", "b", None], {"allowed": ["b", None]}, ["b", "b", None]),
        (["a", None], {"allowed": [None]}, [None, None]),
        ([None, None], {"min": 3}, [None, None]),
    ],
)
def test_bounds_hold_on_every_value_and_keep_its_type(values: list[Any], law: Any, expected: list[Any]) -> None:
    made = bounded(pd.Series(values, dtype=object), Constraint(column="c", **law), np.random.default_rng(1))
    assert [None if pd.isna(v) else v for v in made] == expected
    assert {type(v) for v in made.dropna()} <= {type(v) for v in expected}


@pytest.mark.parametrize(
    ("law", "sql"),
    [
        ({"column": "a b`", "min": 2, "max": 4.5}, "`a b``` >= 2 and `a b``` <= 4.5"),
        ({"column": "d", "min": "2024-01-01"}, "`d` >= '2024-01-01'"),
        ({"column": "s", "allowed": ["it's", True, None]}, "`s` in ('it\\'s', true)"),
        ({"expression": "a < b"}, "a < b"),
    ],
)
def test_a_constraint_as_sql(law: Any, sql: str) -> None:
    assert Constraint(**law).sql == sql


def test_micros_of_a_models_times_keep_nulls() -> None:
    seen = as_model(pd.Series([MICROS, None], dtype=object), "timestamp")
    assert as_micros(seen).tolist() == [MICROS, pd.NA]


def test_counted_values() -> None:
    assert counted("date", np.array([0, 15_887])).tolist() == [dt.date(1970, 1, 1), dt.date(2013, 7, 1)]
    assert counted("timestamp", np.array([MICROS]))[0] == pd.Timestamp(TIME)
    assert counted("integer", np.array([-3])).tolist() == [-3]


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float64", "boolean", "datetime64[us]", "object", "str"])
def test_rows_without_a_parent_get_nulls_of_the_column_s_own_type(dtype: str) -> None:
    known = pd.Series(pd.array([1, 0], "int64")).astype(dtype if dtype != "object" else "str").astype(dtype)
    wanted = "Int64" if dtype == "int64" else dtype
    some = pick(known, np.array([1, -1, 0]))
    assert some.dtype == wanted
    assert some.isna().tolist() == [False, True, False]
    assert some.dropna().tolist() == known.iloc[[1, 0]].tolist()
    none = pick(known.iloc[:0], np.array([-1, -1]))
    assert none.dtype == wanted
    assert none.isna().all()
    assert pick(known, np.array([0, 1])).dtype == dtype


LONGEST = "9" * 38
ENDS = {
    "tinyint": [-128, 127],
    "bigint": [-(2**63), 2**63 - 1],
    "decimal(38,0)": [D(f"-{LONGEST}"), D(LONGEST)],
    "decimal(38,18)": [D("12345678901.5"), D(f"{LONGEST[:20]}.{LONGEST[:18]}")],
    "date": [dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    "timestamp": [dt.datetime(1, 1, 1, tzinfo=dt.timezone.utc), dt.datetime.max.replace(tzinfo=dt.timezone.utc)],
    "timestamp_ntz": [dt.datetime(1, 1, 1), dt.datetime.max],
    "float": [-(2.0**127), float("inf")],
    "double": [-1.7e308, 5e-324],
    "boolean": [False, True],
    "string": ["", "x" * 9],
    "binary": [b"", b"\x00\xff"],
}


@pytest.mark.parametrize("nulls", [[], [None]])
@pytest.mark.parametrize("spark_type", ENDS)
def test_field_04_extremes_cross_from_spark_to_models_and_back(spark_type: str, nulls: list[None]) -> None:
    values, kind = [*ENDS[spark_type], *nulls], arrow_type(spark_type)
    seen = as_model(from_arrow(pa.array(values, kind)), spark_type)
    assert to_arrow(as_spark(seen, spark_type), kind, "t.c").to_pylist() == values
    if spark_type != "boolean":
        assert seen.astype(object).isna().tolist() == [v is None for v in values]


def test_types_do_not_hang_on_names_and_nulls_of_counts_are_zero() -> None:
    big = 2**60 + 1
    batch = pa.RecordBatch.from_pydict({"copies": [None, 3], "c0": [None, big], "d0": [big, None]})
    frame = frame_from_arrow(batch, {"c0", "d0"})
    assert frame["copies"].tolist() == [0, 3]
    assert frame["c0"].tolist() == [pd.NA, big]
    assert frame["d0"].tolist() == [big, pd.NA]


def test_field_07_nan_and_null_are_told_apart() -> None:
    made = with_nan(pd.Series([1.5, 2.5, None]), np.array([False, True, False]))
    for spark_type in ("float", "double"):
        texts = [str(v) for v in to_arrow(as_spark(made, spark_type), arrow_type(spark_type), "t.c").to_pylist()]
        assert texts == ["1.5", "nan", "None"]


def test_a_value_beyond_its_type_is_an_error_that_names_the_column_only() -> None:
    with pytest.raises(GenerationError, match=r"t\.c: a value does not fit") as raised:
        to_arrow(as_spark(pd.Series([300]), "tinyint"), pa.int8(), "t.c")
    assert "300" not in str(raised.value)
    most = D("99.9")
    assert as_spark(pd.Series([1234.5, -1234.5]), "decimal(3,1)").tolist() == [most, -most]


def test_texts_are_cut_to_their_type() -> None:
    made = to_arrow(as_spark(pd.Series(["_RARE_", "äöü", None]), "string"), pa.string(), "t.c", width=2)
    assert made.to_pylist() == ["_R", "äö", None]
