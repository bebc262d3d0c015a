"""Which Delta jars go with which Spark, and the settings that the package cannot do without."""

from __future__ import annotations

from importlib import metadata
from importlib.resources import files
from pathlib import Path

from synthohive_spark.errors import ConfigError

# Tried together: session, write, append, history, mapInPandas. Any other pairing fails at once or at the first read.
COORDINATES = {
    "4.0": "io.delta:delta-spark_4.0_2.13:4.2.0",
    "4.1": "io.delta:delta-spark_4.1_2.13:4.2.0",
    "4.2": "io.delta:delta-spark_4.2_2.13:4.4.0",
}
# Settings of a session, harmless to change while it runs.
RUNTIME = {
    "spark.sql.session.timeZone": "UTC",
    # Off in Spark 4.0, where 1.5 becomes 1 in an integer column without a word.
    "spark.sql.execution.pandas.convertToArrowArraySafely": "true",
}
# Settings that must be there when Spark starts.
REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    **RUNTIME,
}
LOCAL_MASTER = "local[*,4]"  # a failed task is tried again, as on a cluster
# Set where a Spark waits for this program: by spark-submit's own process, and on the clusters of Databricks.
STARTED = ("PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION")
# What is said where Spark is missing: by the jobs, and by ``import`` of a name that needs it.
NO_SPARK = (
    "pyspark is not installed in this Python; install synthohive-spark[local] (`make venv` in a checkout), or run on a "
    "platform that brings Spark, such as a Databricks cluster"
)


def coordinate(spark_version: str) -> str:
    """The Maven coordinate of the Delta jars for a Spark version.

    Raises:
        ConfigError: no Delta release is known to work with this Spark.
    """
    minor = ".".join(spark_version.split(".")[:2])
    if minor not in COORDINATES:
        raise ConfigError(
            f"Spark {spark_version}: no Delta Lake release is known to work with it; use Spark "
            f"{', '.join(COORDINATES)} (`make venv` installs a tested pair), or give the Delta jars with --packages"
        )
    return COORDINATES[minor]


def pyspark_version() -> str:
    """The version of the pyspark that is installed, without loading it.

    Raises:
        ConfigError: pyspark is not installed.
    """
    try:
        return metadata.version("pyspark")
    except metadata.PackageNotFoundError as e:
        raise ConfigError(NO_SPARK) from e


def ivy_settings() -> dict[str, str]:
    """Where Ivy looks for the jars: the package's ivysettings.xml; Spark's default where the package is a .zip."""
    file = _file("ivysettings.xml")
    return {} if file is None else {"spark.jars.ivySettings": str(file)}


def local_settings() -> dict[str, str]:
    """Settings for runs on one machine: those of spark-local.conf, one `key value` a line, and of the log."""
    text = files("synthohive_spark.launch").joinpath("spark-local.conf").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.split(None, 1) for line in lines if line and not line.startswith("#"))
    found = {key: value.strip() for key, value in pairs}
    log = _file("log4j2.properties")
    logging = {} if log is None else {"spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={log.as_uri()}"}
    return {**logging, **found}


def _file(name: str) -> Path | None:
    """A file beside this one, for a JVM to read; None where the package is a .zip."""
    file = files("synthohive_spark.launch").joinpath(name)
    return file if isinstance(file, Path) and file.is_file() else None
