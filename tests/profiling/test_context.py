"""Which attributes of its ancestors a table is learnt with: not those of a few ancestors among many."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.counts.distribution import Method
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.plan_tables import plan_tables
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
TOWNS, USED, SHOPS, SALES = 400, 40, 240, 720


def metadata(**shops: list[str]) -> Metadata:
    made = Metadata()
    made.add_table("towns", pk="town")
    made.add_table("shops", pk="shop", fk={"town": "towns.town"}, **shops)
    made.add_table("sales", pk="sale", fk={"shop": "shops.shop"})
    return made


@pytest.fixture(scope="module")
def paths(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Shops stand in 40 of 400 towns, and write the town's county; all of them sell."""
    rng = np.random.default_rng(4)
    towns = pd.DataFrame(
        {"town": np.arange(TOWNS), "height": rng.normal(size=TOWNS), "county": rng.integers(9, size=TOWNS)}
    )
    shops = pd.DataFrame(
        {"shop": np.arange(SHOPS), "town": 7 + 9 * (np.arange(SHOPS) % USED), "area": rng.normal(size=SHOPS)}
    )
    shops["county"] = towns["county"].to_numpy()[shops["town"]]
    sales = pd.DataFrame({"sale": np.arange(SALES), "shop": np.arange(SALES) % SHOPS, "price": rng.normal(size=SALES)})
    return write_lake(spark, tmp_path_factory.mktemp("source"), {"towns": towns, "shops": shops, "sales": sales})


def seen(
    spark: SparkSession, keys: Metadata, paths: Mapping[str, str], method: Method = "empirical"
) -> dict[str, list[str]]:
    """The context of each table's model."""
    lake = check_source(pin_source(DeltaIO(spark), keys, {t: TableRef.parse(p) for t, p in paths.items()}))
    return {name: [c.name for c in p.context.each] for name, p in plan_tables(lake, 3, method).items()}


def test_few_parents_of_many_are_known_by_their_children_and_by_what_a_law_needs(
    spark: SparkSession, paths: dict[str, str]
) -> None:
    context = seen(spark, metadata(), paths)
    assert context["shops"] == ["town:county", "town:#"]  # the county is copied, so it is no news of the town
    assert context["sales"] == ["shop:area", "shop:county", "shop:#"]  # neither is there anything of the shop's town


@pytest.mark.slow
def test_columns_that_a_person_names_stay(spark: SparkSession, paths: dict[str, str]) -> None:
    assert seen(spark, metadata(parent_context_cols=["height"]), paths)["shops"] == ["town:height"]


@pytest.mark.slow
def test_a_fitted_law_finds_the_same_strangers(spark: SparkSession, paths: dict[str, str]) -> None:
    assert seen(spark, metadata(), paths, "negbinom")["shops"] == ["town:county", "town:#"]


@pytest.mark.slow
def test_parents_whose_attributes_say_who_has_children_are_no_strangers(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    towns = pd.DataFrame({"town": np.arange(TOWNS), "height": rng.permutation(TOWNS) / TOWNS})
    high = np.flatnonzero(towns["height"] >= 0.85)
    shops = pd.DataFrame({"shop": np.arange(len(high)), "town": high, "area": 1.0})
    keys = Metadata()
    keys.add_table("towns", pk="town")
    keys.add_table("shops", pk="shop", fk={"town": "towns.town"})
    made = write_lake(spark, tmp_path, {"towns": towns, "shops": shops})
    assert "town:height" not in seen(spark, keys, made, "empirical")["shops"]
    assert "town:height" in seen(spark, keys, made, "conditional")["shops"]


@pytest.mark.slow
def test_the_copy_keeps_its_keys_and_laws(spark: SparkSession, paths: dict[str, str], tmp_path: Path) -> None:
    keys = metadata()
    fitted(spark, keys, paths).generate(output_path_base=str(tmp_path))
    made = {t: DeltaIO(spark).read_dataset(str(tmp_path / t)) for t in paths}
    assert key_faults(keys, made) == []
    shops = made["shops"].join(made["towns"].withColumnRenamed("county", "own"), "town")
    assert shops.where("county = own").count() == SHOPS
