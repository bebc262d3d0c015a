"""The DAG, parsed by Airflow in an environment of its own: three tasks, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
AIRFLOW = ("apache-airflow==3.1.8", "apache-airflow-providers-apache-spark==6.3.4")
PARSE = """
import json, sys
from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1], include_examples=False)
dag = bag.dags["synthohive"]
tasks = {t.task_id: [sorted(t.downstream_task_ids), t.application, t.application_args] for t in dag.tasks}
print(json.dumps({"errors": bag.import_errors, "tasks": tasks}, default=str))
"""


@pytest.mark.timeout(900)
def test_airflow_reads_three_phases(tmp_path: Path) -> None:
    python = str(tmp_path / "env" / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *AIRFLOW], check=True)
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    words = [python, "-c", PARSE, str(ROOT / "conf" / "airflow")]
    done = subprocess.run(words, capture_output=True, text=True, env=env, check=True, cwd=tmp_path)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert {t: down for t, (down, *_) in found["tasks"].items()} == {
        "train": ["generate"],
        "generate": ["evaluate"],
        "evaluate": [],
    }
    for phase, (_, application, words) in found["tasks"].items():
        job = Path(application.replace("{{ var.value.synthohive_home }}", str(ROOT)))
        assert job == ROOT / "jobs" / f"{phase}.py"
        assert job.is_file()
        assert words == ["--config", "{{ var.value.synthohive_config }}"]
