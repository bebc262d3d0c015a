"""Random databases in one lake: each is generated with every key valid, or refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.schemas.hunt import Verdict, hunt

pytestmark = pytest.mark.spark
# Ten of the first 1,000 seeds that are not refused and show every shape of test_schemas.py but the empty table, in few
# tables; and ten more, in case.
QUICK = (35, 97, 125, 246, 483, 653, 684, 701, 866, 904, 3, 13, 23, 27, 32, 34, 42, 47, 69, 77)
REFUSED = 0.05  # of the databases; fewer than that cannot be made, or break what Delta or the metadata can say


def holds(verdict: Verdict) -> None:
    print(verdict.text())
    assert not verdict.failed, verdict.text()
    assert len(verdict.refused) <= REFUSED * verdict.count, verdict.text()


def test_twenty_random_databases(spark: SparkSession, tmp_path: Path) -> None:
    holds(hunt(spark, tmp_path, QUICK))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(10))
def test_a_thousand_random_databases(spark: SparkSession, tmp_path: Path, part: int) -> None:
    holds(hunt(spark, tmp_path, range(100 * part, 100 * part + 100)))
