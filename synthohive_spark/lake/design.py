"""What a Delta table declares beside its columns: CHECKs, partitions, clustering, generated columns, properties.

A copy has what SQL can declare anew; what it cannot is said.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import field_validator
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
CLUSTERING = "clusteringColumns"
"""A property that Delta shows, though no one can set it: the paths of the columns that rows are clustered by."""
OWN = (
    CHECK,
    "delta.columnMapping.",
    "delta.feature.",
    "delta.min",
    "delta.enableDeletionVectors",
    "synthohive.",
    "view.",
    CLUSTERING,
)
"""Beginnings of properties that a copy has of its own, or that say how files are written."""
STATISTICS = "delta.dataSkippingStatsColumns"
CARRIED = (
    "delta.autoOptimize.autoCompact",
    "delta.autoOptimize.optimizeWrite",
    "delta.checkpointInterval",
    "delta.dataSkippingNumIndexedCols",
    STATISTICS,
    "delta.deletedFileRetentionDuration",
    "delta.enableChangeDataFeed",
    "delta.isolationLevel",
    "delta.logRetentionDuration",
    "delta.targetFileSize",
    "delta.tuneFileSizesForRewrites",
)
"""Properties that a copy takes: how its files are laid out, how long they are kept. Others are words of people."""


class Design(Strict):
    """What is declared of a table, in the words of SQL.

    Attributes:
        checks: {name of a CHECK constraint: expression}.
        partitions: columns that the files are parted by.
        clustering: columns that rows are clustered by, those of structs by names with dots.
        properties: those of ``CARRIED``.
        generated: {column: expression} of columns that Delta computes from others.
        comment: that of the table.
        left: what a copy has not, in words.
    """

    checks: dict[str, str] = {}
    partitions: tuple[str, ...] = ()
    clustering: tuple[str, ...] = ()
    properties: dict[str, str] = {}
    generated: dict[str, str] = {}
    comment: str | None = None
    left: tuple[str, ...] = ()

    @property
    def carried(self) -> bool:
        """Whether a copy differs from a table that has the same columns and declares nothing."""
        return bool(self.checks or self.laid_out or self.properties or self.comment)

    @property
    def laid_out(self) -> bool:
        """Whether it says which rows lie together."""
        return bool(self.partitions or self.clustering)

    def over(self, there: Design, columns: Collection[str]) -> Design:
        """What a table declares that gets this design: its own layout and properties where this says nothing of them.

        Args:
            there: what the table declares.
            columns: what it will have, those of structs by names with dots.
        """
        own = there if not self.laid_out and {*there.partitions, *there.clustering} <= {*columns} else self
        properties = {**properties_within(there.properties, columns), **self.properties}
        laid = {"partitions": own.partitions, "clustering": own.clustering}
        return self.model_copy(update={**laid, "properties": properties})

    @field_validator("properties")
    @classmethod
    def _known(cls, properties: dict[str, str]) -> dict[str, str]:
        if odd := properties.keys() - {*CARRIED}:
            raise ValueError(f"{', '.join(sorted(odd))}: no properties that a copy takes")
        return properties


def properties_within(properties: Mapping[str, str], columns: Collection[str]) -> dict[str, str]:
    """Properties without those that name other columns than these."""
    named = {name.strip(" `") for name in properties.get(STATISTICS, "").split(",")} - {""}
    return {key: value for key, value in properties.items() if key != STATISTICS or named <= {*columns}}


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
    legacy = int(properties.get("delta.minWriterVersion", "0")) in GENERATING
    columns = _columns(spark, detail["Location"]) if legacy or any(f"{FEATURE}{f}" in properties for f in TOLD) else {}
    generated = {name: str(about[GENERATED]) for name, about in columns.items() if GENERATED in about}
    left = [f"generated column {name}" for name in generated]
    left += [f"identity column {name}" for name, about in columns.items() if IDENTITY in about]
    left += [f"property {key}" for key in sorted(properties) if not key.startswith(OWN) and key not in CARRIED]
    return Design(
        checks={key.removeprefix(CHECK): sql for key, sql in sorted(properties.items()) if key.startswith(CHECK)},
        partitions=tuple(name for name, _ in _section(told, "# Partition Information")),
        clustering=tuple(".".join(path) for path in json.loads(properties.get(CLUSTERING, "[]"))),
        properties={key: properties[key] for key in CARRIED if key in properties},
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
