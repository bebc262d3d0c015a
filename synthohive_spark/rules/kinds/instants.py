"""Times as Spark computes with them: microseconds since 1970, whether a column has a time zone or not."""

from __future__ import annotations

from synthohive_spark.rules.evidence import Column
from synthohive_spark.rules.kinds.order import NUMBERED

INSTANTS = ("time", "plain time")
EPOCH = "timestamp_ntz'1970-01-01 00:00:00'"


def micros(place: int, column: Column) -> str:
    """SQL of the microseconds of a time at a place of the inputs, whatever the session's time zone."""
    return NUMBERED[column.type].format(f"{{{place}}}")


def instant(sql: str, column: Column) -> str:
    """SQL of the time at so many microseconds, in the type of a column; null where there is none."""
    if column.family == "time":
        return f"timestamp_micros({sql})"
    seconds = f"try_cast(try_divide(cast({sql} as decimal(25, 0)), 1000000) as decimal(18, 6))"
    return f"{EPOCH} + make_dt_interval(0, 0, 0, {seconds})"
