"""Names that leave their place, and places that are not apart, are refused before any work and without a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.config import load_config
from synthohive_spark.errors import ConfigError, SchemaValidationError
from synthohive_spark.lake.places import RECORDS, place_problems
from synthohive_spark.location import Address, Location, Spot, TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.registry import TABLES

ODD = st.text(st.sampled_from(" #?%&+=;,'\"`{}[]*.~$:-\\é😀ab1\n"), min_size=1, max_size=9)


def config(tmp_path: Path, tables: tuple[str, ...] = ("users",), **groups: Any) -> str:
    places = {p: {"path": str(tmp_path / p)} for p in ("source", "target", "workspace")}
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps({**places, "metadata": {"tables": {t: {} for t in tables}}, **groups}))
    return str(file)


def refused(tmp_path: Path, **groups: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(config(tmp_path, **groups))
    assert raised.value.exit_code == 2
    return str(raised.value)


def spot(path: str) -> Spot:
    return Spot.of(Location(path=path))


@pytest.mark.parametrize(
    "same",
    ["{}/", "{}//", "{}/.", "{}/x/..", "{}/../source", "//{}", "file:{}", "file://{}", "file:///{}/", "{}/../link"],
)
def test_a_target_that_is_the_source_is_refused(tmp_path: Path, same: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "source")
    written = same.format(tmp_path / "source")
    text = refused(tmp_path, target={"path": written})
    assert f"source ({tmp_path / 'source'}) and target ({written}) are the same place; give each" in text


def test_a_relative_path_is_the_same_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "are the same place" in refused(tmp_path, target={"path": "./source"})


@pytest.mark.parametrize(
    ("inner", "outer"),
    [("target", "source"), ("source", "target"), ("workspace", "source"), ("workspace", "target")],
)
@pytest.mark.parametrize("linked", [False, True])
def test_a_place_inside_another_is_refused(tmp_path: Path, inner: str, outer: str, linked: bool) -> None:
    (tmp_path / outer).mkdir()
    within = tmp_path / outer / "deep" / "down"
    if linked:
        (tmp_path / "link").symlink_to(tmp_path / outer)
        within = tmp_path / "link" / "deep" / "down"
    text = refused(tmp_path, **{inner: {"path": str(within)}})
    assert "lie inside one another" in text
    assert str(within) in text
    assert str(tmp_path / outer) in text


@pytest.mark.parametrize("dangling", [False, True])
def test_a_table_that_is_a_link_into_the_source_is_refused(tmp_path: Path, dangling: bool) -> None:
    (tmp_path / "target").mkdir()
    if not dangling:
        (tmp_path / "source" / "users").mkdir(parents=True)
    (tmp_path / "target" / "users").symlink_to(tmp_path / "source" / "users")
    text = refused(tmp_path)
    assert f"table users of the source (delta.`{tmp_path}/source/users`) and table users of the target" in text


def test_the_workspace_s_tables_are_compared_too(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "models").symlink_to(tmp_path / "source" / "users")
    assert "table models of the workspace" in refused(tmp_path)
    assert set(RECORDS) == set(TABLES)


@pytest.mark.parametrize(
    ("source", "target"), [("main.gold", "MAIN.Gold"), ("gold", "gold"), ("gold", "GOLD")], ids=["two", "one", "case"]
)
def test_a_schema_that_is_the_source_s_is_refused_in_any_case(tmp_path: Path, source: str, target: str) -> None:
    text = refused(tmp_path, source={"schema": source}, target={"schema": target})
    assert f"source (schema {source}) and target (schema {target}) are the same place" in text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("s3://lake/a", "s3a://LAKE/a/", True),
        ("s3://lake/a", "s3n://lake/x/../a", True),
        ("abfss://c@acc.dfs.core.windows.net/a", "abfs://c@acc.dfs.core.windows.net//a", True),
        ("dbfs:/a", "/dbfs/a", True),
        ("dbfs:/a", "dbfs:///a", True),
        ("hdfs://node:8020/a", "hdfs://node:8020/a/b/..", True),
        ("s3://lake/a", "s3://lake/a#1", False),
        ("s3://lake/a", "s3://lake/a%2F", False),
        ("s3://lake/a", "s3://pond/a", False),
        ("s3://lake/a", "gs://lake/a", False),
        ("s3://lake/a", "/lake/a", False),
        ("/x/lake", "/x/lake#1", False),
        ("/x/lake", "/x/lake?v=1", False),
        ("/x/lake", "/x/lake2", False),
        ("/x/a b", "/x/a%20b", False),
    ],
)
def test_stores_and_their_folders_are_told_apart(one: str, other: str, same: bool) -> None:
    assert (spot(one).within(spot(other)) and spot(other).within(spot(one))) is same
    assert (spot(one).within(spot(other)) or spot(other).within(spot(one))) is same
    assert spot(f"{one}/deep").within(spot(other)) is same


@given(st.lists(ODD.filter(lambda n: n not in (".", "..")), min_size=2, max_size=2, unique=True))
def test_two_folders_of_different_names_are_apart_and_their_subfolders_are_inside(names: list[str]) -> None:
    one, other = (f"/a lake/{name}" for name in names)
    assert place_problems({"a": Location(path=one), "b": Location(path=other)}) == []
    assert len(place_problems({"a": Location(path=one), "b": Location(path=f"{one}/{names[1]}")})) == 1
    assert len(place_problems({"a": Location(path=one), "b": Location(path=f"file://{one}/")})) == 1
    assert Address.parse(one).path == one, "no character of a path is decoded or cut"
    assert TableRef.parse(one).path == one


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"path": ""}, "target: Value error, path is empty, which would mean the root of the file system"),
        ({"path": "  "}, "target: Value error, path is empty"),
        ({"path": "s3:bucket/lake"}, "'s3:bucket/lake' is neither a folder nor a full address"),
        ({"path": "file:lake"}, "'file:lake' is neither a folder nor a full address"),
        ({"schema": ""}, "target: Value error, schema '' is no name of one or two parts"),
        ({"schema": "a..b"}, "schema 'a..b' is no name of one or two parts"),
        ({"schema": "a.b.c"}, "schema 'a.b.c' is no name of one or two parts"),
    ],
)
def test_a_place_that_is_none_is_refused(tmp_path: Path, place: dict[str, str], message: str) -> None:
    assert message in refused(tmp_path, target=place)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"rows": {"users": -5}}, "generate.rows.users: Input should be greater than or equal to 1 (got -5)"),
        ({"rows": {"users": 0}}, "generate.rows.users: Input should be greater than or equal to 1 (got 0)"),
        ({"scale": float("inf")}, "generate.scale: Input should be a finite number"),
        ({"scale": -1}, "generate.scale: Input should be greater than 0"),
    ],
)
def test_fewer_rows_than_one_are_refused(tmp_path: Path, group: dict[str, Any], message: str) -> None:
    assert message in refused(tmp_path, generate=group)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../x", "holds a slash"),
        ("a/b", "holds a slash"),
        ("s3://other/x", "holds a slash"),
        ("/", "holds a slash"),
        ("..", "has a meaning of its own"),
        (".", "has a meaning of its own"),
        ("_delta_log", "has a meaning of its own"),
        ("", "is empty"),
        (" ", "is empty"),
        ("a\0b", "holds a character that no file name can hold"),
    ],
)
def test_a_table_name_that_leaves_its_place_is_refused(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(SchemaValidationError) as raised:
        load_config(config(tmp_path, (name, "fine")))
    assert raised.value.problems == [f"{name!r}: the table's name {why}{raised.value.problems[0].partition(why)[2]}"]
    for place in (Location(path=str(tmp_path)), Location(schema_name="a.b")):
        with pytest.raises(ConfigError, match=why):
            place.table(name)


def test_names_that_differ_in_case_alone_are_refused() -> None:
    with pytest.raises(SchemaValidationError) as raised:
        Metadata.load({"tables": {"Users": {}, "users": {}, "orders": {}}}).validate_schema()
    assert raised.value.problems == ["'users' and 'Users': the tables' names differ in case alone; rename one of them"]
