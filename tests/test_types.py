"""Every type of Spark goes through the pipeline and keeps its values, or is refused by name before any work."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.metadata import Metadata
from synthohive_spark.parallel import side_by_side
from tests.lakes import config_file, fitted, run_job

pytestmark = pytest.mark.spark
Tables: TypeAlias = dict[str, dict[str, tuple[str, list[Any]]]]
ROWS, SOME = 60, 6  # rows of a table, and of them those that hold something special
WIDE = Context(prec=80)
UTC = dt.timezone.utc


@dataclass(frozen=True)
class Kind:
    """A type of Spark.

    Attributes:
        sql: its name.
        ends: its extremes.
        make: a value for each number; other numbers have other values.
    """

    sql: str
    ends: tuple[Any, ...]
    make: Callable[[int], Any]

    @property
    def key_ends(self) -> tuple[Any, ...]:
        """Extremes that a key may be."""
        return tuple(e for e in self.ends if e not in (float("inf"), "", "x" * 300))

    @property
    def name(self) -> str:
        """A name for tables and columns."""
        return "".join(ch if ch.isalnum() else "_" for ch in self.sql)


def whole(sql: str, bits: int) -> Kind:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return Kind(sql, (low, high), lambda i: low + 7 + i * (high // 80))


KINDS = (
    whole("tinyint", 8),
    whole("smallint", 16),
    whole("int", 32),
    whole("bigint", 64),
    Kind("float", (-(2.0**127), 1.5, float("inf")), lambda i: i + 0.5),
    Kind("double", (-1.7e308, 5e-324, float("inf")), lambda i: i * 0.25),
    Kind("decimal(10,2)", (Decimal("-99999999.99"), Decimal("99999999.99")), lambda i: Decimal(i * 101).scaleb(-2)),
    Kind("decimal(20,0)", (Decimal(-(10**20) + 1), Decimal(10**20 - 1)), lambda i: Decimal(2**63 + i * 10**10 + 1)),
    Kind("decimal(38,0)", (Decimal(1 - 10**38), Decimal(10**38 - 1)), lambda i: Decimal(10**37 + i * 10**20 + 1)),
    Kind(
        "decimal(38,10)",
        (Decimal("-9999999999999999999999999999.9999999999"),),
        lambda i: Decimal(10**30 + i * 11**9).scaleb(-10),
    ),
    Kind("date", (dt.date(1, 1, 1), dt.date(9999, 12, 31)), lambda i: dt.date(2020, 1, 1) + dt.timedelta(days=3 * i)),
    Kind(
        "timestamp",
        (dt.datetime(1, 1, 1, tzinfo=UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        lambda i: dt.datetime(2020, 1, 1, 0, 0, 0, i, tzinfo=UTC) + dt.timedelta(hours=7 * i),
    ),
    Kind(
        "timestamp_ntz",
        (dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
        lambda i: dt.datetime(2020, 1, 1, 0, 0, 0, i) + dt.timedelta(hours=7 * i),
    ),
    Kind("boolean", (False, True), lambda i: i % 2 == 0),
    Kind("string", ("", "x" * 300), lambda i: f"k-{i:03d}"),
    Kind("char(3)", ("a  ", "zzz"), lambda i: f"{chr(97 + i % 26)}{i // 26:02d}"),
    Kind("varchar(5)", ("", "zzzzz"), lambda i: f"v{i:04d}"),
    Kind("binary", (b"\x00", b"\xff" * 16), lambda i: i.to_bytes(4, "big") + b"\x00"),
)
# One key for each way in which keys are made or carried; the slow test has all of them.
QUICK = ("tinyint", "bigint", "double", "decimal(20,0)", "date", "timestamp_ntz", "boolean", "char(3)", "binary")
KEYS = tuple(kind for kind in KINDS if kind.sql in QUICK)


def columns(kind: Kind) -> dict[str, tuple[str, list[Any]]]:
    """Columns of a type: {name: (DDL, values)}."""
    rng = random.Random(kind.sql)

    def mixed(*extra: Any) -> list[Any]:
        several = [v for v in extra for _ in range(SOME)]
        values = [kind.make(i % 7) for i in range(ROWS - len(several))] + several
        return rng.sample(values, ROWS)

    nan = [float("nan")] if kind.sql in ("float", "double") else []
    return {
        f"{kind.name} set": (f"{kind.sql} NOT NULL", mixed(*nan)),
        f"{kind.name} some": (kind.sql, mixed(None, None, *nan)),
        f"{kind.name} none": (kind.sql, [None] * ROWS),
        f"{kind.name} one": (kind.sql, [kind.make(3)] * ROWS),
        f"{kind.name} ends": (kind.sql, mixed(*kind.ends)),
        f"{kind.name} own": (kind.sql, mixed(None)),
    }


def database(kinds: Sequence[Kind]) -> tuple[Tables, dict[str, Any]]:
    """Attributes of every type, a parent for each of some types of keys, and a child of all of them."""
    whole = {"id": ("bigint NOT NULL", list(range(ROWS)))}
    for kind in KINDS:
        whole |= columns(kind)
    tables, keys = {"whole": whole}, []
    metadata: dict[str, Any] = {"whole": {"primary_key": "id", "pii": [f"{kind.name} own" for kind in KINDS]}}
    child: dict[str, tuple[str, list[Any]]] = {"n": ("int NOT NULL", list(range(ROWS)))}
    for i, kind in enumerate(kinds):
        made = [kind.make(j) for j in range(ROWS // 4)]
        own = list(dict.fromkeys([*kind.key_ends, *made]))
        tables[kind.name] = {"id": (f"{kind.sql} NOT NULL", own)}
        metadata[kind.name] = {"primary_key": "id"}
        held = random.Random(i).choices(own, k=ROWS)
        held[: i % 3 * SOME] = [None] * (i % 3 * SOME)
        child[f"{kind.name} id"] = (kind.sql, held)
        keys.append(key(f"{kind.name} id", kind.name))
    child["whole"] = ("bigint NOT NULL", [i % ROWS for i in range(0, 3 * ROWS, 3)])
    child["seen"] = ("double", [i * 0.5 for i in range(ROWS)])
    tables["child"] = child
    driving = {**key("whole", "whole"), "nullable": False, "driving": True}
    metadata["child"] = {"primary_key": "n", "foreign_keys": [driving, *keys]}
    return tables, metadata


def key(column: str, parent: str) -> dict[str, Any]:
    return {"columns": [column], "references": parent, "referenced_columns": ["id"], "nullable": True}


def write(spark: SparkSession, folder: Path, tables: Tables) -> None:
    """Delta tables of columns with their DDL; names with spaces, as people have them."""

    def one(table: str) -> None:
        parts = tables[table]
        ddl = ", ".join(f"`{c}` {kind}" for c, (kind, _) in parts.items())
        place = f"delta.`{folder / table}`"
        spark.sql(f"CREATE TABLE {place} ({ddl}) USING DELTA TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
        plain = re.sub(r"(var)?char\(\d\)", "string", ddl)
        rows = list(zip(*(values for _, values in parts.values()), strict=True))
        spark.createDataFrame(rows, plain).coalesce(1).writeTo(place).append()

    side_by_side(one, tables)


@dataclass(frozen=True)
class Copy:
    """What is in the source and in the target, as Python values."""

    real: dict[str, pa.Table]
    made: dict[str, pa.Table]

    def values(self, side: str, table: str, column: str) -> list[Any]:
        """Values of a column; NaN is a value like any other."""
        return [repr(v) if v is not None else None for v in getattr(self, side)[table].column(column).to_pylist()]


def run(spark: SparkSession, folder: Path, kinds: Sequence[Kind], **groups: Any) -> Copy:
    """The pipeline over the database."""
    tables, metadata = database(kinds)
    write(spark, folder / "source", tables)
    done = run_job(cli.pipeline, "--config", config_file(folder, metadata, **groups))
    assert done.code == 0, done.err[-3000:]
    return read(spark, folder, tables)


def read(spark: SparkSession, folder: Path, tables: Tables) -> Copy:
    sides = [
        side_by_side(lambda t, s=side: spark.read.format("delta").load(str(folder / s / t)).toArrow(), tables)
        for side in ("source", "target")
    ]
    return Copy(sides[0], sides[1])


@pytest.fixture(scope="module")
def copy(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """All types are learnt and made, with the trivial model.

    tests/evaluation/test_evaluate_columns.py compares them; the slow test of this file has the whole pipeline.
    """
    folder = tmp_path_factory.mktemp("types")
    tables, metadata = database(KEYS)
    write(spark, folder / "source", tables)
    places = {t: str(folder / "source" / t) for t in tables}
    fitted(spark, Metadata.load({"tables": metadata}), places).generate({}, str(folder / "target"))
    return read(spark, folder, tables)


def by_name(kind: Kind) -> str:
    return kind.name


@pytest.mark.parametrize("kind", KINDS, ids=by_name)
def test_values_of_every_type(copy: Copy, kind: Kind) -> None:
    assert copy.made["whole"].schema.types == copy.real["whole"].schema.types
    for column in ("set", "some", "none", "one", "ends"):
        name = f"{kind.name} {column}"
        real, made = copy.values("real", "whole", name), copy.values("made", "whole", name)
        assert len(made) == ROWS
        if kind.sql == "binary":  # whose values are placeholders
            assert {len(v) for v in copy.made["whole"].column(name).to_pylist() if v is not None} <= set(range(1, 17))
        else:
            assert {v for v in made if v is not None} <= {v for v in real if v is not None}, name
        missing = made.count(None)
        if column in ("some",):
            assert 0 < missing < 5 * SOME, name
            assert made.count("nan") > 0 or "nan" not in real
        else:
            assert missing == real.count(None), name
    own = copy.values("made", "whole", f"{kind.name} own")
    assert any(v is not None for v in own)
    assert own.count(None) < 5 * SOME


@pytest.mark.parametrize("kind", KEYS, ids=by_name)
def test_keys_of_every_type(copy: Copy, kind: Kind) -> None:
    real, made = copy.values("real", kind.name, "id"), copy.values("made", kind.name, "id")
    assert copy.made[kind.name].schema.types == copy.real[kind.name].schema.types
    assert None not in made
    assert len(set(made)) == len(real)
    held = copy.values("made", "child", f"{kind.name} id")
    assert {v for v in held if v is not None} <= set(made)
    assert held.count(None) == copy.values("real", "child", f"{kind.name} id").count(None)


def test_field_03_sentinel_timestamps_are_kept(copy: Copy) -> None:
    for name in ("timestamp ends", "timestamp_ntz ends"):
        assert any("9999, 12, 31, 23, 59, 59, 999999" in f"{v}" for v in copy.values("made", "whole", name))


def test_field_04_decimals_of_38_digits_are_exact(copy: Copy) -> None:
    for name in ("decimal_38_0_", "decimal_38_10_"):
        made = copy.values("made", "whole", f"{name} set")
        assert {len(Decimal(v[9:-2]).as_tuple().digits) for v in made} <= {31, 38}
        assert set(made) <= set(copy.values("real", "whole", f"{name} set"))


@pytest.mark.parametrize("name", ["float", "double"])
def test_field_07_nan_is_a_value_beside_null(copy: Copy, name: str) -> None:
    needed, free = copy.values("made", "whole", f"{name} set"), copy.values("made", "whole", f"{name} some")
    assert 0 < needed.count("nan") < 5 * SOME
    assert None not in needed
    assert 0 < free.count("nan") < 5 * SOME
    assert 0 < free.count(None) < 6 * SOME


def test_field_09_keys_beyond_a_long_are_exact(copy: Copy) -> None:
    keys = [Decimal(v[9:-2]) for v in copy.values("made", "decimal_20_0_", "id")]
    assert min(keys) < -(2**63)
    assert max(keys) > 2**63
    assert len(set(keys)) == len(copy.values("real", "decimal_20_0_", "id"))


def test_field_10_a_boolean_key_is_false_and_true(copy: Copy) -> None:
    assert sorted(copy.values("made", "boolean", "id")) == ["False", "True"]


ODD = {
    "words": ("array<string>", [["a"], ["b", "c"]]),
    "marks": ("map<string,int>", [{"a": 1}, None]),
    "place": ("struct<x:int,y:int>", [(1, 2), None]),
    "parts": ("array<struct<a:int>> NOT NULL", [[(1,)], [(2,)]]),
    "own": ("map<string,string>", [{"name": "x"}, None]),
}


@pytest.fixture(scope="module")
def odd(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables with columns of types that are not carried."""
    folder = tmp_path_factory.mktemp("odd")
    key: dict[str, tuple[str, list[Any]]] = {"id": ("int NOT NULL", [1, 2])}
    write(spark, folder / "source", {"a": {**key, **ODD}, "b": {"words": ODD["words"], **key}})
    return folder


def test_field_17_types_that_are_not_carried_are_refused_by_name(odd: Path) -> None:
    done = run_job(cli.pipeline, "--config", config_file(odd, {t: {"primary_key": "id"} for t in "ab"}))
    assert done.code == 2
    for place in ("a.words", "a.marks", "a.parts", "a.own", "b.words"):
        assert f"{place}: values of type" in done.line["error"]
    assert "a.place" not in done.line["error"], "fields of structs are carried"
    assert "exclude: [...]" in done.line["error"]
    assert not (odd / "target").exists()
    assert not done.events("training_task_submitted")


def test_a_draft_excludes_them(odd: Path) -> None:
    done = run_job(cli.ingest, "--config", config_file(odd, {}), "--draft-metadata", str(odd / "draft.yaml"))
    assert done.code == 0, done.err
    drafted = Metadata.load(odd / "draft.yaml").tables
    assert drafted["a"].exclude == tuple(c for c in ODD if c != "place")
    assert drafted["b"].exclude == ("words",)


def test_excluded_columns_are_null_or_not_on_the_copy(spark: SparkSession, odd: Path) -> None:
    tables = {
        "a": {"primary_key": "id", "exclude": ["words", "marks", "place", "parts"], "pii": ["own"]},
        "b": {"primary_key": "id", "exclude": ["words"], "reference": True},
    }
    done = run_job(cli.pipeline, "--config", config_file(odd, tables, evaluate={"fail_under": 0}))
    assert done.code == 0, done.err[-3000:]
    left = {e["table"]: (e["null"], e["absent"]) for e in done.events("columns_left_out")}
    assert left == {"a": (["words", "marks", "place", "own"], ["parts"]), "b": (["words"], [])}
    made = {t: spark.read.format("delta").load(str(odd / "target" / t)) for t in "ab"}
    assert made["a"].columns == ["id", "words", "marks", "place", "own"]
    assert made["b"].columns == ["words", "id"]
    assert made["a"].schema["place"].dataType.simpleString() == "struct<x:int,y:int>"
    for table in "ab":
        rows = [r.asDict() for r in made[table].collect()]
        assert [r.pop("id") for r in rows] == [1, 2]
        assert all(v is None for r in rows for v in r.values())


def test_too_few_keys_for_the_rows_wanted_are_refused_before_training(spark: SparkSession, tmp_path: Path) -> None:
    tables: Tables = {
        "flag": {"id": ("boolean NOT NULL", [True, False]), "v": ("int", [1, 2])},
        "tiny": {"id": ("tinyint NOT NULL", [i - 50 for i in range(100)])},
        "wide": {"id": ("bigint NOT NULL", [i * 2 for i in range(60)])},
        "child": {"id": ("int NOT NULL", list(range(60))), "up": ("smallint", [i * 2 for i in range(60)])},
        "leaf": {"id": ("int NOT NULL", [1]), "up": ("tinyint", [100])},
    }
    write(spark, tmp_path / "source", tables)
    metadata: dict[str, Any] = {t: {"primary_key": "id"} for t in tables}
    up = {"columns": ["up"], "references": "wide", "referenced_columns": ["id"], "nullable": True}
    metadata["child"]["foreign_keys"] = metadata["leaf"]["foreign_keys"] = [up]
    file = config_file(tmp_path, metadata, generate={"scale": 5.0})
    done = run_job(cli.pipeline, "--config", file)
    assert done.code == 2
    for place, type_, keys in (("flag", "boolean", 10), ("tiny", "tinyint", 500), ("wide", "bigint", 300)):
        assert f"{place}.id: {keys} different keys of type {type_} are needed" in done.line["error"]
    assert "lower generate.scale or generate.rows.flag" in done.line["error"]
    assert not done.events("training_task_submitted")
    assert not (tmp_path / "target").exists()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ctgan", "autoregressive"])
def test_every_type_with_a_real_model(spark: SparkSession, tmp_path: Path, model: str) -> None:
    made = run(
        spark, tmp_path, KINDS, train={"model": model, "epochs": 2, "max_seconds": 20}, evaluate={"fail_under": 0}
    )
    for kind in KINDS:
        assert None not in made.values("made", "whole", f"{kind.name} set")
        assert set(made.values("made", "whole", f"{kind.name} none")) == {None}
        if kind.sql != "binary":
            one = made.values("real", "whole", f"{kind.name} one")  # as Spark reads it: a decimal has its type's scale
            assert set(made.values("made", "whole", f"{kind.name} one")) == set(one)
            assert len(set(one)) == 1
        keys = made.values("made", kind.name, "id")
        assert len(set(keys)) == len(keys) == len(made.values("real", kind.name, "id"))
        held = made.values("made", "child", f"{kind.name} id")
        assert {v for v in held if v is not None} <= set(keys)
