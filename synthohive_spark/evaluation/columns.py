"""Similarity of the columns of one table: what has an order by 1 - KS, the rest by 1 - TVD."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame

from synthohive_spark.evaluation import categories, ordered
from synthohive_spark.evaluation.kinds import ComparedColumn, Comparison
from synthohive_spark.evaluation.profile import Profile
from synthohive_spark.evaluation.scores import ColumnScore, Histogram, PairScore, SkippedColumn
from synthohive_spark.privacy.coarse import few_rows

FREE_TEXT = 0.5  # a string column with more distinct values than this share of its rows is text, not a category


@dataclass(frozen=True)
class Columns:
    """The columns of one table, and the correlations between them."""

    scored: tuple[ColumnScore, ...]
    skipped: tuple[SkippedColumn, ...]
    pairs: tuple[PairScore, ...]


def compare_columns(
    real: DataFrame,
    synthetic: DataFrame,
    plan: Comparison,
    real_profile: Profile,
    synthetic_profile: Profile,
    min_subjects: int,
) -> Columns:
    """Score every column of the plan: at most two Spark queries, whatever the number of columns."""
    outcomes: dict[str, ColumnScore | SkippedColumn] = {s.column: s for s in plan.skipped}
    rows = (real_profile.rows, synthetic_profile.rows)
    few = few_rows(min_subjects)  # of which nothing but a range was kept, and of which no score could tell anything
    found_pairs: tuple[PairScore, ...] = ()
    if plan.ordered:
        grids = [ordered.grid(p, f.kind) for p, f in zip(real_profile.percentiles, plan.ordered, strict=True)]
        tally = ordered.tally(real, synthetic, plan.ordered, grids)
        found_pairs = ordered.pairs(tally, plan.ordered)
        values = zip(real_profile.ordered, synthetic_profile.ordered, strict=True)
        for field, cut, counts, present in zip(plan.ordered, grids, tally.counts, values, strict=True):
            distance = ordered.kolmogorov_smirnov(counts[0], counts[1])
            picture = ordered.spread_picture(counts, cut, field.kind)
            outcomes[field.name] = _outcome(field, rows, present, distance, picture, few)
    texts = categories.compare_categories(
        real, synthetic, plan.categories, real_profile.categories, synthetic_profile.categories, min_subjects
    )
    values = zip(real_profile.categories, synthetic_profile.categories, strict=True)
    for field, text, present in zip(plan.categories, texts, values, strict=True):
        if field.kind == "string" and text.distinct > FREE_TEXT * real_profile.rows:
            why = f"free text: {text.distinct / real_profile.rows:.0%} of the rows hold a value of their own"
            outcomes[field.name] = SkippedColumn(field.name, why)
        else:
            outcomes[field.name] = _outcome(field, rows, present, text.distance, text.histogram, few)
    in_order = [outcomes[c] for c in real.columns]
    return Columns(
        scored=tuple(o for o in in_order if isinstance(o, ColumnScore)),
        skipped=tuple(o for o in in_order if isinstance(o, SkippedColumn)),
        pairs=found_pairs if real_profile.rows >= few else (),
    )


def _outcome(
    field: ComparedColumn,
    rows: tuple[int, int],
    present: tuple[int, int],
    distance: float,
    picture: Histogram,
    few: int,
) -> ColumnScore | SkippedColumn:
    if not any(present):
        return SkippedColumn(field.name, "no values on either side")
    if present[0] < few:
        return SkippedColumn(field.name, f"too few rows to judge: {present[0]} of the real table have a value")
    nulls = tuple(null_share(r, n) for r, n in zip(rows, present, strict=True))
    return ColumnScore(field.name, field.kind, round(1 - distance, 6), nulls[0], nulls[1], picture)


def null_share(rows: int, values: int) -> float:
    """Share of the rows without a value."""
    return round((rows - values) / rows, 6) if rows else 0.0
