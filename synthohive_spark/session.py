"""The Spark session of a job: the one it was submitted with, one over Spark Connect, or a local one with Delta."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from synthohive_spark.errors import ConfigError
from synthohive_spark.launch import delta
from synthohive_spark.launch.archive import package_zip
from synthohive_spark.launch.java import java_home
from synthohive_spark.logs import get_logger

log = get_logger(__name__)

# A lake of few cells (rows by columns): to compile the code of each query takes longer than to run it uncompiled.
SMALL_CELLS = 1_000_000
SMALL = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
# spark-submit's own process sets this one for the Python program that it starts.
_SUBMITTED = "PYSPARK_GATEWAY_PORT"


def get_session(app_name: str) -> SparkSession:
    """The session to work in.

    In this order: the session that is active (a notebook, a Databricks job), the one of spark-submit, Spark Connect if
    SPARK_REMOTE is set (the package is sent along), else a local session with Delta.

    Args:
        app_name: the application's name in Spark's pages.

    Raises:
        ConfigError: no Java, an untested Spark, or no server at SPARK_REMOTE.
    """
    spark = SparkSession.getActiveSession()
    if spark is None:
        remote = os.environ.get("SPARK_REMOTE")
        if os.environ.get(_SUBMITTED):
            spark = SparkSession.builder.appName(app_name).getOrCreate()
        elif remote:
            spark = _connect(app_name, remote)
        else:
            spark = _local(app_name, delta.LOCAL_MASTER)
    _warn_of_untested(spark.version)
    return spark


@contextmanager
def settings(spark: SparkSession, values: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """Change settings of a session for the length of a ``with`` block, then put them back as they were.

    Args:
        spark: a session, which may be somebody else's.
        values: the settings; what the package needs (UTC, exact casts from pandas) by default.
    """
    wanted = delta.RUNTIME if values is None else values
    before: dict[str, str | None] = {}
    for key, value in wanted.items():
        old = spark.conf.get(key, None)
        try:
            spark.conf.set(key, value)
        except PySparkException as e:  # some managed platforms fix it
            say = log.warning if values is None else log.debug
            say("setting_refused", setting=key, wanted=value, found=old, condition=e.getCondition())
        else:
            before[key] = old
    try:
        yield spark
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)


@contextmanager
def sized(spark: SparkSession, cells: int) -> Iterator[SparkSession]:
    """Settings for work on a lake of so many cells (rows by columns), for the length of a ``with`` block."""
    with settings(spark, SMALL if cells <= SMALL_CELLS else {}):
        yield spark


def local_builder(app_name: str) -> SparkSession.Builder:
    """A builder with Delta's jars and settings and those of local runs; more ``config`` calls may follow.

    Raises:
        ConfigError: no Java, or no Delta release fits the installed pyspark.
    """
    os.environ["JAVA_HOME"] = str(java_home())
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    packages = {"spark.jars.packages": delta.coordinate(delta.pyspark_version())}
    builder = SparkSession.builder.appName(app_name)
    for key, value in {**delta.REQUIRED, **packages, **delta.ivy_settings(), **delta.local_settings()}.items():
        builder = builder.config(key, value)
    return builder


def _local(app_name: str, master: str) -> SparkSession:
    with _quiet_start():
        return local_builder(app_name).master(master).getOrCreate()


def _connect(app_name: str, remote: str) -> SparkSession:
    """A session over Spark Connect. ``local`` as the address starts a server in this process, which needs the jars."""
    own_server = remote.startswith("local")
    builder = local_builder(app_name) if own_server else SparkSession.builder.appName(app_name)
    try:
        with _quiet_start():
            spark = builder.remote(remote).getOrCreate()
        with tempfile.TemporaryDirectory() as folder:
            spark.addArtifacts(str(package_zip(Path(folder))), pyfile=True)
    except ImportError as e:
        raise ConfigError(f"Spark Connect lacks a package ({e}); install synthohive-spark[connect]") from e
    except PySparkException as e:
        raise ConfigError(f"no Spark Connect session at SPARK_REMOTE={remote}: {e.getCondition() or e}") from e
    return spark


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Keeps stdout for the job: a JVM that starts in here writes (Ivy does) to stderr.

    Connect also warns of each setting that only counts when its server starts; they did count.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Failed to set ", category=UserWarning)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _warn_of_untested(version: str) -> None:
    minor = ".".join(version.split(".")[:2])
    if minor not in delta.COORDINATES:
        log.warning("spark_version_untested", version=version, tested=list(delta.COORDINATES))
