"""Keys of the synthetic tables: primary keys unique and non-null, foreign keys resolved."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.evaluation import relations
from synthohive_spark.evaluation.columns import null_share
from synthohive_spark.evaluation.kinds import column_of, complete
from synthohive_spark.evaluation.profile import Profile
from synthohive_spark.evaluation.relations import FamilySizes
from synthohive_spark.evaluation.scores import ForeignKeyScore, PrimaryKeyCheck
from synthohive_spark.tables import ForeignKey


def primary_key(frame: DataFrame, columns: tuple[str, ...]) -> PrimaryKeyCheck | None:
    """Count the rows that break a primary key; None where none is declared. One Spark query.

    Args:
        frame: the synthetic table.
        columns: its primary key.
    """
    if not columns:
        return None
    names = [f"k{i}" for i in range(len(columns))]
    keys = frame.select(
        *(column_of(c).alias(n) for c, n in zip(columns, names, strict=True)), complete(columns).alias("whole")
    )
    held = keys.groupBy("whole", *names).agg(F.count(F.lit(1)).alias("rows"))
    row = held.agg(
        F.sum(F.when(F.col("whole"), F.col("rows") - 1)).alias("duplicates"),
        F.sum(F.when(~F.col("whole"), F.col("rows"))).alias("nulls"),
    ).collect()[0]
    return PrimaryKeyCheck(columns, int(row["duplicates"] or 0), int(row["nulls"] or 0))


def foreign_key(
    fk: ForeignKey,
    place: int,
    sides: tuple[FamilySizes, FamilySizes],
    profiles: tuple[Profile, Profile],
    min_subjects: int = 1,
) -> ForeignKeyScore:
    """Put together what was counted about one foreign key.

    Args:
        fk: the key.
        place: its place among the keys of the table.
        sides: children per parent, real and synthetic.
        profiles: of the child table, real and synthetic.
        min_subjects: parents that a bin rests on, or the most children that are said.
    """
    real_families, synthetic_families = sides
    real, synthetic = profiles
    return ForeignKeyScore(
        columns=fk.columns,
        parent=fk.references,
        parent_columns=fk.referenced_columns,
        orphans=synthetic_families.orphans,
        real_nulls=null_share(real.rows, real.keys[place]),
        synthetic_nulls=null_share(synthetic.rows, synthetic.keys[place]),
        score=relations.similarity(real_families, synthetic_families),
        real_mean=round(real_families.mean, 6),
        synthetic_mean=round(synthetic_families.mean, 6),
        real_max=relations.most_children(real_families, min_subjects),
        synthetic_max=synthetic_families.most,
        histogram=relations.counts_picture(real_families, synthetic_families, min_subjects),
    )
