"""The Spark session of a job: the one it was submitted with, one over Spark Connect, or a local one with Delta."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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
# So does to plan it again after each of its stages, which then are jobs of their own.
SMALL_CELLS = 1_000_000
SMALL = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
PARTITIONS = "spark.sql.shuffle.partitions"
SMALL_PARTITIONS = 8  # of such a lake at most: nothing merges them, and each task holds a tenth of a million cells


def get_session(app_name: str, master: str | None = None, conf: Mapping[str, str] | None = None) -> SparkSession:
    """The session to work in.

    In this order: the session that is active (a notebook, a Databricks job), the one of spark-submit, Spark Connect if
    SPARK_REMOTE is set (the package is sent along), else one that this process starts, with Delta, by default local.

    Args:
        app_name: the application's name in Spark's pages.
        master: where the session runs, if this process starts it.
        conf: Spark settings that replace those of the package.

    Raises:
        ConfigError: no Java, an untested Spark, no server at SPARK_REMOTE, or a master where Spark runs already.
    """
    spark, conf, remote = SparkSession.getActiveSession(), dict(conf or {}), os.environ.get("SPARK_REMOTE")
    started = any(os.environ.get(name) for name in delta.STARTED)
    if master and (spark is not None or started or remote):
        raise ConfigError(
            f"--master {master}: Spark is there already; give --master to spark-submit.sh, before the job's file"
        )
    if spark is None and (started or not remote):
        builder = SparkSession.builder.appName(app_name) if started else _builder(app_name, master, conf)
        for key, value in conf.items():
            builder = builder.config(key, value)
        with _quiet_start():
            spark = builder.getOrCreate()
    else:
        spark = spark or _connect(app_name, remote or "")
        for key, value in conf.items():
            spark.conf.set(key, value)
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
        old: str | None = None
        try:
            old = spark.conf.get(key, None)
            spark.conf.set(key, value)
        except PySparkException as e:  # some managed platforms fix it
            say = log.warning if values is None else log.debug
            say("setting_refused", setting=key, wanted=value, found=old, condition=e.getCondition())
        else:
            before[key] = old
    try:
        yield spark
    except BaseException:
        with suppress(Exception):  # Spark may be gone, and the first cause is what is raised
            _put_back(spark, before)
        raise
    _put_back(spark, before)


def _put_back(spark: SparkSession, before: Mapping[str, str | None]) -> None:
    for key, old in before.items():
        if old is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, old)


def setting_of(spark: SparkSession, key: str, default: str = "") -> str:
    """A setting of a session; the default where it is not set, or where the platform does not tell (serverless)."""
    try:
        return spark.conf.get(key, None) or default
    except PySparkException as e:
        log.debug("setting_not_told", setting=key, condition=e.getCondition())
        return default


@contextmanager
def sized(spark: SparkSession, cells: int) -> Iterator[SparkSession]:
    """Settings for work on a lake of so many cells (rows by columns), for the length of a ``with`` block."""
    wanted: dict[str, str] = {}
    if cells <= SMALL_CELLS:
        own = setting_of(spark, PARTITIONS)  # Databricks knows "auto"
        wanted = {**SMALL, PARTITIONS: str(min(int(own), SMALL_PARTITIONS) if own.isdigit() else SMALL_PARTITIONS)}
    with settings(spark, wanted):
        yield spark


def local_builder(app_name: str) -> SparkSession.Builder:
    """A builder with Delta's jars and settings and those of local runs; more ``config`` calls may follow.

    Raises:
        ConfigError: no Java, or no Delta release fits the installed pyspark.
    """
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    return _with_delta(app_name, delta.local_settings())


def _with_delta(app_name: str, settings: Mapping[str, str]) -> SparkSession.Builder:
    os.environ["JAVA_HOME"] = str(java_home())
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    packages = {"spark.jars.packages": delta.coordinate(delta.pyspark_version())}
    builder = SparkSession.builder.appName(app_name)
    for key, value in {**delta.REQUIRED, **packages, **delta.ivy_settings(), **settings}.items():
        builder = builder.config(key, value)
    return builder


def _builder(app_name: str, master: str | None, conf: dict[str, str]) -> SparkSession.Builder:
    """Where this process starts Spark: on this machine, or as the client of a cluster, to which the package is sent."""
    master = master or conf.get("spark.master", delta.LOCAL_MASTER)
    if master.startswith("local"):
        builder = local_builder(app_name)
    else:
        files = [str(package_zip(Path(tempfile.mkdtemp()))), conf.pop("spark.submit.pyFiles", "")]
        builder = _with_delta(app_name, {"spark.submit.pyFiles": ",".join(filter(None, files))})
    own = conf.get("spark.jars.packages")
    if own and "delta-spark" not in own:
        conf["spark.jars.packages"] = f"{delta.coordinate(delta.pyspark_version())},{own}"
    return builder.master(master)


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
