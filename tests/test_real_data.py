"""Real databases from files to a report, as a user would run them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.metadata import Metadata
from tests.lakes import SHUFFLE, children, key_faults, run_job

pytestmark = [pytest.mark.spark, pytest.mark.slow]
DAY = "2013-01-09"


def test_mutagenesis_with_six_lines(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    schema = shared_data / "mutagenesis" / "schema.json"
    file = tmp_path / "run.yaml"
    file.write_text(
        "run: mutagenesis\n"
        f"source: {{path: {tmp_path}/source}}\n"
        f"target: {{path: {tmp_path}/target}}\n"
        f"workspace: {{path: {tmp_path}/workspace}}\n"
        f"metadata: {schema}\n"
        "evaluate: {fail_under: {columns: 0.3}}\n"
    )
    taken = run_job(cli.ingest, "--config", str(file), "--from", str(schema.parent))
    assert taken.line["tables"] == {"molecule": 188, "atom": 4893, "bond_end": 10486}
    done = run_job(cli.pipeline, "--config", str(file), "--set", "train.epochs=1", "--set", "train.sample_rows=1500")
    assert (done.code, done.line["tables"]) == (0, taken.line["tables"]), done.err[-3000:]
    metadata = Metadata.load(schema)
    real, made = (
        {t: DeltaIO(spark).read_dataset(str(tmp_path / place / t)) for t in metadata.tables}
        for place in ("source", "target")
    )
    assert key_faults(metadata, made) == []
    assert children(made["bond_end"], ["atom_id"], 4893) == children(real["bond_end"], ["atom_id"], 4893)
    assert made["atom"].schema == real["atom"].schema
    assert "bond_end" in Path(done.line["report"]).read_text()


def test_a_day_of_flights_with_planted_orphans(
    spark: SparkSession, shared_data: Path, root: Path, tmp_path: Path
) -> None:
    """Five foreign keys on one child, a composite one that overlaps a single one, and each policy for orphans."""
    files = tmp_path / "files"
    files.mkdir()
    tables = {
        t: pq.read_table(shared_data / "nycflights13" / f"{t}.parquet") for t in ("airlines", "airports", "planes")
    }
    for name in ("flights", "weather"):
        table = pq.read_table(shared_data / "nycflights13" / f"{name}.parquet")
        tables[name] = table.filter(pc.equal(pc.strftime(table["time_hour"], "%Y-%m-%d"), DAY))
    flights = tables["flights"].to_pylist()
    for i in range(5):
        flights[i]["tailnum"] = "NOBODY"
    for i in range(10, 17):
        flights[i]["dest"] = "???"
    for i in range(20, 23):
        flights[i]["time_hour"] = flights[i]["time_hour"].replace(year=1999)
    tables["flights"] = pa.Table.from_pylist(flights, schema=tables["flights"].schema)
    for name, table in tables.items():
        pq.write_table(table, files / f"{name}.parquet")
    schema = root / "conf" / "nycflights13.schema.json"
    places = {p: {"path": str(tmp_path / p)} for p in ("source", "target", "workspace")}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump({**places, "metadata": str(schema), "train": {"model": SHUFFLE}}))

    assert run_job(cli.ingest, "--config", str(file), "--from", str(files)).code == 0
    done = run_job(cli.pipeline, "--config", str(file), "--set", "evaluate.fail_under={columns: 0.3}")
    assert done.code == 0, done.err[-3000:]
    told = {tuple(e["key"]): (e["policy"], e["rows"]) for e in done.events("orphans_treated")}
    assert told == {("tailnum",): ("null", 5), ("dest",): ("drop", 7), ("origin", "time_hour"): ("drop", 3)}
    usable = len(flights) - 7 - 3
    assert done.line["tables"]["flights"] == usable
    metadata = Metadata.load(schema)
    made = {t: DeltaIO(spark).read_dataset(str(tmp_path / "target" / t)) for t in metadata.tables}
    assert key_faults(metadata, made) == []
    assert made["flights"].select("origin").distinct().count() == 3
    alone = [f["tailnum"] is None for i, f in enumerate(flights) if not (10 <= i < 17 or 20 <= i < 23)]
    assert made["flights"].where("tailnum is null").count() == sum(alone) + 5
    report = json.loads(Path(done.line["report"]).with_suffix(".json").read_text())
    assert (report["orphans"], report["bad_keys"]) == (0, 0)
