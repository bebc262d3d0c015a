"""Copies in which the rows of a root table fulfil a condition: candidates are drawn until there are enough that do.

Rejection keeps what goes with the condition as the model has it: the other columns of such rows, and their children,
who see their parents. Candidates are bounded; how many rows fulfil the condition in the end is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from synthohive_spark.errors import ConfigError, GenerationError
from synthohive_spark.logs import get_logger
from synthohive_spark.schema.ancestors import Reader
from synthohive_spark.schema.table_plan import Plans
from synthohive_spark.sql import quote
from synthohive_spark.stage_writer import TableGenerator
from synthohive_spark.strict import nearest

log = get_logger(__name__)
FIRST = 4  # candidates for a row in the first attempt
MOST = 200  # candidates for a row in all: of what is rarer than one in 200, fewer rows than wanted are found
SPARE = 1.3  # more than the share seen asks for, so that one more attempt is enough

Conditions = Mapping[str, Mapping[str, Any]]


def check_conditions(plans: Plans, conditions: Any) -> dict[str, dict[str, Any]]:
    """The conditions, each of a root table and of columns that are drawn.

    Args:
        plans: all tables.
        conditions: {root table: {column: value, or list of values}}.

    Raises:
        ConfigError: with everything that is wrong, and what to give instead.
    """
    form = 'give {"customers": {"country": "Germany"}}, a list for one of several values'
    if not isinstance(conditions, Mapping) or not all(isinstance(c, Mapping) and c for c in conditions.values()):
        raise ConfigError(f"conditions: {form}")
    roots = [t for t, p in plans.items() if p.keys.driving is None and not p.reference]
    found = []
    for table, wanted in conditions.items():
        if table not in plans:
            found.append(f"conditions: {table!r} is no table; {nearest(str(table), list(plans))}")
            continue
        if table not in roots:
            found.append(f"conditions: {table} follows its parents; conditions are for {', '.join(roots)}")
            continue
        types = plans[table].columns.types()
        if any(fk.references == table for fk in plans[table].keys.foreign):
            found.append(
                f"conditions: rows of {table} refer to each other, so none can be left out; choose another table"
            )
            continue
        drawn = {*plans[table].columns.named("model", "derived")} - {*plans[table].rules.completed}
        for column, value in wanted.items():
            if column not in types:
                found.append(f"conditions: {table} has no column {column!r}; {nearest(str(column), sorted(types))}")
            elif column not in drawn:
                found.append(f"conditions: {table}.{column} is no value that is drawn; choose another column")
            elif value is None or isinstance(value, Mapping) or value == []:
                found.append(f"conditions: {table}.{column}: give a value, or a list of values")
    if found:
        raise ConfigError("\n  - ".join(["conditions that cannot be:", *found]))
    return {table: dict(wanted) for table, wanted in conditions.items()}


@dataclass(frozen=True)
class ConditionedGenerator(TableGenerator):
    """Makes root tables whose rows fulfil conditions, and everything else as ever.

    Attributes:
        conditions: {root table: {column: value, or list of values}}.
        achieved: {root table: share of its rows that fulfil the condition}, filled in as tables are made.
    """

    conditions: Conditions = field(default_factory=dict)
    achieved: dict[str, float] = field(default_factory=dict)

    def frame(self, table: str, sizes: Mapping[str, int], read: Reader) -> tuple[DataFrame, int, int]:
        """The rows of a table, as ``TableGenerator.frame``.

        Raises:
            GenerationError: no candidate fulfils the condition.
        """
        wanted = self.conditions.get(table)
        if wanted is None:
            return super().frame(table, sizes, read)
        rows, plan = self.wanted[table], self.trained.plans[table]
        schema = StructType.fromJson(plan.columns.spark_schema)
        fits = _fits(wanted, plan.columns.types())
        candidates, frame, found = 0, None, 0
        share = 1 / FIRST
        while found < rows and candidates < MOST * rows:
            candidates = min(MOST * rows, max(int(SPARE * rows / share), 2 * candidates))
            more = replace(self, wanted={**self.wanted, table: candidates}, conditions={})
            frame = TableGenerator.frame(more, table, sizes, read)[0]
            found = frame.where(fits).count()
            share = max(found, 1) / candidates
            log.info("candidates_drawn", table=table, candidates=candidates, fulfil=found, wanted=rows)
        if frame is None or not found:
            raise GenerationError(
                f"{table}: none of {candidates:,} candidates fulfils the condition on {', '.join(wanted)}; "
                "check how the values are spelt in the source, or ask for more frequent ones"
            )
        self.achieved[table] = min(1.0, found / rows)
        if found < rows:
            log.warning("condition_not_reached", table=table, fulfil=found, wanted=rows, candidates=candidates)
        return _first(frame, fits, rows, schema), rows, 0


def _fits(wanted: Mapping[str, Any], types: Mapping[str, str]) -> Column:
    """True on rows that fulfil every condition."""
    whole = F.lit(True)
    for column, value in wanted.items():
        values = value if isinstance(value, list | tuple | set) else [value]
        one = F.lit(False)
        for v in values:
            one = one | (F.col(quote(column)) == F.lit(v).cast(types[column]))
        whole = whole & F.coalesce(one, F.lit(False))
    return whole


def _first(frame: DataFrame, fits: Column, rows: int, schema: StructType) -> DataFrame:
    """So many rows, those that fulfil the condition before all others, in an order that follows from what they hold."""
    texts = [F.col(quote(c)).cast("string") for c in schema.fieldNames()]
    place = F.xxhash64(F.lit("condition"), *texts)
    return frame.orderBy(F.when(fits, 0).otherwise(1), place).limit(rows)
