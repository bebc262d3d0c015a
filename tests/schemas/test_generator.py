"""The generator of random schemas itself: valid sources, of every shape that was thought of. No Spark."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import combinations

from tests.schemas.domains import KINDS
from tests.schemas.generator import Database, Reference, Shape
from tests.schemas.hunt import faults, refusal, source
from tests.schemas.rows import database

SEEDS = range(1000)
OFTEN = 5  # of the thousand databases that show each shape, at least
SHAPES = {
    "composite to composite",
    "overlap of one column",
    "overlap of two columns or more",
    "one column to several tables",
    "foreign key in a foreign key",
    "primary key of one foreign key",
    "primary key of two foreign keys",
    "primary key of three foreign keys",
    "primary key of two that overlap",
    "primary key foreign and free",
    "primary key of free columns",
    "no primary key",
    "unique key",
    "unique key of foreign columns",
    "key to a unique key",
    "several keys to one parent",
    "chain of three 1:1",
    "two tables share a primary key",
    "self-reference",
    "composite self-reference",
    "two self-references",
    "cycle of two",
    "cycle of three",
    "cycle, nothing nullable",
    "other integer type",
    "other text type",
    "partly null",
    "all null",
    "one row",
    "no rows",
    "one parent for all",
    "half below one parent",
    "diamond that agrees",
    "diamond that agrees mostly",
    "NOT NULL",
    "driving",
    *(f"primary key {kind}" for kind in KINDS),
}


def of_table(shape: Shape, tables: Database) -> set[str]:
    """What a table shows by itself."""
    refs, primary = shape.references, set(shape.primary)
    inside = [r for r in refs if set(r.columns) <= primary]
    foreign = {c for r in refs for c in r.columns}
    own = [r for r in refs if r.table == shape.name]
    spread = Counter(r.table for r in refs)
    shown = {
        "composite to composite": any(len(r.columns) > 1 for r in refs),
        "several keys to one parent": any(n > 1 for n in spread.values()),
        "primary key of one foreign key": any(set(r.columns) == primary for r in refs),
        "primary key foreign and free": bool(primary & foreign and primary - foreign),
        "primary key of free columns": len(primary) > 1 and not primary & foreign,
        "no primary key": not primary,
        "unique key": bool(shape.unique),
        "unique key of foreign columns": any(set(k) <= foreign for k in shape.unique),
        "key to a unique key": any(set(r.referenced) != set(tables[r.table].primary) for r in refs),
        "self-reference": bool(own),
        "composite self-reference": any(len(r.columns) > 1 for r in own),
        "two self-references": len(own) > 1,
        "one row": len(shape.rows) == 1,
        "no rows": not shape.rows,
        "NOT NULL": any(c.required for c in shape.columns.values()),
        "driving": any(r.driving for r in refs),
        "primary key of three foreign keys": len(inside) > 2 and primary <= foreign,
    }
    for a, b in combinations(refs, 2):
        common = set(a.columns) & set(b.columns)
        both = {*a.columns, *b.columns} == primary and {*a.columns} != primary and {*b.columns} != primary
        shown |= {"primary key of two foreign keys": True} if both else {}
        shown |= {"primary key of two that overlap": True} if both and common else {}
        shown |= {"overlap of one column": True} if len(common) == 1 else {}
        shown |= {"overlap of two columns or more": True} if len(common) > 1 else {}
        shown |= {"one column to several tables": True} if common and a.table != b.table else {}
        nested = common and len(a.columns) != len(b.columns) and common in (set(a.columns), set(b.columns))
        shown |= {"foreign key in a foreign key": True} if nested else {}
    found = {name for name, there in shown.items() if there}
    kinds = [d.kind for c in shape.primary if (d := shape.columns[c].domain)]
    return found | {f"primary key {k}" for k in kinds} | {n for r in refs for n in of_reference(shape, r, tables)}


def of_reference(shape: Shape, r: Reference, tables: Database) -> set[str]:
    """What one foreign key shows."""
    rows = [tuple(row[c] for c in r.columns) for row in shape.rows]
    parents = Counter(row for row in rows if None not in row).most_common()
    types = [
        (shape.columns[c].type, tables[r.table].columns[p].type) for c, p in zip(r.columns, r.referenced, strict=True)
    ]
    other = [a for a, b in types if a != b]
    shown = {
        "other integer type": any("int" in a for a in other),
        "other text type": any("int" not in a for a in other),
        "partly null": any(0 < row.count(None) < len(row) for row in rows),
        "all null": bool(rows) and not parents,
        "one parent for all": len(rows) > 5 and len(parents) == 1,
        "half below one parent": len(rows) > 10 and len(parents) > 5 and parents[0][1] > 0.4 * len(rows),
        "diamond that agrees": r.agree == 1,
        "diamond that agrees mostly": 0 < r.agree < 1,
    }
    return {name for name, there in shown.items() if there}


def of_database(tables: Database) -> set[str]:
    """What the tables of a database show together."""
    found = {name for shape in tables.values() for name in of_table(shape, tables)}
    alone = [
        (s.name, r.table) for s in tables.values() for r in s.references if s.primary and {*r.columns} == {*s.primary}
    ]
    if any(parent == child for _, parent in alone for child, _ in alone):
        found.add("chain of three 1:1")
    if max(Counter(parent for _, parent in alone).values(), default=0) > 1:
        found.add("two tables share a primary key")
    up = {s.name: {r.table for r in s.references} - {s.name} for s in tables.values()}
    for a in up:
        for b in up[a]:
            if a in up[b]:
                found.add("cycle of two")
                between = [r for s, t in ((a, b), (b, a)) for r in tables[s].references if r.table == t]
                found |= set() if any(r.nullable for r in between) else {"cycle, nothing nullable"}
            if any(a in up[c] for c in up[b] - {a}):
                found.add("cycle of three")
    return found


@cache
def drawn() -> tuple[dict[int, list[str]], Counter[str], dict[int, list[str]]]:
    """Of the thousand databases, each drawn once: what is wrong with which, their shapes, and why which are refused."""
    wrong, shapes, refused = dict[int, list[str]](), Counter[str](), dict[int, list[str]]()
    for seed in SEEDS:
        tables = database(seed)
        if found := faults(tables, {t: source(shape) for t, shape in tables.items()}, set()):
            wrong[seed] = found
        shapes.update(of_database(tables))
        if reasons := refusal(tables):
            refused[seed] = reasons
    return wrong, shapes, refused


def test_every_source_holds_its_keys() -> None:
    assert drawn()[0] == {}


def test_a_seed_is_a_database() -> None:
    first, again = database(7), database(7, "s7_")
    assert [source(s) for s in first.values()] == [source(s) for s in again.values()]


def test_the_oracle_sees_what_is_wrong() -> None:
    seed = next(s for s in SEEDS if any(t.references and t.primary and len(t.rows) > 9 for t in database(s).values()))
    tables = database(seed)
    name = next(n for n, t in tables.items() if t.references and t.primary and len(t.rows) > 9)
    made = {t: source(s) for t, s in tables.items()}
    for change in (0, 5):  # no row at all; fewer than were wanted, all of them the same
        broken = {c: (kind, must, values[:1] * change) for c, (kind, must, values) in made[name].items()}
        assert any(line.startswith(name) for line in faults(tables, {**made, name: broken}, set())), change


def test_every_shape_is_drawn() -> None:
    seen = drawn()[1]
    assert {name: seen[name] for name in SHAPES if seen[name] < OFTEN} == {}


def test_few_are_refused() -> None:
    refused = drawn()[2]
    assert len(refused) <= 0.05 * len(SEEDS), refused
