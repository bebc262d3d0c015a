"""Values that fewer than k people hold are nowhere in what a run leaves: planted ones are sought in each byte of it."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.models.artifact import pack
from synthohive_spark.models.autoregressive.model import AutoregressiveModel
from synthohive_spark.models.ctgan.model import CTGAN
from tests.lakes import config_file, run_job, write_lake
from tests.privacy.planted import COMMENT, DATABASES, KINDS, K, chain, value
from tests.privacy.scanner import Scanner


@pytest.mark.parametrize("model", [CTGAN, AutoregressiveModel])
def test_no_model_holds_a_value_of_few_people(model: Any) -> None:
    """Orders with what they see of their customers, as a training task has them."""
    made = chain()
    tables, rare = made.tables, made.rare
    orders, customers = tables["orders"], tables["customers"].set_index("customer")
    above = customers.loc[orders["customer"], [k for k in KINDS if k != "word"]].reset_index(drop=True)
    context = above.add_prefix("customer:")  # words of ancestors are published before
    who = pd.factorize(orders["customer"])[0].astype(np.int64)
    data = orders.drop(columns=["order", "customer"])
    people = dict.fromkeys((*data.columns, *context.columns), who)
    made = model(epochs=1, min_count=K).fit(data, context, "orders", 1, people=people)
    sought = Scanner({name: v for name, v in rare.items() if not name.startswith("lines")})
    assert sought.data("", pack(made)) == set()
    unprotected = model(epochs=1, min_count=K).fit(data, context, "orders", 1)
    assert "orders.word.10.1" in sought.data("", pack(unprotected)), "ten rows of one customer, who counts as ten"
    rows = made.sample(2000, context.sample(2000, replace=True, random_state=1).reset_index(drop=True), 3)
    out = io.BytesIO()
    rows.to_parquet(out)
    assert sought.data("", out.getvalue()) == set()
    frequent = {"orders.word.5.5", "orders.word.10.5"}
    assert {value("word", name) for name in frequent} <= set(rows["word"]) | set(
        re.findall("Canary....q", str(pack(made)))
    )


RUNS = [(name, model) for name in DATABASES for model in ("ctgan", "autoregressive")]


@pytest.fixture(scope="module", params=RUNS, ids="-".join)
def run(
    request: pytest.FixtureRequest, spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    name, model = request.param
    folder, planted = tmp_path_factory.mktemp(f"canaries_{name}_{model}"), DATABASES[name](shared_data)
    write_lake(spark, folder / "source", planted.tables)
    for table in planted.tables:
        spark.sql(f"ALTER TABLE delta.`{folder}/source/{table}` ALTER COLUMN word COMMENT 'ask {COMMENT}'")
    rare = {**planted.rare, "comment": COMMENT}
    config = config_file(
        folder, planted.metadata, train={"model": model, "max_seconds": 10}, evaluate={"fail_under": 0}
    )
    if planted.subject is not None:
        said = json.loads(Path(config).read_text())
        said["metadata"]["subject"] = planted.subject
        Path(config).write_text(json.dumps(said))
    done = run_job(cli.pipeline, "--config", config, "--log-level", "DEBUG")
    assert done.code == 0, done.err[-3000:]
    (folder / "workspace" / "log.txt").write_text(done.err + json.dumps(done.line))
    yield folder, rare
    shutil.rmtree(folder)


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.parametrize("place", ["workspace", "target"])
def test_no_byte_of_a_run_holds_a_value_of_few_people(run: Any, place: str) -> None:
    folder, rare = run
    found = Scanner(rare).folder(folder / place)
    assert {name: sorted(files)[:2] for name, files in found.items()} == {}


@pytest.mark.spark
@pytest.mark.slow
def test_the_scanner_finds_what_is_there(run: Any) -> None:
    folder, rare = run
    assert set(Scanner(rare).folder(folder / "source")) == set(rare)
