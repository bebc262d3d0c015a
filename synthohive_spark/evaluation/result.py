"""An evaluation in a notebook: it shows itself, has frames and figures, and is saved as page and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from synthohive_spark.errors import ConfigError
from synthohive_spark.evaluation.charts import CHART_WIDTH, LABEL_WIDTH, Chart, chart
from synthohive_spark.evaluation.judging import Judged
from synthohive_spark.evaluation.report import fragment, render
from synthohive_spark.evaluation.report_files import ReportPlace
from synthohive_spark.evaluation.scores import Evaluation, Histogram, TableEvaluation
from synthohive_spark.strict import nearest

REAL, SYNTHETIC = "#9aa6b8", "#d9540b"  # colours of the two sides
_HEAD = 22


@dataclass(frozen=True)
class Picture:
    """One distribution, real beside synthetic; a notebook draws it.

    Attributes:
        title: what it shows.
        svg: the picture.
        data: label, real and synthetic share of each bar.
    """

    title: str
    svg: str
    data: pd.DataFrame

    def _repr_html_(self) -> str:
        return self.svg

    def save(self, path: str) -> str:
        """Write the picture to a file that ends in .svg; returns where it lies."""
        if not path.endswith(".svg"):
            raise ConfigError(f"{path!r} does not end in .svg; pictures are SVG, so give such a name")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg)
        return path


@dataclass(frozen=True)
class EvaluationResult(Evaluation):
    """What ``evaluate`` gives: an evaluation that people look at.

    Attributes:
        about: facts about the run that page and JSON say, such as the model and the seed.
    """

    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def overview(self) -> pd.DataFrame:
        """The four figures, worst first: score, similarity, floor, ceiling, and how many things they rest on."""
        rows = [{"figure": name, **asdict(f)} for name, f in self.figures.items()]
        names = ["figure", "score", "similarity", "floor", "ceiling", "judged"]
        return pd.DataFrame(rows, columns=names).sort_values("score", ignore_index=True)

    @property
    def columns(self) -> pd.DataFrame:
        """Every scored column, furthest first."""
        names = ("kind", "score", "real_nulls", "synthetic_nulls", "covered")
        rows = [
            {
                "table": t.table,
                "column": c.column,
                **{n: getattr(c, n) for n in names},
                **_place(self._judged(t, c.column)),
            }
            for t in self.tables
            for c in t.columns
        ]
        return _frame(rows, ("table", "column", *names, "floor", "ceiling", "share"))

    @property
    def pairs(self) -> pd.DataFrame:
        """Every pair of columns that was looked at, furthest first."""
        names = (
            "left",
            "right",
            "metric",
            "real",
            "synthetic",
            "real_strength",
            "synthetic_strength",
            "score",
            "share",
        )
        rows = [{"table": t.table, **{n: getattr(p, n) for n in names}} for t in self.tables for p in t.pairs]
        return _frame(rows, ("table", *names))

    @property
    def relations(self) -> pd.DataFrame:
        """What was judged of each foreign key: children per parent, pairs across it, siblings, their order."""
        names = ("place", "kind", "what", "score", "floor", "ceiling")
        rows = [{**{n: getattr(j, n) for n in names}, "share": j.share} for j in self.judged if j.figure == "relations"]
        return _frame(rows, (*names, "share"), by="share")

    @property
    def rules(self) -> pd.DataFrame:
        """Rules and constraints with the rows of the copy that break them; None where a row alone does not tell."""
        rows: list[dict[str, Any]] = self.to_dict()["rules"]
        return pd.DataFrame(rows, columns=["table", "rule", "broken"])

    def plot(self, table: str, column: str) -> Picture:
        """One column, real beside synthetic; of a foreign key's columns the children per parent.

        Args:
            table: its name.
            column: a scored column, or the columns of a foreign key, as ``"customer_id"``.

        Raises:
            ConfigError: there is no such table or column, or it has no score.
        """
        known = {t.table: t for t in self.tables}
        if table not in known:
            raise ConfigError(f"no table {table!r} was evaluated; {nearest(table, sorted(known))}")
        histogram, score = _histogram(known[table], column)
        drawn = chart(histogram, column)
        title = f"{table}.{column}: {score:.3f} alike"
        data = pd.DataFrame({"label": histogram.labels, "real": histogram.real, "synthetic": histogram.synthetic})
        return Picture(title, _svg(drawn, title), data)

    def save(self, path: str) -> str:
        """Write the page, and its JSON beside it.

        Args:
            path: of the page; it ends in ``.html``. Any store that the lake's tables can lie in.

        Returns:
            Where the page lies.
        """
        if not path.endswith(".html"):
            raise ConfigError(f"{path!r} does not end in .html; give the page's name, such as 'report.html'")
        folder, _, name = path.rpartition("/")
        page, details = render(self, self.about), json.dumps({**self.to_dict(), "run": dict(self.about)}, default=str)
        return ReportPlace(folder or ".").write(PurePosixPath(name).stem, page, details)

    def _repr_html_(self) -> str:
        return fragment(self, self.about)

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {f.score:.3f}" for name, f in self.figures.items()) or "nothing could be judged"
        worst = "; ".join(f"{j.place} {j.kind} {j.what} {j.share:.3f}" for j in self.worst(3))
        more = f"; furthest: {worst}" if worst else ""
        return f"EvaluationResult({len(self.tables)} tables: {figures}; {len(self.failures)} keys that fail{more})"

    def _judged(self, table: TableEvaluation, column: str) -> Judged | None:
        mine = self.by_place.get(table.table, ())
        return next((j for j in mine if j.kind == "column" and j.what == column), None)


def _place(judged: Judged | None) -> dict[str, float | None]:
    if judged is None:
        return {"floor": None, "ceiling": None, "share": None}
    return {"floor": judged.floor, "ceiling": judged.ceiling, "share": judged.share}


def _frame(rows: list[dict[str, Any]], names: tuple[str, ...], by: str = "score") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(names)).sort_values(by, kind="stable", ignore_index=True)


def _histogram(table: TableEvaluation, column: str) -> tuple[Histogram, float]:
    scored = {c.column: (c.histogram, c.score) for c in table.columns}
    keys = {", ".join(fk.columns): (fk.histogram, fk.score or 0.0) for fk in table.foreign_keys}
    found = scored.get(column) or keys.get(column)
    if found is not None:
        return found
    why = next((s.reason for s in table.skipped if s.column == column), None)
    if why is not None:
        raise ConfigError(
            f"{table.table}.{column} was not compared: {why}; choose one of {', '.join(scored) or 'none'}"
        )
    raise ConfigError(f"{table.table} has no column {column!r}; {nearest(column, sorted({*scored, *keys}))}")


def _svg(drawn: Chart, title: str) -> str:
    """A picture that needs no style sheet."""
    texts = "".join(
        f'<text x="{LABEL_WIDTH - 6}" y="{y}" text-anchor="end" fill="currentColor">{escape(label)}</text>'
        f'<text x="{CHART_WIDTH}" y="{y}" text-anchor="end" fill="currentColor">{share}</text>'
        for y, label, share in drawn.labels
    )
    if drawn.axis:
        y, last = drawn.height + 12, drawn.axis[-1]
        texts += f'<text x="0" y="{y}" fill="currentColor">{escape(drawn.axis[0])}</text>'
        texts += f'<text x="{CHART_WIDTH}" y="{y}" text-anchor="end" fill="currentColor">{escape(last)}</text>'
    height = drawn.height + _HEAD + 18
    sides = ((drawn.real, REAL), (drawn.synthetic, SYNTHETIC))
    bars = "".join(f'<path d="{path}" fill="{colour}"/>' for path, colour in sides)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -{_HEAD} {CHART_WIDTH} {height}" width="{2 * CHART_WIDTH}"'
        f' role="img" aria-label="{escape(drawn.spoken)}" font-family="system-ui, sans-serif" font-size="10">'
        f'<text x="0" y="-8" font-weight="600" fill="currentColor">{escape(title)}</text>'
        f"{bars}{texts}</svg>"
    )
