"""What columns of a copy may hold: kinds of text, personal data of every type, unique columns, tables of few rows.

Each case is named after its line in the list of faults from the field; all share one small lake.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
RNG = np.random.default_rng(18)
N, ROOT = 120, 60
START = dt.date(2021, 3, 1)
GREEK = "αβγδεζηθικλμνξοπρστυφχψω"


def distinct_numbers(low: int, high: int, rows: int) -> list[int]:
    found = dict.fromkeys(RNG.integers(low, high, 2 * rows).tolist())  # the range itself may fill the memory
    return list(found)[:rows]


def words(rows: int) -> list[str]:
    return ["".join(RNG.choice(list(GREEK), 3 + i % 4)).capitalize() for i in range(rows)]


def planted() -> tuple[dict[str, Any], dict[str, Any]]:
    clocks = distinct_numbers(0, 86_400, ROOT)
    p = {
        "p_id": range(1, ROOT + 1),
        "row_guid": [str(uuid.UUID(int=int(RNG.integers(2**62)) << 64 | i, version=4)) for i in range(ROOT)],
        "ip": [str(ipaddress.IPv4Address(int(n))) for n in distinct_numbers(2**24, 2**31, ROOT)],
        "clock": [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in clocks],
        "batch_no": distinct_numbers(100_000, 999_999, ROOT),
        "name": words(ROOT),
        "day": [START + dt.timedelta(days=i) for i in range(ROOT)],
        "licence": [f"LIC-{i:05d}" if i % 4 else None for i in RNG.permutation(ROOT)],
    }
    t = {
        "t_id": range(1, N + 1),
        "p_id": RNG.integers(1, ROOT + 1, N),
        "detail_id": np.arange(75_001, 75_001 + N),
        "guid": [str(uuid.UUID(int=i * 7**40 % 2**128, version=4)) for i in range(1, N + 1)],
    }
    person = (
        "email string, at timestamp_ntz, code binary, member boolean, worth decimal(38,0), pay decimal(10,2), "
        "born date, steps int, weight double, phone string",
        [
            (
                f"u{i}@example.com",
                *(None,) * 8,
                f"+30 {i:07d}",
            )
            if i % 5 == 0
            else (
                f"u{i}@example.com",
                dt.datetime(2020, 1 + i % 12, 3, 4, 5, 6),
                bytes([i] * (4 + i % 3)),
                i % 3 == 0,
                Decimal(10**20 + i),
                Decimal(1000 + i) / 100,
                dt.date(1950 + i, 5, 6),
                4000 + i,
                60.5 + i,
                f"+30 {i:07d}",
            )
            for i in range(40)
        ],
    )
    visit = {"visit_id": range(50), "email": [f"u{i % 40}@example.com" for i in range(50)]}
    one = (
        "id int, d date, n bigint, x double, m decimal(10,2), s timestamp, g string",
        [(1, dt.date(1999, 8, 9), 4711, 0.75, Decimal("12.34"), dt.datetime(2012, 3, 4, 5, 6, 7), str(uuid.uuid4()))],
    )
    fk = {"columns": ["p_id"], "references": "p", "referenced_columns": ["p_id"]}
    mail = {"columns": ["email"], "references": "person", "referenced_columns": ["email"]}
    pii = ["email", "at", "code", "member", "worth", "pay", "born", "steps", "weight", "phone"]
    tables = {
        "p": {"primary_key": "p_id"},
        "t": {"primary_key": "t_id", "foreign_keys": [fk]},
        "person": {"primary_key": "email", "pii": pii},
        "visit": {"primary_key": "visit_id", "foreign_keys": [mail]},
        "one": {"primary_key": "id"},
    }
    rows = {"p": pd.DataFrame(p), "t": pd.DataFrame(t), "person": person, "visit": pd.DataFrame(visit)}
    return tables, {**rows, "one": one}


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("values")
    tables, rows = planted()
    metadata = Metadata.load({"tables": tables})
    model = fitted(spark, metadata, write_lake(spark, folder / "source", rows))
    model.generate({}, str(folder / "target"))
    frames = {t: model.io.read_dataset(str(folder / "target" / t)) for t in tables}
    assert key_faults(metadata, frames) == []
    assert model.trained is not None
    return {"rows": rows, "plans": model.trained.plans, **{t: f.toPandas() for t, f in frames.items()}}


def test_field_28_and_31_row_guids_are_uuids_and_unique(made: dict[str, Any]) -> None:
    for table, column, rows in (("p", "row_guid", ROOT), ("t", "guid", N)):
        found = [uuid.UUID(v) for v in made[table][column]]
        assert len(set(found)) == rows
        assert {u.version for u in found} == {4}
        assert {u.variant for u in found} == {uuid.RFC_4122}
        assert not {str(u) for u in found} & set(made["rows"][table][column])


def test_field_18_addresses_and_times_are_of_their_kind_and_unique(made: dict[str, Any]) -> None:
    assert len({ipaddress.IPv4Address(v) for v in made["p"]["ip"]}) == ROOT
    assert len({dt.time.fromisoformat(v) for v in made["p"]["clock"]}) == ROOT


def test_field_20_letters_are_of_the_alphabet_of_the_source(made: dict[str, Any]) -> None:
    text = "".join(made["p"]["name"])
    assert re.fullmatch(rf"[{GREEK}{GREEK.upper()}ς ]+", text)
    assert made["p"]["name"].str[0].str.isupper().all()
    assert not set(made["p"]["name"]) & set(made["rows"]["p"]["name"])


def test_field_31_numbers_stay_unique_and_where_they_were(made: dict[str, Any]) -> None:
    account, detail = made["p"]["batch_no"], made["t"]["detail_id"]
    assert account.is_unique
    assert account.between(100_000, 1_000_060).all()
    assert detail.is_unique
    assert detail.between(75_000, 75_000 + N).all(), "from a rounded number on"
    assert {"row_guid", "ip", "clock", "licence"} <= set(made["plans"]["p"].columns.named("unique"))
    assert set(made["plans"]["p"].columns.apart) == {"batch_no"}


def test_field_31_nulls_aside(made: dict[str, Any]) -> None:
    licence = made["p"]["licence"]
    known = licence.dropna()
    assert known.is_unique
    assert known.str.fullmatch(r"LIC-\d{5}").all()
    assert licence.isna().mean() == pytest.approx(0.25, abs=0.15)


def test_field_31_a_calendar_has_each_day_once_and_the_model_sees_it(made: dict[str, Any]) -> None:
    assert sorted(made["p"]["day"]) == [START + dt.timedelta(days=i) for i in range(ROOT)]
    assert [g.column for g in made["plans"]["p"].keys.grid] == ["day"]


def test_field_8_personal_data_of_every_type(made: dict[str, Any]) -> None:
    person = made["person"]
    kinds = {"at": dt.datetime, "code": (bytes, bytearray), "member": bool, "worth": Decimal, "pay": Decimal}
    for column, kind in {**kinds, "born": dt.date}.items():
        known = person[column].dropna()
        assert 20 <= len(known) < 40, column
        assert all(isinstance(v, kind) for v in known), column
    assert {v.as_tuple().exponent for v in person["pay"].dropna()} == {-2}
    assert {len(v) for v in person["code"].dropna()} <= {4, 5, 6}
    assert person["weight"].dropna().nunique() > 20


def test_field_25_and_review_23_a_personal_key_keeps_no_letter_of_the_source(made: dict[str, Any]) -> None:
    email = made["person"]["email"]
    assert email.is_unique
    assert email.str.fullmatch(r"[a-z]\d{1,2}@[a-z]{7}\.[a-z]{3}").all(), "the form of its kind"
    assert not email.str.contains("example").any()
    assert not made["person"]["phone"].str.startswith("+30 000").any()


def test_field_12_a_table_of_one_row(made: dict[str, Any]) -> None:
    assert len(made["one"]) == 1
    assert uuid.UUID(made["one"]["g"].iloc[0]).version == 4
    assert made["one"]["g"].iloc[0] != made["rows"]["one"][1][0][-1]
