"""README's block of Python, literally."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthohive_spark.config import load_config
from synthohive_spark.example import write_example
from synthohive_spark.ingest.tables import ingest
from tests.lakes import key_faults


@pytest.mark.spark
@pytest.mark.slow
def test_the_block_of_python_runs_as_it_stands(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    block = text.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    write_example("shop")
    ingest(spark, load_config("shop/shop.yaml"), "shop/data")
    names: dict[str, Any] = {}
    exec(block, names)
    synthesizer, result = names["s"], names["result"]
    assert key_faults(synthesizer.metadata, names["copy"]) == []
    assert key_faults(synthesizer.metadata, names["germany"]) == []
    assert {r["country"] for r in names["germany"]["customers"].select("country").collect()} == {"Germany"}
    assert "Synthetic lake report" in Path("shop/report.html").read_text(encoding="utf-8")
    assert "<svg" in result.plot("orders", "status").svg
    for frame in names["germany"].values():
        frame.unpersist()
