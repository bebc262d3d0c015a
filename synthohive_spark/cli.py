"""The five jobs' command lines: arguments, configuration, one call, an exit code, one JSON line on stdout.

What is heavy (Spark, torch) is loaded by the job that needs it, so that ``--help`` and a wrong option answer at once.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import PurePath
from types import FrameType
from typing import TYPE_CHECKING, Any

from synthohive_spark import logs
from synthohive_spark.errors import ConfigError, GenerationError, SourceDataError, SynthoHiveError, TrainingError
from synthohive_spark.interrupts import interruptible
from synthohive_spark.launch.arguments import Parser, job_parser, parsed
from synthohive_spark.launch.delta import NO_SPARK, STARTED
from synthohive_spark.launch.lines import MARK_VARIABLE, PROCESS, is_job
from synthohive_spark.launch.watch import watch
from synthohive_spark.masking import masked_traceback

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from synthohive_spark.config import Config

Work = Callable[["SparkSession", "Config", argparse.Namespace], str]
"""What a job does: its result is the JSON line."""

log = logs.get_logger(__name__)


def ingest(argv: Sequence[str] | None = None) -> None:
    """Read a folder of parquet or CSV files, one per table, into the source lake; draft the metadata of a lake."""
    parser = job_parser("ingest", ingest, " --from shop/data")
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
    _main(parser, partial(_run, "ingest", _ingest), argv)


def train(argv: Sequence[str] | None = None) -> None:
    """Train one model per table on a sample of the source lake and keep the models in the workspace."""
    parser = job_parser("train", train)
    _dry(parser)
    _main(parser, partial(_run, "train", _train), argv)


def generate(argv: Sequence[str] | None = None) -> None:
    """Generate the synthetic lake with the newest complete training that fits the metadata."""
    parser = job_parser("generate", generate)
    parser.add_argument("--run", metavar="RUN_ID", help="use the models of this training")
    _dry(parser)
    _main(parser, partial(_run, "generate", _generate), argv)


def evaluate(argv: Sequence[str] | None = None) -> None:
    """Compare the synthetic lake with the source, write a report, and fail below the quality gate."""
    parser = job_parser("evaluate", evaluate)
    parser.add_argument("--run", metavar="RUN_ID", help="the training that the lake was generated with")
    _main(parser, partial(_run, "evaluate", _evaluate), argv)


def pipeline(argv: Sequence[str] | None = None) -> None:
    """Train, generate and evaluate, one after the other."""
    parser = job_parser("pipeline", pipeline)
    parser.add_argument("--resume", metavar="RUN_ID", help="go on with this run after its last complete stage")
    parser.add_argument(
        "--start-over",
        action="store_true",
        help="with --resume: make every table again with the run's models, also where others wrote to the target since",
    )
    _dry(parser)
    _main(parser, partial(_run, "pipeline", _pipeline), argv)


def plan(argv: Sequence[str] | None = None) -> None:
    """Say what a run would do: tables, roles, rules, masks, rows, minutes and memory. Nothing is trained or written."""
    _main(job_parser("plan", plan), partial(_run, "plan", _plan), argv)


def doctor(argv: Sequence[str] | None = None) -> None:
    """Look whether a run can work here: Java, Spark with Delta, torch, write access, the workers' Python."""
    _main(job_parser("doctor", doctor, needs_config=False), _doctor, argv)


def example(argv: Sequence[str] | None = None) -> None:
    """Write a small linked database (a shop of five tables) as CSV files, with its metadata and a configuration."""
    parser = Parser(
        prog="synthohive-example",
        description=example.__doc__,
        epilog="example:\n  synthohive-example shop",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", help="a new folder")
    try:
        folder = parser.parse_args(argv).folder
        from synthohive_spark.example import write_example

        rows = write_example(folder)
    except ConfigError as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(e.exit_code)
    print(f"{folder}/data: " + ", ".join(f"{table} {n:,}" for table, n in rows.items()) + " rows")
    print("Next, from this folder:")
    print(f"  synthohive-ingest --config {folder}/shop.yaml --from {folder}/data")
    print(f"  synthohive-pipeline --config {folder}/shop.yaml")


def _dry(parser: Parser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, as the job plan does")


def _plan(spark: SparkSession, config: Config, _: argparse.Namespace) -> str:
    from synthohive_spark.forecast.run import run_plan

    return run_plan(spark, config)


def _doctor(arguments: argparse.Namespace) -> str:
    _needs_spark()
    from synthohive_spark.config import load_config
    from synthohive_spark.forecast.doctor import examine
    from synthohive_spark.session import get_session

    started = time.monotonic()
    config = load_config(arguments.config, arguments.overrides) if arguments.config else None
    wrong = []
    with logs.bound(run_id="doctor", phase="doctor"):
        for found in examine(config, lambda: get_session("synthohive doctor", arguments.master, arguments.settings)):
            log.info("looked_at", text=f"  {'ok  ' if found.fine else 'FAIL'}  {found.what}: {found.text}")
            wrong += [] if found.fine else [f"{found.what}: {found.text}"]
    if wrong:
        raise ConfigError("\n  - ".join(["a run cannot work here:", *wrong]))
    return _line(run_id="doctor", status="complete", seconds=round(time.monotonic() - started, 3))


def _ingest(spark: SparkSession, config: Config, arguments: argparse.Namespace) -> str:
    started = time.monotonic()
    if arguments.draft is not None:
        from synthohive_spark.draft.metadata_draft import draft

        tables = draft(spark, config, arguments.draft, arguments.folder)
    else:
        from synthohive_spark.ingest.tables import ingest as run

        tables = run(spark, config, arguments.folder)
    seconds = round(time.monotonic() - started, 3)
    return _line(run_id=logs.current("run_id"), status="complete", tables=tables, seconds=seconds)


def _train(spark: SparkSession, config: Config, _: argparse.Namespace) -> str:
    from synthohive_spark.pipeline import run_train

    return run_train(spark, config, new_id=logs.current("run_id")).to_json()


def _generate(spark: SparkSession, config: Config, arguments: argparse.Namespace) -> str:
    from synthohive_spark.pipeline import run_generate

    return run_generate(spark, config, run=arguments.run, new_id=logs.current("run_id")).to_json()


def _evaluate(spark: SparkSession, config: Config, arguments: argparse.Namespace) -> str:
    from synthohive_spark.pipeline import run_evaluate

    return run_evaluate(spark, config, run=arguments.run, new_id=logs.current("run_id")).to_json()


def _pipeline(spark: SparkSession, config: Config, arguments: argparse.Namespace) -> str:
    from synthohive_spark.pipeline import run_pipeline

    over, new_id = arguments.start_over, logs.current("run_id")
    return run_pipeline(spark, config, resume=arguments.resume, new_id=new_id, start_over=over).to_json()


def _main(parser: Parser, run: Callable[[argparse.Namespace], str], argv: Sequence[str] | None) -> None:
    """Run a job. It returns on success; a failure leaves through ``SystemExit`` with the code of its kind."""
    started = time.monotonic()
    mark = os.environ.get(MARK_VARIABLE, "")
    try:
        logs.configure()
        arguments = parsed(parser, argv)
        if argv is None and _starts_spark():
            if code := watch([sys.executable, *sys.orig_argv[1:]], os.environ, arguments.log_level):
                sys.exit(code)
            return
        if mark:
            print(f"{mark}{PROCESS}{os.getpid()}", flush=True)
        with _stoppable():
            line = run(arguments)
    except SynthoHiveError as e:
        log.error("job_failed", job=parser.prog, error_type=type(e).__name__, exit_code=e.exit_code)
        print(f"error: {e}", file=sys.stderr)
        code, line = e.exit_code, _failure(e, str(e), started)
    except KeyboardInterrupt as e:
        code = 128 + _stopped_by(e)
        log.error("job_failed", job=parser.prog, error_type="interrupted", exit_code=code)
        said = f"ended by {signal.Signals(code - 128).name}; go on with --resume{getattr(e, 'left', None) or ''}"
        line = _failure(e, said, started, "interrupted")
    except Exception as e:
        log.error("job_crashed", job=parser.prog, error_type=type(e).__name__, exit_code=1)
        text = masked_traceback(e)
        print(text, file=sys.stderr)
        said = f"unexpected {type(e).__name__}; this is a bug of SynthoHive: report it with {_report_file(text)}"
        code, line = 1, _failure(e, said, started)
    else:
        code = 0
    print(mark + line, flush=True)
    logs.bind(run_id=None, phase=None)
    if mark:
        gc.freeze()  # this process ends: to look once more through all that torch and pandas hold takes over a second
    if code:
        sys.exit(code)


def _starts_spark() -> bool:
    """Whether this is one of our programs, started by a person or a script; not by Spark, nor to be watched."""
    ours = PurePath(sys.argv[0]).name.startswith("synthohive-") or is_job(sys.argv[:1])
    return ours and not any(os.environ.get(name) for name in (*STARTED, MARK_VARIABLE))


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends a job as Ctrl-C does. Spark has a handler of its own for that, which cancels what runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        try:
            if callable(handler):
                handler(number, frame)
        except KeyboardInterrupt as e:
            raise KeyboardInterrupt(number) from e

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stopped_by(error: KeyboardInterrupt) -> int:
    return int(error.args[0]) if error.args else signal.SIGINT


def _run(job: str, work: Work, arguments: argparse.Namespace) -> str:
    _needs_spark()
    from synthohive_spark.config import load_config, new_run_id
    from synthohive_spark.lake.causes import failing_as
    from synthohive_spark.session import get_session, settings

    drafting = getattr(arguments, "draft", None) is not None
    config = load_config(arguments.config, arguments.overrides, metadata_required=not drafting)
    logs.bind(run_id=getattr(arguments, "resume", None) or new_run_id(config.run))
    with failing_as("Spark cannot be started", ConfigError):
        spark = get_session(f"synthohive {job} {config.run}", arguments.master, arguments.settings)
    with interruptible(spark.interruptAll), settings(spark), _translated(job):
        return (_plan if getattr(arguments, "dry_run", False) else work)(spark, config, arguments)


@contextmanager
def _translated(job: str) -> Iterator[None]:
    """What Spark, a store or the system raises, in our own words and with the exit code of the phase it struck in."""
    from synthohive_spark.lake.causes import cause_of, from_outside, why

    try:
        yield
    except Exception as e:
        if isinstance(e, SynthoHiveError) or not from_outside(e):
            raise
        phase, cause = logs.current("phase") or job, cause_of(e)
        kinds: dict[str, type[SynthoHiveError]] = {"train": TrainingError, "generate": GenerationError}
        kind = kinds.get(phase, SourceDataError)
        if cause is not None and cause.kind in ("store", "files", "log"):
            kind = ConfigError if cause.kind == "store" else SourceDataError
        raise kind(f"{phase}: {why(e)}") from e


def _report_file(text: str) -> str:
    """A file with the traceback of a bug, to be sent along with a report; in words where none can be written."""
    about = f"{platform.platform()}, Python {platform.python_version()}\n\n{text}\n"
    try:
        with tempfile.NamedTemporaryFile("w", prefix="synthohive-bug-", suffix=".txt", delete=False) as file:
            file.write(about)
    except OSError:
        return "the traceback on stderr"
    return file.name


def _needs_spark() -> None:
    if importlib.util.find_spec("pyspark") is None:
        raise ConfigError(NO_SPARK)


def _failure(error: BaseException, message: str, started: float, status: str = "failed") -> str:
    """The JSON line of a failure. An error may carry a ``summary`` of what was done before it."""
    summary = getattr(error, "summary", None)
    done: dict[str, Any] = json.loads(summary.to_json()) if summary is not None else {}
    done.setdefault("run_id", logs.current("run_id"))
    return _line(**{**done, "status": status, "seconds": round(time.monotonic() - started, 3), "error": message})


def _line(**values: Any) -> str:
    empty: dict[str, Any] = {"run_id": None, "status": None, "tables": {}, "report": None, "seconds": 0.0}
    return json.dumps({**empty, **values})
