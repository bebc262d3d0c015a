"""The notebook's calls, right and wrong ones: what each of them does, and what is said instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark import AutoregressiveModel, Metadata, Synthesizer
from synthohive_spark.config import Privacy
from synthohive_spark.errors import ConfigError, SerializationError
from synthohive_spark.evaluation.result import EvaluationResult
from tests.lakes import key_faults, write_lake
from tests.shuffle import ColumnShuffle

pytestmark = pytest.mark.spark
METADATA = Metadata()
METADATA.add_table("users", pk="id")
METADATA.add_table("orders", pk="order_id", fk={"user_id": "users.id"})
RNG = np.random.default_rng(5)
COUNTRIES = RNG.choice(["Germany", "France", "Italy"], 240, p=[0.2, 0.5, 0.3])
USERS = pd.DataFrame({"id": range(240), "country": COUNTRIES, "size": np.where(COUNTRIES == "Germany", 9.0, 1.0)})
OWNERS = np.repeat(np.arange(240), RNG.integers(0, 5, 240))
ORDERS = pd.DataFrame(
    {
        "order_id": range(len(OWNERS)),
        "user_id": OWNERS,
        "amount": np.where(COUNTRIES[OWNERS] == "Germany", 50, 5) + RNG.normal(0, 1, len(OWNERS)),
    }
)


@pytest.fixture(scope="module")
def learnt(spark: SparkSession) -> Iterator[Synthesizer]:
    """Learnt from a pandas frame and a view."""
    spark.createDataFrame(ORDERS).createOrReplaceTempView("orders_of_a_notebook")
    yield Synthesizer(METADATA, spark, ColumnShuffle, Privacy(min_subjects=4)).fit(
        {"users": USERS, "orders": "orders_of_a_notebook"}, seed=2
    )
    spark.catalog.dropTempView("orders_of_a_notebook")


def free(frames: dict[str, DataFrame] | DataFrame) -> None:
    for frame in frames.values() if isinstance(frames, dict) else [frames]:
        frame.unpersist()


def test_frames_and_views_are_learnt_and_what_was_learnt_shows_itself(learnt: Synthesizer) -> None:
    assert repr(learnt).startswith("Synthesizer(2 tables, tests.shuffle.ColumnShuffle; learnt from ")
    assert learnt.summary()["rows"].tolist() == [240, len(ORDERS)]
    assert set(learnt.plan["column"]) == {*USERS, *ORDERS}
    assert list(learnt.rules) == ["table", "column", "is", "kind"]
    assert "<table" in learnt._repr_html_()
    assert "call fit" in repr(Synthesizer(METADATA))
    assert repr(METADATA) == "Metadata(2 tables: users; orders)"
    assert "user_id → users" in METADATA._repr_html_()


def test_one_number_is_that_of_the_only_root_table(learnt: Synthesizer) -> None:
    made = learnt.sample(num_rows=30, seed=3)
    assert made["users"].count() == 30
    assert key_faults(METADATA, made) == []
    free(made)


def test_one_table_is_made_with_what_it_needs(learnt: Synthesizer, tmp_path: Path) -> None:
    users = learnt.sample("users", num_rows=7)
    assert (users.count(), users.columns) == (7, ["id", "country", "size"])
    free(users)
    orders = learnt.sample("orders", scale=0.5, output_path=str(tmp_path / "lake"))
    assert orders.columns == ["order_id", "user_id", "amount"]
    assert orders.count() > 0


def test_a_condition_holds_on_every_row_and_children_follow(learnt: Synthesizer) -> None:
    made = learnt.sample(num_rows=40, conditions={"users": {"country": "Germany"}}, seed=3)
    assert [r["country"] for r in made["users"].select("country").distinct().collect()] == ["Germany"]
    assert made["users"].count() == 40
    assert learnt.achieved == {"users": 1.0}
    assert key_faults(METADATA, made) == []
    free(made)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"table": "order"}, "'order' is no table; did you mean 'orders'"),
        ({"table": 2.0}, "give scale=2.0 for twice the rows"),
        ({"scale": 0}, "scale=0 is no multiple of a table's rows; give a number above 0"),
        ({"scale": "2"}, "give a number above 0"),
        ({"num_rows": 1.5}, "num_rows: users: give a whole number"),
        ({"num_rows": {"user": 3}}, "unknown tables"),
        ({"num_rows": 0}, "less than one row is wanted of users; give 1 or more"),
        ({"conditions": {"user": {"country": "Germany"}}}, "'user' is no table; did you mean 'users'"),
        ({"conditions": {"users": {"contry": "Germany"}}}, "no column 'contry'; did you mean 'country'"),
        ({"conditions": {"users": {"id": 4}}}, r"users\.id is no value that is drawn"),
        ({"conditions": {"orders": {"amount": 4}}}, "orders follows its parents; conditions are for users"),
        ({"conditions": {"users": "Germany"}}, 'give {"customers": {"country": "Germany"}}'),
        ({"conditions": {"users": {"country": None}}}, "give a value, or a list of values"),
    ],
)
def test_wrong_samples_are_answered(learnt: Synthesizer, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        learnt.sample(**arguments)


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (None, "fit: NoneType was given; give {table: a Spark or pandas DataFrame"),
        ({"users": USERS}, "orders: is missing"),
        ({"users": USERS, "orders": ORDERS, "order": ORDERS}, "'order' is no table of the metadata; did you mean"),
        ({"users": USERS, "orders": [1, 2]}, "orders: list was given"),
        ({"users": USERS, "orders": "no_such_view"}, "orders: there is no table or view 'no_such_view'"),
        (
            {"users": USERS.assign(country=[*COUNTRIES[:-1], 4]), "orders": ORDERS},
            r"users\.country: pandas type object",
        ),
    ],
)
def test_wrong_sources_are_answered(spark: SparkSession, sources: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Synthesizer(METADATA, spark, ColumnShuffle).fit(sources)


def test_a_loaded_synthesizer_knows_its_privacy_and_asks_for_a_class_of_ones_own(
    learnt: Synthesizer, spark: SparkSession, tmp_path: Path
) -> None:
    learnt.save(tmp_path / "saved")
    with pytest.raises(SerializationError, match=r"a model of your own .* give that class as model"):
        Synthesizer.load(tmp_path / "saved", spark)
    loaded = Synthesizer.load(tmp_path / "saved", spark, ColumnShuffle)
    assert loaded.privacy == learnt.privacy
    with pytest.raises(SerializationError, match="source rows are not saved"):
        loaded.evaluate({"users": USERS, "orders": ORDERS})


@pytest.mark.slow
def test_an_evaluation_takes_frames_or_makes_a_copy_itself(
    learnt: Synthesizer, spark: SparkSession, tmp_path: Path
) -> None:
    learnt.save(tmp_path / "saved")
    loaded = Synthesizer.load(tmp_path / "saved", spark, ColumnShuffle)
    found = loaded.evaluate({"users": USERS, "orders": ORDERS}, real={"users": USERS, "orders": ORDERS})
    assert isinstance(found, EvaluationResult)
    assert min(f.score for f in found.figures.values()) == 1.0
    assert (found.pairs["table"] == "users").all()
    own = learnt.evaluate()
    assert own.failures == []
    assert "tests.shuffle.ColumnShuffle" in own.about["model"]


@pytest.mark.slow
def test_a_folder_of_all_tables_is_learnt_and_metadata_are_detected(spark: SparkSession, tmp_path: Path) -> None:
    lake = {
        "users": ("id bigint, country string, size double", [tuple(r) for r in USERS.itertuples(index=False)]),
        "orders": (
            "order_id bigint, user_id bigint, amount double",
            [tuple(r) for r in ORDERS.itertuples(index=False)],
        ),
    }
    write_lake(spark, tmp_path / "lake", lake)
    for sources in (str(tmp_path / "lake"), {"users": USERS, "orders": spark.createDataFrame(ORDERS)}):
        found = Metadata.detect(sources, spark)
        assert found.tables["users"].primary_key == ("id",)
        assert [(fk.columns, fk.references) for fk in found.tables["orders"].foreign_keys] == [(("user_id",), "users")]
        assert "user_id" in found.evidence
    made = Synthesizer(found, spark, ColumnShuffle).fit(tmp_path / "lake").sample(num_rows=5)
    assert made["users"].count() == 5
    free(made)
    with pytest.raises(ConfigError, match="detect: int was given"):
        Metadata.detect(4, spark)
    with pytest.raises(ConfigError, match="detect: there is no table in"):
        Metadata.detect(str(tmp_path / "nothing"), spark)


@pytest.mark.slow
def test_what_goes_with_a_condition_goes_with_it_in_the_copy(spark: SparkSession) -> None:
    rng = np.random.default_rng(6)
    country = rng.choice(["Germany", "France", "Italy"], 3000, p=[0.2, 0.5, 0.3])
    owner = np.repeat(np.arange(3000), rng.integers(0, 4, 3000))
    users = pd.DataFrame({"id": range(3000), "country": country, "size": np.where(country == "Germany", 9.0, 1.0)})
    amount = np.where(country[owner] == "Germany", 50, 5) + rng.normal(0, 1, len(owner))
    orders = pd.DataFrame({"order_id": range(len(owner)), "user_id": owner, "amount": amount})
    learnt = Synthesizer(METADATA, spark, AutoregressiveModel).fit({"users": users, "orders": orders}, max_seconds=30)
    made = learnt.sample(num_rows=800, conditions={"users": {"country": ["Germany"]}})
    free_made = learnt.sample(seed=4)
    germans = free_made["users"].where("country = 'Germany'").select("id")
    theirs = free_made["orders"].join(germans, F.col("user_id") == F.col("id"), "leftsemi")
    assert learnt.achieved == {}, "of the last sample, which had no conditions"
    assert share(made["users"], "country = 'Germany'") == 1.0
    assert share(made["users"], "size > 5") > 0.95, "the law of the source: all Germans are large"
    assert share(made["orders"], "amount > 25") == pytest.approx(share(theirs, "amount > 25"), abs=0.05)
    assert share(made["orders"], "amount > 25") > 3 * share(free_made["orders"], "amount > 25"), "children follow"
    free(made)
    free(free_made)


def share(frame: DataFrame, condition: str) -> float:
    row = frame.agg(F.mean(F.expr(condition).cast("double")).alias("share")).collect()[0]
    return float(row["share"])
