"""The five jobs' command lines: arguments, configuration, one call, an exit code, one JSON line on stdout.

What is heavy (Spark, torch) is loaded by the job that needs it, so that ``--help`` and a wrong option answer at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from synthohive_spark import logs
from synthohive_spark.errors import ConfigError, SynthoHiveError
from synthohive_spark.launch.delta import LOCAL_MASTER, NO_SPARK
from synthohive_spark.launch.streams import MARK_VARIABLE
from synthohive_spark.masking import masked_traceback

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from synthohive_spark.config import Config

Work = Callable[["SparkSession", "Config", argparse.Namespace], str]
"""What a job does: its result is the JSON line."""

_EPILOG = """examples:
  ./spark-submit.sh jobs/{job}.py --config conf/nycflights13.yaml{extra}
  ./spark-submit.sh --master spark://host:7077 jobs/{job}.py --config my.yaml{extra} --set train.epochs=50

stdout carries one JSON line at the end: run_id, status, tables (rows of each), report, seconds. Logs go to stderr.
exit codes: 0 done, 1 a bug, 2 configuration or metadata, 3 source data, 4 training, 5 generation or writing,
            6 quality gate
"""

log = logs.get_logger(__name__)


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving, so that a wrong command line ends like any other error of configuration.

    Attributes:
        one_of: destinations of which at least one must be given.
    """

    one_of: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see {self.prog} --help\n{self.format_usage().rstrip()}")


def ingest(argv: Sequence[str] | None = None) -> None:
    """Read a folder of parquet or CSV files, one per table, into the source lake; draft the metadata of a lake."""
    parser = _parser("ingest", ingest, " --from FOLDER")
    parser.add_argument(
        "--from",
        dest="folder",
        metavar="FOLDER",
        help="holds TABLE.parquet, TABLE.csv, TABLE.csv.gz or TABLE.csv.zip, or a folder TABLE/ of such files",
    )
    parser.add_argument(
        "--draft-metadata",
        dest="draft",
        metavar="OUT.yaml",
        help="propose keys, with the evidence for each, in a new file to be edited; of the files that --from reads in, "
        "or without it of the source lake as it is; the configuration needs no metadata for it",
    )
    parser.one_of = ("folder", "draft")
    _main(parser, _ingest, argv)


def train(argv: Sequence[str] | None = None) -> None:
    """Train one model per table on a sample of the source lake and keep the models in the workspace."""
    _main(_parser("train", train), _train, argv)


def generate(argv: Sequence[str] | None = None) -> None:
    """Generate the synthetic lake with the newest complete training that fits the metadata."""
    parser = _parser("generate", generate)
    parser.add_argument("--run", metavar="RUN_ID", help="use the models of this training")
    _main(parser, _generate, argv)


def evaluate(argv: Sequence[str] | None = None) -> None:
    """Compare the synthetic lake with the source, write a report, and fail below the quality gate."""
    parser = _parser("evaluate", evaluate)
    parser.add_argument("--run", metavar="RUN_ID", help="the training that the lake was generated with")
    _main(parser, _evaluate, argv)


def pipeline(argv: Sequence[str] | None = None) -> None:
    """Train, generate and evaluate, one after the other."""
    parser = _parser("pipeline", pipeline)
    parser.add_argument("--resume", metavar="RUN_ID", help="go on with this run after its last complete stage")
    _main(parser, _pipeline, argv)


def _ingest(spark: SparkSession, config: Config, arguments: argparse.Namespace) -> str:
    started = time.monotonic()
    if arguments.draft is not None:
        from synthohive_spark.draft.metadata_draft import draft

        tables = draft(spark, config, arguments.draft, arguments.folder)
    else:
        from synthohive_spark.ingest.tables import ingest as run

        tables = run(spark, config, arguments.folder)
    return _line(status="complete", tables=tables, seconds=round(time.monotonic() - started, 3))


def _train(spark: SparkSession, config: Config, _: argparse.Namespace) -> str:
    from synthohive_spark.pipeline import run_train

    return run_train(spark, config).to_json()


def _generate(spark: SparkSession, config: Config, arguments: argparse.Namespace) -> str:
    from synthohive_spark.pipeline import run_generate

    return run_generate(spark, config, run=arguments.run).to_json()


def _evaluate(spark: SparkSession, config: Config, arguments: argparse.Namespace) -> str:
    from synthohive_spark.pipeline import run_evaluate

    return run_evaluate(spark, config, run=arguments.run).to_json()


def _pipeline(spark: SparkSession, config: Config, arguments: argparse.Namespace) -> str:
    from synthohive_spark.pipeline import run_pipeline

    return run_pipeline(spark, config, resume=arguments.resume).to_json()


def _parser(job: str, function: Callable[..., None], extra: str = "") -> _Parser:
    parser = _Parser(
        prog=f"{job}.py",
        description=function.__doc__,
        epilog=_EPILOG.format(job=job, extra=extra),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", required=True, help="the run's configuration, a YAML file")
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


def _main(parser: _Parser, work: Work, argv: Sequence[str] | None) -> None:
    """Run a job. It returns on success; a failure leaves through ``SystemExit`` with the code of its kind."""
    started = time.monotonic()
    try:
        line = _run(parser, work, argv)
    except SynthoHiveError as e:
        log.error("job_failed", job=parser.prog, error_type=type(e).__name__, exit_code=e.exit_code)
        print(f"error: {e}", file=sys.stderr)
        code, line = e.exit_code, _failure(e, str(e), started)
    except Exception as e:
        log.error("job_crashed", job=parser.prog, error_type=type(e).__name__, exit_code=1)
        print(masked_traceback(e), file=sys.stderr)
        code, line = 1, _failure(e, f"unexpected {type(e).__name__}; this is a bug, stderr has the traceback", started)
    else:
        code = 0
    print(os.environ.get(MARK_VARIABLE, "") + line, flush=True)
    if code:
        sys.exit(code)


def _run(parser: _Parser, work: Work, argv: Sequence[str] | None) -> str:
    logs.configure()
    arguments = parser.parse_args(argv)
    if parser.one_of and all(getattr(arguments, name) is None for name in parser.one_of):
        parser.error("give --from FOLDER, --draft-metadata OUT.yaml, or both")
    logs.configure(arguments.log_level)
    conf = dict(_pair(item) for item in arguments.conf)
    try:
        from synthohive_spark.config import load_config
        from synthohive_spark.session import get_session, settings
    except ModuleNotFoundError as e:
        raise ConfigError(NO_SPARK if e.name == "pyspark" else str(e)) from e

    drafting = getattr(arguments, "draft", None) is not None
    config = load_config(arguments.config, arguments.overrides, metadata_required=not drafting)
    spark = get_session(f"synthohive {parser.prog.removesuffix('.py')} {config.run}", arguments.master, conf)
    with settings(spark):
        return work(spark, config, arguments)


def _pair(item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not (key and equals):
        raise ConfigError(f"--conf {item}: the form is KEY=VALUE; the configuration's file is --config")
    return key, value


def _failure(error: Exception, message: str, started: float) -> str:
    """The JSON line of a failure. An error may carry a ``summary`` of what was done before it."""
    summary = getattr(error, "summary", None)
    done: dict[str, Any] = json.loads(summary.to_json()) if summary is not None else {}
    done.setdefault("run_id", logs.current("run_id"))
    return _line(**{**done, "status": "failed", "seconds": round(time.monotonic() - started, 3), "error": message})


def _line(**values: Any) -> str:
    empty: dict[str, Any] = {"run_id": None, "status": None, "tables": {}, "report": None, "seconds": 0.0}
    return json.dumps({**empty, **values})
