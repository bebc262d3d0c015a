"""Geometry of the report's pictures: numbers and texts only, the template draws them and escapes every text.

A picture is a few paths, whatever its number of bars: a page of fifty tables has some thousand of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthohive_spark.evaluation.scores import Histogram

CHART_WIDTH, CHART_HEIGHT = 260, 92
AXIS_CHARACTERS = 36  # room below a chart
ROWS_SHOWN = 7  # categories drawn by name; the others are drawn as one
LABEL_WIDTH, NUMBER_WIDTH, ROW_HEIGHT = 98, 40, 16
LABEL_CHARACTERS = 13
CURVE_WIDTH, CURVE_HEIGHT = 120, 28
_NO_CURVE = ("step", "epoch", "round")


@dataclass(frozen=True)
class Chart:
    """One distribution on both sides, as two paths.

    Attributes:
        real: bars of the source.
        synthetic: bars of the copy beside them.
        labels: (y, name, share of the copy) of each category; empty for bins.
        axis: what stands below the bins.
        height: in the units of the paths.
        numbers: a line of label, real and synthetic share for each bar, with tabs between; for the pointer.
        spoken: the picture in words.
    """

    real: str
    synthetic: str
    labels: tuple[tuple[float, str, str], ...]
    axis: tuple[str, ...]
    height: int
    numbers: str
    spoken: str


@dataclass(frozen=True)
class Curve:
    """One loss over the steps of a training.

    Attributes:
        name: of the loss.
        path: the line.
        first: where it began.
        last: where it ended.
    """

    name: str
    path: str
    first: float
    last: float


def chart(histogram: Histogram, name: str) -> Chart:
    """The picture of one distribution on both sides."""
    every = _folded(histogram) if histogram.categorical else _triples(histogram)
    numbers = "\n".join(f"{' '.join(label.split())}\t{r:.4g}\t{s:.4g}" for label, r, s in every)
    spoken = f"{name}: {_spoken(every)}"
    if histogram.categorical:
        return _rows(every, numbers, spoken)
    return _bins(every, numbers, spoken)


def percent(share: float) -> str:
    """A share as a short percentage; a small one is not called 0."""
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share:.0%}".replace("%", " %") if share in (0, 1) or share >= 0.1 else f"{share * 100:.1f} %"


def shorten(text: str, most: int) -> str:
    """A text cut to a number of characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def curves(history: Sequence[Mapping[str, Any]]) -> tuple[Curve, ...]:
    """The losses of a training, each in a height of its own."""
    names = [n for n in dict.fromkeys(key for entry in history for key in entry) if n not in _NO_CURVE]
    found = []
    for name in names:
        values = [float(e[name]) for e in history if isinstance(e.get(name), int | float) and math.isfinite(e[name])]
        if len(values) > 1:
            low, high = min(values), max(values)
            points = [
                f"{CURVE_WIDTH * i / (len(values) - 1):.1f} {CURVE_HEIGHT * (1 - (v - low) / (high - low or 1)):.1f}"
                for i, v in enumerate(values)
            ]
            found.append(Curve(name.replace("_", " "), f"M{'L'.join(points)}", values[0], values[-1]))
    return tuple(found)


def _triples(histogram: Histogram) -> list[tuple[str, float, float]]:
    return list(zip(histogram.labels, histogram.real, histogram.synthetic, strict=True))


def _folded(histogram: Histogram) -> list[tuple[str, float, float]]:
    """The first categories by name, the others as one."""
    every = [(label or "(empty)", r, s) for label, r, s in _triples(histogram)]
    if len(every) <= ROWS_SHOWN + 1:
        return every
    rest = every[ROWS_SHOWN:]
    return [*every[:ROWS_SHOWN], (f"{len(rest)} more", sum(r for _, r, _ in rest), sum(s for _, _, s in rest))]


def _spoken(every: Sequence[tuple[str, float, float]]) -> str:
    """Where most of the source lies, and where the copy differs most."""
    if not every:
        return "no values"
    top = max(every, key=lambda one: one[1])
    apart = max(every, key=lambda one: abs(one[1] - one[2]))
    lines = [f"most often {top[0]}, real {percent(top[1])}, synthetic {percent(top[2])}"]
    if apart is not top:
        lines.append(f"furthest apart at {apart[0]}, real {percent(apart[1])}, synthetic {percent(apart[2])}")
    return "; ".join(lines)


def _bins(every: Sequence[tuple[str, float, float]], numbers: str, spoken: str) -> Chart:
    top = max((*(max(r, s) for _, r, s in every), 1e-9))
    width = CHART_WIDTH / len(every)
    gap = min(1.0, width * 0.15)
    half = (width - gap) / 2

    def bar(x: float, share: float) -> str:
        height = CHART_HEIGHT * 0.97 * share / top
        return f"M{x:.1f} {CHART_HEIGHT}v-{height:.1f}h{half:.1f}v{height:.1f}z" if height >= 0.05 else ""

    return Chart(
        real="".join(bar(i * width, r) for i, (_, r, _) in enumerate(every)),
        synthetic="".join(bar(i * width + half, s) for i, (_, _, s) in enumerate(every)),
        labels=(),
        axis=_axis([label for label, _, _ in every]),
        height=CHART_HEIGHT,
        numbers=numbers,
        spoken=spoken,
    )


def _axis(labels: Sequence[str]) -> tuple[str, ...]:
    """Every label where there is room, else the first and the last."""
    each = len(labels) <= 7 and max(map(len, labels)) * len(labels) <= AXIS_CHARACTERS
    return tuple(labels) if each or len(labels) == 1 else (labels[0], labels[-1])


def _rows(every: Sequence[tuple[str, float, float]], numbers: str, spoken: str) -> Chart:
    top = max((max(r, s) for _, r, s in every), default=0) or 1.0
    room = CHART_WIDTH - LABEL_WIDTH - NUMBER_WIDTH

    def bar(y: float, share: float) -> str:
        return f"M{LABEL_WIDTH} {y:.1f}h{room * share / top:.1f}v5.5h-{room * share / top:.1f}z"

    return Chart(
        real="".join(bar(i * ROW_HEIGHT + 2, r) for i, (_, r, _) in enumerate(every)),
        synthetic="".join(bar(i * ROW_HEIGHT + 8, s) for i, (_, _, s) in enumerate(every)),
        labels=tuple(
            (i * ROW_HEIGHT + 11.5, shorten(label, LABEL_CHARACTERS), percent(s))
            for i, (label, _, s) in enumerate(every)
        ),
        axis=(),
        height=max(len(every) * ROW_HEIGHT, ROW_HEIGHT),
        numbers=numbers,
        spoken=spoken,
    )
