"""The plan of one stage: every number that its rows depend on, computed once, before any row is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import functions as F

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.generation.families import Families
from synthohive_spark.generation.family_counts import (
    Candidates,
    count_candidates,
    count_families,
    cut,
    rooms,
    without_driving,
)
from synthohive_spark.generation.null_patterns import Patterns
from synthohive_spark.generation.stage_input import StageInput
from synthohive_spark.generation.tree_leaves import count_leaves
from synthohive_spark.schema.keys import ForeignKeyPlan


@dataclass(frozen=True)
class StagePlan:
    """A stage with its numbers.

    Attributes:
        stage: the inputs.
        families: of a table with a driving key; None for a root.
        owned: rows with a driving parent; of a root all rows.
        total: rows that the table will have: exact.
        asked: rows that it would have if parents never ran out.
        candidates: of its other keys.
        conditional: {position of a drawn key whose children follow the parent's attributes: their distribution,
            balanced over the parents that there are, and the parents of each leaf}.
    """

    stage: StageInput
    families: Families | None
    owned: int
    total: int
    asked: int
    candidates: Candidates
    conditional: Mapping[int, tuple[LinkageModel, tuple[int, ...]]]

    @property
    def patterns(self) -> Patterns:
        """Which of the assigned keys are set on which rows."""
        keys = self.stage.keys
        return Patterns(keys.patterns, keys.free_patterns, self.owned, self.total)

    def count(self, fk: ForeignKeyPlan) -> int:
        """Parents that may have children behind an assigned key."""
        return self.candidates.count.get(fk.position, self.total)


def plan_stage(stage: StageInput) -> StagePlan:
    """The numbers of a stage, by Spark queries over keys where they do not follow from sizes alone."""
    fk, candidates = stage.keys.driving, count_candidates(stage)
    if fk is None:
        wanted = stage.wanted or 0
        total = min([wanted, *rooms(stage, candidates)])
        return StagePlan(stage, None, total, total, wanted, candidates, _conditional(stage))
    counts = count_families(stage, fk, candidates)
    families, owned = Families(stage, fk, counts, candidates), counts.children
    if cut(stage, candidates):
        row = families.whole.agg(F.sum("total").alias("n")).first()
        owned = int(row["n"] or 0) if row is not None else 0
    total = owned + without_driving(stage, fk, owned)
    return StagePlan(stage, families, owned, total, counts.asked, candidates, _conditional(stage))


def _conditional(stage: StageInput) -> dict[int, tuple[LinkageModel, tuple[int, ...]]]:
    found = {}
    for fk in stage.keys.dealt:
        law = LinkageModel.from_dict(fk.distribution)
        if fk.role == "drawn" and fk.bucket is None and law.leaves is not None:
            leaves = count_leaves(stage.ancestors.own_rows(fk), stage.plan.context, fk, law.leaves)
            law.leaves = law.leaves.balanced(leaves, law)
            found[fk.position] = (law, leaves)
    return found
