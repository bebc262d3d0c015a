"""What a Delta table declares beside its columns: CHECK constraints, partitions, generated columns.

A copy has what SQL can declare anew; what it cannot is said.
"""

from __future__ import annotations

import json
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from synthohive_spark.location import LOG, TableRef
from synthohive_spark.sql import without_globs
from synthohive_spark.strict import Strict

CHECK = "delta.constraints."
DEFAULT = "CURRENT_DEFAULT"
"""The key of a column's metadata that holds its default, in the schema of every table that is read."""
GENERATED = "delta.generationExpression"
IDENTITY = "delta.identity.start"
TOLD = {"generatedColumns", "identityColumns"}  # features of which only the log has the columns
OWN = (CHECK, "delta.columnMapping.", "delta.feature.", "delta.min", "delta.enableDeletionVectors", "synthohive.")
"""Beginnings of properties that a copy has of its own, or that say how files are written."""


class Design(Strict):
    """What is declared of a table, in the words of SQL.

    Attributes:
        checks: {name of a CHECK constraint: expression}.
        partitions: columns that the files are parted by.
        generated: {column: expression} of columns that Delta computes from others.
        comment: that of the table.
        left: what a copy has not, in words.
    """

    checks: dict[str, str] = {}
    partitions: tuple[str, ...] = ()
    generated: dict[str, str] = {}
    comment: str | None = None
    left: tuple[str, ...] = ()

    @property
    def carried(self) -> bool:
        """Whether a copy differs from a table that has the same columns and declares nothing."""
        return bool(self.checks or self.partitions or self.comment)


def design_of(spark: SparkSession, ref: TableRef) -> Design:
    """What a table declares at its newest version; nothing where the catalog does not show it."""
    try:
        detail = spark.sql(f"DESCRIBE DETAIL {ref.sql}").collect()[0].asDict()
    except PySparkException:
        return Design()
    properties: dict[str, str] = detail.get("properties") or {}
    features, clustered = {*(detail.get("tableFeatures") or ())}, detail.get("clusteringColumns") or []
    columns = _columns(spark, str(detail["location"])) if features & TOLD else {}
    generated = {name: str(about[GENERATED]) for name, about in columns.items() if GENERATED in about}
    left = [f"generated column {name}" for name in generated]
    left += [f"identity column {name}" for name, about in columns.items() if IDENTITY in about]
    left += [f"clustering by {', '.join(clustered)}"] if clustered else []
    left += [f"property {key}" for key in sorted(properties) if not key.startswith(OWN)]
    return Design(
        checks={key.removeprefix(CHECK): sql for key, sql in sorted(properties.items()) if key.startswith(CHECK)},
        partitions=tuple(detail.get("partitionColumns") or ()),
        generated=generated,
        comment=detail.get("description"),
        left=tuple(left),
    )


def _columns(spark: SparkSession, location: str) -> dict[str, dict[str, Any]]:
    """{column: its metadata} from the newest schema in a table's log; {} where the log cannot be read.

    Delta hides from readers how a column is generated, and has no SQL that shows it.
    """
    log = f"{without_globs(location)}/{LOG}"
    reader = spark.read.schema("metaData struct<schemaString: string>")
    for kind, files in (("json", "*.json"), ("parquet", "*.checkpoint*.parquet")):  # a checkpoint is older than commits
        try:
            found = reader.format(kind).load(f"{log}/{files}").where("metaData.schemaString is not null")
            newest = found.orderBy(F.desc(F.input_file_name())).select("metaData.schemaString").first()
        except PySparkException:
            continue
        if newest is not None:
            return {field["name"]: field["metadata"] for field in json.loads(newest[0])["fields"]}
    return {}
