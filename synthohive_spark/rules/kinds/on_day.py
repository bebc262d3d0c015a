"""A time lies on the day that another column names: who arrives on the day of the booking does so at some hour of it.

The model learns the hour; Spark puts the day in, whatever that becomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from synthohive_spark.rules.evidence import EVIDENCE, Column, Sample, Vector, evidence
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.line import DAY, Line, Places
from synthohive_spark.rules.value_kind import Candidate, ValueKind
from synthohive_spark.schema.rule import Ancestor, Rule, worded

SQL = {
    "timestamp": f"timestamp_micros(unix_date({{0}}) * {DAY}L + pmod(unix_micros({{1}}), {DAY}L))",
    "timestamp_ntz": "cast({0} as timestamp_ntz) + ({1} - cast(cast({1} as date) as timestamp_ntz))",
}


class OnDay(Rule):
    """A time has its day from another column, and its hour from the model.

    Attributes:
        expression: Spark SQL of the time, of the day and of what was drawn.
        above: the name of an ancestor's day in the context; the expression names it as ``frames.hidden``.
        whose: the day, as SQL names it.
    """

    kind: Literal["on_day"] = "on_day"
    expression: str
    above: tuple[str, ...] = ()
    whose: str

    @property
    def seen(self) -> tuple[str, ...]:
        """The ancestor's day."""
        return self.above

    @property
    def sql(self) -> str | None:
        """The expression."""
        return self.expression

    def text(self, ancestor: Ancestor) -> str:
        """Whose day it is."""
        return f"on the day of {worded(self.whose, self.above, ancestor)}"

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, original: pd.DataFrame, seed: int) -> pd.DataFrame:
        """The time of the day, on the first of 1970, also where a rule that says where it is null put one."""
        line = Line("micro", 1, 0)
        own = line.places(data[self.column])
        return data.assign(**{self.column: line.column(Places(own.at % DAY, own.there), data.index)})


class DayOf(ValueKind):
    """Every time beside every date of the row and of its ancestors."""

    name = "on_day"
    order = 3
    casts = False
    renewed = True

    def candidates(self, sample: Sample) -> list[Candidate]:
        """None: what a day leaves open is no value of its own."""
        return []

    def search(self, sample: Sample) -> list[Law]:
        """Days that no row refutes and that chance does not explain, known wherever the time is."""
        days = [b for b in sample.inputs if b.family == "date"]
        times = [t for t in sample.targets if t.family in ("time", "plain time")]
        return [
            Law(self.name, t.id, (b.id,), SQL[t.type], "part", distinct=t.distinct)
            for t in times
            for b in days
            if _on_day(t, b)
        ]

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The time that was drawn, on that day; null where it is null."""
        day, own = names[law.inputs[0]], names[law.target]
        return f"if({own} is null, null, coalesce({law.sql.format(day, own)}, {own}))"


def _on_day(time: Column, day: Column) -> bool:
    """Whether a time is always on a day, though days differ, and though it is not always the day's first moment."""
    known = ~np.isnan(time.values)
    days: Vector = np.floor(time.values[known] / DAY)
    return bool((days == day.values[known]).all() and (time.values[known] % DAY).any() and evidence(days) >= EVIDENCE)
