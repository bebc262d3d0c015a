"""The exercise of docs/rules.md: a new kind of rule is one file, which registers itself. In Spark, as a user would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.rules import kinds as package
from synthohive_spark.rules import table_search
from synthohive_spark.rules.kind import KINDS, Law
from synthohive_spark.rules.search import Searcher
from tests.lakes import write_lake

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
pytestmark = pytest.mark.spark


def here(sample: DataFrame, searcher: Searcher) -> list[Law]:
    """What the search task does, in this process."""
    found = searcher(sample.toArrow().to_batches())
    return [Law.from_dict(json.loads(text)) for batch in found for text in batch.column("law").to_pylist()]


@pytest.fixture
def upper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of the page, in a folder that the package looks for kinds in."""
    block = re.search(r"```python\n(\"\"\"A text is the upper.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "upper.py").write_text(block[1], encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "kinds")])
    monkeypatch.setattr(table_search, "searched", here)  # the workers' package has no such file
    package.load.cache_clear()
    yield
    KINDS.pop("upper", None)
    package.load.cache_clear()


def test_the_kind_of_the_page_is_found_and_verified(upper: None, spark: SparkSession, tmp_path: Path) -> None:
    names = [f"Name {i % 300}" for i in range(1_000)]
    frame = pd.DataFrame(
        {"id": range(1_000), "name": names, "code": [n.upper() for n in names], "n": [i % 7 for i in range(1_000)]}
    )
    frame["almost"] = [*(n.upper() for n in names[:-1]), "other"]
    metadata = Metadata.load({"tables": {"t": {"primary_key": "id"}}})
    paths = write_lake(spark, tmp_path / "lake", {"t": frame})
    source = check_source(pin_source(DeltaIO(spark), metadata, {t: TableRef.parse(p) for t, p in paths.items()}))
    plan = plan_tables(source, 3)["t"]
    assert {r.column: r.sql for r in plan.rules.each} == {"code": "upper(`name`)"}
    assert plan.columns.named("derived") == ["code"]
