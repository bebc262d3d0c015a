"""Runs over time: what each evaluation found, appended to a table of the workspace, and a page of the figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from synthohive_spark.evaluation.judging import FIGURES
from synthohive_spark.evaluation.places import table_figures
from synthohive_spark.evaluation.report import page_of, render
from synthohive_spark.evaluation.report_files import ReportPlace
from synthohive_spark.evaluation.scores import Evaluation
from synthohive_spark.lake.causes import first_line
from synthohive_spark.logs import get_logger
from synthohive_spark.registry import METRICS, MetricRow, Workspace

log = get_logger(__name__)
PAGE, TEMPLATE = "runs", "runs.html.j2"
RUNS_SHOWN = 50
WIDTH, HEIGHT = 720, 220


@dataclass(frozen=True)
class RunLine:
    """One run on the page.

    Attributes:
        run_id: its id.
        at: when it was evaluated.
        scores: {figure: score}.
        x: where it stands in the picture.
    """

    run_id: str
    at: str
    scores: dict[str, float]
    x: float

    @property
    def worst(self) -> float | None:
        """The worst of its figures."""
        return min(self.scores.values(), default=None)


def metric_rows(run_id: str, evaluation: Evaluation) -> list[MetricRow]:
    """What is kept of an evaluation: the four figures, those of each table, and everything that was judged."""
    rows = [
        MetricRow(run_id, "figure", "", name, f.score, f.floor, f.ceiling, f.score, f.low, f.high)
        for name, f in evaluation.figures.items()
    ]
    rows += [
        MetricRow(run_id, "table", t.table, name, f.similarity, f.floor, f.ceiling, f.score, f.low, f.high)
        for t in evaluation.tables
        for name, f in table_figures(evaluation, t).items()
    ]
    return rows + [
        MetricRow(
            run_id, j.kind, j.place, j.what, j.score, j.floor, j.ceiling, j.share,
            j.share_at(j.score - j.margin), j.share_at(j.score + j.margin),
        )
        for j in (*evaluation.broken, *evaluation.judged)
    ]  # fmt: skip


def report_texts(evaluation: Evaluation, about: Mapping[str, Any]) -> tuple[str, str]:
    """The page of a report, and its JSON.

    Args:
        evaluation: what was found.
        about: the run; ``privacy`` is what was found of privacy.
    """
    run = {key: value for key, value in about.items() if key != "privacy"}
    told = {**evaluation.to_dict(), "privacy": about.get("privacy") or {}, "run": run}
    return render(evaluation, about), json.dumps(told, indent=1, default=str)


def publish(
    workspace: Workspace, run_id: str, evaluation: Evaluation, texts: tuple[str, str], folder: str | None
) -> str:
    """Write page and JSON into the folder of reports, else into a table of the workspace; metrics into another one.

    Args:
        workspace: of the run.
        run_id: names the files.
        evaluation: what was found.
        texts: page and JSON.
        folder: of the reports; None for a workspace without one.

    Returns:
        Where the page lies, as the run's last line says it.
    """
    page, details = texts
    place = None
    if folder is not None:
        try:
            place = ReportPlace(folder).write(run_id, page, details)
        except (OSError, ValueError) as e:
            kept = str(workspace.place)
            log.warning("report_folder_refused", folder=folder, error=first_line(e), kept_in=kept)
    keep_run(workspace, run_id, evaluation, folder if place is not None else None)
    return place or workspace.keep_report(run_id, page, details)


def keep_run(workspace: Workspace, run_id: str, evaluation: Evaluation, folder: str | None) -> str | None:
    """Append an evaluation to the workspace's table of metrics, and write the page of runs beside the reports.

    Args:
        workspace: where the table lies.
        run_id: of the evaluation.
        evaluation: it.
        folder: of the reports; without one no page is written.

    Returns:
        Where the page lies; None without one.
    """
    rows = metric_rows(run_id, evaluation)
    columns = {name: pa.array([getattr(r, name) for r in rows], kind) for name, kind in _ARROW.items()}
    workspace.keep_metrics(workspace.spark.createDataFrame(pa.table(columns)))
    if folder is None:
        return None
    return ReportPlace(folder).put(f"{PAGE}.html", runs_page(workspace.newest_figures(RUNS_SHOWN)))


def runs_page(figures: Sequence[tuple[str, str, str, float]]) -> str:
    """The page.

    Args:
        figures: run, time, figure and score of each, oldest first.
    """
    seen: dict[str, tuple[str, dict[str, float]]] = {}
    for run_id, at, name, score in figures:
        seen.setdefault(run_id, (at, {}))[1][name] = score
    step = WIDTH / max(len(seen) - 1, 1)
    lines = [RunLine(run, at, scores, round(i * step, 1)) for i, (run, (at, scores)) in enumerate(seen.items())]
    paths = {
        name: "M" + "L".join(f"{r.x} {_y(r.scores[name])}" for r in lines if name in r.scores)
        for name in FIGURES
        if any(name in r.scores for r in lines)
    }
    return page_of(TEMPLATE, runs=lines, paths=paths, figures=FIGURES, width=WIDTH, height=HEIGHT, y=_y)


def _y(score: float) -> float:
    return round(HEIGHT * (1 - score), 1)


_ARROW = {name: pa.string() if kind == "string" else pa.float64() for name, kind in METRICS.items()}
