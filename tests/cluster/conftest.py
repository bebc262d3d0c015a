"""Models trained once, for all tests of this folder to generate from."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from .runs import SMALL, Hashes, Trained, trained_copy


@pytest.fixture(scope="session")
def small(spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Northwind's smallest chains."""
    folder = tmp_path_factory.mktemp("small")
    return trained_copy(spark, folder, shared_data / "northwind", SMALL, "tests.cluster.models.WatchedCTGAN", epochs=1)


@pytest.fixture(scope="session")
def small_hashes(small: Trained) -> Hashes:
    """What two cores and two partitions make of them."""
    return small.here("reference")


@pytest.fixture(scope="session", params=["northwind", "mutagenesis"])
def whole(
    request: pytest.FixtureRequest, spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    """A whole database of the shared ones."""
    folder = tmp_path_factory.mktemp(request.param)
    return trained_copy(spark, folder, shared_data / request.param, None, "tests.cluster.models.WatchedCTGAN", epochs=1)


@pytest.fixture(scope="session")
def whole_hashes(whole: Trained) -> Hashes:
    """What two cores and two partitions make of it."""
    return whole.here("reference")
