"""Databases of planted rules: what holds on every row of the source holds in the copy, and nothing else is a rule."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.rules.hunt import hunt
from tests.rules.planted import database, families
from tests.rules.planted_records import records

KEPT = 0.98  # of the planted rules


@pytest.mark.parametrize("seeds", [range(60)])
def test_the_databases_keep_what_was_planted(seeds: range) -> None:
    seen = Counter[str]()
    for seed in seeds:
        db = database(seed)
        frames = db.frames(db.written())
        for rule in db.rules:
            seen[rule.kind] += 1
            if rule.sort == "rule":
                assert rule.share(frames) == 1.0, (seed, rule)
            elif rule.sort == "near":
                assert 0.9 < rule.share(frames) < 0.995, (seed, rule)
    assert min(seen.values()) >= 10


@pytest.mark.spark
def test_planted_rules_are_kept(spark: SparkSession, tmp_path: Path) -> None:
    verdict = hunt(spark, tmp_path, range(1))
    assert verdict.share >= KEPT, verdict.text()
    assert not verdict.taken, verdict.text()


@pytest.mark.slow
@pytest.mark.spark
def test_what_children_of_one_parent_have_together_is_kept(spark: SparkSession, tmp_path: Path) -> None:
    verdict = hunt(spark, tmp_path, range(1), families)
    assert verdict.share == 1.0, verdict.text()
    assert not verdict.taken, verdict.text()


@pytest.mark.parametrize("seed", range(20))
def test_records_keep_what_was_planted(seed: int) -> None:
    db = records(seed)
    frames = db.frames(db.written())
    assert {rule.kind: rule.share(frames) for rule in db.rules} == {rule.kind: 1.0 for rule in db.rules}


@pytest.mark.spark
def test_numbers_periods_and_events_of_records_are_kept(spark: SparkSession, tmp_path: Path) -> None:
    verdict = hunt(spark, tmp_path, range(1), records)
    assert verdict.share == 1.0, verdict.text()


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(3_600)
def test_many_records_keep_their_numbers_periods_and_events(spark: SparkSession, tmp_path: Path) -> None:
    verdict = hunt(spark, tmp_path, range(1, 21), records)
    assert verdict.share >= KEPT, verdict.text()


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_two_hundred_planted_databases_keep_their_rules(spark: SparkSession, tmp_path: Path, first: int) -> None:
    verdict = hunt(spark, tmp_path, range(first, first + 20))
    assert verdict.share >= KEPT, verdict.text()
    assert not verdict.taken, verdict.text()
