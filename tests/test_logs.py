from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from synthohive_spark import logs
from synthohive_spark.errors import ConfigError


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_is_json_and_always_has_run_phase_and_table() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    log = logs.get_logger("a.module")
    log.info("first", rows=3)
    logs.bind(run_id="r1", phase="train")
    with logs.bound(table="T"):
        log.info("second")
    logs.bind(phase=None)
    log.warning("third")
    first, second, third = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["event"] == "first"
    assert first["rows"] == 3
    assert first["module"] == "a.module"
    assert {k: first[k] for k in logs.CONTEXT} == {"run_id": None, "phase": None, "table": None}
    assert {k: second[k] for k in logs.CONTEXT} == {"run_id": "r1", "phase": "train", "table": "T"}
    assert {k: third[k] for k in logs.CONTEXT} == {"run_id": "r1", "phase": None, "table": None}
    assert third["level"] == "warning"
    assert logs.current("run_id") == "r1"


def test_lines_go_to_stderr_never_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    logs.get_logger("made.before.configure").info("in_a_worker")
    logs.configure()
    logs.get_logger("m").info("in_the_driver")
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["in_a_worker", "in_the_driver"]


def test_a_terminal_gets_text() -> None:
    stream = _Terminal()
    logs.configure(stream=stream)
    logs.get_logger("m").info("stage_written")
    assert "stage_written" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_level_comes_from_the_argument_else_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.LEVEL_VARIABLE, "error")
    stream = io.StringIO()
    logs.configure(stream=stream)
    logs.get_logger("m").warning("silent")
    assert stream.getvalue() == ""
    logs.configure("debug", stream=stream)
    logs.get_logger("m").debug("heard")
    assert "heard" in stream.getvalue()


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"LOUD.*DEBUG, INFO"):
        logs.configure("loud")
