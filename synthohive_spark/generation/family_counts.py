"""How many parents a table has, how many children these get together, how many candidates each other key has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import functions as F

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.generation.row_counts import without_parent
from synthohive_spark.generation.stage_input import StageInput
from synthohive_spark.generation.tree_leaves import count_leaves
from synthohive_spark.schema.keys import ForeignKeyPlan

BLOCK_ROWS = 16_384  # rows that a block holds on average: enough to make the cost of each column per call small
BLOCK_FAMILIES = 64  # families that a block holds at least, so that other parents can be matched to them
MOST_REPEATS = 2**20  # of one candidate in a bucket: no bucket has more rows, and products stay small numbers


@dataclass(frozen=True)
class Candidates:
    """Parents that the keys of a table may choose among.

    Attributes:
        count: {position of an assigned key: parents that may have children behind it}; without keys to the own table.
        repeats: {position of a key with a bucket: how often that may take one of them}.
    """

    count: Mapping[int, int]
    repeats: Mapping[int, int]


@dataclass(frozen=True)
class FamilyCounts:
    """Numbers of the families of a table with a driving key.

    Attributes:
        parents: those that may have children: all of them, unless a key that all rows have finds nobody for some.
        distribution: of children per parent; a conditional one is balanced over the parents that there are.
        leaves: parents in each leaf of a conditional distribution; () for others.
        children: rows with a driving parent, before families are cut.
        given: their number does not follow from the distribution.
        asked: rows of the table if no parents ever ran out.
        blocks: of families.
    """

    parents: int
    distribution: LinkageModel
    leaves: tuple[int, ...]
    children: int
    given: bool
    asked: int
    blocks: int


def count_candidates(stage: StageInput) -> Candidates:
    """The candidates of each assigned key: a Spark query for each key of which not every parent may have children."""
    dealt = [fk for fk in stage.keys.dealt if fk.references != stage.plan.table]
    count = {fk.position: _candidates(stage, fk) for fk in dealt}
    bucketed = [fk for fk in dealt if fk.bucket is not None]
    return Candidates(count, {fk.position: _repeats(stage, fk, count) for fk in bucketed})


def _candidates(stage: StageInput, fk: ForeignKeyPlan) -> int:
    """Parents that may have children behind a key which need not agree with another."""
    if not fk.part_of:
        return stage.sizes[fk.references]
    row = stage.groups(fk).first()
    return int(row["k"]) if row is not None else 0


def _repeats(stage: StageInput, fk: ForeignKeyPlan, count: Mapping[int, int]) -> int:
    """How often a bucket may take one candidate: as often as later keys can tell the rows apart, surely."""
    product = 1
    for position in fk.before:
        later = stage.keys.at(position)
        held = count[position]
        if later.anchor is not None:
            row = stage.groups(later).agg(F.min("k").alias("k")).first()
            held = int(row["k"] or 1) if row is not None else 1
        product = min(product * held, MOST_REPEATS)
    return product


def rooms(stage: StageInput, candidates: Candidates) -> list[int]:
    """Rows at most, by each key that all rows have and that no two rows may share."""
    return [candidates.count[k.position] for k in stage.keys.dealt if _is_room(stage, k)]


def _is_room(stage: StageInput, fk: ForeignKeyPlan) -> bool:
    return fk.references != stage.plan.table and fk.once and fk.required


def cut(stage: StageInput, candidates: Candidates) -> bool:
    """Whether some families may be cut, because the parents that may be paired with them run out."""
    fk = stage.keys.driving
    paired = [k for k in stage.keys.dealt if k.required and k.bucket]
    if fk is None or not paired:
        return False
    largest = int(LinkageModel.from_dict(fk.distribution).values.max())
    whole = all(k.anchor is None and set(k.bucket or ()) == set(fk.referenced_columns) for k in paired)
    return not whole or stage.wanted is not None or any(candidates.count[k.position] < largest for k in paired)


def without_driving(stage: StageInput, fk: ForeignKeyPlan, children: int) -> int:
    """Rows whose driving key is null, beside so many with a parent."""
    if stage.wanted is not None:
        return round(stage.wanted * fk.null_share)
    return without_parent(fk, children)


def count_families(stage: StageInput, fk: ForeignKeyPlan, candidates: Candidates) -> FamilyCounts:
    """The numbers of families: Spark queries where not all parents may have children, or by what these are.

    Args:
        stage: the inputs.
        fk: the driving key.
        candidates: of the other keys.
    """
    parents = stage.driving_parents(fk).count() if stage.restricted else stage.sizes[fk.references]
    # A number of its own must not give a parent two children: then so many parents have one each, whatever they are.
    once = fk.once and (stage.wanted is not None or stage.restricted)
    law, leaves = LinkageModel.from_dict(fk.distribution), tuple[int, ...]()
    if law.leaves is not None and not once:
        leaves = count_leaves(stage.driving_parents(fk), stage.plan.context, fk, law.leaves)
        law.leaves = law.leaves.balanced(leaves, law)
    uncut, limits = _uncut(stage, fk, law, parents, leaves), rooms(stage, candidates)
    children = min([uncut, *limits, *([parents] if fk.once else [])])
    if once:
        law = LinkageModel().fit({0: parents - children, 1: children})
    by_rows = math.ceil((children + without_driving(stage, fk, children)) / BLOCK_ROWS)
    return FamilyCounts(
        parents=parents,
        distribution=law,
        leaves=leaves,
        children=children,
        given=stage.wanted is not None or bool(limits) or stage.restricted or children <= 1,
        asked=uncut + without_driving(stage, fk, uncut),
        blocks=max(1, min(by_rows, parents // BLOCK_FAMILIES)),
    )


def _uncut(stage: StageInput, fk: ForeignKeyPlan, law: LinkageModel, parents: int, leaves: tuple[int, ...]) -> int:
    """Rows with a driving parent, however few other parents there are."""
    if stage.wanted is not None:
        return stage.wanted - round(stage.wanted * fk.null_share)
    if stage.restricted:  # how many find somebody to agree with says nothing of how many rows there should be
        source = stage.plans[fk.references].rows
        total = round(stage.plan.rows * (1 - fk.null_share) * stage.sizes[fk.references] / max(1, source))
    else:
        total = law.leaves.total(leaves) if law.leaves is not None else law.total(parents)
    return max(total, int(parents > 0 and law.mean > 0))  # a table with rows keeps one at any scale
