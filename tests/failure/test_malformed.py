"""Malformed configurations and metadata: the contract's exit code and one line, no traceback, nothing written."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthohive_spark import cli, session
from synthohive_spark.config import load_config
from synthohive_spark.errors import ConfigError, SchemaValidationError
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.base import resolve_model

from .mutations import METADATA, configuration, mutated


@pytest.fixture
def no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job gets as far as its session, and would succeed there."""
    conf = SimpleNamespace(get=lambda key, default: default, set=lambda k, v: None, unset=lambda k: None)
    monkeypatch.setattr(session, "get_session", lambda *_: SimpleNamespace(conf=conf, interruptAll=list))
    line = SimpleNamespace(to_json=lambda: json.dumps({"status": "complete"}))
    stub = SimpleNamespace(run_pipeline=lambda *_, **__: line)
    monkeypatch.setitem(sys.modules, "synthohive_spark.pipeline", stub)


def ended(file: Path) -> tuple[int, dict[str, Any], str]:
    """How a pipeline ends with a configuration: its code, its JSON line, its stderr."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli.pipeline(["--config", str(file)])
        except SystemExit as left:
            code = int(str(left.code))
        finally:
            structlog.contextvars.clear_contextvars()
            structlog.reset_defaults()
    assert out.getvalue().count("\n") == 1
    return code, json.loads(out.getvalue()), err.getvalue()


def held(data: st.DataObject) -> None:
    """One mutated configuration ends as the contract says."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.yaml")
        file.write_bytes(data.draw(mutated(folder)))
        code, line, err = ended(file)
        assert code in (0, 2), err
        assert line["status"] == ("failed" if code else "complete")
        assert "Traceback" not in err
        assert [p.name for p in Path(folder).iterdir()] == ["run.yaml"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_configurations_end_as_the_contract_says(no_spark: None, data: st.DataObject) -> None:
    held(data)


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_many_mutated_configurations_end_as_the_contract_says(no_spark: None, data: st.DataObject) -> None:
    held(data)


def test_the_configuration_that_is_mutated_is_good(no_spark: None, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(json.dumps(configuration(str(tmp_path))))
    assert ended(tmp_path / "run.yaml")[:2] == (0, {"status": "complete"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": 5}, "int is neither the name of a file nor a mapping"),
        ({"generate": {"scale": float("inf")}}, "generate.scale"),
        ({"train": {"max_seconds": float("inf")}}, "train.max_seconds"),
        ({"source": {"path": "s", "timestamp": "yesterday"}}, "it is no moment; write 2026-11-30"),
        ({"run": "../../etc/x"}, "run: Value error, the name holds a slash"),
        ({"generate": {"seed": 2**70}}, "generate.seed"),
        ({"evaluate": {"reports": "SOURCE/reports"}}, "source (SOURCE) and evaluate.reports"),
    ],
    ids=["metadata_5", "infinite_scale", "infinite_seconds", "bad_timestamp", "run_is_a_path", "seed", "reports"],
)
def test_line_08_values_that_nothing_can_be_done_with(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    base = configuration(str(tmp_path))
    (tmp_path / "run.yaml").write_text(json.dumps({**base, **change}).replace("SOURCE", str(tmp_path / "source")))
    code, line, err = ended(tmp_path / "run.yaml")
    assert code == 2
    assert message.replace("SOURCE", str(tmp_path / "source")) in line["error"]
    assert "Traceback" not in err


def test_line_08_a_configuration_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes("run: größe\n".encode("latin-1"))
    code, line, err = ended(tmp_path / "run.yaml")
    assert (code, "Traceback" in err) == (2, False)
    assert "byte 8 is not UTF-8; save the file in that encoding" in line["error"]


@pytest.mark.parametrize(
    ("text", "raised"),
    [("raise RuntimeError('no gpu')", "RuntimeError: no gpu"), ("def f(:", "SyntaxError"), ("exit(3)", "SystemExit")],
)
def test_line_08_a_model_module_that_does_not_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, raised: str
) -> None:
    name = f"broken_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=raised):
        resolve_model(f"{name}.Model")


@pytest.mark.parametrize("where", ["configuration", "metadata"])
def test_line_12_a_yaml_key_that_is_there_twice(tmp_path: Path, where: str) -> None:
    file = tmp_path / "run.yaml"
    base = configuration(str(tmp_path))
    if where == "configuration":
        file.write_text(json.dumps(base)[:-1] + ', "run": "u"}')
        word = "run"
    else:
        (tmp_path / "m.json").write_text('{"tables": {"a": {"primary_key": "x"}, "a": {"primary_key": "y"}}}')
        file.write_text(json.dumps({**base, "metadata": str(tmp_path / "m.json")}))
        word = "a"
    code, line, _ = ended(file)
    assert code == 2
    assert f"line 1: the key '{word}' is there twice; keep one of them" in line["error"]


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("users", {"primary_key": ["id", "id"]}, "users.primary_key: id, id; a key names one column or several, each"),
        ("users", {"constraints": [{"column": "id", "min": 5, "max": 1}]}, "min 5 is greater than max 1"),
        (
            "users",
            {"constraints": [{"column": "born", "min": "2031-01-01", "max": "2030-01-01"}]},
            "is greater than max",
        ),
        ("users", {"constraints": [{"column": "id", "min": "9", "max": "10"}]}, ""),
        ("users", {"constraints": [{"column": "id", "min": "a"}]}, "'a' is no value of a column of type bigint"),
        (
            "users",
            {"constraints": [{"column": "born", "allowed": ["May"]}]},
            "'May' is no value of a column of type date",
        ),
        ("users", {"constraints": [{"column": "id", "allowed": []}]}, "allowed is empty"),
        ("users", {"constraints": [{"column": "id"}]}, "neither min, max nor allowed is given"),
        ("users", {"constraints": [{"expression": " "}]}, "an empty expression"),
        ("orders", {"derived": {"paid": ""}}, "orders.derived: paid: an empty expression"),
        (
            "orders",
            {"foreign_keys": [{"columns": [], "references": "users", "referenced_columns": []}]},
            "orders.foreign_keys(): columns is empty; a key names one column or several",
        ),
        (
            "orders",
            {
                "foreign_keys": [
                    {"columns": ["user_id"] * 2, "references": "users", "referenced_columns": ["id", "born"]}
                ]
            },
            "columns is user_id, user_id; a key names one column or several, each once",
        ),
    ],
)
def test_line_12_metadata_that_contradict_themselves(table: str, change: dict[str, Any], message: str) -> None:
    tables = {**METADATA["tables"], table: {**METADATA["tables"][table], **change}}
    metadata = Metadata.load({"tables": tables})
    if not message:
        metadata.validate_schema()
        return
    with pytest.raises(SchemaValidationError) as raised:
        metadata.validate_schema()
    assert message in str(raised.value)


def test_a_date_of_yaml_is_a_moment(tmp_path: Path) -> None:
    base = configuration(str(tmp_path))
    (tmp_path / "run.yaml").write_text(json.dumps({k: v for k, v in base.items() if k != "source"}))
    file = str(tmp_path / "run.yaml")
    for written, read in (("2026-11-30", "2026-11-30"), ("'2026-11-30T09:00:00Z'", "2026-11-30T09:00:00+00:00")):
        config = load_config(file, [f"source={{path: s, timestamp: {written}}}"])
        assert config.source.timestamp == read
