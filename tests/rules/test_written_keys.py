"""Keys that are texts: the year, the country and the category in them are those of the row, and no two are equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.metadata import Metadata
from synthohive_spark.rules.kinds.written import WrittenKey
from synthohive_spark.schema.table_plan import TablePlan
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
BRANCHES, ARTICLES, BILLS = 60, 400, 900
TABLES: dict[str, Any] = {
    "branch": {"primary_key": "branch"},
    "article": {
        "primary_key": "sku",
        "foreign_keys": [{"columns": ["branch"], "references": "branch", "referenced_columns": ["branch"]}],
    },
    "bill": {
        "primary_key": "number",
        "foreign_keys": [{"columns": ["sku"], "references": "article", "referenced_columns": ["sku"]}],
    },
}


def planted() -> dict[str, pd.DataFrame]:
    """Branches named by country, articles by group, bills by year and by the country of the article's branch."""
    rng = np.random.default_rng(11)
    country = rng.choice(["DE", "FR", "PL"], BRANCHES)
    numbers = rng.permutation(np.arange(100, 1000))
    branch = pd.DataFrame({"branch": [f"{c}{n}" for c, n in zip(country, numbers, strict=False)], "country": country})
    group = rng.choice(["steel", "paint", "food"], ARTICLES)
    code = {"steel": "ST", "paint": "HP", "food": "F"}
    article = pd.DataFrame({"sku": [f"{code[g]}-{i:04d}" for i, g in enumerate(rng.permutation(group))]})
    article["grouping"] = article["sku"].str.extract("^([A-Z]+)")[0].map({v: k for k, v in code.items()})
    article["branch"] = branch["branch"].to_numpy()[rng.integers(0, BRANCHES, ARTICLES)]
    which = rng.integers(0, ARTICLES, BILLS)
    day = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 2_000, BILLS), "D")
    at = article["branch"].to_numpy()[which]
    number = [f"{d.year}/{b[:2]}-{i:05d}" for d, b, i in zip(day, at, rng.permutation(BILLS), strict=True)]
    bill = pd.DataFrame({"number": number, "sku": article["sku"].to_numpy()[which], "issued": day.date})
    return {"branch": branch, "article": article, "bill": bill}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    metadata = Metadata.load({"tables": TABLES})
    made = fitted(spark, metadata, write_lake(spark, tmp_path_factory.mktemp("written"), planted()))
    assert made.trained is not None
    return {"metadata": metadata, "plans": made.trained.plans, "frames": made.generate({})}


def share(frame: DataFrame, law: str) -> float:
    return frame.where(law).count() / frame.count()


def test_parts_of_keys_are_those_of_their_rows(lake: dict[str, Any]) -> None:
    frames = lake["frames"]
    assert share(frames["branch"], "branch rlike '^[A-Z]{2}[0-9]{3}$' and left(branch, 2) = country") == 1.0
    named = "element_at(map('steel', 'ST', 'paint', 'HP', 'food', 'F'), grouping)"
    assert share(frames["article"], f"sku rlike '^[A-Z]+-[0-9]{{4}}$' and split_part(sku, '-', 1) = {named}") == 1.0
    bill = frames["bill"].join(frames["article"], "sku")
    assert share(bill, "number rlike '^[0-9]{4}/[A-Z]{2}-[0-9]{5}$'") == 1.0
    assert share(bill, "left(number, 7) = concat(year(issued), '/', left(branch, 2))") == 1.0


def test_keys_are_unique_and_children_refer_to_whole_ones(lake: dict[str, Any]) -> None:
    assert key_faults(lake["metadata"], lake["frames"]) == []


def test_a_rule_is_asked_of_the_copy_and_can_fail(lake: dict[str, Any]) -> None:
    plan: TablePlan = lake["plans"]["branch"]
    (rule,) = [r for r in plan.rules.each if isinstance(r, WrittenKey)]
    asked = rule.check(plan.columns.types())
    assert share(lake["frames"]["branch"], asked) == 1.0
    assert share(lake["frames"]["branch"].selectExpr("'XX123' as branch", "country"), asked) == 0.0
