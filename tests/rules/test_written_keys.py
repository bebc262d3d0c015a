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
BRANCHES, ARTICLES, BILLS, MEMBERS = 60, 400, 900, 500
TABLES: dict[str, Any] = {
    "member": {"primary_key": "number"},
    "course": {"primary_key": "code"},
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
    """Branches named by country, articles by group, bills by year and by the country of the article's branch.

    Members have the year right before their number, courses the faculty and their level.
    """
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
    joined = pd.Timestamp("2015-06-01") + pd.to_timedelta(rng.integers(0, 2_900, MEMBERS), "D")
    ids = rng.permutation(MEMBERS)
    member = pd.DataFrame({"number": [f"M{d.year}{i:05d}" for d, i in zip(joined, ids, strict=True)]})
    member["joined"] = joined.date
    course = pd.DataFrame(
        {"faculty": rng.choice(["ENG", "LAW", "MED"], BRANCHES), "level": rng.integers(1, 6, BRANCHES)}
    )
    parts = zip(course["faculty"], course["level"], rng.permutation(BRANCHES), strict=True)
    course.insert(0, "code", [f"{f}{n}{i:03d}" for f, n, i in parts])
    return {"branch": branch, "article": article, "bill": bill, "member": member, "course": course}


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


def test_parts_of_one_token_are_too(lake: dict[str, Any]) -> None:
    member, course = lake["frames"]["member"], lake["frames"]["course"]
    assert share(member, "number rlike '^M[0-9]{9}$' and substr(number, 2, 4) = year(joined)") == 1.0
    assert share(course, "code rlike '^[A-Z]{3}[0-9]{4}$' and code like concat(faculty, level, '%')") == 1.0


def test_keys_are_unique_and_children_refer_to_whole_ones(lake: dict[str, Any]) -> None:
    assert key_faults(lake["metadata"], lake["frames"]) == []


def test_a_rule_is_asked_of_the_copy_and_can_fail(lake: dict[str, Any]) -> None:
    plan: TablePlan = lake["plans"]["branch"]
    (rule,) = [r for r in plan.rules.each if isinstance(r, WrittenKey)]
    asked = rule.check(plan.columns.types())
    assert share(lake["frames"]["branch"], asked) == 1.0
    assert share(lake["frames"]["branch"].selectExpr("'XX123' as branch", "country"), asked) == 0.0
