"""One stage: the frame that generates a table, from its plan, its model and its parents in the synthetic lake."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from synthohive_spark.generation.batch import BatchGenerator
from synthohive_spark.generation.constraints import Redrawing, beside, derived, lawful, traces
from synthohive_spark.generation.families import FAMILY_SLICE, batches, root_blocks
from synthohive_spark.generation.family_counts import without_driving
from synthohive_spark.generation.gathering import gathered
from synthohive_spark.generation.learnt import learnt_row, taken, with_learnt
from synthohive_spark.generation.parent_assignment import ParentAssignment
from synthohive_spark.generation.stage_plan import StagePlan
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.privacy.rewriting import Secret, secret_key
from synthohive_spark.schema import frames
from synthohive_spark.schema.conversion import arrow_type, frame_from_arrow, to_arrow
from synthohive_spark.session import PARTITIONS, setting_of
from synthohive_spark.sql import quote

SHUFFLE_PARTITIONS = 200  # Spark's own default


def stage_frame(
    stage: StagePlan,
    model_cls: type[ConditionalGenerativeModel],
    artifact: Artifact,
    registry: Callable[[str], DataFrame] | None = None,
) -> DataFrame:
    """The rows of a table, lazily: batches are gathered and generated in ``mapInArrow``.

    Args:
        stage: the numbers of the table.
        model_cls: the class of its model.
        artifact: what its training left.
        registry: {table: one row (table_name, model, matching)}, read by Spark; what training left is sent to Spark
            without it.
    """
    plan, spark = stage.stage.plan, stage.stage.spark
    wanted = setting_of(spark, PARTITIONS)
    partitions = int(wanted) if wanted.isdigit() else SHUFFLE_PARTITIONS  # Databricks knows "auto"
    # About as many as there are batches, of which few rows make one; an idle task costs a start.
    few = 1 if stage.total <= FAMILY_SLICE else 1 + math.ceil(stage.total / FAMILY_SLICE)
    gathered = batch_rows(stage).repartition(min(partitions, few), *frames.BATCH).sortWithinPartitions(*frames.BATCH)
    learnt = None
    if artifact != Artifact():
        learnt = registry(plan.table) if registry is not None else learnt_row(spark, plan.table, artifact)
    secret = secret_key(plan.columns.secret) if "hash" in plan.columns.rewritten.values() else Secret()
    places = stage.patterns, stage.stage.sizes, stage.stage.seed
    generator = partial(BatchGenerator, plan, *places, model_cls, key=secret)
    told = generator(Artifact(matching=artifact.matching))
    schema = StructType.fromJson(plan.columns.spark_schema)
    made = {c.name for c in plan.columns.each if c.role != "derived"}
    own = [StructField(f.name, f.dataType, True) for f in schema.fields if f.name in made]
    nullable = StructType([*own, *beside(plan.rules, plan.context).fields])
    expressions = plan.columns.expressions
    whole = StructType([*nullable.fields, *traces(told.shown).fields]) if expressions else nullable
    types = {f.name: f.dataType.simpleString() for f in whole.fields}
    values = frozenset(f.name for f in frames.batch_frame(plan.keys, plan.context) if f.value)
    convert = ArrowGenerator(generator, plan.table, values, types, plan.columns.widths())
    rows = with_learnt(gathered, plan.table, learnt).mapInArrow(convert, whole)
    if expressions:
        again = Redrawing(plan.keys.primary_key, told.values, plan.rare, stage.stage.seed)
        rows = lawful(rows, nullable, again, learnt)
    return completed(derived(rows, plan.rules, plan.columns.types()), schema)


def batch_rows(stage: StagePlan) -> DataFrame:
    """Families, the head of each batch, and the parents assigned to it: rows of ``frames.batch_frame``."""
    if stage.families is None:
        made, cut = root_blocks(stage.stage, stage.total)
    else:
        families = stage.families
        every = families.with_orphans(without_driving(stage.stage, families.fk, stage.owned))
        made, cut = families.frame(every), batches(every)
    return made.unionByName(ParentAssignment(stage).frame(cut), allowMissingColumns=True)


@dataclass(frozen=True)
class ArrowGenerator:
    """What the Python workers run, as the function of ``mapInArrow``: types cross between Spark and pandas here alone.

    Attributes:
        generator: from what training left to what makes the rows of generation batches.
        table: its name, for messages.
        values: columns of the input whose nulls are nulls; in other columns of whole numbers they are 0.
        made: the columns that are made, with their Spark types.
        widths: characters that a text may have, by column.
    """

    generator: Callable[[Artifact], BatchGenerator]
    table: str
    values: frozenset[str]
    made: Mapping[str, str]
    widths: Mapping[str, int]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows of the table, one Arrow batch per generation batch. Input rows come sorted by ``frames.BATCH``."""
        artifact, batches = taken(batches)
        generate = self.generator(artifact)
        kinds = {name: arrow_type(kind) for name, kind in self.made.items()}
        for rows in generate(frame_from_arrow(batch, self.values) for batch in gathered(batches, frames.BATCH)):
            columns = [
                to_arrow(rows[name], kind, f"{self.table}.{name}", self.widths.get(name))
                for name, kind in kinds.items()
            ]
            yield pa.RecordBatch.from_arrays(columns, names=list(kinds))


def completed(frame: DataFrame, schema: StructType) -> DataFrame:
    """Rows with every column of the copy, in its order: those whose values are left out are null."""
    known = set(frame.columns)
    return frame.select(
        *(
            F.col(quote(f.name)) if f.name in known else F.lit(None).cast(f.dataType).alias(f.name)
            for f in schema.fields
        )
    )
