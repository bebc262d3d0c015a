"""The numbers of a category by their places: how a number is learnt that a category gives its size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.randomness import Floats
from synthohive_spark.strict import Strict

POINTS = 33  # of a scale at most
FEWEST = 5  # below which a category has no scale of its own
GROUPS = 256  # categories that have one
DISCRETE = 20  # distinct numbers up to which no number between two is made


class Scale(Strict):
    """Where the numbers of a category lie.

    Attributes:
        points: numbers at even shares of its rows, from low to high.
        discrete: other numbers do not occur.
        digits: the fewest and the most decimals that they are written with.
    """

    points: tuple[float, ...]
    discrete: bool
    digits: tuple[int, int]

    def places(self, numbers: Floats, rng: np.random.Generator) -> Floats:
        """The place of each number, between 0 and 1."""
        points = np.array(self.points)
        if not self.discrete:
            made: Floats = np.interp(numbers, points, np.linspace(0, 1, len(points)))
            return made
        low, high = np.searchsorted(points, numbers, "left"), np.searchsorted(points, numbers, "right")
        return np.clip((low + rng.random(len(numbers)) * (high - low)) / len(points), 0, 1)

    def texts(self, places: Floats) -> list[str]:
        """The numbers at some places, as they are written."""
        points = np.array(self.points)
        at = np.clip(np.nan_to_num(places, nan=0.5), 0, 1)
        if self.discrete:
            numbers = points[np.minimum((at * len(points)).astype(np.int64), len(points) - 1)]
        else:
            numbers = np.interp(at, np.linspace(0, 1, len(points)), points)
        return [self._written(number) for number in numbers.tolist()]

    def _written(self, number: float) -> str:
        fewest, most = self.digits
        text = f"{number + 0.0:.{most}f}"
        while most > fewest and text.endswith("0"):
            text, most = text[:-1], most - 1
        return text.removesuffix(".")


def scales(frame: DataFrame, text: Column, category: Column | None, least: int) -> dict[str | None, Scale]:
    """{category as a text: its scale}; of no category one, by None.

    Args:
        frame: rows whose texts are numbers.
        text: of each row.
        category: of each row; None for all rows together.
        least: rows that a point of a scale stands for.
    """
    number = text.try_cast("double")
    digits = F.length(F.regexp_extract(text, r"[.](\d+)$", 1))
    shares = [(i + 0.5) / POINTS for i in range(POINTS)]
    what = [
        F.count(number).alias("rows"),
        F.percentile_approx(number, shares).alias("points"),
        F.approx_count_distinct(number).alias("distinct"),
        F.min(digits).alias("fewest"),
        F.max(digits).alias("most"),
    ]
    if category is None:
        found = frame.agg(F.lit(None).cast("string").alias("category"), *what)
    else:
        found = frame.groupBy(category.cast("string").alias("category")).agg(*what)
        found = found.where(F.col("category").isNotNull()).orderBy(F.desc("rows"), "category").limit(GROUPS)
    made: dict[str | None, Scale] = {}
    for row in found.where(F.col("rows") >= FEWEST * least).collect():
        points = _thinned(row["points"], min(POINTS, row["rows"] // least))
        digits_seen = (int(row["fewest"]), int(row["most"]))
        made[row["category"]] = Scale(points=points, discrete=row["distinct"] <= DISCRETE, digits=digits_seen)
    return made


def unexplained(frame: DataFrame, text: Column, category: Column) -> float:
    """How much of the spread of the numbers' sizes a category leaves, from 0 to 1."""
    size = F.log1p(F.abs(text.try_cast("double")))
    groups = frame.groupBy(category).agg(
        F.count(size).alias("n"), F.var_pop(size).alias("within"), F.avg(size).alias("mean")
    )
    within = F.sum(F.col("n") * F.col("within")) / F.sum("n")
    between = F.sum(F.col("n") * F.col("mean") * F.col("mean")) / F.sum("n")
    mean = F.sum(F.col("n") * F.col("mean")) / F.sum("n")
    row = groups.agg(within.alias("within"), (between - mean * mean).alias("between")).first()
    if row is None or row["within"] is None or row["within"] + row["between"] <= 0:
        return 1.0
    return float(row["within"] / (row["within"] + row["between"]))


def _thinned(points: Sequence[float], wanted: int) -> tuple[float, ...]:
    """So many of some points, evenly spread."""
    places = np.linspace(0, len(points) - 1, wanted).round().astype(int)
    return tuple(float(points[i]) for i in places)
