"""Children per parent by what the parent is: a bounded sample of parents with their counts streams into one task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.counts.distribution import LEAF_PARENTS, Leaves, LinkageModel
from synthohive_spark.counts.features import Features
from synthohive_spark.counts.tree import LEAVES, Tree
from synthohive_spark.profiling.key_statistics import key_set
from synthohive_spark.randomness import Ints
from synthohive_spark.schema.conversion import as_model, from_arrow
from synthohive_spark.sql import quote
from synthohive_spark.worker import forget_archives

SAMPLE = 50_000  # parents that the law is learnt from
BUCKETS = 2**30  # of hashes: a share of rows is exact to one in a billion


@dataclass(frozen=True)
class CountsLearner:
    """What the task runs, as the function of ``mapInArrow``: parents with their counts in, one law as JSON out.

    Attributes:
        attributes: {name: Spark type}; columns arrive as ``a0``, ``a1``, ... in this order, counts as ``n``.
        min_subjects: parents that must hold a text before the law may name it.
        known: the parents are those of a short reference table, so that the copy has the same: each has its own number.
    """

    attributes: Mapping[str, str]
    min_subjects: int
    known: bool = False

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The sample in, one row out; none where attributes say nothing."""
        forget_archives()
        parts = [b for b in batches if b.num_rows]
        if not parts:
            return
        sample = pa.Table.from_batches(parts)
        known = {
            name: as_model(from_arrow(sample[f"a{i}"]), kind) for i, (name, kind) in enumerate(self.attributes.items())
        }
        leaves = Leaves.learn(sample["n"].to_numpy().astype(np.int64), pd.DataFrame(known), self.min_subjects)
        if leaves is not None:
            yield pa.RecordBatch.from_pydict({"law": [json.dumps(leaves.to_dict())]})


def conditional_law(
    children: DataFrame,
    columns: tuple[str, ...],
    parents: DataFrame,
    referenced: tuple[str, ...],
    rows: int,
    learner: CountsLearner,
) -> Leaves | None:
    """The law of children per parent, given the parent's attributes; None where these say nothing.

    Args:
        children: the table.
        columns: its foreign key.
        parents: the table that it refers to.
        referenced: the key's columns there.
        rows: parents in all.
        learner: which attributes, and what the task runs.
    """
    if learner.known:
        return _of_known(children, columns, parents, referenced, learner)
    if rows < 2 * LEAF_PARENTS:  # too few to learn from, so no task need see them
        return None
    keys = [F.col(quote(c)) for c in referenced]
    place = F.xxhash64(F.lit("linkage"), *keys)
    kinds = learner.attributes
    shown = parents.select(
        place.alias("place"),
        *(k.alias(f"k{i}") for i, k in enumerate(keys)),
        *(F.col(quote(name)).alias(f"a{i}") for i, name in enumerate(kinds)),
    )
    if rows > SAMPLE:
        shown = shown.where(F.pmod("place", F.lit(BUCKETS)) < F.lit(int(SAMPLE / rows * BUCKETS)))
    named = [F.col(quote(c)).alias(f"f{i}") for i, c in enumerate(columns)]
    families = children.where(key_set(columns)).groupBy(*named).agg(F.count("*").alias("n"))
    counted = shown.join(families, [F.col(f"k{i}") == F.col(f"f{i}") for i in range(len(columns))], "left")
    sample = counted.select("place", F.coalesce("n", F.lit(0)).alias("n"), *(f"a{i}" for i in range(len(kinds))))
    found = sample.repartition(1).sortWithinPartitions("place").mapInArrow(learner, "law string").collect()
    return Leaves.from_dict(json.loads(found[0]["law"])) if found else None


def _of_known(
    children: DataFrame,
    columns: tuple[str, ...],
    parents: DataFrame,
    referenced: tuple[str, ...],
    learner: CountsLearner,
) -> Leaves | None:
    """``conditional_law`` of a short reference table, of whose keys the attributes give the types."""
    named = [F.col(quote(c)).alias(f"f{i}") for i, c in enumerate(columns)]
    families = children.where(key_set(columns)).groupBy(*named).agg(F.count("*").alias("n"))
    keys = parents.select(*(F.col(quote(c)).alias(f"k{i}") for i, c in enumerate(referenced)))
    same = [F.col(f"k{i}") == F.col(f"f{i}") for i in range(len(columns))]
    counted = keys.join(families, same, "left").select(*keys.columns, F.coalesce("n", F.lit(0)).alias("n"))
    rows = counted.orderBy(*keys.columns).toArrow()
    kinds = learner.attributes
    known = {c: as_model(from_arrow(rows[f"k{i}"]), kinds[c]) for i, c in enumerate(referenced)}
    return _leaf_by_leaf(rows["n"].to_numpy().astype(np.int64), pd.DataFrame(known), learner.min_subjects)


def _leaf_by_leaf(counts: Ints, keys: pd.DataFrame, min_subjects: int) -> Leaves | None:
    """A tree over the keys by which each parent has its own number of children, as far as its leaves reach.

    Args:
        counts: children of each parent, shape (n,). Fewer than ``min_subjects`` become the mean of such numbers.
        keys: of the parents, shape (n, k).
        min_subjects: children that a number must count before it is kept.
    """
    from sklearn.tree import DecisionTreeRegressor

    busiest = np.argsort(-counts, kind="stable")[:LEAVES]  # of more parents the others share what is left
    features, few = Features.fit(keys.iloc[busiest], 1, LEAVES), (counts > 0) & (counts < min_subjects)
    known = np.where(few, round(counts[few].mean()) if few.any() else 0, counts)
    if not features.width or len(np.unique(known)) < 2:
        return None
    grown = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0)
    tree = Tree.of(grown.fit(features.matrix(keys), known))
    leaf = tree.apply(features.matrix(keys))
    laws = tuple(LinkageModel().fit(known[leaf == i]) for i in range(tree.leaves))
    return Leaves(*tree.narrowed(features), laws)
