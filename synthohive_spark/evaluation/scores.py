"""What an evaluation found, as frozen records; the score and the gate are computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from synthohive_spark.errors import QualityError
from synthohive_spark.evaluation.judging import FIGURES, Figure, FigureName, Judged, figure

WORST_NAMED = 5  # in the message of a failed gate
FORMAT = 1  # of the JSON (docs/evaluation.md)


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
        covered: share of the real range, or of the real categories, that the copy reaches.
    """

    column: str
    kind: str
    score: float
    real_nulls: float
    synthetic_nulls: float
    histogram: Histogram
    covered: float = 1.0


@dataclass(frozen=True)
class SkippedColumn:
    """A column without a score, and why."""

    column: str
    reason: str


@dataclass(frozen=True)
class PairScore:
    """What goes together, as ColumnPairTrends of SDMetrics scores it.

    Attributes:
        left: a column.
        right: another one.
        real: Pearson's r of two columns with an order, else Cramér's V, in the real table.
        synthetic: the same in the synthetic table.
        score: 1 - |real - synthetic| / 2 of correlations; 1 - total variation distance of what meets elsewhere.
        metric: correlation or contingency.
        real_strength: Cramér's V of what meets, numbers in bins, without what chance gives, in [0, 1].
        synthetic_strength: the same in the synthetic table.
        share: how much of the way from floor to ceiling is gone; None where there are too few rows.
    """

    left: str
    right: str
    real: float
    synthetic: float
    score: float
    metric: str = "correlation"
    real_strength: float = 0.0
    synthetic_strength: float = 0.0
    share: float | None = None


@dataclass(frozen=True)
class LinkPairs:
    """Columns of two tables that keys connect.

    Attributes:
        hops: keys between them: 1 for parent and child.
        upper: the table above.
        pairs: a column of it and one of the child, as Intertable Trends of SDMetrics scores them.
    """

    hops: int
    upper: str
    pairs: tuple[PairScore, ...]


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
        real_max: as many children, or more, have as many parents as are protected.
        synthetic_max: most children of one parent in the synthetic tables.
        histogram: children per parent, shares of the parents.
        pairs: columns of the parent, and of its first parent, with columns of the child.
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
    pairs: tuple[LinkPairs, ...] = ()


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
class Examples:
    """Some rows of the copy, as texts; None is null."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()


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
    all_pairs: int = 0
    derived: tuple[DerivedColumn, ...] = ()
    constraints: tuple[ConstraintCheck, ...] = ()
    examples: Examples = Examples()

    @property
    def score(self) -> float | None:
        """Mean similarity of the scored columns; None without one."""
        return _mean([c.score for c in self.columns])

    @property
    def pair_score(self) -> float | None:
        """Mean similarity of the pairs; None without one."""
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
        judged: everything that was judged between floor and ceiling.
        left_out: what could not be judged, with the reason.
    """

    tables: tuple[TableEvaluation, ...]
    stages: tuple[tuple[str, ...], ...]
    judged: tuple[Judged, ...] = ()
    left_out: tuple[str, ...] = ()

    @cached_property
    def figures(self) -> dict[FigureName, Figure]:
        """The four figures; without those that nothing could be judged for."""
        found = {name: figure([j for j in self.judged if j.figure == name]) for name in FIGURES}
        return {name: f for name, f in found.items() if f is not None}

    @cached_property
    def by_place(self) -> dict[str, list[Judged]]:
        """What was judged of each table and of each key; what is two keys apart is also the nearer key's."""
        found: dict[str, list[Judged]] = {}
        for one in self.judged:
            parts = one.place.split(" -> ")
            for place in {one.place, " -> ".join(parts[:2])}:
                found.setdefault(place, []).append(one)
        return found

    @property
    def score(self) -> float | None:
        """The worst of the four figures; None when nothing could be judged."""
        return min((f.score for f in self.figures.values()), default=None)

    @cached_property
    def broken(self) -> list[Judged]:
        """Rules and constraints that do not hold on every row of the copy, with the share on which they do."""
        found = []
        for t in self.tables:
            checks = [(f"{d.column}: {d.source}", d.broken) for d in t.derived]
            checks += [(c.rule, c.broken) for c in t.constraints]
            found += [
                Judged("rules", t.table, "rule", rule, 1 - n / max(t.synthetic_rows, n), 0.0, 1.0)
                for rule, n in checks
                if n
            ]
        return found

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

    def worst(self, number: int = WORST_NAMED, name: FigureName | None = None) -> list[Judged]:
        """What lost most of what the source holds, worst first.

        Broken rules come before all, since one row is one too many; classifiers last, since they name no cause.

        Args:
            number: how many at most.
            name: of one figure only.
        """
        lost = [j for j in (*self.broken, *self.judged) if j.lost > 0 and name in (None, j.figure)]
        return sorted(lost, key=lambda j: (j.figure != "rules", j.figure == "c2st", -j.lost))[:number]

    def check(self, fail_under: float | Mapping[str, float]) -> None:
        """The gate.

        Args:
            fail_under: the least that each of the four figures may be, with no rule broken; or {figure: least} for some
                of them. An orphan or a bad key fails at any value.

        Raises:
            QualityError: naming the figures, what is worst, and every orphan or bad key.
        """
        lines = self.failures
        named = isinstance(fail_under, Mapping)
        least = fail_under if isinstance(fail_under, Mapping) else dict[str, float].fromkeys(self.figures, fail_under)
        if not named and not self.figures and fail_under != 0:
            lines.append("nothing could be judged, so the gate says nothing; evaluate.fail_under: 0 turns it off.")
        if not named and fail_under != 0:
            broken = [f"{j.place}: {j.what} is broken on {1 - j.score:.2%} of the rows" for j in self.broken]
            lines += [f"{line}; generate again, or switch the rule off." for line in broken[:WORST_NAMED]]
        for name, bound in least.items():
            lines += self._below(name, bound)
        if lines:
            found = ", ".join(f"{name} {f.score:.3f}" for name, f in self.figures.items()) or "no score"
            raise QualityError("\n  - ".join([f"the synthetic lake does not pass ({found}):", *lines]))

    def passes(self, fail_under: float | Mapping[str, float]) -> bool:
        """Whether ``check`` would be silent."""
        try:
            self.check(fail_under)
        except QualityError:
            return False
        return True

    def _below(self, name: str, bound: float) -> list[str]:
        found = next((f for n, f in self.figures.items() if n == name), None)
        if found is None:
            return [f"{name} could not be judged; take it out of evaluate.fail_under."] if bound > 0 else []
        if found.score >= bound:
            return []
        key = next(n for n in FIGURES if n == name)
        worst = "; ".join(f"{j.place} {j.kind} {j.what} {j.share:.3f}" for j in self.worst(name=key))
        return [
            f"{name} {found.score:.4f} is below evaluate.fail_under {bound:g}; worst: {worst}. "
            "Train longer (train.max_seconds, train.epochs) or on more rows (train.sample_rows), or lower the gate."
        ]

    def to_dict(self) -> dict[str, Any]:
        """A tree of plain values that ``json.dumps`` takes."""
        tables = [
            {**asdict(t), "score": t.score, "pair_score": t.pair_score, "failures": t.failures} for t in self.tables
        ]
        return {
            "format": FORMAT,
            "score": self.score,
            "figures": {name: asdict(f) for name, f in self.figures.items()},
            "worst": [{**asdict(j), "share": round(j.share, 6), "lost": round(j.lost, 6)} for j in self.worst(20)],
            "left_out": list(self.left_out),
            "orphans": self.orphans,
            "bad_keys": self.bad_keys,
            "failures": self.failures,
            "stages": [list(stage) for stage in self.stages],
            "tables": tables,
            "rules": [
                {"table": t.table, "rule": rule, "broken": broken}
                for t in self.tables
                for rule, broken in (
                    *((f"{d.column}: {d.source}", d.broken) for d in t.derived),
                    *((c.rule, c.broken) for c in t.constraints),
                )
            ],
            "privacy": {},
            "judged": [{**asdict(j), "share": round(j.share, 6)} for j in self.judged],
        }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"
