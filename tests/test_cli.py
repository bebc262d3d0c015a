from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synthohive_spark import cli, logs, session
from synthohive_spark.errors import (
    ConfigError,
    QualityError,
    SchemaValidationError,
    SourceDataError,
    SynthoHiveError,
    TrainingError,
    WriteError,
)

JOBS = [cli.ingest, cli.train, cli.generate, cli.evaluate, cli.pipeline, cli.plan]
KEYS = {"run_id", "status", "tables", "report", "seconds"}


@dataclass
class _Summary:
    values: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(
            {"run_id": "r1", "status": "complete", "tables": {"T": 3}, "report": "r.html", "seconds": 1.0}
        )


@pytest.fixture
def config_file(tmp_path: Path) -> str:
    file = tmp_path / "run.yaml"
    places = "\n".join(f"{p}: {{path: {tmp_path}/{p}}}" for p in ("source", "target", "workspace"))
    file.write_text(f"run: t\n{places}\nmetadata: {{tables: {{T: {{primary_key: id, columns: {{id: bigint}}}}}}}}\n")
    return str(file)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], dict[str, Any]]:
    """Puts a function in the place of run_pipeline and a stub in that of Spark; returns what the job passed."""
    seen: dict[str, Any] = {}

    def install(function: Callable[..., Any]) -> dict[str, Any]:
        def run(spark: object, config: object, **options: object) -> Any:
            seen.update(options, config=config)
            return function()

        conf = SimpleNamespace(get=lambda key, default: default, set=lambda k, v: None, unset=lambda k: None)
        monkeypatch.setattr(session, "get_session", lambda *_: SimpleNamespace(conf=conf, interruptAll=list))
        monkeypatch.setitem(sys.modules, "synthohive_spark.pipeline", SimpleNamespace(run_pipeline=run))
        return seen

    return install


def _fail(error: Exception) -> Callable[[], Any]:
    def raise_it() -> Any:
        raise error

    return raise_it


def test_success_returns_and_prints_one_json_line(
    work: Callable[..., dict[str, Any]], config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = work(_Summary)
    cli.pipeline(["--config", config_file, "--set", "train.epochs=7", "--set", "run=x", "--resume", "r0"])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "run_id": "r1",
        "status": "complete",
        "tables": {"T": 3},
        "report": "r.html",
        "seconds": 1.0,
    }
    assert seen["resume"] == "r0"
    assert seen["config"].train.epochs == 7
    assert seen["config"].run == "x"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("c"), 2),
        (SchemaValidationError(["c"]), 2),
        (SourceDataError("c"), 3),
        (TrainingError("c"), 4),
        (WriteError("c"), 5),
        (QualityError("c"), 6),
        (SynthoHiveError("c"), 1),
    ],
)
def test_every_error_has_its_exit_code_and_a_json_line(
    work: Callable[..., dict[str, Any]],
    config_file: str,
    capsys: pytest.CaptureFixture[str],
    error: SynthoHiveError,
    code: int,
) -> None:
    work(_fail(error))
    with pytest.raises(SystemExit) as left:
        cli.pipeline(["--config", config_file])
    assert left.value.code == code
    out, err = capsys.readouterr()
    line = json.loads(out)
    assert set(line) == {*KEYS, "error"}
    assert line["status"] == "failed"
    assert line["error"] == str(error)
    assert f"error: {error}" in err
    assert "Traceback" not in err


def test_an_error_with_a_summary_keeps_tables_and_report(
    work: Callable[..., dict[str, Any]], config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = QualityError("below the gate")
    error.summary = _Summary()  # type: ignore[attr-defined]
    work(_fail(error))
    with pytest.raises(SystemExit):
        cli.pipeline(["--config", config_file])
    line = json.loads(capsys.readouterr().out)
    assert (line["run_id"], line["status"], line["tables"], line["report"]) == ("r1", "failed", {"T": 3}, "r.html")


def test_a_bug_exits_1_with_a_traceback_and_no_value_on_stdout(
    work: Callable[..., dict[str, Any]], config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash() -> None:
        logs.bind(run_id="r9")
        raise KeyError("a secret value")

    work(crash)
    with pytest.raises(SystemExit) as left:
        cli.pipeline(["--config", config_file])
    assert left.value.code == 1
    out, err = capsys.readouterr()
    assert "Traceback" in err
    assert json.loads(out)["run_id"] == "r9"
    assert "secret" not in out


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize(
    "argv", [[], ["--config", "x.yaml", "--conf", "y"], ["--config", "absent.yaml", "--from", "."]]
)
def test_a_wrong_command_line_exits_2(
    job: Callable[[list[str]], None], argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        job(argv)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "failed"
    assert "error: " in err


def test_an_unknown_configuration_key_names_the_nearest(config_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.train(["--config", config_file, "--set", "train.epoch=3"])
    assert left.value.code == 2
    assert "epochs" in capsys.readouterr().err


@pytest.mark.parametrize("job", [*JOBS, cli.doctor])
def test_help_shows_an_example(job: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        job(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert f"./spark-submit.sh jobs/{job.__name__}.py --config" in out
    assert out.startswith(f"usage: synthohive-{job.__name__} ")
    assert f"  synthohive-{job.__name__} --config shop/shop.yaml" in out
    assert "exit codes" in out


@pytest.mark.parametrize("words", [["jobs/pipeline.py"], ["-m", "synthohive_spark.launch.submit", "jobs/plan.py"]])
def test_help_and_a_wrong_option_need_no_spark(root: Path, words: list[str]) -> None:
    loaded = "import sys; sys.modules['pyspark'] = sys.modules['torch'] = None"
    program = f"{loaded}; import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    program = program if words[0] != "-m" else ""
    start = [sys.executable, *(["-c", program] if program else []), *words]
    done = subprocess.run([*start, "--help"], check=False, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {Path(words[-1]).name} ")


def test_a_setting_of_spark_has_a_value(config_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.train(["--config", config_file, "--conf", "spark.driver.memory"])
    assert left.value.code == 2
    assert "KEY=VALUE" in capsys.readouterr().err


def test_ctrl_c_ends_with_the_json_line(
    work: Callable[..., dict[str, Any]], config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    work(_fail(KeyboardInterrupt()))  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as left:
        cli.pipeline(["--config", config_file])
    assert left.value.code == 130
    line = json.loads(capsys.readouterr().out)
    assert line["status"] == "interrupted"
    assert "SIGINT" in line["error"]
    assert line["run_id"].startswith("t-")


def test_a_dry_run_is_a_plan(
    work: Callable[..., dict[str, Any]], config_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = work(_Summary)
    planned: list[object] = []
    stub = SimpleNamespace(run_plan=lambda spark, config: planned.append(config) or "{}")
    monkeypatch.setitem(sys.modules, "synthohive_spark.forecast.run", stub)
    cli.pipeline(["--config", config_file, "--dry-run"])
    assert len(planned) == 1
    assert seen == {}
