"""The design of keys, from metadata alone: which column or parent tells rows apart. No Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.key_design import KeyDesign, design

ROOT = Path(__file__).parents[2]


def designed(name: str, tables: dict[str, Any], **rows: int) -> KeyDesign:
    metadata = Metadata.load({"tables": tables})
    return design(name, metadata.tables, {t: rows.get(t, 100) for t in tables})


def fk(columns: str, parent: str, **more: Any) -> dict[str, Any]:
    return {"columns": columns.split(","), "references": parent, "referenced_columns": columns.split(","), **more}


def test_a_modelled_key_column_stays_modelled_though_only_a_part_of_the_driving_key_is_in_the_primary_key() -> None:
    metadata = Metadata.load(ROOT / "conf" / "nycflights13.schema.json")
    flights = design("flights", metadata.tables, dict.fromkeys(metadata.tables, 1000))
    assert flights.tiebreak == ("flight",)
    assert flights.together == ("time_hour",)
    assert flights.numbered == []


def test_overlapping_keys_tell_rows_apart_by_parents() -> None:
    tables = {
        "item": {"primary_key": ["s", "k"]},
        "day": {"primary_key": ["s", "d"]},
        "sale": {"primary_key": ["s", "k", "d"], "foreign_keys": [fk("s,k", "item"), fk("s,d", "day")]},
    }
    found = designed("sale", tables, item=500)
    assert found.roles == {0: "driving", 1: "bound"}
    assert found.ties == {1: (("s", "s"),)}
    assert found.buckets == {1: ("s", "k")}


def test_a_line_number_is_counted_within_what_its_families_share() -> None:
    tables = {
        "item": {"primary_key": ["s", "k"]},
        "line": {"primary_key": ["s", "n"], "foreign_keys": [fk("s,k", "item")], "columns": {"n": "int"}},
    }
    assert designed("line", tables).spread == {"n": ("s",)}
