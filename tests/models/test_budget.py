"""Steps follow from sizes and fixed prices, never from the clock."""

from __future__ import annotations

import math

from synthohive_spark.models.common.budget import (
    ENOUGH_STEPS,
    FEWEST_HEAD_STEPS,
    FEWEST_ROWS,
    FEWEST_STEPS,
    MAX_STEPS,
    MIN_STEPS,
    MOST_HEAD_STEPS,
    affordable_batch,
    head_step_seconds,
    head_steps,
    planned_steps,
    safety_stop,
    step_seconds,
    table_batch,
)


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


def test_few_seconds_buy_smaller_batches_before_fewer_steps() -> None:
    sizes = 700_000, 300_000
    price = ENOUGH_STEPS * step_seconds(500, *sizes)
    assert affordable_batch(10**6, 500, None, *sizes) == 500
    assert affordable_batch(10**6, 500, price + 1e-6, *sizes) == affordable_batch(10**6, 500, 9 * price, *sizes) == 500
    fewer = affordable_batch(10**6, 500, price / 2, *sizes)
    assert FEWEST_ROWS < fewer < 250
    assert planned_steps(10**6, fewer, None, price / 2, step_seconds(fewer, *sizes)) >= ENOUGH_STEPS
    assert affordable_batch(10**6, 500, 1e-9, *sizes) == FEWEST_ROWS
    assert affordable_batch(10**6, 32, 1e-9, *sizes) == 32


def test_a_table_that_wants_fewer_steps_keeps_more_rows_in_each() -> None:
    sizes = 700_000, 300_000
    seconds = ENOUGH_STEPS * step_seconds(250, *sizes)
    small, large = (affordable_batch(rows, 500, seconds, *sizes) for rows in (3_000, 10**6))
    assert large < small < 500
    wanted = planned_steps(3_000, small, None, None, 0.03)
    assert planned_steps(3_000, small, None, seconds, step_seconds(small, *sizes)) == wanted < ENOUGH_STEPS


def test_small_tables_take_small_batches() -> None:
    sizes = (10, 200, 800, 1_600, 2_000, 10**7)
    assert [table_batch(rows, 10, 500) for rows in sizes] == [64, 64, 200, 400, 500, 500]
    assert [table_batch(200, width, 500) for width in (32, 100, 400)] == [64, 200, 500]
    assert table_batch(10**7, 10, 32) == 32


def test_epochs_override() -> None:
    assert planned_steps(1_001, 500, 7, 0.001, 1.0) == 21


def test_the_clock_stops_only_far_behind() -> None:
    assert (safety_stop(100), safety_stop(1)) == (500, 300)
    assert safety_stop(None) == math.inf


def test_steps_of_heads_follow_sizes_and_seconds() -> None:
    price = head_step_seconds(256, 20, 200_000, 0)
    assert price < head_step_seconds(256, 30, 200_000, 0) < head_step_seconds(512, 30, 200_000, 0)
    assert price < head_step_seconds(256, 20, 200_000, 100)
    steps = [head_steps(rows, 256, None, price, 1) for rows in (1, 5_000, 10**7)]
    assert steps == [2 * MIN_STEPS, 2000, MOST_HEAD_STEPS]
    assert head_steps(5_000, 256, 100.5 * price, price, 1) == 100
    assert head_steps(5_000, 256, 400.5 * price, price, 4) == 100
    assert head_steps(5_000, 256, 1e-9, price, 4) == FEWEST_HEAD_STEPS
