"""Children of a short reference table, whose rows are the same in the copy: each keeps its number of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
ACCOUNTS = 400
SHARES = {"small": [0.7, 0.3, 0.0, 0.0], "large": [0.0, 0.1, 0.5, 0.4]}


@pytest.mark.slow
def test_each_plan_keeps_its_subscriptions_and_its_customers(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    plans = pd.DataFrame({"code": ["FREE", "TEAM", "BIZ", "ENT"], "fee": [0.0, 12.0, 25.0, 49.0]})
    accounts = pd.DataFrame({"id": range(ACCOUNTS), "size": rng.choice([*SHARES], ACCOUNTS, p=[0.75, 0.25])})
    owner = np.repeat(np.arange(ACCOUNTS), rng.integers(1, 4, ACCOUNTS))
    plan = [rng.choice(plans["code"], p=SHARES[accounts["size"][o]]) for o in owner]
    contracts = pd.DataFrame({"no": range(len(owner)), "account": owner, "plan": plan})
    metadata = Metadata()
    metadata.add_table("plans", pk="code", reference=True)
    metadata.add_table("accounts", pk="id")
    metadata.add_table("contracts", pk="no", fk={"account": "accounts.id", "plan": "plans.code"})
    source = write_lake(spark, tmp_path / "source", {"plans": plans, "accounts": accounts, "contracts": contracts})
    made = fitted(spark, metadata, source, linkage="conditional")
    made.generate({"accounts": ACCOUNTS}, str(tmp_path / "copy"))
    copy = {t: spark.read.format("delta").load(str(tmp_path / "copy" / t)) for t in source}
    assert key_faults(metadata, copy) == []
    found = copy["contracts"].toPandas().merge(copy["accounts"].toPandas(), left_on="account", right_on="id")
    real = contracts.merge(accounts, left_on="account", right_on="id")
    wanted, got = (f["plan"].value_counts(normalize=True) for f in (real, found))
    for code in plans["code"]:
        assert got.get(code, 0.0) == pytest.approx(wanted[code], abs=0.02), code
    for size in SHARES:
        wanted, got = (f[f["size"] == size]["plan"].value_counts(normalize=True) for f in (real, found))
        for code in plans["code"]:
            assert got.get(code, 0.0) == pytest.approx(wanted.get(code, 0.0), abs=0.12), (size, code)
