"""The bundle as Databricks reads it: its own models take the jobs, and each task's words are a command of the wheel."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job

from synthohive_spark import cli
from synthohive_spark.config import Config, load_config
from synthohive_spark.launch.arguments import job_parser, parsed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "conf" / "databricks"
PHASES = ["synthohive-train", "synthohive-generate", "synthohive-evaluate"]


def resolved(value: Any, known: Callable[[str], str]) -> Any:
    """A value in which every ${...} is replaced, in what replaced it too."""
    if isinstance(value, dict):
        return {k: resolved(v, known) for k, v in value.items()}
    if isinstance(value, list):
        return [resolved(v, known) for v in value]
    while isinstance(value, str) and (found := re.search(r"\$\{([\w.]+)\}", value)):
        value = value.replace(found[0], known(found[1]))
    return value


def bundle(target: str) -> dict[str, Any]:
    """The bundle for a target; the checkout stands where the bundle is deployed."""
    raw = yaml.safe_load((FOLDER / "databricks.yml").read_text())
    assert target in raw["targets"]
    fixed = {"workspace.file_path": str(ROOT), "bundle.name": raw["bundle"]["name"], "bundle.target": target}

    def known(name: str) -> str:
        kind, _, variable = name.partition(".")
        return raw["variables"][variable]["default"] if kind == "var" else fixed[name]

    return resolved(raw, known)


def words(task: dict[str, Any], parameters: list[dict[str, str]]) -> list[str]:
    """The words of a task, with the job's parameters in them."""
    values = {p["name"]: p["default"] for p in parameters}
    return [re.sub(r"\{\{job\.parameters\.(\w+)\}\}", lambda m: values[m[1]], w) for w in task["parameters"]]


@pytest.mark.parametrize("target", ["dev", "prod"])
@pytest.mark.parametrize("name", ["synthohive", "synthohive_serverless"])
def test_each_task_is_a_command_of_the_wheel(name: str, target: str) -> None:
    raw = bundle(target)["resources"]["jobs"][name]
    job = Job.from_dict(raw)
    assert [t.task_key for t in job.tasks] == ["train", "generate", "evaluate"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    clusters = {c["job_cluster_key"] for c in raw.get("job_clusters", [])}
    environments = {e["environment_key"] for e in raw.get("environments", [])}
    for task, phase in zip(raw["tasks"], PHASES, strict=True):
        wheel = task["python_wheel_task"]
        assert wheel["entry_point"] == phase
        assert wheel["package_name"] == "synthohive_spark"
        command = getattr(cli, scripts[phase].split(":")[1])
        arguments = parsed(job_parser(phase.removeprefix("synthohive-"), command), words(wheel, raw["parameters"]))
        config = load_config(arguments.config, arguments.overrides)
        assert isinstance(config, Config)
        assert config.source.schema_name == "main.shop"
        assert config.target.schema_name == "main.shop_synthetic"
        assert config.evaluate.reports == "/Volumes/main/synthohive/reports"
        assert task.get("job_cluster_key") in clusters or task.get("environment_key") in environments
        carried = [x["whl"] for x in task.get("libraries", [])] or raw["environments"][0]["spec"]["dependencies"]
        assert carried == ["../../dist/*.whl"]
