"""What is told of numbers and texts is counted in the people behind them, not in their rows. No Spark."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from synthohive_spark.models.encoders import Encoded, Limits, analyze_table, decode_table, encode_table, reduce_table
from synthohive_spark.models.encoders.endings import find_endings
from synthohive_spark.models.encoders.holders import ends
from tests.models.frames import sampled

K, PEOPLE, EACH = 5, 120, 6
OWN = 720_031.25  # what one person says again and again


def told(values: pd.Series, who: NDArray[np.int64], modes: int = 0) -> tuple[list[float], pd.Series]:
    """All numbers of the spec, and numbers that are drawn from it, by any state and rank."""
    frame = pd.DataFrame({"x": values})
    spec = reduce_table([analyze_table(frame, people={"x": who})], Limits(min_count=K, modes=modes))
    rng, column = np.random.default_rng(0), spec.specs[0]
    states = encode_table(spec, frame, rng)[0].codes  # each as often as it is
    made = decode_table(spec, [Encoded(states, rng.uniform(-1, 1, len(frame)))], len(frame))["x"]
    assert column.has_scalar
    return [float(n) for n in _numbers(json.loads(json.dumps(spec.to_json())))], made


def _numbers(tree: object) -> list[float]:
    if isinstance(tree, dict):
        return [n for inner in tree.values() for n in _numbers(inner)]
    if isinstance(tree, list):
        return [n for inner in tree for n in _numbers(inner)]
    return [float(tree)] if isinstance(tree, (int, float)) else []


def planted(holders: int) -> tuple[pd.Series, NDArray[np.int64]]:
    """Numbers of many people, six each; so many of them hold one number a hundred times between them."""
    rng = np.random.default_rng(5)
    who = np.concatenate([np.repeat(np.arange(PEOPLE), EACH), np.arange(100) % holders])
    values = np.concatenate([rng.normal(700_000, 40_000, PEOPLE * EACH).round(2), np.full(100, OWN)])
    return pd.Series(values), who.astype(np.int64)


@pytest.mark.parametrize("modes", [0, 10])
@pytest.mark.parametrize("holders", [1, 2, 4])
def test_a_number_that_few_people_say_often_is_not_told(holders: int, modes: int) -> None:
    numbers, made = told(*planted(holders), modes)
    assert OWN not in numbers
    assert not (made == OWN).any()


def test_a_number_that_enough_people_say_is_a_state_of_its_own() -> None:
    numbers, made = told(*planted(K))
    assert OWN in numbers
    assert (made == OWN).mean() > 0.1


def test_ends_lie_within_the_kth_person_and_are_nobodys() -> None:
    rng = np.random.default_rng(2)
    values = rng.lognormal(3, 1, PEOPLE)
    each = np.repeat(np.arange(PEOPLE), 10)
    low, high = ends(sampled(values[each], each), K)
    ordered = np.sort(values)
    assert ordered[K - 1] < low < ordered[2 * K]
    assert ordered[-2 * K] < high < ordered[-K]
    assert not {low, high} & {*values.tolist()}
    assert ends(sampled(np.maximum(values, ordered[K])[each], each), K)[0] == ordered[K], "six people's"


def test_an_ending_of_one_person_does_not_count() -> None:
    rng = np.random.default_rng(3)
    numbers = rng.integers(0, 10_000, 400) * 100 + rng.integers(0, 100, 400)
    who = np.arange(400)
    numbers[:120], who[:120] = numbers[:120] // 100 * 100 + 37, 0
    knots = np.quantile(numbers, np.linspace(0, 1, 33))
    assert find_endings(sampled(numbers, who), knots, 0, K) is None
    found = find_endings(sampled(numbers), knots, 0, K)
    assert found is not None
    assert 37 in found.remainders


def test_texts_are_counted_in_people_and_values_of_other_rows_in_nobody() -> None:
    words = ["common"] * 40 + ["mine"] * 30 + ["ours"] * 10
    who = np.array([*range(40), *[50] * 30, *[60, 61, 62, 63, 64] * 2])
    frame = pd.DataFrame({"w": words})
    spec = reduce_table([analyze_table(frame, people={"w": who})], Limits(min_count=K)).specs[0].to_json()
    assert set(spec["tokens"]) == {"common", "ours", "_RARE_"}
    filled = np.where(np.array(words) == "ours", -1, who)
    again = reduce_table([analyze_table(frame, people={"w": filled})], Limits(min_count=K)).specs[0].to_json()
    assert set(again["tokens"]) == {"common", "_RARE_"}
