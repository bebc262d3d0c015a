"""The evaluation as one HTML page that needs nothing else: no script, style, font or picture from elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from synthohive_spark.evaluation import charts
from synthohive_spark.evaluation.heatmaps import CELL, heat_maps
from synthohive_spark.evaluation.places import edge_share, table_figures
from synthohive_spark.evaluation.schema_picture import BOX_WIDTH, schema_picture
from synthohive_spark.evaluation.scores import Evaluation, ForeignKeyScore, TableEvaluation
from synthohive_spark.evaluation.summary import FAIR, GOOD, TITLES, summary

TEMPLATE, FRAGMENT = "report.html.j2", "fragment.html.j2"
WORST_SHOWN = 15  # things that lost most
PAIRS_SHOWN = 6  # pairs of columns of a table, the most different ones
SMALL = 2000  # rows below which a table's scores are given with an interval
OPEN_TABLES = 8  # tables up to which all are shown unfolded
FACTS = {
    "run_id": "Run",
    "date": "Date",
    "version": "Version of the package",
    "model": "Model",
    "seed": "Seed",
    "seconds": "Duration",
    "driver_python_mib": "Peak memory, driver's Python",
    "driver_jvm_mib": "Peak memory, driver's JVM",
    "run": "Configuration",
    "training_run": "Models of run",
    "scale": "Scale",
    "source": "Source",
    "target": "Target",
    "source_versions": "Versions of the source",
    "dropped": "Rows left out",
}
ELSEWHERE = ("fail_under", "models", "privacy")  # of the context: shown in their own places


@dataclass(frozen=True)
class TrainedTable:
    """How one table's model was trained; ``steps`` is None for a model that counts none."""

    table: str
    rows: int
    steps: int | None
    seconds: float
    device: str
    curves: tuple[charts.Curve, ...]


@dataclass(frozen=True)
class Fact:
    """One line about the run, or about privacy."""

    label: str
    value: str


def render(evaluation: Evaluation, context: Mapping[str, Any]) -> str:
    """Write the report.

    Args:
        evaluation: what was found.
        context: about the run. ``fail_under`` is the gate; ``run_id``, ``model``, ``seed`` and the other keys of
            ``FACTS`` are shown by their names there, ``models`` ({table: metrics of its training}) as a table,
            ``privacy`` as a panel, any other key as it is, None not at all.

    Returns:
        A whole HTML page. It shows no bin and no category of fewer rows than the evaluation was asked to protect.
    """

    def relation(table: TableEvaluation, fk: ForeignKeyScore) -> float | None:
        return edge_share(evaluation, table, fk)

    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            evaluation=evaluation,
            summary=summary(evaluation, context.get("fail_under"), context.get("model")),
            schema=schema_picture(evaluation),
            figures={t.table: table_figures(evaluation, t) for t in evaluation.tables},
            titles=TITLES,
            relation=relation,
            chart=charts.chart,
            heat_maps=heat_maps,
            geometry={
                "chart": charts.CHART_WIDTH,
                "label": charts.LABEL_WIDTH,
                "box": BOX_WIDTH,
                "cell": CELL,
                "curve": (charts.CURVE_WIDTH, charts.CURVE_HEIGHT),
            },
            facts=_facts(context),
            models=_models(context.get("models") or {}),
            privacy=_flat(context.get("privacy") or {}),
            run=context.get("run_id"),
            worst=evaluation.worst(WORST_SHOWN),
            pairs_shown=PAIRS_SHOWN,
            small=SMALL,
            unfolded=len(evaluation.tables) <= OPEN_TABLES,
            families=_families(evaluation),
        )
    )


def fragment(evaluation: Evaluation, context: Mapping[str, Any]) -> str:
    """What a notebook shows of it: the page's first screen, without a style that would reach the notebook's own."""
    found = summary(evaluation, context.get("fail_under"), context.get("model"))
    return _environment().get_template(FRAGMENT).render(summary=found)


def page_of(template: str, **values: Any) -> str:
    """Another page of the same look."""
    return _environment().get_template(template).render(**values)


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=charts.percent, score=_score, grade=_grade, number=_number, correlation=_correlation
    )
    return environment


def _source(name: str) -> str:
    return files(__package__ or "synthohive_spark.evaluation").joinpath(name).read_text(encoding="utf-8")


def _facts(context: Mapping[str, Any]) -> list[Fact]:
    known = {"date": f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d %H:%M} UTC", "version": _version(), **context}
    order = [*FACTS, *(k for k in known if k not in (*FACTS, *ELSEWHERE))]
    return [Fact(FACTS.get(k, k), _value(k, known[k])) for k in order if known.get(k) is not None]


def _version() -> str | None:
    """None where the package runs from an archive that was not installed."""
    try:
        return version("synthohive-spark")
    except PackageNotFoundError:
        return None


def _models(metrics: Mapping[str, Mapping[str, Any]]) -> list[TrainedTable]:
    return [
        TrainedTable(
            table,
            m["sample_rows"],
            m.get("steps"),
            m["train_seconds"],
            m.get("device", "none"),
            charts.curves(m.get("history") or []),
        )
        for table, m in metrics.items()
        if "sample_rows" in m
    ]


def _families(evaluation: Evaluation) -> dict[str, list[tuple[str, str, float, int]]]:
    """{place of a foreign key: what siblings have together, and their order: kind, worst, share, how many}."""
    found: dict[str, list[tuple[str, str, float, int]]] = {}
    for kind in ("siblings", "order"):
        places = dict.fromkeys(j.place for j in evaluation.judged if j.kind == kind)
        for place in places:
            mine = [j for j in evaluation.judged if j.kind == kind and j.place == place]
            worst = min(mine, key=lambda j: j.share)
            mean = sum(j.share for j in mine) / len(mine)
            found.setdefault(place, []).append((kind, worst.what, mean, len(mine)))
    return found


def _flat(tree: Mapping[str, Any], above: str = "") -> list[Fact]:
    """A tree of numbers as lines."""
    lines: list[Fact] = []
    for key, value in tree.items():
        name = f"{above}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines += _flat(value, f"{name} · ")
        elif value is not None:
            lines.append(Fact(name, f"{value:.3g}" if isinstance(value, float) else _plain(value)))
    return lines


def _plain(value: Any) -> str:
    return "; ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)


def _value(key: str, value: Any) -> str:
    if key == "seconds":
        minutes, seconds = divmod(round(float(value)), 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    if key.endswith("_mib"):
        return f"{float(value):,.0f} MiB"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return _plain(value)


def _score(value: float | None) -> str:
    """Three decimals, rounded down: only what is equal reads 1.000, and nothing reads as passed that is not."""
    return "n/a" if value is None else f"{int(value * 1000 + 1e-6) / 1000:.3f}"


def _grade(value: float | None) -> str:
    if value is None:
        return "none"
    return "good" if value >= GOOD else "fair" if value >= FAIR else "poor"


def _number(value: float) -> str:
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else f"{value:.4g}"


def _correlation(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # + 0.0: never -0.00
