"""How what training left of a table reaches the tasks that draw: beside the first row that each of them gets.

Spark brings it there, from the registry where there is one. In the function that tasks run it would travel with every
task and, over Spark Connect, in every message of the client; and not every worker can read the registry by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark.errors import GenerationError
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.schema.frames import hidden

MODEL, MATCHING = hidden("model"), hidden("matching")
OF, WHOSE = hidden("of"), hidden("whose")
NTH = 2**33 - 1  # the bits of monotonically_increasing_id() that count the rows of a partition


def learnt_row(spark: SparkSession, table: str, artifact: Artifact) -> DataFrame:
    """What training left, as the registry has it; for models that lie in no registry."""
    row = {"table_name": [table], "model": [artifact.model], "matching": [artifact.matching]}
    kinds = [("table_name", pa.string()), ("model", pa.binary()), ("matching", pa.string())]
    return spark.createDataFrame(pa.Table.from_pydict(row, schema=pa.schema(kinds)))


def with_learnt(rows: DataFrame, table: str, learnt: DataFrame | None) -> DataFrame:
    """Rows, partitions and their order as they are, and what training left beside the first row of each partition.

    Args:
        rows: the input of tasks that draw.
        table: whose rows they are.
        learnt: one row (table_name, model, matching); None where nothing was learnt.
    """
    if learnt is None:
        return rows.select("*", F.lit(None).cast("binary").alias(MODEL), F.lit("").alias(MATCHING))
    own = learnt.select(F.col("table_name").alias(OF), F.col("model").alias(MODEL), F.col("matching").alias(MATCHING))
    first = F.monotonically_increasing_id().bitwiseAND(F.lit(NTH)) == 0
    marked = rows.select("*", F.when(first, F.lit(table)).alias(WHOSE))
    # a broadcast join passes the rows of its left side on as they come; a shuffle would mix them
    return marked.join(F.broadcast(own), F.col(WHOSE) == F.col(OF), "left").drop(WHOSE, OF)


def taken(batches: Iterable[pa.RecordBatch]) -> tuple[Artifact, Iterator[pa.RecordBatch]]:
    """What training left, and the rows of a task without it; the inverse of ``with_learnt``.

    Raises:
        GenerationError: nothing came with the first row.
    """
    there = (batch for batch in batches if batch.num_rows)
    first = next(there, None)
    if first is None:
        return Artifact(), iter(())
    matching = first.column(MATCHING)[0].as_py()
    if matching is None:
        raise GenerationError("a task got no model with its rows; this is a bug of SynthoHive: report it")
    kept = [name for name in first.schema.names if name not in (MODEL, MATCHING)]
    return Artifact(first.column(MODEL)[0].as_py(), matching), (b.select(kept) for b in chain([first], there))
