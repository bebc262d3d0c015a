"""Saved synthesizers and plans that somebody else may have written: each is read as it is, or refused. No Spark."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.types import IntegerType, StructField, StructType, UserDefinedType

from synthohive_spark import Metadata, Synthesizer
from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.errors import SerializationError
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.rules.loaded import read_plan
from synthohive_spark.schema.columns import ColumnPlan, ColumnsPlan
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.stage_writer import Trained
from synthohive_spark.tables import Constraint
from tests.models.test_artifact import trained

HOSTILE = "reflect('java.lang.System', 'exit', 1)"
OWN = "array_sort(split(`note`, ','))[0]"  # harmless, but of a function that no kind of rule uses
METADATA: dict[str, Any] = {
    "tables": {
        "customers": {"primary_key": "id"},
        "orders": {
            "primary_key": "id",
            "foreign_keys": [{"columns": ["customer"], "references": "customers", "referenced_columns": ["id"]}],
            "derived": {"total": "`price` * `amount`"},
            "constraints": [{"expression": "price > 0"}],
        },
    }
}


def plan_of_orders() -> TablePlan:
    types = {
        "id": "bigint",
        "customer": "bigint",
        "price": "double",
        "amount": "int",
        "total": "double",
        "note": "string",
    }
    json_types = {"bigint": "long", "int": "integer"}
    fields = [{"name": n, "type": json_types.get(t, t), "nullable": True, "metadata": {}} for n, t in types.items()]
    law = LinkageModel().fit({0: 1, 2: 3})
    key = ForeignKeyPlan(
        position=0,
        columns=("customer",),
        references="customers",
        referenced_columns=("id",),
        role="driving",
        null_share=0.0,
        distribution=law.to_dict(),
    )
    rules = [
        {"kind": "derived", "column": "total", "expression": "`price` * `amount`", "whole": True, "declared": True},
        {
            "kind": "null_implication",
            "column": "note",
            "causes": ["amount"],
            "expression": "if(`amount` is null, null, `note`)",
        },
    ]
    plan = TablePlan(
        table="orders",
        rows=6,
        keys=KeysPlan(primary_key=("id",), foreign=(key,)),
        columns=ColumnsPlan(
            each=tuple(ColumnPlan(name=n, type=t, role="model") for n, t in types.items()),
            spark_schema={"type": "struct", "fields": fields},
            bounds=(Constraint(expression="price > 0"), Constraint(column="amount", min=1)),
        ),
    )
    state = json.loads(plan.model_dump_json())
    state["rules"]["each"] = rules
    return read_plan(state)


@pytest.fixture(scope="module")
def model() -> bytes:
    return trained("autoregressive")


@pytest.fixture(scope="module")
def plan() -> TablePlan:
    return plan_of_orders()


@pytest.fixture
def saved(model: bytes, plan: TablePlan, tmp_path: Path) -> Path:
    whole = Synthesizer(Metadata.load(METADATA), model="autoregressive")
    columns = ColumnsPlan(each=(), spark_schema={"type": "struct", "fields": []})
    plans = {"customers": TablePlan(table="customers", rows=4, columns=columns), "orders": plan}
    artifacts = {"customers": Artifact(), "orders": Artifact(model)}
    whole._orchestrator.trained = Trained(plans, artifacts, lambda table: None, {"seed": "1"}, {"orders": "/lake"})  # type: ignore[arg-type, return-value]
    whole.save(tmp_path)
    return tmp_path


Change = Callable[[dict[str, Any]], None]


def state(act: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Another saved state."""

    def change(folder: Path) -> None:
        file = folder / "synthesizer.json"
        loaded = json.loads(file.read_text())
        act(loaded)
        file.write_text(json.dumps(loaded))

    return change


def written(act: Callable[[str], str]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "synthesizer.json"
        file.write_text(act(file.read_text()))

    return change


def orders(act: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    return state(lambda s: act(s["plans"]["orders"]))


def folder_instead(folder: Path) -> None:
    (folder / "synthesizer.json").unlink()
    (folder / "synthesizer.json").mkdir()


def linked(folder: Path) -> None:
    (folder / "models" / "1.zip").rename(folder / "elsewhere")
    (folder / "models" / "1.zip").symlink_to(folder / "elsewhere")


def linked_folder(folder: Path) -> None:
    (folder / "models").rename(folder / "elsewhere")
    (folder / "models").symlink_to(folder / "elsewhere")


def swapped(folder: Path) -> None:
    zips = [folder / "models" / f"{i}.zip" for i in (0, 1)]
    contents = [file.read_bytes() for file in zips]
    for file, content in zip(zips, reversed(contents), strict=True):
        file.write_bytes(content)


def udt() -> Any:
    """What runs code when pyspark reads it: a type of a user's own, pickled."""

    class Evil(UserDefinedType):
        @classmethod
        def sqlType(cls) -> IntegerType:
            return IntegerType()

        @classmethod
        def module(cls) -> str:
            return "__main__"

    return StructType([StructField("id", Evil(), True)]).jsonValue()


def field(**new: Any) -> Callable[[dict[str, Any]], object]:
    return lambda p: p["columns"]["spark_schema"]["fields"][0].update(new)


TREE = {
    "feature": [0, -1, -1],
    "threshold": [1.0, 0.0, 0.0],
    "left": [1, -1, -1],
    "right": [2, -1, -1],
    "leaf": [-1, 0, 1],
}
ROUND = {**TREE, "left": [0, -1, -1]}  # a question that leads to itself
FEATURES = {"columns": {"size": {"kind": "number", "fill": 1.0}}}
LAW = {"method": "empirical", "values": [0, 2], "parents": [1, 3]}


def law(**new: Any) -> Callable[[dict[str, Any]], object]:
    return lambda p: p["keys"]["foreign"][0].update(distribution={**LAW, **new})


def matching(value: Any) -> Callable[[Path], None]:
    return state(lambda s: s["matching"].update(orders=value))


def rule(**new: Any) -> Callable[[dict[str, Any]], object]:
    return lambda p: p["rules"]["each"].append({"kind": "derived", "column": "price", "whole": True, **new})


CORRUPTIONS: dict[str, Callable[[Path], None]] = {
    "no file": lambda f: (f / "synthesizer.json").unlink(),
    "no model": lambda f: (f / "models" / "1.zip").unlink(),
    "no models": lambda f: shutil.rmtree(f / "models"),
    "a file that is a folder": folder_instead,
    "a link to a model": linked,
    "a link to the models": linked_folder,
    "models of other tables": swapped,
    "half a file": written(lambda t: t[: len(t) // 2]),
    "an empty file": written(lambda t: ""),
    "a list": written(lambda t: f"[{t}]"),
    "a file nested too deeply": written(lambda t: "[" * 200_000),
    "a file of seventy megabytes": written(lambda t: t + " " * (70 * 2**20)),
    "a field twice": written(lambda t: t.replace("{", '{"format": 1,', 1)),
    "a number that is none": written(lambda t: t.replace('"null_share": 0.0', '"null_share": NaN', 1)),
    "another format": state(lambda s: s.update(format=9)),
    "a field that nobody knows": state(lambda s: s.update(code="import os")),
    "no plans": state(lambda s: s.pop("plans")),
    "plans that are a list": state(lambda s: s.update(plans=[])),
    "one plan less": state(lambda s: s["plans"].pop("customers")),
    "plans under other names": state(lambda s: s["plans"].update(customers=s["plans"]["orders"])),
    "another hash": state(lambda s: s["models"].update(orders="0" * 64)),
    "no matching": state(lambda s: s.update(matching={})),
    "matching that is a number": matching(1),
    "matching of nothing": matching("{}"),
    "matching that is no JSON": matching("{"),
    "lineage that is a text": state(lambda s: s.update(lineage="x")),
    "metadata of another form": state(lambda s: s["metadata"]["tables"]["orders"].update(code="x")),
    "a plan with a field more": orders(lambda p: p.update(code="x")),
    "a plan without columns": orders(lambda p: p.pop("columns")),
    "rows that are a text": orders(lambda p: p.update(rows="many")),
    "a role that nobody knows": orders(lambda p: p["columns"]["each"][0].update(role="code")),
    "a rule of a kind that nobody knows": orders(lambda p: p["rules"]["each"][0].update(kind="pickle")),
    "a law of another method": orders(law(method="pickle")),
    "a law of two lengths": orders(law(values=[1, 2, 3])),
    "a law of texts": orders(law(values=["a", "b"])),
    "a law of negative counts": orders(law(values=[-1, 2])),
    "a law of astronomic counts": orders(law(values=[0, 10**30])),
    "a tree that goes round": orders(law(leaves={"features": FEATURES, "tree": ROUND, "laws": [LAW, LAW]})),
    "a tree of two lengths": orders(law(leaves={"features": FEATURES, "tree": {**TREE, "leaf": [0]}, "laws": [LAW]})),
    "a feature that is code": orders(
        law(
            leaves={
                "features": {"columns": {"x": {"kind": "number", "fill": HOSTILE}}},
                "tree": TREE,
                "laws": [LAW, LAW],
            }
        )
    ),
    "a schema that is a number": orders(lambda p: p["columns"]["spark_schema"].update(fields=7)),
    "a schema of a type of the user's": orders(lambda p: p["columns"].update(spark_schema=udt())),
    "a type that is a statement": orders(lambda p: p["columns"]["each"][0].update(type="bigint) or reflect('a', 'b'")),
    "a text type that is a statement": orders(
        field(metadata={"__CHAR_VARCHAR_TYPE_STRING": "varchar(3) generated always as (x)"})
    ),
}
DICTIONARY = {"entries": {"=1": ["=a"]}, "others": ["=b"], "type": "string"}
HOSTILES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a derived column": rule(expression=HOSTILE),
    "a derived column that says it was declared": rule(expression=HOSTILE, declared=True),
    "what is null": lambda p: p["rules"]["each"][1].update(expression=HOSTILE),
    "a condition": lambda p: p["columns"]["bounds"].append({"expression": HOSTILE}),
    "a check": lambda p: p["design"].update(checks={"sane": f"({HOSTILE}) is true"}),
    "a check that closes its bracket": lambda p: p["design"].update(checks={"sane": "1 = 1) or (1 = 1"}),
    "a generated column": lambda p: p["design"].update(generated={"price": HOSTILE}),
    "a default": field(metadata={"CURRENT_DEFAULT": HOSTILE}),
    "a default with a clause behind it": field(metadata={"CURRENT_DEFAULT": "1 GENERATED ALWAYS AS (2)"}),
    "what Delta computes": field(metadata={"delta.generationExpression": HOSTILE}),
    "a dictionary's part": lambda p: p["rules"]["each"].append(
        {"kind": "dictionary", "column": "note", "inputs": ["price"], "view": HOSTILE, **DICTIONARY}
    ),
    "a dictionary's type": lambda p: p["rules"]["each"].append(
        {"kind": "dictionary", "column": "note", "inputs": ["price"], **DICTIONARY, "type": f"int) || {HOSTILE} || (0"}
    ),
    "an aggregate of children": lambda p: p["rules"]["each"].append(
        {
            "kind": "aggregate",
            "column": "price",
            "expression": "__child0",
            "children": [{"table": "lines", "columns": ["o"], "referenced": ["id"], "sql": f"max({HOSTILE})"}],
        }
    ),
    "an aggregate": lambda p: p["rules"]["each"].append(
        {
            "kind": "aggregate",
            "column": "price",
            "expression": f"__child0 + {HOSTILE}",
            "children": [{"table": "lines", "columns": ["o"], "referenced": ["id"], "sql": "count(1)"}],
        }
    ),
    "a query": rule(expression="(select max(id) from parquet.`/etc`)"),
}


def test_what_was_saved_is_read_as_it_was(saved: Path, plan: TablePlan) -> None:
    loaded = Synthesizer.load(saved, model="autoregressive")
    assert loaded._trained.plans["orders"] == plan
    loaded.save(saved / "again")
    assert (saved / "again" / "synthesizer.json").read_text() == (saved / "synthesizer.json").read_text()


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_corrupt_folder_is_told_with_a_way_out(saved: Path, corruption: str) -> None:
    CORRUPTIONS[corruption](saved)
    with pytest.raises(SerializationError, match=rf"(?s){saved}.*(train again|fit again|give the folder)"):
        Synthesizer.load(saved, model="autoregressive")


@pytest.mark.parametrize("place", HOSTILES)
def test_hostile_sql_of_a_plan_is_refused_with_its_place(saved: Path, place: str) -> None:
    orders(HOSTILES[place])(saved)
    with pytest.raises(
        SerializationError, match=r"the plan of orders may not run: (rules|columns|design)\..*train again"
    ):
        Synthesizer.load(saved, model="autoregressive")


def test_what_ones_own_metadata_declare_is_ones_word(saved: Path) -> None:
    own = json.loads(json.dumps(METADATA))
    own["tables"]["orders"]["derived"]["note"] = OWN

    def declare(loaded: dict[str, Any]) -> None:
        loaded["metadata"]["tables"]["orders"]["derived"]["note"] = OWN
        said = {"kind": "derived", "column": "note", "expression": OWN, "whole": True, "declared": True}
        loaded["plans"]["orders"]["rules"]["each"][1] = said

    state(declare)(saved)
    with pytest.raises(SerializationError, match="array_sort"):
        Synthesizer.load(saved, model="autoregressive")
    with pytest.raises(SerializationError, match="array_sort"):
        Synthesizer.load(saved, model="autoregressive", metadata=Metadata.load(METADATA))
    assert (
        Synthesizer.load(saved, model="autoregressive", metadata=Metadata.load(own)).metadata.tables["orders"].derived
    )


def test_hostile_metadata_are_refused_before_a_fit_would_run_them(saved: Path) -> None:
    state(lambda s: s["metadata"]["tables"]["orders"]["derived"].update(note=HOSTILE))(saved)
    with pytest.raises(SerializationError, match="its metadata may not run: a call of reflect"):
        Synthesizer.load(saved, model="autoregressive")
