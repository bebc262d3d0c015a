"""Steps follow from sizes and fixed prices, never from the clock."""

from __future__ import annotations

import math

from synthohive_spark.models.budget import FEWEST_STEPS, MAX_STEPS, planned_steps, safety_stop, step_seconds


def test_steps_follow_the_size_of_the_table() -> None:
    steps = [planned_steps(rows, 500, None, None, 0.03) for rows in (1, 200, 5_000, 20_000, 10**7)]
    assert steps == sorted(steps)
    assert steps[-1] == MAX_STEPS
    assert 400 <= steps[2] <= 700


def test_seconds_cap_steps_at_the_listed_price() -> None:
    price = step_seconds(500, 150_000, 100_000)
    assert planned_steps(5_000, 500, None, 100 * price + price / 2, price) == 100
    assert planned_steps(5_000, 500, None, 1e-9, price) == FEWEST_STEPS
    assert price < step_seconds(500, 300_000, 100_000) < step_seconds(1000, 300_000, 100_000)


def test_epochs_override() -> None:
    assert planned_steps(1_001, 500, 7, 0.001, 1.0) == 21


def test_the_clock_stops_only_far_behind() -> None:
    assert safety_stop(10) == 50
    assert safety_stop(None) == math.inf
