"""What a Delta table declares beside its columns: CHECK constraints, partitions, generated columns.

A copy has what SQL can declare anew; what it cannot is said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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
TOLD = ("generatedColumns", "identityColumns")  # features of which only the log has the columns
GENERATING = range(4, 7)  # versions of writers that have them without naming them
FEATURE = "delta.feature."
OWN = (
    CHECK,
    "delta.columnMapping.",
    "delta.feature.",
    "delta.min",
    "delta.enableDeletionVectors",
    "synthohive.",
    "view.",
)
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
    """What a table declares at its newest version; nothing where the catalog does not show it.

    Asked of the table's description: ``DESCRIBE DETAIL`` would also count the files of the newest version, some 0.4 s.
    """
    try:
        properties = {r["key"]: r["value"] for r in spark.sql(f"SHOW TBLPROPERTIES {ref.sql}").collect()}
        told = [(r["col_name"], r["data_type"]) for r in spark.sql(f"DESCRIBE TABLE EXTENDED {ref.sql}").collect()]
    except PySparkException:
        return Design()
    detail = dict(_section(told, "# Detailed Table Information"))
    clustered = [name for name, _ in _section(told, "# Clustering Information")]
    legacy = int(properties.get("delta.minWriterVersion", "0")) in GENERATING
    columns = _columns(spark, detail["Location"]) if legacy or any(f"{FEATURE}{f}" in properties for f in TOLD) else {}
    generated = {name: str(about[GENERATED]) for name, about in columns.items() if GENERATED in about}
    left = [f"generated column {name}" for name in generated]
    left += [f"identity column {name}" for name, about in columns.items() if IDENTITY in about]
    left += [f"clustering by {', '.join(clustered)}"] if clustered else []
    left += [f"property {key}" for key in sorted(properties) if not key.startswith(OWN)]
    return Design(
        checks={key.removeprefix(CHECK): sql for key, sql in sorted(properties.items()) if key.startswith(CHECK)},
        partitions=tuple(name for name, _ in _section(told, "# Partition Information")),
        generated=generated,
        comment=detail.get("Comment") or None,
        left=tuple(left),
    )


def _section(told: Sequence[tuple[str, str]], title: str) -> list[tuple[str, str]]:
    """The lines of a description below a title (the last such one: columns may have any name), up to the next title."""
    places = [i for i, (name, _) in enumerate(told) if name == title]
    found = list[tuple[str, str]]()
    for name, value in told[places[-1] + 1 :] if places else ():
        if not name or (name.startswith("# ") and name != "# col_name"):
            break
        if name != "# col_name":
            found.append((name, value))
    return found


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
