"""The drafted flow, untouched, on databases of people: nothing that names or reaches somebody is in the copy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession

from synthohive_spark import Metadata, Synthesizer
from synthohive_spark.config import load_config
from synthohive_spark.draft.metadata_draft import draft
from synthohive_spark.session import settings
from tests.shuffle import ColumnShuffle

pytestmark = [pytest.mark.spark, pytest.mark.slow]
REACHING = ("given_name", "family_name", "person", "company", "street", "phone", "email")


@pytest.mark.parametrize("database", ["northwind", "chinook"])
def test_no_real_name_address_phone_or_mail_is_copied(
    spark: SparkSession, shared_data: Path, tmp_path: Path, database: str
) -> None:
    run = {place: {"path": str(tmp_path / place)} for place in ("source", "target", "workspace")}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**run, "metadata": {"tables": {}}}))
    config = load_config(tmp_path / "run.yaml", metadata_required=False)
    with settings(spark):
        draft(spark, config, str(tmp_path / "drafted.yaml"), str(shared_data / database))
    metadata = Metadata.load(tmp_path / "drafted.yaml")
    metadata.validate_schema()
    declared = Metadata.load(shared_data / database / "schema.json")
    missed = [f"{t}.{c}" for t, spec in declared.tables.items() for c in spec.pii if c not in metadata.tables[t].pii]
    assert missed == [], "what people declared is drafted"
    paths = {t: str(tmp_path / "source" / t) for t in metadata.tables}
    made = Synthesizer(metadata, spark, ColumnShuffle).fit(paths).sample(output_path=str(tmp_path / "target"))
    real = {t: spark.read.format("delta").load(p).toPandas() for t, p in paths.items()}
    secret = {
        f"{value}"
        for t, spec in metadata.tables.items()
        for c, said in spec.pii.items()
        if said.kind in REACHING
        for value in real[t][c].dropna()
    }
    assert len(secret) > 100
    copies = {t: frame.toPandas() for t, frame in made.items()}
    found = {
        (t, c): round(float(copy[c].astype(str).isin(secret).mean()), 4)
        for t, copy in copies.items()
        for c in copy.columns
        if copy[c].dtype == object
    }
    assert {place: share for place, share in found.items() if share} == {}
