"""Rows for random schemas: parents first, then children that choose among the parents that agree with their row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.schemas.domains import Domain
from tests.schemas.generator import (
    CYCLE,
    EMPTY,
    TABLES,
    Column,
    Database,
    Key,
    Reference,
    Rng,
    Row,
    Shape,
    draw_shape,
    refer,
)

ATTEMPTS = 15  # per row: keys that leave few rows to find make a table shorter
MANY = 60  # different numbers of a free key column that are neither few nor counted


def database(seed: int, prefix: str = "") -> Database:
    """The database of a seed, rows included; ``prefix`` begins the names of its tables."""
    rng = np.random.default_rng(seed)
    tables: Database = {}
    for i in range(int(rng.choice(TABLES))):
        shape = Shape("")
        while not shape.rows:
            shape = draw_shape(rng, f"{prefix}t{i}", tables)
            _Filler(rng, shape, tables).fill()
        tables[shape.name] = shape
    names = list(tables)
    if len(names) > 1 and rng.random() < CYCLE:
        first, last = sorted(rng.choice(len(names), 2, replace=False).tolist())
        child, parent = tables[names[first]], tables[names[last]]
        if parent.targets and (made := refer(rng, child, parent, share=rng.random() < 0.5, late=True)):
            _set_later(rng, child, made, parent.rows)
    if rng.random() < EMPTY and not any(r.table == names[-1] for t in tables.values() for r in t.references):
        tables[names[-1]].rows = []
    for shape in tables.values():
        _others(rng, shape)
    return tables


@dataclass
class _Filler:
    """Rows of one table."""

    rng: Rng
    shape: Shape
    tables: Database
    stars: list[int] = field(default_factory=list)
    used: list[set[int]] = field(default_factory=list)

    def fill(self) -> None:
        """As many rows as are wanted, or as can be found."""
        shape, seen = self.shape, {k: set[Any]() for k in self.shape.keys}
        self.stars = [int(self.rng.integers(max(1, len(self.parents(r).rows)))) for r in shape.references]
        self.used = [set() for _ in shape.references]
        for _ in range(ATTEMPTS * shape.wanted):
            if len(shape.rows) == shape.wanted:
                break
            row, taken = self.attempt()
            held = {k: tuple(row.get(c) for c in k) for k in shape.keys}
            if taken is None or any(None not in v and v in seen[k] for k, v in held.items()):
                continue
            shape.rows.append(row)
            for k, v in held.items():
                seen[k].add(v)
            for i, at in taken.items():
                self.used[i].add(at)
        for r in shape.references:
            if r.late and shape.rows:
                _set_later(self.rng, shape, r, shape.rows)

    def parents(self, r: Reference) -> Shape:
        return self.tables.get(r.table, self.shape)

    def attempt(self) -> tuple[Row, dict[int, int] | None]:
        """A row and the parents that it took; None for these where nobody is left for one of its keys."""
        shape, row, known, taken = self.shape, Row(), dict[Domain, int](), dict[int, int]()
        early = [(i, r) for i, r in enumerate(shape.references) if not r.late]
        for _, r in early:
            row.update(dict.fromkeys(_absent(self.rng, r, shape.strict), None))
        checked = [(i, r) for i, r in early if not any(c in row for c in r.columns)]
        for i, r in checked:
            at = self.choose(i, r, row, known)
            if at is None:
                return row, None
            taken[i] = at
            self.take(r, at, row, known)
        for i, r in early:
            if i not in taken:  # MATCH SIMPLE asks nothing of such a row; it still looks like one with a parent
                at = self.choose(i, r, row, known)
                self.take(r, int(self.rng.integers(len(self.parents(r).rows))) if at is None else at, row, {})
        for c, style in shape.free.items():
            number = self.number(c, style, row)
            if number >= self.capacity(c):
                return row, None
            row[c] = number
        return row, taken

    def choose(self, i: int, r: Reference, row: Row, known: dict[Domain, int]) -> int | None:
        """The place of a parent that agrees with what is set of the row."""
        pairs = [(c, p) for c, p in zip(r.columns, r.referenced, strict=True) if row.get(c) is not None]
        parent = self.parents(r)
        able = [j for j, up in enumerate(parent.rows) if all(up[p] == row[c] for c, p in pairs)]
        if r.taste == "once":
            able = [j for j in able if j not in self.used[i]]
        if r.agree and self.rng.random() < r.agree:
            told = [(c, known[d]) for c, k in parent.columns.items() if (d := k.domain) is not None and d in known]
            able = [j for j in able if all(parent.rows[j].get(c) in (n, None) for c, n in told)]
        if not able:
            return None
        star = self.stars[i]
        if star in able and (r.taste == "one" or (r.taste == "half" and self.rng.random() < 0.5)):
            return star
        if r.taste == "few":
            return able[min(int(self.rng.geometric(0.5)) - 1, len(able) - 1)]
        return able[int(self.rng.integers(len(able)))]

    def take(self, r: Reference, at: int, row: Row, known: dict[Domain, int]) -> None:
        """Set the key's columns, but for those that are set or null; remember what the parent says."""
        parent = self.parents(r)
        for c, p in zip(r.columns, r.referenced, strict=True):
            row.setdefault(c, parent.rows[at][p])
        for c, column in parent.columns.items():
            if column.domain is not None and (n := parent.rows[at].get(c)) is not None:
                known.setdefault(column.domain, n)

    def number(self, column: str, style: str, row: Row) -> int:
        """The number of a free key column."""
        if style == "count":
            return len(self.shape.rows)
        if style == "line":
            held = next((k for k in self.shape.keys if column in k), ())
            rest = [c for c in held if c not in self.shape.free]
            return sum(all(r[c] == row[c] for c in rest) for r in self.shape.rows)
        return int(self.rng.integers(5 if style == "few" else min(MANY, self.capacity(column))))

    def capacity(self, column: str) -> int:
        domain = self.shape.columns[column].domain
        return domain.capacity if domain is not None else 0


def _absent(rng: Rng, r: Reference, strict: set[str], able: Key | None = None) -> list[str]:
    """The columns of a key that are null in one row."""
    free = [c for c in (able or r.columns) if c not in strict]
    if not free or r.nulls == "never" or (r.nulls != "all" and rng.random() > 0.3):
        return []
    if r.nulls == "part":
        return [c for c in free if rng.random() < 0.5] or free[:1]
    return free


def _set_later(rng: Rng, shape: Shape, r: Reference, parents: list[Row]) -> None:
    """Set the columns of a key whose parents are rows of its own table, or of one that is made after it."""
    new = tuple(c for c in r.columns if c not in shape.rows[0])
    pairs = [(c, p) for c, p in zip(r.columns, r.referenced, strict=True) if c not in new]
    upwards = parents is shape.rows and rng.random() < 0.7  # trees; else any row may refer to any
    star, used = int(rng.integers(len(parents))), set[int]()
    for at, row in enumerate(shape.rows):
        able = [j for j, up in enumerate(parents) if all(row[c] is not None and up[p] == row[c] for c, p in pairs)]
        if upwards:
            able = [j for j in able if j < at] or [j for j in able if j == at and r.nulls == "never"]
        if r.taste == "once":
            able = [j for j in able if j not in used]
        chosen = able[int(rng.integers(len(able)))] if able else None
        chosen = star if star in able and (r.taste == "one" or (r.taste == "half" and rng.random() < 0.5)) else chosen
        if chosen is not None:
            used.add(chosen)
        up = None if chosen is None else parents[chosen]
        row.update({c: up[p] if up else None for c, p in zip(r.columns, r.referenced, strict=True) if c in new})
        row.update(dict.fromkeys(_absent(rng, r, set(), new), None))


def _others(rng: Rng, shape: Shape) -> None:
    """Columns that belong to no key, NOT NULL, the order of the columns, and which keys are nullable."""
    rows = len(shape.rows)
    for name, spark in (("v", "int"), ("s", "string"), ("x", "double")):
        if rng.random() < 0.45 or not shape.columns:
            shape.columns[name] = Column(None, spark)
            drawn: list[Any] = {
                "v": rng.integers(0, 5, rows).tolist(),
                "s": rng.choice(["red", "green", "blue"], rows).tolist(),
                "x": rng.normal(50, 9, rows).round(2).tolist(),
            }[name]
            gaps = rng.random(rows) < (0.2 if rng.random() < 0.3 else 0)
            shape.others[name] = [None if gap else value for gap, value in zip(gaps, drawn, strict=True)]
    for name, column in shape.columns.items():
        column.required = None not in shape.values(name) and rng.random() < 0.5
    for r in shape.references:
        null = any(None in shape.values(c) for c in r.columns)
        r.nullable = null or (rng.random() < 0.1 and not any(shape.columns[c].required for c in r.columns))
    names = list(shape.columns)
    shape.columns = {names[i]: shape.columns[names[i]] for i in rng.permutation(len(names)).tolist()}
    shape.rows = [shape.rows[i] for i in rng.permutation(rows).tolist()]
