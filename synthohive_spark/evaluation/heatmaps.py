"""What goes together in a table, as three maps: in the source, in the copy, and how far they are apart.

Squares of one shade are one path, so that a map of many columns costs a page ten elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synthohive_spark.evaluation.charts import shorten
from synthohive_spark.evaluation.scores import PairScore

COLUMNS_SHOWN = 24  # the ones that go together most, and those that lost most
SHADES = 10
CELL, LABEL_CHARACTERS = 12, 16
MOST_PIXELS = 300


@dataclass(frozen=True)
class HeatMap:
    """One of the three.

    Attributes:
        title: what it shows.
        kind: real, synthetic or difference.
        shades: (shade from 1 to SHADES, path of its squares).
    """

    title: str
    kind: str
    shades: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class HeatMaps:
    """All three, over the same columns.

    Attributes:
        columns: names, in order.
        left_out: columns without a place.
        maps: source, copy, difference.
        size: width and height in the units of the paths.
        width: in pixels at most.
        numbers: a line of row, column, real and synthetic tie for each square, with tabs between; for the pointer.
        spoken: the pairs that are furthest apart, in words.
    """

    columns: tuple[str, ...]
    left_out: int
    maps: tuple[HeatMap, ...]
    size: int
    width: int
    numbers: str
    spoken: str

    @property
    def names(self) -> str:
        """The columns' names, with tabs between."""
        return "\t".join(" ".join(c.split()) for c in self.columns)

    @property
    def short(self) -> tuple[str, ...]:
        """Names as they stand beside the map."""
        return tuple(shorten(c, LABEL_CHARACTERS) for c in self.columns)


def heat_maps(pairs: Sequence[PairScore]) -> HeatMaps | None:
    """The maps of a table's pairs; None without one."""
    if not pairs:
        return None
    weight: dict[str, float] = {}
    for pair in pairs:
        for column in (pair.left, pair.right):
            weight[column] = max(weight.get(column, 0.0), real_tie(pair), tie_gap(pair))
    most = {*sorted(weight, key=lambda c: -weight[c])[:COLUMNS_SHOWN]}
    columns = [c for c in weight if c in most]
    at = {c: i for i, c in enumerate(columns)}
    cells = [
        (max(at[p.left], at[p.right]), min(at[p.left], at[p.right]), p) for p in pairs if p.left in at and p.right in at
    ]
    maps: list[tuple[str, str, Callable[[PairScore], float]]] = [
        ("Source", "real", real_tie),
        ("Copy", "synthetic", copy_tie),
        ("Difference", "difference", tie_gap),
    ]
    size = CELL * len(columns)
    return HeatMaps(
        columns=tuple(columns),
        left_out=len(weight) - len(columns),
        maps=tuple(HeatMap(title, kind, _shades(cells, value)) for title, kind, value in maps),
        size=size,
        width=min(MOST_PIXELS, 26 * len(columns)),
        numbers="\n".join(f"{i}\t{j}\t{p.real:.2g}\t{p.synthetic:.2g}" for i, j, p in cells),
        spoken=_spoken(pairs),
    )


def real_tie(pair: PairScore) -> float:
    """How strongly two columns go together in the source, in [0, 1]."""
    return max(abs(pair.real), pair.real_strength)


def copy_tie(pair: PairScore) -> float:
    """The same in the copy."""
    return max(abs(pair.synthetic), pair.synthetic_strength)


def tie_gap(pair: PairScore) -> float:
    """How far source and copy are apart; a correlation of the other sign is as far as can be."""
    return min(1.0, max(abs(pair.real - pair.synthetic), abs(pair.real_strength - pair.synthetic_strength)))


def _shades(
    cells: Sequence[tuple[int, int, PairScore]], value: Callable[[PairScore], float]
) -> tuple[tuple[int, str], ...]:
    paths: dict[int, list[str]] = {}
    for i, j, pair in cells:
        shade = min(SHADES, 1 + int(value(pair) * SHADES))
        paths.setdefault(shade, []).append(f"M{j * CELL} {i * CELL}h{CELL}v{CELL}h-{CELL}z")
    return tuple((shade, "".join(paths[shade])) for shade in sorted(paths))


def _spoken(pairs: Sequence[PairScore]) -> str:
    far = [p for p in sorted(pairs, key=lambda p: -tie_gap(p))[:3] if tie_gap(p) >= 0.05]
    if not far:
        return "no pair of columns is far from the source"
    return "furthest apart: " + "; ".join(
        f"{p.left} and {p.right}, real {p.real:.2f}, synthetic {p.synthetic:.2f}" for p in far
    )
