"""What an evaluation found, as frozen records; the score and the gate are computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from synthohive_spark.errors import QualityError

WORST_COLUMNS_NAMED = 5  # in the message of a failed gate


@dataclass(frozen=True)
class Histogram:
    """A small picture of one distribution on both sides.

    Attributes:
        labels: one per bin, or one per category.
        real: share of the real values in each; sums to 1, or is all 0 where there are none.
        synthetic: likewise.
        categorical: whether the labels are categories (no order) or bins (in order).
    """

    labels: tuple[str, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    categorical: bool = False


@dataclass(frozen=True)
class ColumnScore:
    """Similarity of one column's non-null values: 1 - KS for what has an order, 1 - TVD for the rest.

    Attributes:
        column: its name.
        kind: integer, number, date, timestamp, string or boolean.
        score: in [0, 1]; 1 is the same distribution.
        real_nulls: share of null (or NaN) in the real table. Not part of the score.
        synthetic_nulls: the same in the synthetic table.
        histogram: both distributions in a few bins.
    """

    column: str
    kind: str
    score: float
    real_nulls: float
    synthetic_nulls: float
    histogram: Histogram


@dataclass(frozen=True)
class SkippedColumn:
    """A column without a score, and why."""

    column: str
    reason: str


@dataclass(frozen=True)
class PairScore:
    """Pearson correlation of two numeric columns on both sides; score = 1 - |real - synthetic| / 2."""

    left: str
    right: str
    real: float
    synthetic: float
    score: float


@dataclass(frozen=True)
class PrimaryKeyCheck:
    """The primary key of a synthetic table.

    Attributes:
        columns: the key.
        duplicates: rows whose key another, earlier counted row has: rows less distinct keys. Null keys do not count.
        nulls: rows in which a column of the key is null.
    """

    columns: tuple[str, ...]
    duplicates: int
    nulls: int


@dataclass(frozen=True)
class ForeignKeyScore:
    """One foreign key: whether it resolves, and whether parents have as many children as they should.

    Attributes:
        columns: of the child.
        parent: the table referred to.
        parent_columns: of the parent.
        orphans: synthetic rows whose key (all columns non-null) is not in the synthetic parent.
        real_nulls: share of real rows without a key (a column of it is null).
        synthetic_nulls: the same in the synthetic table.
        score: 1 - KS of the children per parent, parents without children included; None without parents.
        real_mean: children per parent.
        synthetic_mean: the same in the synthetic tables.
        real_max: most children of one parent.
        synthetic_max: the same in the synthetic tables.
        histogram: children per parent, shares of the parents.
    """

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    orphans: int
    real_nulls: float
    synthetic_nulls: float
    score: float | None
    real_mean: float
    synthetic_mean: float
    real_max: int
    synthetic_max: int
    histogram: Histogram


@dataclass(frozen=True)
class DerivedColumn:
    """A column that is computed instead of drawn.

    Attributes:
        column: its name.
        source: Spark SQL over the table's columns, or `table`.`column` of an ancestor that it equals.
        declared: a person declared it; else it was found, and holds on every row of the real table.
        broken: synthetic rows that break it; None where a row alone does not tell.
    """

    column: str
    source: str
    declared: bool
    broken: int | None = None


@dataclass(frozen=True)
class ConstraintCheck:
    """A declared constraint.

    Attributes:
        rule: what was declared.
        broken: synthetic rows that break it.
    """

    rule: str
    broken: int


@dataclass(frozen=True)
class TableEvaluation:
    """All that was found about one table; ``primary_key`` is None where none is declared."""

    table: str
    real_rows: int
    synthetic_rows: int
    columns: tuple[ColumnScore, ...]
    skipped: tuple[SkippedColumn, ...]
    primary_key: PrimaryKeyCheck | None
    foreign_keys: tuple[ForeignKeyScore, ...]
    pairs: tuple[PairScore, ...]
    derived: tuple[DerivedColumn, ...] = ()
    constraints: tuple[ConstraintCheck, ...] = ()

    @property
    def score(self) -> float | None:
        """Mean similarity of the scored columns; None without one."""
        return _mean([c.score for c in self.columns])

    @property
    def pair_score(self) -> float | None:
        """Mean similarity of the correlations; None without a pair of numeric columns."""
        return _mean([p.score for p in self.pairs])

    @property
    def failures(self) -> list[str]:
        """One sentence per key that is not a key."""
        found, key = [], self.primary_key
        if key is not None:
            place = f"{self.table}({', '.join(key.columns)})"
            if key.duplicates:
                found.append(f"{place}: {_rows(key.duplicates)} with a primary key that another row has.")
            if key.nulls:
                found.append(f"{place}: {_rows(key.nulls)} with a null in the primary key.")
        for fk in self.foreign_keys:
            if fk.orphans:
                child, parent = ", ".join(fk.columns), f"{fk.parent}({', '.join(fk.parent_columns)})"
                found.append(f"{self.table}({child}) -> {parent}: {_rows(fk.orphans)} without a parent.")
        return found


@dataclass(frozen=True)
class Evaluation:
    """Real tables against synthetic ones.

    Attributes:
        tables: in the order of the metadata.
        stages: table names, parents in earlier stages than their children.
    """

    tables: tuple[TableEvaluation, ...]
    stages: tuple[tuple[str, ...], ...]

    @property
    def score(self) -> float | None:
        """Mean over the tables of their mean column similarity; None when no table has a scored column."""
        return _mean([t.score for t in self.tables if t.score is not None])

    @property
    def failures(self) -> list[str]:
        """One sentence per primary key or foreign key that does not hold."""
        return [line for t in self.tables for line in t.failures]

    @property
    def orphans(self) -> int:
        """Rows without a parent, over all foreign keys."""
        return sum(fk.orphans for t in self.tables for fk in t.foreign_keys)

    @property
    def bad_keys(self) -> int:
        """Rows with a repeated or null primary key, over all tables."""
        return sum(t.primary_key.duplicates + t.primary_key.nulls for t in self.tables if t.primary_key)

    def worst(self, number: int = WORST_COLUMNS_NAMED) -> list[tuple[str, ColumnScore]]:
        """The scored columns with the lowest similarity, as (table, column), worst first."""
        every = [(t.table, c) for t in self.tables for c in t.columns]
        return sorted(every, key=lambda pair: pair[1].score)[:number]

    def check(self, fail_under: float) -> None:
        """The gate.

        Args:
            fail_under: the score below which the lake fails; an orphan or a bad key fails at any value.

        Raises:
            QualityError: naming the score, the worst columns, and every orphan or bad key.
        """
        lines = self.failures
        score = self.score
        if score is None and fail_under > 0:
            lines.append("no column could be scored, so the gate says nothing; evaluate.fail_under: 0 turns it off.")
        elif score is not None and score < fail_under:
            worst = ", ".join(f"{table}.{c.column} {c.score:.3f}" for table, c in self.worst())
            lines.append(
                f"the score {score:.4f} is below evaluate.fail_under {fail_under:g}; worst columns: {worst}. "
                "Train longer (train.max_seconds, train.epochs) or on more rows (train.sample_rows), or lower the gate."
            )
        if lines:
            found = "no score" if score is None else f"score {score:.4f}"
            raise QualityError("\n  - ".join([f"the synthetic lake does not pass ({found}):", *lines]))

    def to_dict(self) -> dict[str, Any]:
        """A tree of plain values that ``json.dumps`` takes."""
        tables = [
            {**asdict(t), "score": t.score, "pair_score": t.pair_score, "failures": t.failures} for t in self.tables
        ]
        return {
            "score": self.score,
            "orphans": self.orphans,
            "bad_keys": self.bad_keys,
            "failures": self.failures,
            "stages": [list(stage) for stage in self.stages],
            "tables": tables,
        }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"
