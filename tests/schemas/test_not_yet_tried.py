"""What FIELD.md says nobody has tried: one small planted database each, all in one lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted
from tests.schemas.delta_files import read_delta, write_delta
from tests.schemas.generator import Column, Database, Reference, Shape, metadata
from tests.schemas.hunt import faults, source

pytestmark = pytest.mark.spark
WIDE = 600
Values = tuple[str, list[Any]]


def table(name: str, primary: str, columns: dict[str, Values], *keys: Reference) -> Shape:
    """A planted table; columns of a composite key are separated by commas."""
    shape = Shape(name, primary=tuple(primary.split(",")), references=list(keys))
    shape.columns = {c: Column(None, kind) for c, (kind, _) in columns.items()}
    shape.others = {c: values for c, (_, values) in columns.items()}
    shape.rows = [{} for _ in next(iter(columns.values()))[1]]
    return shape


def key(columns: str, parent: str, referenced: str, nullable: bool = False) -> Reference:
    return Reference(tuple(columns.split(",")), parent, tuple(referenced.split(",")), nullable=nullable)


def partly_null() -> list[Shape]:
    """Of a composite key the second column is null on a third of the rows, the first never, which is NOT NULL."""
    pairs = [(i // 3, i % 3) for i in range(12)]
    room = table(
        "room", "floor,door", {"floor": ("int", [a for a, _ in pairs]), "door": ("int", [b for _, b in pairs])}
    )
    columns: dict[str, Values] = {
        "desk_id": ("int", list(range(60))),
        "floor": ("int", [i % 4 for i in range(60)]),
        "door": ("int", [None if i % 3 == 0 else i // 4 % 3 for i in range(60)]),
    }
    desk = table("desk", "desk_id", columns, key("floor,door", "room", "floor,door", nullable=True))
    desk.columns["floor"].required = True
    return [room, desk]


def several_tables() -> list[Shape]:
    """One column that points to three tables, of which one has only half of the keys."""
    party = table("party", "id", {"id": ("int", list(range(30))), "kind": ("string", ["a", "b"] * 15)})
    human = table("human", "id", {"id": ("int", list(range(0, 30, 2)))}, key("id", "party", "id"))
    buyer = table("buyer", "id", {"id": ("int", list(range(0, 30, 3)))}, key("id", "party", "id"))
    order: dict[str, Values] = {"order_id": ("int", list(range(50))), "who": ("int", [6 * (i % 5) for i in range(50)])}
    keys = [key("who", t, "id") for t in ("human", "party", "buyer")]
    return [party, human, buyer, table("bought", "order_id", order, *keys)]


def one_to_one() -> list[Shape]:
    """Chains of four tables, each with half of the rows of the one before it."""
    tables = [table("one1", "id", {"id": ("bigint", list(range(1, 65))), "v": ("int", [1, 2] * 32)})]
    for i in range(2, 5):
        keys = list(range(1, 65, 2 ** (i - 1)))
        tables.append(table(f"one{i}", "id", {"id": ("bigint", keys)}, key("id", f"one{i - 1}", "id")))
    return tables


def other_integers() -> list[Shape]:
    """An int key below a bigint key, and a bigint key below an int key."""
    tables = []
    for kind, other in (("int", "bigint"), ("bigint", "int")):
        tables.append(table(f"p_{kind}", "id", {"id": (kind, list(range(20)))}))
        below: dict[str, Values] = {"id": ("int", list(range(40))), "up": (other, [i % 20 for i in range(40)])}
        tables.append(table(f"t_{kind}", "id", below, key("up", f"p_{kind}", "id")))
    return tables


def levels() -> list[Shape]:
    """Five levels, each three times the one before it."""
    tables = [table("level0", "id", {"id": ("int", list(range(20)))})]
    for i in range(1, 5):
        rows = 20 * 3**i
        below: dict[str, Values] = {"id": ("int", list(range(rows))), "up": ("int", [n // 3 for n in range(rows)])}
        tables.append(table(f"level{i}", "id", below, key("up", f"level{i - 1}", "id")))
    return tables


def made(spark: SparkSession, folder: Path, shapes: list[Shape], scale: float = 1.0) -> list[str]:
    """What the oracle finds in a copy."""
    tables: Database = {s.name: s for s in shapes}
    for name, shape in tables.items():
        write_delta(folder / "source" / name, source(shape))
    known = Metadata.load(metadata(tables, unique=False))
    orchestrator = fitted(spark, known, {t: str(folder / "source" / t) for t in tables})
    roots = {t: max(1, round(len(s.rows) * scale)) for t, s in tables.items() if not s.references}
    orchestrator.generate(roots, str(folder / "target"))
    copies = {t: read_delta(folder / "target" / t) for t in tables}
    return faults(tables, copies, set(), scale)


@pytest.mark.slow
def test_a_composite_key_that_is_partly_null(spark: SparkSession, tmp_path: Path) -> None:
    assert made(spark, tmp_path, partly_null()) == []


@pytest.mark.slow
def test_one_column_that_points_to_several_tables(spark: SparkSession, tmp_path: Path) -> None:
    assert made(spark, tmp_path, several_tables()) == []


@pytest.mark.slow
def test_one_to_one_chains(spark: SparkSession, tmp_path: Path) -> None:
    assert made(spark, tmp_path, one_to_one()) == []


@pytest.mark.slow
def test_int_keys_against_bigint_keys(spark: SparkSession, tmp_path: Path) -> None:
    assert made(spark, tmp_path, other_integers()) == []


@pytest.mark.slow
def test_six_hundred_columns(spark: SparkSession, tmp_path: Path) -> None:
    wide = {f"v{i}": ("int", [(i * n) % 7 for n in range(50)]) for i in range(WIDE)}
    shapes = one_to_one()[:1]
    shapes.append(table("wide", "id", {"id": ("bigint", list(range(50))), "up": ("bigint", [1] * 50), **wide}))
    shapes[1].references.append(key("up", "one1", "id"))
    assert made(spark, tmp_path, shapes) == []


@pytest.mark.slow
def test_a_tenth_of_many_levels(spark: SparkSession, tmp_path: Path) -> None:
    assert made(spark, tmp_path, levels(), 0.1) == []
