"""The jobs' command lines: what they take, what their help shows, what is wrong with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import NoReturn

from synthohive_spark import logs
from synthohive_spark.errors import ConfigError
from synthohive_spark.launch.delta import LOCAL_MASTER

_EPILOG = """examples:
  {program} --config shop/shop.yaml{extra}
  {program} --config shop/shop.yaml{extra} {more}

Under spark-submit, whose own options stand before the job's file:
  ./spark-submit.sh jobs/{job}.py --config shop/shop.yaml{extra}
  ./spark-submit.sh --master spark://host:7077 jobs/{job}.py --config shop/shop.yaml{extra}

shop/shop.yaml is what `synthohive-example shop` writes.
stdout carries one JSON line at the end: run_id, status, tables (rows of each), report, seconds. Logs go to stderr.
exit codes: 0 done, 1 a bug, 2 configuration or metadata, 3 source data, 4 training, 5 generation or writing,
            6 quality gate, 130 and 143 ended by Ctrl-C or SIGTERM
"""
_MORE = {
    "ingest": "--draft-metadata shop/draft.yaml",
    "train": "--set train.model=autoregressive",
    "generate": "--set generate.scale=10",
    "evaluate": "--set evaluate.fail_under=0.9",
    "pipeline": "--set train.max_seconds=20",
    "plan": "--set generate.scale=10",
    "doctor": "--master 'local[2]'",
}


class Parser(argparse.ArgumentParser):
    """Raises instead of leaving, so that a wrong command line ends like any other error of configuration.

    Attributes:
        one_of: destinations of which at least one must be given.
        job: what is asked for.
    """

    one_of: tuple[str, ...] = ()
    job: str = ""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise ConfigError(f"{message}; see {self.prog} --help\n{self.format_usage().rstrip()}")


def job_parser(job: str, function: Callable[..., None], extra: str = "", *, needs_config: bool = True) -> Parser:
    """The parser of a job.

    Args:
        job: its name.
        function: what its entry point calls; its docstring describes the job.
        extra: options that its examples show.
        needs_config: a configuration must be given.
    """
    called = PurePath(sys.argv[0])
    program = called.name if called.name in (f"{job}.py", f"synthohive-{job}") else f"synthohive-{job}"
    parser = Parser(
        prog=program,
        description=function.__doc__,
        epilog=_EPILOG.format(program=f"synthohive-{job}", job=job, extra=extra, more=_MORE[job]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.job = job
    parser.add_argument("--config", metavar="FILE", required=needs_config, help="the run's configuration, a YAML file")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="A.B=VALUE",
        action="append",
        default=[],
        help="override one value of the configuration, such as train.epochs=50; may be repeated",
    )
    parser.add_argument(
        "--master",
        metavar="URL",
        help=f"where to start Spark, by default {LOCAL_MASTER}; under spark-submit.sh it stands before the job's file",
    )
    parser.add_argument(
        "--conf",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting of Spark, such as spark.driver.memory=8g; may be repeated",
    )
    parser.add_argument(
        "--log-level",
        metavar="LEVEL",
        help=f"{', '.join(logs.LEVELS)}; by default the variable {logs.LEVEL_VARIABLE}, else INFO",
    )
    return parser


def parsed(parser: Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of a command line; the level of the log is set as they say.

    Raises:
        ConfigError: something is missing, unknown or malformed.
    """
    arguments = parser.parse_args(argv)
    if parser.one_of and all(getattr(arguments, name) is None for name in parser.one_of):
        parser.error("give --from FOLDER, --draft-metadata OUT.yaml, or both")
    logs.configure(arguments.log_level)
    arguments.settings = dict(_pair(item) for item in arguments.conf)
    return arguments


def _pair(item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not (key and equals):
        raise ConfigError(f"--conf {item}: the form is KEY=VALUE; the configuration's file is --config")
    return key, value
