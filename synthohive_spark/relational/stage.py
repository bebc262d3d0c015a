"""One stage: the frame that generates a table, from its plan, its model and its parents in the synthetic lake."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from synthohive_spark.lake.location import quote
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.relational.plan import TablePlan
from synthohive_spark.relational.redraw import derived, lawful, traces
from synthohive_spark.relational.skeleton import Skeleton
from synthohive_spark.relational.slots import FAMILY_SLICE, UNIT
from synthohive_spark.relational.unit import UnitGenerator
from synthohive_spark.relational.values import arrow_type, frame_from_arrow, to_arrow

SHUFFLE_PARTITIONS = 200  # Spark's own default


def stage_frame(skeleton: Skeleton, model_cls: type[ConditionalGenerativeModel], artifact: Artifact) -> DataFrame:
    """The rows of a table, lazily: units are gathered by parent-key partitions and generated in ``mapInArrow``.

    Args:
        skeleton: the table's families and slots.
        model_cls: the class of its model.
        artifact: what its training left.
    """
    plan = skeleton.plan
    units = skeleton.frame()
    wanted = f"{skeleton.spark.conf.get('spark.sql.shuffle.partitions')}"
    partitions = int(wanted) if wanted.isdigit() else SHUFFLE_PARTITIONS  # Databricks knows "auto"
    few = 1 + math.ceil(skeleton.total / FAMILY_SLICE)  # about as many units as there are; an idle task costs a start
    gathered = units.repartition(min(partitions, few), *UNIT).sortWithinPartitions(*UNIT)
    generate = UnitGenerator(plan, skeleton.patterns, skeleton.sizes, skeleton.seed, model_cls, artifact)
    schema = StructType.fromJson(plan.spark_schema)
    made = {c.name for c in plan.columns if c.role != "derived"}
    nullable = StructType([StructField(f.name, f.dataType, True) for f in schema.fields if f.name in made])
    whole = StructType([*nullable.fields, *traces(generate).fields]) if plan.expressions else nullable
    types = {f.name: f.dataType.simpleString() for f in whole.fields}
    rows = gathered.mapInArrow(ArrowGenerator(generate, data_columns(plan), types, plan.widths()), whole)
    if plan.expressions:
        rows = lawful(rows, nullable, generate)
    return completed(derived(rows, plan), schema)


@dataclass(frozen=True)
class ArrowGenerator:
    """What the Python workers run, as the function of ``mapInArrow``: types cross between Spark and pandas here alone.

    Attributes:
        generate: pandas frames in and out.
        data: columns of the input whose nulls are nulls; in other columns of whole numbers they are 0.
        made: the columns that are made, with their Spark types.
        widths: characters that a text may have, by column.
    """

    generate: UnitGenerator
    data: frozenset[str]
    made: Mapping[str, str]
    widths: Mapping[str, int]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows of the table, one batch per unit."""
        table, kinds = self.generate.plan.table, {name: arrow_type(kind) for name, kind in self.made.items()}
        for rows in self.generate(frame_from_arrow(batch, self.data) for batch in batches):
            columns = [
                to_arrow(rows[name], kind, f"{table}.{name}", self.widths.get(name)) for name, kind in kinds.items()
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


def data_columns(plan: TablePlan) -> frozenset[str]:
    """Columns of the skeleton that hold values of parents: their keys and the context."""
    driving = len(plan.driving.columns) if plan.driving is not None else 0
    keys = {f"f{fk.position}_{i}" for fk in plan.dealt for i in range(len(fk.columns))}
    return frozenset({*keys, *(f"d{i}" for i in range(driving)), *(f"c{i}" for i in range(len(plan.context)))})
