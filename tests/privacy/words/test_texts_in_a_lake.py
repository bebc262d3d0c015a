"""Titles and comments through Spark: no real text in the copy, nothing of few people in the plan, the same anywhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from synthohive_spark.privacy.support import SUBJECT, Support
from synthohive_spark.privacy.words.tokens import tokenised
from synthohive_spark.profiling.texts import TextColumns
from tests.lakes import fitted, write_lake

pytestmark = pytest.mark.spark
AUTHORS, BOOKS = 60, 300
ADJECTIVES = ["Silent", "Golden", "Lost", "Winter", "Broken", "Distant", "Hidden", "Crimson", "Ancient", "Quiet"]
THINGS = ["River", "Garden", "Mirror", "Empire", "Harbor", "Letter", "Forest", "Machine", "Island", "Season"]
SAID = ["arrived damaged", "was a gift", "is missing pages", "made my day", "should be sent again"]
CANARY = "Zyxquorvamble"


def tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(4)
    odd = ["".join(rng.permutation(list("bcdfgklmnprstaeiou"))[:7]).capitalize() for _ in range(BOOKS)]
    author = [i % AUTHORS for i in range(BOOKS)]
    titles = [f"The {ADJECTIVES[i % 10]} {THINGS[i // 10 % 10]} of {odd[i]}" for i in range(BOOKS)]
    notes = [f"The book {SAID[i % 5]}, please call {i + 1000}." for i in range(BOOKS)]
    notes = [f"{n[:-1]} for {CANARY}." if author[i] == 7 else n for i, n in enumerate(notes)]  # five, of one author
    return {
        "authors": pd.DataFrame({"id": range(AUTHORS)}),
        "books": pd.DataFrame({"id": range(BOOKS), "author": author, "title": titles, "note": notes}),
    }


METADATA = {
    "authors": {"primary_key": "id"},
    "books": {
        "primary_key": "id",
        "foreign_keys": [{"columns": ["author"], "references": "authors", "referenced_columns": ["id"]}],
    },
}


@pytest.mark.slow
def test_titles_and_comments_of_a_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> None:
    real, folder = tables()["books"], tmp_path_factory.mktemp("texts")
    made = fitted(spark, Metadata.load({"tables": METADATA}), write_lake(spark, folder, tables()))
    assert made.trained is not None
    plan = made.trained.plans["books"]
    assert CANARY[:6].lower() not in plan.model_dump_json().lower()
    copy = made.generate({"authors": AUTHORS})["books"].toPandas()
    for column in ("title", "note"):
        texts = copy[column]
        assert texts.notna().all()
        assert texts.is_unique
        assert set(texts).isdisjoint(real[column])
        assert not texts.str.contains(CANARY[:6], case=False).any()
        told = plan.columns.faked[column].text
        assert told is not None
        words = [w for t in texts for w in tokenised(t)]
        assert sum(w in told.words for w in words) > 0.6 * len(words), "most words are those that many share"
    assert copy["title"].str.startswith("The ").mean() > 0.9


def test_what_is_learnt_hangs_on_no_partition(spark: SparkSession) -> None:
    rows = [(i, f"Song {i % 7} of the {THINGS[i % 10]} {i}", i % 37) for i in range(400)]
    frame = spark.createDataFrame(rows, f"id int, name string, `{SUBJECT}` long")
    columns = TextColumns({"name": False}, ["id"], 400, "en_US")
    found = [columns.plans(f, Support(5, True)) for f in (frame.coalesce(1), frame.repartition(7, "name"))]
    assert found[0] == found[1]
    assert " Harbor" in found[0]["name"].words
    assert found[0]["name"].held.bits
