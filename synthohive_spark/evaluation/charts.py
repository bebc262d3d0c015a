"""Geometry of the report's pictures: numbers and texts only, the template draws them and escapes every text."""

from __future__ import annotations

from dataclasses import dataclass

from synthohive_spark.evaluation.scores import Evaluation, Histogram, TableEvaluation

CHART_WIDTH, CHART_HEIGHT = 260, 92
AXIS_CHARACTERS = 36  # room below a chart
ROWS_SHOWN = 7  # categories drawn by name; the others are drawn as one
LABEL_WIDTH, NUMBER_WIDTH, ROW_HEIGHT = 98, 40, 15
BOX_WIDTH, BOX_GAP, STAGE_GAP, BOX_HEAD, BOX_ROW = 196, 22, 84, 44, 17
LABEL_CHARACTERS, NAME_CHARACTERS, KEY_CHARACTERS = 13, 16, 25


@dataclass(frozen=True)
class Bar:
    """One bin: the real bar, and a tooltip over the whole height."""

    x: float
    width: float
    y: float
    height: float
    title: str


@dataclass(frozen=True)
class BinsChart:
    """Real as bars, synthetic as a stepped line."""

    bars: tuple[Bar, ...]
    line: str
    axis: tuple[str, ...]
    height: int = CHART_HEIGHT


@dataclass(frozen=True)
class Row:
    """One category: two bars side by side."""

    y: int
    label: str
    real: float
    synthetic: float
    number: str
    title: str


@dataclass(frozen=True)
class RowsChart:
    """Categories from top to bottom."""

    rows: tuple[Row, ...]
    height: int


@dataclass(frozen=True)
class Key:
    """One line in a table's box: its primary key, or a foreign key."""

    tag: str
    name: str
    full: str
    y: float


@dataclass(frozen=True)
class Box:
    """A table in the picture of the schema."""

    table: TableEvaluation
    name: str
    x: float
    y: float
    height: float
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Edge:
    """A foreign key in the picture of the schema."""

    path: str
    title: str
    broken: bool


@dataclass(frozen=True)
class SchemaPicture:
    """Tables in stages from left to right, children pointing to their parents."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def chart(histogram: Histogram) -> BinsChart | RowsChart:
    """The picture of one distribution on both sides."""
    return _rows(histogram) if histogram.categorical else _bins(histogram)


def percent(share: float) -> str:
    """A share as a short percentage; a small one is not called 0."""
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share:.0%}".replace("%", " %") if share in (0, 1) or share >= 0.1 else f"{share * 100:.1f} %"


def shorten(text: str, most: int) -> str:
    """A text cut to a number of characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _both(label: str, real: float, synthetic: float) -> str:
    return f"{label}: real {percent(real)}, synthetic {percent(synthetic)}"


def _bins(histogram: Histogram) -> BinsChart:
    top = max((*histogram.real, *histogram.synthetic, 1e-9))
    width = CHART_WIDTH / len(histogram.labels)

    def level(share: float) -> float:
        return round(CHART_HEIGHT * (1 - 0.96 * share / top), 2)

    bars, steps = [], [f"M0 {CHART_HEIGHT}"]
    for i, (label, real, synthetic) in enumerate(
        zip(histogram.labels, histogram.real, histogram.synthetic, strict=True)
    ):
        x, y = round(i * width, 2), level(real)
        bars.append(Bar(x, round(width, 2), y, round(CHART_HEIGHT - y, 2), _both(label, real, synthetic)))
        steps.append(f"V{level(synthetic)} H{round((i + 1) * width, 2)}")
    return BinsChart(tuple(bars), " ".join((*steps, f"V{CHART_HEIGHT}")), _axis(histogram.labels))


def _axis(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Every label where there is room, else the first and the last."""
    each = len(labels) <= 7 and max(map(len, labels)) * len(labels) <= AXIS_CHARACTERS
    return labels if each else (labels[0], labels[-1])


def _rows(histogram: Histogram) -> RowsChart:
    every = list(zip(histogram.labels, histogram.real, histogram.synthetic, strict=True))
    shown = every[:ROWS_SHOWN] if len(every) > ROWS_SHOWN + 1 else every
    rest = every[len(shown) :]
    if rest:
        shown.append((f"{len(rest)} more", sum(r for _, r, _ in rest), sum(s for _, _, s in rest)))
    top = max((max(r, s) for _, r, s in shown), default=0) or 1.0
    room = CHART_WIDTH - LABEL_WIDTH - NUMBER_WIDTH
    rows = tuple(
        Row(
            y=i * ROW_HEIGHT,
            label=shorten(label, LABEL_CHARACTERS) or "(empty)",
            real=round(room * real / top, 2),
            synthetic=round(room * synthetic / top, 2),
            number=percent(synthetic),
            title=_both(label or "(empty)", real, synthetic),
        )
        for i, (label, real, synthetic) in enumerate(shown)
    )
    return RowsChart(rows, max(len(rows) * ROW_HEIGHT, ROW_HEIGHT))


def schema_picture(evaluation: Evaluation) -> SchemaPicture:
    """Lay the tables out by stage, each below the parents it has most to do with."""
    tables = {t.table: t for t in evaluation.tables}
    heights = {name: BOX_HEAD + BOX_ROW * len(_key_lines(t)) + 6 for name, t in tables.items()}
    columns = _ordered_stages(evaluation)
    total = max((sum(heights[n] + BOX_GAP for n in column) - BOX_GAP for column in columns), default=0)
    boxes: dict[str, Box] = {}
    for i, column in enumerate(columns):
        x = 20 + i * (BOX_WIDTH + STAGE_GAP)
        y = 4 + (total - sum(heights[n] + BOX_GAP for n in column) + BOX_GAP) / 2
        for name in column:
            boxes[name] = _box(tables[name], x, y, heights[name])
            y += heights[name] + BOX_GAP
    edges = tuple(edge for name in boxes for edge in _edges(boxes[name], boxes))
    width = 40 + len(columns) * (BOX_WIDTH + STAGE_GAP) - STAGE_GAP
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


def _key_lines(table: TableEvaluation) -> list[tuple[str, tuple[str, ...]]]:
    primary = [("PK", table.primary_key.columns)] if table.primary_key else []
    return [*primary, *(("FK", fk.columns) for fk in table.foreign_keys)]


def _box(table: TableEvaluation, x: float, y: float, height: float) -> Box:
    keys = tuple(
        Key(tag, shorten(", ".join(columns), KEY_CHARACTERS), ", ".join(columns), y + BOX_HEAD + BOX_ROW * (i + 0.5))
        for i, (tag, columns) in enumerate(_key_lines(table))
    )
    return Box(table, shorten(table.table, NAME_CHARACTERS), x, y, height, keys)


def _edges(child: Box, boxes: dict[str, Box]) -> list[Edge]:
    lines = [key for key in child.keys if key.tag == "FK"]
    edges = []
    for line, fk in zip(lines, child.table.foreign_keys, strict=True):
        parent = boxes[fk.parent]
        x, y = child.x, line.y
        target = next((key.y for key in parent.keys if key.tag == "PK"), parent.y + BOX_HEAD / 2)
        if parent is child:
            path = f"M{x} {y} C{x - 18} {y}, {x - 18} {target}, {x} {target}"
        else:
            end = parent.x + BOX_WIDTH
            bend = STAGE_GAP * 0.55
            path = f"M{x} {y} C{x - bend} {y}, {end + bend} {target}, {end} {target}"
        title = f"{child.table.table}({', '.join(fk.columns)}) refers to {fk.parent}({', '.join(fk.parent_columns)})"
        orphans = f"; {fk.orphans:,} rows without a parent" if fk.orphans else ""
        edges.append(Edge(path, title + orphans, bool(fk.orphans)))
    return edges
