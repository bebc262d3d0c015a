"""One stage: the frame that generates a table, from its plan, its model and its parents in the synthetic lake."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType, StructField, StructType, TimestampNTZType, TimestampType

from synthohive_spark.lake.location import quote
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.relational.plan import TablePlan
from synthohive_spark.relational.redraw import derived, lawful, traces
from synthohive_spark.relational.skeleton import Skeleton
from synthohive_spark.relational.slots import UNIT
from synthohive_spark.relational.unit import UnitGenerator

SHUFFLE_PARTITIONS = 200  # Spark's own default


def stage_frame(skeleton: Skeleton, model_cls: type[ConditionalGenerativeModel], artifact: Artifact) -> DataFrame:
    """The rows of a table, lazily: units are gathered by parent-key partitions and generated in ``mapInPandas``.

    Args:
        skeleton: the table's families and slots.
        model_cls: the class of its model.
        artifact: what its training left.
    """
    plan = skeleton.plan
    units = _carried(skeleton.frame(), plan)
    wanted = f"{skeleton.spark.conf.get('spark.sql.shuffle.partitions')}"
    partitions = int(wanted) if wanted.isdigit() else SHUFFLE_PARTITIONS  # Databricks knows "auto"
    gathered = units.repartition(partitions, *UNIT).sortWithinPartitions(*UNIT)
    generate = UnitGenerator(plan, skeleton.patterns, skeleton.sizes, skeleton.seed, model_cls, artifact)
    schema = StructType.fromJson(plan.spark_schema)
    made = {c.name for c in plan.columns if c.role != "derived"}
    nullable = StructType([StructField(f.name, f.dataType, True) for f in schema.fields if f.name in made])
    if plan.expressions:
        traced = StructType([*nullable.fields, *traces(generate).fields])
        rows = lawful(gathered.mapInPandas(generate, traced), nullable, generate)
    else:
        rows = gathered.mapInPandas(generate, nullable)
    return derived(rows, plan).select(*(F.col(quote(c)) for c in schema.fieldNames()))


def _carried(frame: DataFrame, plan: TablePlan) -> DataFrame:
    """Columns as pandas can hold them exactly: timestamps as microseconds, absent integer keys as 0 instead of null."""

    def carry(field: StructField) -> Column:
        column = F.col(field.name)
        if isinstance(field.dataType, TimestampType | TimestampNTZType):
            column = F.unix_micros(column.cast("timestamp"))
        whole = isinstance(field.dataType, IntegralType | TimestampType | TimestampNTZType)
        if whole and not field.name.startswith("c"):
            column = F.coalesce(column, F.lit(0))
        return column.alias(field.name)

    return frame.select(*(carry(f) for f in frame.schema.fields))
