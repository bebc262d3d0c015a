"""The evaluation as one HTML page that needs nothing else: no script, style, font or picture from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from synthohive_spark.evaluation import charts
from synthohive_spark.evaluation.judging import FIGURES
from synthohive_spark.evaluation.scores import Evaluation

TEMPLATE = "report.html.j2"
GOOD, FAIR = 0.9, 0.75  # scores from which a number is green, or yellow
WORST_SHOWN = 10  # things that lost most
PAIRS_SHOWN = 6  # pairs of columns of a table, the most different ones
FACTS = {
    "run_id": "Run",
    "model": "Model",
    "seed": "Seed",
    "seconds": "Duration",
    "driver_python_mib": "Peak memory, driver's Python",
    "driver_jvm_mib": "Peak memory, driver's JVM",
    "run": "Configuration",
    "training_run": "Models of run",
    "scale": "Scale",
    "source_versions": "Versions of the source",
}


@dataclass(frozen=True)
class TrainedTable:
    """How one table's model was trained; ``steps`` is None for a model that counts none."""

    table: str
    rows: int
    steps: int | None
    seconds: float
    device: str


@dataclass(frozen=True)
class Fact:
    """One line about the run."""

    label: str
    value: str


def render(evaluation: Evaluation, context: Mapping[str, Any]) -> str:
    """Write the report.

    Args:
        evaluation: what was found.
        context: about the run. ``fail_under`` is the gate; ``run_id``, ``model``, ``seed`` and the other keys of
            ``FACTS`` are shown by their names there, ``models`` ({table: metrics of its training}) as a table, any
            other key as it is, None not at all.

    Returns:
        A whole HTML page. It shows no category of fewer than 3 real rows and no extreme value.
    """
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=charts.percent, score=_score, grade=_grade, chart=charts.chart, number=_number, correlation=_correlation
    )
    gate = context.get("fail_under")
    passed = None if gate is None else evaluation.passes(gate)
    return environment.get_template(TEMPLATE).render(
        evaluation=evaluation,
        schema=charts.schema_picture(evaluation),
        geometry=charts,
        facts=_facts(context),
        models=_models(context.get("models") or {}),
        run=context.get("run_id"),
        gates={name: gate.get(name) if isinstance(gate, Mapping) else gate for name in FIGURES},
        passed=passed,
        worst=evaluation.worst(WORST_SHOWN),
        pairs_shown=PAIRS_SHOWN,
    )


def _source(name: str) -> str:
    return files(__package__ or "synthohive_spark.evaluation").joinpath(name).read_text(encoding="utf-8")


def _facts(context: Mapping[str, Any]) -> list[Fact]:
    order = [*FACTS, *(k for k in context if k not in (*FACTS, "fail_under", "models"))]
    return [Fact(FACTS.get(k, k), _value(k, context[k])) for k in order if context.get(k) is not None]


def _models(metrics: Mapping[str, Mapping[str, Any]]) -> list[TrainedTable]:
    return [
        TrainedTable(table, m["sample_rows"], m.get("steps"), m["train_seconds"], m.get("device", "none"))
        for table, m in metrics.items()
        if "sample_rows" in m
    ]


def _value(key: str, value: Any) -> str:
    if key == "seconds":
        minutes, seconds = divmod(round(float(value)), 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    if key.endswith("_mib"):
        return f"{float(value):,.0f} MiB"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value)


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
