"""The pipeline over Spark Connect with what serverless compute refuses refused: persist, cache, most settings.

The list of settings is that of the platform's page on limits of serverless compute; a session there has neither
``sparkContext`` nor a JVM, as over Connect anywhere.
"""

from __future__ import annotations

import sys
from typing import Any

from pyspark.errors.exceptions.connect import AnalysisException
from pyspark.sql.connect.conf import RuntimeConf
from pyspark.sql.connect.dataframe import DataFrame

ALLOWED = (
    "spark.databricks.execution.timeout",
    "spark.sql.ansi.enabled",
    "spark.sql.legacy.timeParserPolicy",
    "spark.sql.session.timeZone",
    "spark.sql.shuffle.partitions",
)


def refused(condition: str) -> Any:
    """A method that is refused."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AnalysisException(f"[{condition}] not supported on serverless compute", errorClass=condition)

    return refuse


def serverless() -> None:
    """Refuse from now on what serverless compute refuses."""
    for name in ("persist", "cache", "unpersist", "checkpoint", "localCheckpoint"):
        setattr(DataFrame, name, refused("NOT_SUPPORTED_WITH_SERVERLESS"))
    for name in ("get", "set", "unset"):
        kept = getattr(RuntimeConf, name)

        def guarded(self: RuntimeConf, key: str, *more: Any, kept: Any = kept) -> Any:
            own = sys._getframe(1).f_globals["__name__"].startswith("pyspark.")  # what Spark's client asks for itself
            return kept(self, key, *more) if own or key in ALLOWED else refused("CONFIG_NOT_AVAILABLE")()

        setattr(RuntimeConf, name, guarded)


if __name__ == "__main__":
    from synthohive_spark import cli

    serverless()
    cli.pipeline(sys.argv[1:])
