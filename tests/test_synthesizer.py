"""The public face, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import synthohive_spark
from synthohive_spark import Metadata, Synthesizer
from synthohive_spark.errors import ConfigError, SerializationError, TrainingError
from tests.lakes import content, key_faults, write_lake
from tests.shuffle import ColumnShuffle

METADATA = Metadata()
METADATA.add_table("users", pk="id")
METADATA.add_table("orders", pk="order_id", fk={"user_id": "users.id"})


@pytest.mark.parametrize("name", synthohive_spark.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(synthohive_spark, name).__name__ == name


def test_nothing_works_before_it_is_learnt(tmp_path: Path) -> None:
    fresh = Synthesizer(METADATA, model=ColumnShuffle)
    with pytest.raises(TrainingError, match="call fit, or load"):
        fresh.sample()
    with pytest.raises(TrainingError, match="call fit, or load"):
        fresh.save(tmp_path)
    with pytest.raises(ConfigError, match="unknown model 'gan'"):
        Synthesizer(METADATA, model="gan")
    with pytest.raises(SerializationError, match="does not hold a saved synthesizer"):
        Synthesizer.load(tmp_path)


@pytest.mark.spark
def test_fit_save_load_sample_evaluate_register(spark: SparkSession, tmp_path: Path) -> None:
    source = write_lake(
        spark,
        tmp_path / "source",
        {
            "users": ("id bigint, region string", [(i, "north" if i % 3 else "south") for i in range(40)]),
            "orders": ("order_id bigint, user_id bigint, amount double", [(i, i % 40, i % 7 / 2) for i in range(120)]),
        },
    )
    learnt = Synthesizer(METADATA, spark, ColumnShuffle).fit(source, seed=3)
    learnt.save(tmp_path / "saved")
    loaded = Synthesizer.load(tmp_path / "saved", spark, ColumnShuffle)
    made = loaded.sample(scale=0.5, output_path=str(tmp_path / "lake"), seed=4)
    assert {t: f.count() for t, f in made.items()} == {"users": 20, "orders": 60}
    assert key_faults(METADATA, made) == []
    kept = learnt.sample(num_rows={"users": 20}, seed=4)
    assert {t: content(f) for t, f in kept.items()} == {t: content(f) for t, f in made.items()}, "as from the saved one"
    for frame in kept.values():
        frame.unpersist()
    assert learnt.evaluate(made).failures == []
    with pytest.raises(SerializationError, match="call fit to read the source again"):
        loaded.evaluate(made)
    spark.sql("CREATE SCHEMA test_synthesizer")
    try:
        names = loaded.register_tables(str(tmp_path / "lake"), "test_synthesizer")
        assert {n.split("`")[-2]: spark.table(n).count() for n in names} == {"users": 20, "orders": 60}
        assert loaded.register_tables(str(tmp_path / "lake"), "test_synthesizer") == names
    finally:
        spark.sql("DROP SCHEMA test_synthesizer CASCADE")
