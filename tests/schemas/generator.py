"""Random databases, one per seed: any columns as keys over any parents, with rows that hold every one of these keys.

A column belongs to a *domain*. A foreign key's column has the domain of what it refers to, so two keys of a table can
share a column wherever they lead back to the same domain: that makes overlaps of every size, keys inside keys and
columns that point to several tables. Primary and unique keys are subsets of whatever columns there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.schemas.domains import Domain, draw_domain

Row = dict[str, int | None]
Key = tuple[str, ...]
Rng = np.random.Generator
TABLES = (1, 2, 2, 2, 2, 3, 3, 3, 4, 5)  # a table takes about a second of Spark, so most databases are small
ROWS = {1: 0.03, 2: 0.04, 5: 0.12, 12: 0.22, 25: 0.25, 40: 0.18, 60: 0.12, 200: 0.04}
REFERENCES = {0: 0.08, 1: 0.42, 2: 0.32, 3: 0.13, 4: 0.05}
PRIMARY = {"one": 0.38, "grid": 0.1, "union": 0.19, "union+free": 0.19, "any": 0.1, "none": 0.04}
TASTES = ("even", "even", "even", "half", "one", "once", "few")
NULLS = ("never", "never", "never", "some", "some", "all", "part")
AGREE = (0.0, 0.0, 0.0, 0.91, 1.0)
SELF, CYCLE, UNIQUE, EMPTY, DRIVEN = 0.12, 0.15, 0.3, 0.01, 0.05  # how often a table, or a database, has one


@dataclass
class Column:
    """A column: its domain (None: no key holds it), Spark type, and whether the lake says NOT NULL."""

    domain: Domain | None
    type: str
    required: bool = False


@dataclass
class Reference:
    """A foreign key, and how the rows use it.

    Attributes:
        taste: whose children the rows are: ``half`` of them ``one`` parent's, each parent's at most ``once``, ``few``.
        nulls: the rows in which it is null; ``part``: only some of its columns are.
        agree: share of rows whose parent agrees with the other parents wherever both know the same domain.
        late: its parents are known only when its own table is there: itself, or a later one.
    """

    columns: Key
    table: str
    referenced: Key
    taste: str = "even"
    nulls: str = "never"
    agree: float = 0.0
    late: bool = False
    driving: bool = False
    nullable: bool = False


@dataclass
class Shape:
    """A table: its columns, its keys, its rows as numbers of the domains.

    Attributes:
        unique: declared keys beside the primary one.
        targets: keys that others may refer to: never null.
        free: how the numbers of key columns without a parent are made.
        others: values of columns that belong to no key.
    """

    name: str
    wanted: int = 20
    columns: dict[str, Column] = field(default_factory=dict)
    primary: Key = ()
    unique: list[Key] = field(default_factory=list)
    targets: list[Key] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    free: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    others: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, domain: Domain, spark: str | None = None) -> str:
        """A new column of that domain."""
        name = f"c{len(self.columns)}"
        self.columns[name] = Column(domain, spark or domain.spark)
        return name

    @property
    def keys(self) -> list[Key]:
        """Every key that must not repeat."""
        return [k for k in (self.primary, *self.unique) if k]

    @property
    def strict(self) -> set[str]:
        """Columns that are never null."""
        return {c for k in (self.primary, *self.targets) for c in k}

    def values(self, column: str) -> list[Any]:
        """The column as it is written."""
        domain = self.columns[column].domain
        if domain is None:
            return self.others[column]
        return [None if (n := row[column]) is None else domain.value(n) for row in self.rows]


Database = dict[str, Shape]


def metadata(tables: Database, unique: bool) -> dict[str, Any]:
    """The file form; without ``unique`` only what the primary keys and the foreign keys say."""

    def key(r: Reference) -> dict[str, Any]:
        names = {"columns": list(r.columns), "references": r.table, "referenced_columns": list(r.referenced)}
        return {**names, "nullable": r.nullable, **({"driving": True} if r.driving else {})}

    def table(shape: Shape) -> dict[str, Any]:
        more = {"unique": [list(k) for k in shape.unique]} if unique and shape.unique else {}
        return {"primary_key": list(shape.primary), "foreign_keys": [key(r) for r in shape.references], **more}

    return {"tables": {name: table(shape) for name, shape in tables.items()}}


def one_of(rng: Rng, things: dict[Any, float]) -> Any:
    """A key of the mapping, by its share."""
    shares = np.array([*things.values()])
    return [*things][int(rng.choice(len(things), p=shares / shares.sum()))]


def draw_shape(rng: Rng, name: str, tables: Database) -> Shape:
    """A table with any keys over those before it, without rows."""
    shape = Shape(name, wanted=one_of(rng, ROWS))
    able = [t for t in tables.values() if t.targets]
    for _ in range(one_of(rng, REFERENCES) if able else 0):
        refer(rng, shape, able[int(rng.integers(len(able)))], share=rng.random() < 0.6)
    if shape.references and rng.random() < DRIVEN:
        shape.references[int(rng.integers(len(shape.references)))].driving = True
    _primary(rng, shape)
    if rng.random() < UNIQUE:
        _unique(rng, shape)
    if shape.primary and rng.random() < SELF:
        for _ in range(int(rng.choice([1, 1, 2]))):
            refer(rng, shape, shape, share=rng.random() < 0.4, late=True)
    shape.references = [shape.references[i] for i in rng.permutation(len(shape.references)).tolist()]
    return shape


def refer(rng: Rng, shape: Shape, parent: Shape, share: bool, late: bool = False) -> Reference | None:
    """A foreign key; with ``share`` its columns are those of other keys wherever the domains are the same."""
    key = parent.targets[int(rng.integers(len(parent.targets)))]
    referenced = tuple(key[i] for i in rng.permutation(len(key)))
    before, columns = [*shape.columns], list[str]()
    for r in referenced:
        domain = parent.columns[r].domain
        assert domain is not None
        same = [c for c in before if shape.columns[c].domain == domain and c not in columns]
        if share and same and rng.random() < 0.8:
            columns.append(same[int(rng.integers(len(same)))])
            continue
        others = domain.relatives()
        other = others[int(rng.integers(len(others)))] if others and rng.random() < 0.15 else parent.columns[r].type
        columns.append(shape.add(domain, other))
    taken = any(set(r.columns) == set(columns) and r.table == parent.name for r in shape.references)
    if taken or (late and set(columns) <= set(before)):
        for c in set(shape.columns) - set(before):
            del shape.columns[c]
        return None
    made = Reference(
        tuple(columns),
        parent.name,
        referenced,
        taste=str(rng.choice(TASTES)),
        nulls=str(rng.choice(NULLS)),
        agree=float(rng.choice(AGREE)),
        late=late,
    )
    shape.references.append(made)
    return made


def _primary(rng: Rng, shape: Shape) -> None:
    """The primary key: new columns, foreign ones, or both."""
    foreign, style = [*shape.columns], one_of(rng, PRIMARY)
    if not foreign and style not in ("grid", "none"):
        style = "one"
    if style == "one":
        shape.primary = (_free(rng, shape, alone=True),)
    elif style == "grid":
        shape.primary = tuple(_free(rng, shape) for _ in range(int(rng.choice([2, 2, 3]))))
    elif style in ("union", "union+free"):
        chosen = rng.permutation(len(shape.references))[: int(rng.choice([1, 2, 2, 3]))]
        held = {c for i in chosen.tolist() for c in shape.references[i].columns}
        free = [_free(rng, shape) for _ in range(int(rng.choice([1, 1, 1, 2])))] if style == "union+free" else []
        shape.primary = (*(c for c in foreign if c in held), *free)
    elif style == "any":
        some = [c for c in foreign if rng.random() < 0.5] or foreign[:1]
        shape.primary = (*some, *([_free(rng, shape)] if rng.random() < 0.5 else []))
    if shape.primary:
        shape.targets.append(shape.primary)


def _unique(rng: Rng, shape: Shape) -> None:
    """A second key: a new column, foreign ones, or both; at times others may refer to it."""
    some = [c for c in shape.columns if c not in shape.free and rng.random() < 0.4]
    free = [_free(rng, shape, alone=not some)] if not some or rng.random() < 0.4 else []
    key = (*some, *free)
    if any(set(key) >= set(k) or set(key) <= set(k) for k in shape.keys):
        for c in free:
            del shape.columns[c], shape.free[c]
        return
    shape.unique.append(key)
    if rng.random() < 0.6:
        shape.targets.append(key)


def _free(rng: Rng, shape: Shape, alone: bool = False) -> str:
    """A new key column without a parent; ``alone``: it tells all rows apart by itself."""
    column = shape.add(draw_domain(rng))
    shape.free[column] = "count" if alone else str(rng.choice(["line", "few", "many", "count"]))
    return column
