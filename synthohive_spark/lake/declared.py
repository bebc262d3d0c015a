"""Spark SQL that people declare of a table, held against its columns and its rows before any work is done."""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.causes import cause_of, first_line
from synthohive_spark.logs import get_logger
from synthohive_spark.tables import Table

log = get_logger(__name__)
SAID = "__said"
Declared = tuple[str, str, str | None]
"""Where an expression stands, the expression, and the column that it makes; None for a condition."""


def declared_problems(table: str, spec: Table, rows: DataFrame) -> list[str]:
    """Expressions that do not fit the columns of a table; Spark reads them, and no row.

    Args:
        table: its name.
        spec: what is declared of it.
        rows: the table, with the columns that expressions may name.
    """
    types, found = {f.name: f.dataType.simpleString() for f in rows.schema.fields}, []
    for place, sql, made in _declared(spec):
        try:
            made_as = F.expr(sql) if made is None else F.expr(sql).cast(types[made])
            kind = rows.select("*", made_as.alias(SAID)).schema[SAID].dataType.simpleString()
        except PySparkException as e:
            found.append(f"{table}.{place}: {first_line(e)}; correct the expression")
        else:
            if made is None and kind not in ("boolean", "void"):
                found.append(
                    f"{table}.{place}: its type is {kind}, and a condition is expected; compare it with a value"
                )
    return found


def unanswered(table: str, spec: Table, rows: DataFrame) -> list[str]:
    """Expressions that Spark cannot evaluate on the rows of a table; the log names conditions that no row keeps.

    Args:
        table: its name.
        spec: what is declared of it.
        rows: the table; all of its rows are read, once.
    """
    said = list(_declared(spec))
    if not said:
        return []
    values = [F.expr(sql).alias(f"{SAID}{i}") for i, (_, sql, _) in enumerate(said)]
    asked = [F.count(f"{SAID}{i}") if made is not None else _kept(i) for i, (_, _, made) in enumerate(said)]
    try:
        counts = rows.select(*values).agg(*(c.alias(f"n{i}") for i, c in enumerate(asked))).collect()[0]
    except PySparkException as e:
        if cause_of(e) is not None:  # the rows cannot be read
            raise
        places = ", ".join(place for place, _, _ in said)
        return [f"{table}: one of {places} cannot be evaluated on a row of the source: {first_line(e)}; correct it"]
    for i, (place, _, made) in enumerate(said):
        if made is None and counts[f"n{i}"] == 0:
            log.warning("constraint_no_row_keeps", table=table, constraint=place)
    return []


def _kept(i: int) -> Column:
    """How many rows do not break a condition: what is null breaks none."""
    return F.count(F.when(F.coalesce(F.col(f"{SAID}{i}").cast("boolean"), F.lit(True)), 1))


def _declared(spec: Table) -> Iterator[Declared]:
    for law in spec.constraints:
        yield f"constraints({law.column})" if law.column is not None else "constraints", law.sql, None
    for column, sql in spec.declared.items():
        yield f"derived({column})", sql, column
    for name, rule in spec.rules.items():
        if rule is not False:
            yield f"rules({name})", rule, None
