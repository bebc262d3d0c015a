"""Copies of planted databases, and which of their rules these keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted
from tests.rules.planted import Database, Planted, database
from tests.schemas.delta_files import read_delta, write_delta

ALMOST = 0.995  # from this share on a near-rule, which holds on 97 %, has been taken for a rule


@dataclass
class Verdict:
    """What became of the rules of some databases.

    Attributes:
        kept: rules that hold on every row of the copy, by kind.
        lost: the others, each with its seed, its column and its share.
        taken: near-rules and accidents that the copy keeps, or lists, as if they were rules.
    """

    kept: Counter[str] = field(default_factory=Counter)
    lost: list[tuple[int, Planted, float]] = field(default_factory=list)
    taken: list[tuple[int, Planted]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the rules, how many are kept."""
        kept = sum(self.kept.values())
        return kept / max(1, kept + len(self.lost))

    def text(self) -> str:
        """Kept and lost by kind, and every rule that should not be one."""
        lost = Counter(rule.kind for _, rule, _ in self.lost)
        lines = [f"{kind}: kept {self.kept[kind]}, lost {lost[kind]}" for kind in sorted({*self.kept, *lost})]
        lines += [f"lost: seed {s} {r.table}.{r.column} ({r.kind}) {share:.3f}" for s, r, share in self.lost]
        lines += [f"taken: seed {s} {r.table}.{r.column} ({r.kind}, {r.sort})" for s, r in self.taken]
        return "\n".join([f"{self.share:.3f} of the rules are kept", *lines])


def hunt(
    spark: SparkSession, folder: Path, seeds: Iterable[int], planted: Callable[[int], Database] = database
) -> Verdict:
    """Copy the databases of these seeds in one lake, with a model that knows nothing of rules."""
    known = {seed: planted(seed) for seed in seeds}
    tables = {name: columns for db in known.values() for name, columns in db.written().items()}
    for name, columns in tables.items():
        write_delta(folder / "source" / name, columns)
    described = {db.prefix + t: spec for db in known.values() for t, spec in db.metadata.items()}
    paths = {t: str(folder / "source" / t) for t in tables}
    made = fitted(spark, Metadata.load({"tables": described}), paths, linkage="conditional")  # as jobs count children
    made.generate({}, str(folder / "target"))
    assert made.trained is not None
    verdict = Verdict()
    for seed, db in known.items():
        copy = db.frames({db.prefix + t: read_delta(folder / "target" / (db.prefix + t)) for t in db.columns})
        listed = {(t, r.column) for t in db.columns for r in made.trained.plans[db.prefix + t].rules.each}
        for rule in db.rules:
            if rule.sort == "rule":
                share = rule.share(copy)
                if share == 1.0:
                    verdict.kept[rule.kind] += 1
                else:
                    verdict.lost.append((seed, rule, share))
                continue
            wrong = rule.share(copy) > ALMOST if rule.sort == "near" else (rule.table, rule.column) in listed
            if wrong:
                verdict.taken.append((seed, rule))
    return verdict
