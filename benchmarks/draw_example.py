"""Draws docs/example.svg: the shop of README's example, real beside synthetic.

synthohive-example shop, ingest, pipeline (README); then python benchmarks/draw_example.py shop/lake docs/example.svg
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

REAL, SYNTHETIC = "#7a8794", "#e08a2e"
WIDTH, PANEL, HEIGHT, LEFT, TOP = 900, 215, 190, 20, 52
Sides = list[tuple[str, float, float]]  # label, real, synthetic


def read(folder: Path) -> pd.DataFrame:
    """The newest version of a Delta table of one process: what its log adds and does not remove."""
    files: set[str] = set()
    for entry in sorted((folder / "_delta_log").glob("*.json")):
        for action in map(json.loads, entry.read_text().splitlines()):
            files |= {action["add"]["path"]} if "add" in action else set()
            files -= {action["remove"]["path"]} if "remove" in action else set()
    return pd.concat([pd.read_parquet(folder / f) for f in sorted(files)], ignore_index=True)


def panels(lake: Mapping[str, pd.DataFrame]) -> dict[str, pd.Series[Any]]:
    """What is compared: shares of a column, a distribution, and what depends on what across tables."""
    customers, orders, items = lake["customers"], lake["orders"], lake["order_items"]
    spent = pd.cut(items["amount"].astype(float), [0, 20, 50, 100, 200, 500, 1e9])
    names = ["to 20", "50", "100", "200", "500", "more"]
    counts = orders.groupby("customer_id").size().reindex(customers["customer_id"], fill_value=0)
    often = counts.groupby(customers.set_index("customer_id")["segment"]).mean()
    rated = lake["reviews"].merge(lake["products"], on="product_id")
    dear = rated["price"].astype(float).gt(60).map({True: "above 60", False: "to 60"})
    return {
        "customers by city, share": customers["city"].value_counts(normalize=True),
        "amount of an item, share": spent.cat.rename_categories(names).value_counts(normalize=True).reindex(names),
        "orders per customer, mean": often,
        "rating by price, mean": rated.groupby(dear)["rating"].mean(),
    }


def panel(x: float, title: str, sides: Sides) -> str:
    """One comparison as pairs of bars."""
    most = max(max(real, made) for _, real, made in sides)
    step = (PANEL - 2 * LEFT) / len(sides)
    parts = [f'<text x="{x + LEFT}" y="{TOP - 14}" font-weight="600">{title}</text>']
    for i, (label, real, made) in enumerate(sides):
        left = x + LEFT + i * step
        for j, (value, colour) in enumerate(((real, REAL), (made, SYNTHETIC))):
            high = 96 * value / most
            corner = f'x="{left + j * step * 0.42:.1f}" y="{TOP + 96 - high:.1f}"'
            bar = f'{corner} width="{step * 0.38:.1f}" height="{high:.1f}"'
            parts.append(f'<rect {bar} fill="{colour}"><title>{label}: {value:.3g}</title></rect>')
        parts.append(
            f'<text transform="translate({left + step * 0.45:.1f},{TOP + 104}) rotate(38)" font-size="9">{label}</text>'
        )
    return "".join(parts)


def draw(place: Path) -> str:
    """The picture as SVG."""
    tables = [p.name for p in sorted((place / "source").iterdir())]
    both = [panels({t: read(place / side / t) for t in tables}) for side in ("source", "synthetic")]
    parts = []
    for i, title in enumerate(both[0]):
        real, made = (side[title] for side in both)
        sides = [(str(k), float(real[k]), float(made.get(k, 0.0))) for k in real.index]
        parts.append(panel(8 + i * (PANEL + 6), title, sides))
    legend = (
        f'<rect x="28" y="10" width="10" height="10" fill="{REAL}"/><text x="43" y="19">real</text>'
        f'<rect x="83" y="10" width="10" height="10" fill="{SYNTHETIC}"/><text x="98" y="19">synthetic</text>'
    )
    style = 'font-family="sans-serif" font-size="11" fill="#333"'
    box = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" {style}>'
    return f"{head}{box}{legend}{''.join(parts)}</svg>\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(Path(sys.argv[1])), encoding="utf-8")
