"""The schema as a picture: tables in stages from left to right, keys between them, a score on each of both."""

from __future__ import annotations

from dataclasses import dataclass

from synthohive_spark.evaluation.charts import shorten
from synthohive_spark.evaluation.places import edge_share, table_share
from synthohive_spark.evaluation.scores import Evaluation, ForeignKeyScore, TableEvaluation

BOX_WIDTH, STAGE_GAP = 196, 104
NAME_CHARACTERS, KEY_CHARACTERS = 14, 25
WITH_KEYS = 20  # tables up to which a box names its keys


@dataclass(frozen=True)
class Key:
    """One line in a table's box: its primary key, or a foreign key."""

    tag: str
    name: str
    full: str
    y: float


@dataclass(frozen=True)
class Box:
    """A table in the picture."""

    table: TableEvaluation
    name: str
    share: float | None
    x: float
    y: float
    height: float
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Edge:
    """A foreign key in the picture; ``x`` and ``y`` are where its score stands."""

    path: str
    title: str
    share: float | None
    broken: bool
    x: float
    y: float


@dataclass(frozen=True)
class SchemaPicture:
    """Tables in stages from left to right, children pointing to their parents."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class _Sizes:
    """How large a box and its lines are."""

    head: int
    row: int
    gap: int
    named: bool

    def height(self, table: TableEvaluation) -> float:
        lines = len(_lines(table, self.named))
        return self.head + self.row * lines + (6 if lines else 0)


def schema_picture(evaluation: Evaluation) -> SchemaPicture:
    """Lay the tables out by stage, each beside the parents it has most to do with."""
    named = len(evaluation.tables) <= WITH_KEYS
    sizes = _Sizes(44, 17, 22, True) if named else _Sizes(44, 15, 12, False)
    tables = {t.table: t for t in evaluation.tables}
    heights = {name: sizes.height(t) for name, t in tables.items()}
    columns = _ordered_stages(evaluation)
    total = max((sum(heights[n] + sizes.gap for n in column) - sizes.gap for column in columns), default=0)
    boxes: dict[str, Box] = {}
    for i, column in enumerate(columns):
        x = 48 + i * (BOX_WIDTH + STAGE_GAP)
        y = 4 + (total - sum(heights[n] + sizes.gap for n in column) + sizes.gap) / 2
        for name in column:
            t = tables[name]
            boxes[name] = Box(
                table=t,
                name=shorten(name, NAME_CHARACTERS),
                share=table_share(evaluation, t),
                x=x,
                y=y,
                height=heights[name],
                keys=_keys(t, y, sizes),
            )
            y += heights[name] + sizes.gap
    edges = tuple(edge for name in boxes for edge in _edges(evaluation, boxes[name], boxes))
    width = 60 + len(columns) * (BOX_WIDTH + STAGE_GAP) - (STAGE_GAP if columns else 0)
    return SchemaPicture(width, total + 8, tuple(boxes.values()), edges)


def _ordered_stages(evaluation: Evaluation) -> list[list[str]]:
    parents = {t.table: [fk.parent for fk in t.foreign_keys if fk.parent != t.table] for t in evaluation.tables}
    place: dict[str, float] = {}
    columns = []
    for stage in evaluation.stages:
        known = {n: [place[p] for p in parents[n] if p in place] for n in stage}
        column = sorted(stage, key=lambda n: sum(known[n]) / len(known[n]) if known[n] else 0.0)
        place.update({n: (i + 0.5) / len(column) for i, n in enumerate(column)})
        columns.append(column)
    return columns


def _lines(table: TableEvaluation, named: bool) -> list[tuple[str, tuple[str, ...]]]:
    primary = [("PK", table.primary_key.columns)] if table.primary_key and named else []
    return [*primary, *(("FK", fk.columns) for fk in table.foreign_keys)]


def _keys(table: TableEvaluation, top: float, sizes: _Sizes) -> tuple[Key, ...]:
    return tuple(
        Key(
            tag,
            shorten(", ".join(columns), KEY_CHARACTERS) if sizes.named else "",
            ", ".join(columns),
            top + sizes.head + sizes.row * (i + 0.5),
        )
        for i, (tag, columns) in enumerate(_lines(table, sizes.named))
    )


def _edges(evaluation: Evaluation, child: Box, boxes: dict[str, Box]) -> list[Edge]:
    lines = [key for key in child.keys if key.tag == "FK"]
    return [
        _edge(child, boxes[fk.parent], fk, line.y, edge_share(evaluation, child.table, fk))
        for line, fk in zip(lines, child.table.foreign_keys, strict=True)
    ]


def _edge(child: Box, parent: Box, fk: ForeignKeyScore, y: float, share: float | None) -> Edge:
    x = child.x
    target = next((key.y for key in parent.keys if key.tag == "PK"), parent.y + 22)
    if parent is child:
        path = f"M{x} {y} C{x - 40} {y}, {x - 40} {target}, {x} {target}"
    else:
        end, bend = parent.x + BOX_WIDTH, STAGE_GAP * 0.55
        path = f"M{x} {y} C{x - bend} {y}, {end + bend} {target}, {end} {target}"
    title = f"{child.table.table}({', '.join(fk.columns)}) refers to {fk.parent}({', '.join(fk.parent_columns)})"
    orphans = f"; {fk.orphans:,} rows without a parent" if fk.orphans else ""
    return Edge(path, title + orphans, share, bool(fk.orphans), x - 22, y)
