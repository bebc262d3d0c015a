"""The audit of a run: people kept out of training, attacks beside their control, and the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark import cli
from synthohive_spark.config import load_config
from synthohive_spark.errors import ConfigError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.holdout import Holdout
from synthohive_spark.schema.people import People
from tests.lakes import SHUFFLE, config_file, key_faults, run_job, write_lake

pytestmark = pytest.mark.spark
CUSTOMERS, EACH = 300, 4
KEY = {"columns": ["customer"], "references": "customers", "referenced_columns": ["customer"]}
TABLES: dict[str, Any] = {
    "customers": {"primary_key": "customer"},
    "orders": {"primary_key": "order", "foreign_keys": [KEY]},
    "goods": {"primary_key": "good"},
}
MEASURES = ("price", "weight", "distance", "height", "width", "depth", "age", "stock")
HALF = {"fail_under": 0, "holdout": 0.4}


def rows() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(8)
    customers = pd.DataFrame({"customer": np.arange(CUSTOMERS, dtype=np.int32), "income": rng.normal(5, 2, CUSTOMERS)})
    customers["born"] = rng.integers(1940, 2010, CUSTOMERS)
    orders = pd.DataFrame({"order": np.arange(CUSTOMERS * EACH)})
    orders["customer"] = orders["order"] // EACH  # of a wider type than the key that it refers to
    for name in MEASURES:
        orders[name] = rng.normal(100, 30, len(orders)).round(2)
    return {"customers": customers, "orders": orders, "goods": pd.DataFrame({"good": np.arange(30)})}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    write_lake(spark, folder / "source", rows())
    return folder


def test_people_are_held_out_with_all_their_rows(spark: SparkSession, lake: Path) -> None:
    metadata = Metadata.load({"tables": TABLES})
    pinned = pin_source(DeltaIO(spark), metadata, {t: TableRef.parse(str(lake / "source" / t)) for t in TABLES})
    holdout = Holdout(People.of(check_source(pinned), 5), 0.4)
    assert holdout.roots == {"customers"}
    kept = check_source(holdout.kept(pinned))
    counts = {
        t: (kept.rows[t], [f.count() for o in (False, True) if (f := holdout.rows(t, o)) is not None]) for t in TABLES
    }
    assert counts["customers"][1][0] == counts["customers"][0]
    assert counts["orders"] == (EACH * counts["customers"][0], [EACH * n for n in counts["customers"][1]])
    assert 0.3 * CUSTOMERS < counts["customers"][1][1] < 0.5 * CUSTOMERS
    assert counts["goods"] == (30, []), "nobody's"
    assert key_faults(metadata, {t: kept.frame(t) for t in TABLES}) == []


@pytest.mark.slow
@pytest.mark.parametrize(("model", "code"), [(SHUFFLE, 0), ("tests.shuffle.Parrot", 6)])
def test_a_model_that_repeats_its_training_does_not_pass(
    spark: SparkSession, lake: Path, model: str, code: int
) -> None:
    groups: dict[str, Any] = {"train": {"model": model}, "evaluate": HALF, "privacy": {"fail_over": 0.1}}
    done = run_job(cli.pipeline, "--config", config_file(lake, TABLES, **groups))
    assert done.code == code, done.err[-3000:]
    told = json.loads(Path(done.line["report"]).with_suffix(".json").read_text())["privacy"]
    assert told["holdout"] == 0.4
    assert set(told["tables"]["orders"]) == {"identical", "dcr", "membership", "singling_out", "linkability"}
    assert told["left_out"] == {"goods": "nobody of this table was held out"}
    membership = told["tables"]["orders"]["membership"]
    assert membership["low"] <= membership["value"] <= membership["high"]
    identical = told["tables"]["orders"]["identical"]
    assert identical["value"] == identical["control"] == 0, "no row of the source is written, whoever draws it"
    for table, columns in {"orders": [*MEASURES], "customers": ["income", "born"]}.items():
        made, real = (DeltaIO(spark).read_dataset(str(lake / side / table)) for side in ("target", "source"))
        assert made.join(real, columns, "left_semi").count() == 0, table
    if code:
        assert "membership on orders" in done.line["error"]
        assert membership["value"] > 0.6, "rows are near those that were repeated, but for one value or two"
    else:
        assert max(told["worst"].values()) < 0.05
        assert abs(membership["value"] - 0.5) < 0.1


def test_a_gate_without_people_who_were_held_out_is_refused(lake: Path) -> None:
    file = config_file(lake, TABLES, privacy={"fail_over": 0.1})
    with pytest.raises(ConfigError, match=r"evaluate\.holdout"):
        load_config(file)
    with pytest.raises(ConfigError, match="membership"):
        load_config(config_file(lake, TABLES, evaluate=HALF, privacy={"fail_over": {"membershp": 0.1}}))
