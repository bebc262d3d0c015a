"""Curves of c2st over CPU seconds of training, as SVG; the axis of seconds is logarithmic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

COLOURS = {"ctgan": "#c8553d", "CTGAN.classic": "#d9a441", "CTGAN": "#1f6f8b", "AutoregressiveModel": "#6b8f3a"}
WIDTH, HEIGHT, TOP = 340, 240, 64
Curve = Sequence[tuple[float, float]]


def plot(curves: Mapping[str, Mapping[str, Curve]]) -> str:
    """``curves`` holds (seconds, c2st) of each model of each table; one panel a table."""
    panels = [_panel(60 + 430 * at, table, models) for at, (table, models) in enumerate(curves.items())]
    size = f'width="{430 * len(panels) + 10}" height="{TOP + HEIGHT + 56}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    return head + f'<rect {size} fill="white"/>' + "".join(panels) + "</svg>\n"


def _panel(left: int, table: str, models: Mapping[str, Curve]) -> str:
    seconds = np.array([point[0] for curve in models.values() for point in curve])
    low, high = np.log10(seconds.min()) - 0.1, np.log10(seconds.max()) + 0.1
    bottom = min(0.5, *(point[1] for curve in models.values() for point in curve)) - 0.02

    def place(second: float, score: float) -> tuple[float, float]:
        x = left + (np.log10(second) - low) / (high - low) * WIDTH
        return float(x), float(TOP + (1.0 - score) / (1.0 - bottom) * HEIGHT)

    parts = [f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    parts.append(f'<text x="{left}" y="{TOP - 42}" font-weight="bold">{table}: c2st (0.5 is best)</text>')
    for score in np.arange(0.5, 1.01, 0.1):
        _, y = place(1.0, score)
        parts.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y:.0f}" y2="{y:.0f}" stroke="#eee"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{score:.1f}</text>')
    for second in (m * 10.0**e for e in range(-2, 4) for m in (1, 2, 5)):
        if low <= np.log10(second) <= high:
            x, _ = place(second, 1.0)
            parts.append(f'<text x="{x:.0f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{second:g}</text>')
    middle = left + WIDTH / 2
    parts.append(f'<text x="{middle}" y="{TOP + HEIGHT + 38}" text-anchor="middle">CPU seconds of fit</text>')
    key = left
    for name, curve in models.items():
        points = [place(*point) for point in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[name]}"/>' for x, y in points]
        parts.append(f'<circle cx="{key + 4}" cy="{TOP - 18}" r="4" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{key + 12}" y="{TOP - 14}">{name}</text>')
        key += 34 + 7 * len(name)
    return "".join(parts)
