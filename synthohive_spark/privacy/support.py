"""How many people are behind rows: the one measure by which a value is frequent enough to be learnt or written."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from synthohive_spark.sql import quote

FEW = 20  # people up to whom the estimate is never above the truth: 512 registers that are filled one by one
SUBJECT = "#synthohive:subject"  # whom a row is about, as a hash; no column of a table has this name


@dataclass(frozen=True)
class Support:
    """Counts the people behind the rows of a frame.

    Attributes:
        least: people who must hold a value.
        several: a person may have several rows, and the frame holds ``SUBJECT``; else each row is a person.
    """

    least: int
    several: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """What a frame must keep to be counted."""
        return (F.col(quote(SUBJECT)),) if self.several else ()

    def count(self) -> Column:
        """The aggregate: people behind the rows of a group.

        Few people are counted by HyperLogLog, which costs no shuffle of its own. Two of them may count as one (two of
        five in one group of fifty), one never as two.
        """
        if not self.several:
            return F.count(F.lit(1))
        (who,) = self.columns
        return F.approx_count_distinct(who) if self.least <= FEW else F.count_distinct(who)
