"""Children per parent by what the parent is: in SQL as in Python, and in a lake as in its source."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.tree import DecisionTreeRegressor

from synthohive_spark.counts.distribution import Leaves, LinkageModel
from synthohive_spark.counts.features import Features
from synthohive_spark.counts.tree import Tree
from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

RNG = np.random.default_rng(3)
SHOPS, STAFF = 400, 200
METADATA = Metadata()
METADATA.add_table("shops", pk="id")
METADATA.add_table("staff", pk="id")
KEYS = [
    {"columns": ["shop"], "references": "shops", "referenced_columns": ["id"], "driving": True},
    {"columns": ["by"], "references": "staff", "referenced_columns": ["id"]},
]
METADATA.add_table("visits", pk="id", fk=KEYS)


@pytest.mark.spark
def test_sql_finds_the_leaf_that_python_finds(spark: SparkSession) -> None:
    rows = 300
    frame = pd.DataFrame(
        {
            "size": np.where(RNG.random(rows) < 0.2, np.nan, RNG.normal(size=rows)),
            "kind": RNG.choice(["it's", 'a "b"', "back\\slash", "rare"], rows, p=[0.4, 0.3, 0.29, 0.01]),
            "day": [dt.date(1850, 1, 1) + dt.timedelta(days=int(d)) for d in RNG.integers(0, 99_999, rows)],
            "open": RNG.random(rows) < 0.5,
        }
    )
    features = Features.fit(frame, 3)
    x = features.matrix(frame)
    tree = Tree.of(DecisionTreeRegressor(max_leaf_nodes=40, random_state=0).fit(x, RNG.normal(size=rows)))
    types = {"size": "double", "kind": "string", "day": "date", "open": "boolean"}
    sql = tree.sql(features.sql({c: f"`{c}`" for c in types}, types))
    shown = spark.createDataFrame(frame.assign(nth=range(rows))).withColumn(
        "size", F.when(F.isnan("size"), F.lit(None)).otherwise(F.col("size"))
    )
    found = [r["leaf"] for r in shown.select("nth", F.expr(sql).alias("leaf")).orderBy("nth").collect()]
    assert found == tree.apply(x).tolist()


def test_parents_of_a_kind_that_never_has_children_have_none() -> None:
    kind = RNG.choice(["open", "done", "void"], 600, p=[0.45, 0.45, 0.1])
    context = pd.DataFrame({"size": RNG.normal(size=600), "kind": kind})
    told = Leaves.learn(np.where(kind == "void", 0, RNG.poisson(1.5, 600)), context)
    assert told is not None, "though nothing is known of the number of the others' children"
    copy = pd.DataFrame({"size": RNG.normal(size=900), "kind": RNG.choice(["open", "done", "void"], 900)})
    made = told.sample(copy, 7)
    assert not made[copy["kind"] == "void"].any()
    assert 1.2 < made[copy["kind"] != "void"].mean() < 1.8


def test_a_table_has_its_rows_whatever_kinds_its_parents_are_of() -> None:
    kind = RNG.choice(["open", "void"], 600, p=[0.8, 0.2])
    counts = np.where(kind == "void", 0, 1 + RNG.poisson(1.5, 600))
    told = Leaves.learn(counts, pd.DataFrame({"kind": kind}))
    assert told is not None
    law = LinkageModel().fit(counts)
    for voids in (118, 122, 400):
        copy = pd.DataFrame({"kind": ["void"] * voids + ["open"] * (600 - voids)})
        leaf = told.tree.apply(told.features.matrix(copy))
        parents = np.bincount(leaf, minlength=told.tree.leaves).tolist()
        made = told.balanced(parents, law).at_ranks(np.arange(600), parents, 1)
        assert abs(made.sum() - counts.sum()) <= 0.01 * counts.sum()


def test_attributes_that_say_nothing_make_no_law() -> None:
    context = pd.DataFrame({"size": RNG.normal(size=2000)})
    assert Leaves.learn(RNG.poisson(3, 2000), context) is None
    told = Leaves.learn(np.where(context["size"] > 0, 5, 1), context)
    assert told is not None
    assert Leaves.from_dict(told.to_dict()).to_dict() == told.to_dict()
    parents = [700 + i for i in range(len(told.laws))]
    ranks = np.arange(sum(parents))
    assert told.at_ranks(ranks, parents, 1).sum() == told.total(parents)
    assert told.at_ranks(ranks, parents, 1, 12_345).sum() == 12_345


def test_leaves_of_any_size_give_the_histogram_of_the_whole_law() -> None:
    context = pd.DataFrame({"size": RNG.normal(size=1000)})
    counts = np.where(context["size"] > 0, RNG.integers(3, 9, 1000), RNG.integers(0, 3, 1000))
    law = LinkageModel().fit(counts)
    leaves = Leaves.learn(counts, context)
    assert leaves is not None
    parents = RNG.multinomial(1000, np.full(len(leaves.laws), 1 / len(leaves.laws))).tolist()
    made = leaves.balanced(parents, law).at_ranks(np.arange(1000), parents, 1)
    assert dict(zip(*np.unique(made, return_counts=True), strict=True)) == dict(
        zip(law.values, law.parents, strict=True)
    )


def test_places_and_children_of_leaves_agree() -> None:
    rng = np.random.default_rng(5)
    context = pd.DataFrame({"size": rng.normal(size=1000)})
    leaves = Leaves.learn(np.where(context["size"] > 0, rng.integers(3, 9, 1000), rng.integers(0, 3, 1000)), context)
    assert leaves is not None
    parents = [n if i else 0 for i, n in enumerate(rng.integers(1, 90, len(leaves.laws)).tolist())]
    total = 3 * leaves.total(parents) + 1
    owners = leaves.owner(np.arange(total), parents, total)
    degrees = leaves.at(np.arange(sum(parents)), parents, total)
    assert np.bincount(owners, minlength=sum(parents)).tolist() == degrees.tolist()
    assert degrees.sum() == total


def test_texts_that_tell_nothing_of_others_keep_their_children() -> None:
    rng = np.random.default_rng(7)
    town = rng.choice([*"abcdefghi", "lone"], 90, p=[*[0.11] * 9, 0.01])
    counts, context = rng.poisson(9, 90) + rng.integers(0, 9, 90), pd.DataFrame({"noise": 1.5, "town": town})
    leaves = Leaves.learn(counts, context, 3)
    assert leaves is not None
    assert leaves.features.columns["town"]["texts"] == [*"abcdefghi"]
    assert Leaves.from_dict(leaves.to_dict()).to_dict() == leaves.to_dict()
    law, leaf = LinkageModel().fit(counts), leaves.tree.apply(leaves.features.matrix(context))
    parents = np.bincount(leaf, minlength=len(leaves.laws)).tolist()
    made = leaves.balanced(parents, law).at_ranks(np.arange(90), parents, 1)
    assert sorted(made.tolist()) == sorted(counts.tolist())
    theirs = [counts[leaf == i].sum() for i in range(10)]
    ours = [made[np.repeat(np.arange(len(parents)), parents) == i].sum() for i in range(10)]
    assert theirs == pytest.approx(ours, abs=4)
    even = [counts.mean() * n for n in parents[:10]]
    assert max(abs(a - b) for a, b in zip(theirs, even, strict=True)) > 12


def test_texts_of_parents_without_children_make_no_law() -> None:
    rng = np.random.default_rng(7)
    context = pd.DataFrame({"town": rng.choice([*"abcdefghi"], 90)})
    assert Leaves.learn(np.where(rng.random(90) < 0.2, 9, 0), context, 3) is None


def test_no_mean_is_that_of_fewer_parents_than_may_be_told() -> None:
    rng = np.random.default_rng(8)
    context = pd.DataFrame({"town": ["many"] * 57 + ["rare", None, None]})
    counts = np.r_[rng.integers(1, 9, 57), 90, 80, 70]
    one, many = Leaves.learn(counts, context, 1), Leaves.learn(counts, context, 3)
    assert one is not None
    assert max(law.mean for law in one.laws) == pytest.approx(90, rel=0.01)
    assert many is None or max(law.mean for law in many.laws) < 10


@pytest.mark.slow
@pytest.mark.spark
def test_large_shops_have_more_visits_in_the_copy_too(spark: SparkSession, tmp_path: Path) -> None:
    large = RNG.random(SHOPS) < 0.3
    shops = pd.DataFrame({"id": range(SHOPS), "size": np.where(large, "large", "small"), "floor": [1, 2] * 200})
    visits = np.repeat(np.arange(SHOPS), np.where(large, RNG.integers(6, 10, SHOPS), RNG.integers(0, 2, SHOPS)))
    rng = np.random.default_rng(6)
    front = rng.random(STAFF) < 0.3
    staff = pd.DataFrame({"id": range(STAFF), "desk": np.where(front, "front", "back")})
    by = rng.permutation(np.resize(np.repeat(np.arange(STAFF), np.where(front, 20, 1)), len(visits)))
    lake = {
        "shops": shops,
        "staff": staff,
        "visits": pd.DataFrame({"id": range(len(visits)), "shop": visits, "by": by}),
    }
    made = fitted(spark, METADATA, write_lake(spark, tmp_path / "source", lake), linkage="conditional")
    made.generate({"shops": 2 * SHOPS, "staff": 2 * STAFF}, str(tmp_path / "target"))
    frames = {t: made.io.read_dataset(str(tmp_path / "target" / t)) for t in METADATA.tables}
    assert key_faults(METADATA, frames) == []
    joined = frames["shops"].join(frames["visits"].groupBy("shop").count(), F.col("id") == F.col("shop"), "left")
    per = {
        r["size"]: r for r in joined.groupBy("size").agg(F.avg(F.coalesce("count", F.lit(0))), F.max("count")).collect()
    }
    assert per["large"][1] == pytest.approx(7.5, abs=0.3)
    assert per["small"][1] == pytest.approx(0.5, abs=0.2)
    assert (per["large"][2], per["small"][2]) == (9, 1)
    assert abs(frames["visits"].count() / (2 * len(visits)) - 1) < 0.01
    served = frames["visits"].join(frames["staff"], F.col("by") == frames["staff"]["id"])
    real = float(front[by].mean())
    assert served.where("desk = 'front'").count() / served.count() == pytest.approx(real, abs=0.01)
    assert real > 0.8
