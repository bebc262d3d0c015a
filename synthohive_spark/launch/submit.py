"""The spark-submit command: what the package needs goes first, the user's own options follow and win."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synthohive_spark.errors import SynthoHiveError
from synthohive_spark.launch import delta
from synthohive_spark.launch.archive import package_zip
from synthohive_spark.launch.java import java_home
from synthohive_spark.launch.lines import is_job
from synthohive_spark.launch.watch import failed_line, pass_on, watch

_FLAGS = {"--verbose", "-v", "--supervise", "--load-spark-defaults"}
_PASS = {"--help", "-h", "--version", "--usage-error", "--kill", "--status"}
_CHECKOUT = Path(__file__).parents[2]


@dataclass
class Arguments:
    """spark-submit's command line: its options, the job file, the job's own arguments.

    Attributes:
        options: (name, value) in order; the value is None for a flag.
        rest: the job file and what follows it.
    """

    options: list[tuple[str, str | None]] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Arguments:
        """Split a command line as spark-submit does; ``--name=value`` is the same as ``--name value``."""
        found, words = cls(), list(argv)
        while words and words[0].startswith("-"):
            name, equals, value = words.pop(0).partition("=")
            if equals:
                found.options.append((name, value))
            elif name in _FLAGS or not words:
                found.options.append((name, None))
            else:
                found.options.append(("--conf" if name == "-c" else name, words.pop(0)))
        found.rest = words
        return found

    def value(self, name: str, conf: str | None = None) -> str | None:
        """The last value of an option; else that of the setting which stands for it, given with --conf."""
        values = [v for n, v in self.options if n == name]
        pairs = [(v or "").partition("=") for n, v in self.options if n == "--conf"]
        values = values or [v for key, _, v in pairs if key.strip() == conf]
        return values[-1] if values else None

    def words(self, without: Sequence[str] = ()) -> list[str]:
        """The options as words again."""
        kept = [(n, v) for n, v in self.options if n not in without]
        return [w for n, v in kept for w in ((n,) if v is None else (n, v))]


def command(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The words to execute and their environment.

    Args:
        argv: what the user gave to spark-submit.sh.
        environ: the user's environment.

    Raises:
        ConfigError: no Java, no pyspark, or no Delta release that fits it.
    """
    arguments = Arguments.parse(argv)
    master = arguments.value("--master", "spark.master")
    if environ.get("SPARK_REMOTE") and not master and not arguments.options and arguments.rest:
        return [sys.executable, *arguments.rest], dict(environ)  # Spark Connect needs no spark-submit

    env = _environment(environ, local=not master, cluster=_is_cluster(arguments))
    submit = str(Path(env["SPARK_HOME"], "bin", "spark-submit"))
    if not arguments.rest or any(name in _PASS for name, _ in arguments.options):
        return [submit, *argv], env
    words = [] if master else ["--master", delta.LOCAL_MASTER]
    settings = {**delta.REQUIRED, **delta.ivy_settings(), **({} if master else delta.local_settings())}
    words += [w for key, value in settings.items() for w in ("--conf", f"{key}={value}")]
    words += arguments.words(without=("--packages", "--py-files"))
    words += _joined("--packages", _packages(arguments, env["SPARK_HOME"]))
    code = str(package_zip(_CHECKOUT / "build"))
    words += _joined("--py-files", [code, arguments.value("--py-files", "spark.submit.pyFiles")])
    return [submit, *words, *arguments.rest], env


def _joined(name: str, values: Sequence[str | None]) -> list[str]:
    given = ",".join(v for v in values if v)
    return [name, given] if given else []


def _is_cluster(arguments: Arguments) -> bool:
    return arguments.value("--deploy-mode", "spark.submit.deployMode") == "cluster"


def _packages(arguments: Arguments, spark_home: str) -> list[str | None]:
    """Delta's coordinate and the user's own packages; only the latter if the user brings Delta jars."""
    own = arguments.value("--packages", "spark.jars.packages")
    brings_delta = any("delta-spark" in (value or "") for _, value in arguments.options)
    return [own] if brings_delta else [delta.coordinate(_spark_version(spark_home)), own]


def _spark_version(spark_home: str) -> str:
    release = Path(spark_home, "RELEASE")
    match = re.match(r"Spark (\d\S*)", release.read_text(encoding="utf-8")) if release.is_file() else None
    return match[1] if match else delta.pyspark_version()


def _environment(environ: Mapping[str, str], *, local: bool, cluster: bool) -> dict[str, str]:
    """Java, Spark and Python for the run. A local run uses this Python's own Spark, whatever SPARK_HOME says."""
    env = {**environ, "JAVA_HOME": str(java_home(environ))}
    env.pop("SPARK_REMOTE", None)
    if local or "SPARK_HOME" not in env:
        delta.pyspark_version()  # says what to do where there is none
        spec = importlib.util.find_spec("pyspark")
        env["SPARK_HOME"] = (spec.submodule_search_locations or [""])[0] if spec else ""
    if local:
        env.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        env["PYSPARK_PYTHON"] = sys.executable
    if not cluster:
        env.setdefault("PYSPARK_PYTHON", sys.executable)
        env["PYSPARK_DRIVER_PYTHON"] = sys.executable
    return env


def main() -> None:
    """Run spark-submit and exit with its code; on a problem say what is wrong. A job's help needs no Spark."""
    rest = Arguments.parse(sys.argv[1:]).rest
    job = is_job(rest[:1])
    if job and {"-h", "--help"} & set(rest):
        os.execv(sys.executable, [sys.executable, *rest])
    try:
        words, env = command(sys.argv[1:], os.environ)
    except SynthoHiveError as e:
        print(f"error: {e}", file=sys.stderr)
        if job:
            print(failed_line(None, {}, 0.0, f"{e}"))
        sys.exit(e.exit_code)
    if job:
        sys.exit(watch(words, env, _level(rest)))
    sys.exit(pass_on(words, env))


def _level(words: Sequence[str]) -> str | None:
    """What a job's command line says of its log."""
    given = [after for word, after in itertools.pairwise(words) if word == "--log-level"]
    given += [word.partition("=")[2] for word in words if word.startswith("--log-level=")]
    return given[-1] if given else None


if __name__ == "__main__":
    main()
