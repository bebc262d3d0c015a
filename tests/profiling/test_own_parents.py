"""Comments on comments: what a row and the row that it refers to have together stays so in the copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
POSTS, COMMENTS, ACCOUNTS = 40, 600, 300


def planted(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Comments answer earlier ones of their post; accounts lie below accounts of their currency, opened before."""
    post = np.sort(rng.integers(0, POSTS, COMMENTS))
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, COMMENTS), unit="s")
    comments = pd.DataFrame({"id": rng.permutation(COMMENTS) + 1, "post_id": post + 1, "at": at}).sort_values("at")
    comments["answers"] = pd.Series([None] * COMMENTS, dtype=object)
    for _, own in comments.groupby("post_id"):
        for n in range(1, len(own)):
            if rng.random() < 0.6:
                comments.loc[own.index[n], "answers"] = own["id"].iloc[rng.integers(0, n)]
    comments["answers"] = comments["answers"].astype("Int64")
    currency = rng.choice(["EUR", "USD", "GBP"], ACCOUNTS)
    year = rng.integers(1990, 2020, ACCOUNTS)
    accounts = pd.DataFrame({"no": np.arange(ACCOUNTS) + 1, "currency": currency, "year": year, "kind": "a"})
    parents = []
    for i in range(ACCOUNTS):
        able = np.flatnonzero((currency == currency[i]) & (year < year[i]))
        parents.append(int(rng.choice(able)) + 1 if len(able) and rng.random() < 0.8 else None)
    accounts["parent_no"] = pd.Series(parents, dtype="Int64")
    posts = pd.DataFrame({"post_id": np.arange(POSTS) + 1, "kind": rng.choice(["q", "w"], POSTS)})
    return {"posts": posts, "comments": comments.reset_index(drop=True), "accounts": accounts}


def test_a_row_and_the_one_it_refers_to_agree_and_follow(spark: SparkSession, tmp_path: Path) -> None:
    metadata = Metadata()
    metadata.add_table("posts", pk="post_id")
    answers = {"columns": ["answers"], "references": "comments", "referenced_columns": ["id"], "nullable": True}
    post = {"columns": ["post_id"], "references": "posts", "referenced_columns": ["post_id"]}
    metadata.add_table("comments", pk="id", fk=[post, answers])
    up = {"columns": ["parent_no"], "references": "accounts", "referenced_columns": ["no"], "nullable": True}
    metadata.add_table("accounts", pk="no", fk=[up])
    rows = planted(np.random.default_rng(3))
    source = write_lake(spark, tmp_path / "source", rows)
    fitted(spark, metadata, source).generate({"posts": POSTS, "accounts": ACCOUNTS}, str(tmp_path / "copy"))
    written = {t: spark.read.format("delta").load(str(tmp_path / "copy" / t)) for t in rows}
    made = {t: frame.toPandas() for t, frame in written.items()}
    assert key_faults(metadata, written) == []
    pairs = made["comments"].merge(made["comments"], left_on="answers", right_on="id", suffixes=("", "_up"))
    assert (pairs["post_id"] == pairs["post_id_up"]).all()
    assert (pairs["at"] > pairs["at_up"]).all()
    asked = rows["comments"]["answers"].notna().mean()
    assert len(pairs) / len(made["comments"]) == pytest.approx(asked, abs=0.05)
    below = made["accounts"].merge(made["accounts"], left_on="parent_no", right_on="no", suffixes=("", "_up"))
    assert (below["currency"] == below["currency_up"]).all()
    assert (below["year"] > below["year_up"]).all()
    assert len(below) / ACCOUNTS == pytest.approx(rows["accounts"]["parent_no"].notna().mean(), abs=0.08)
