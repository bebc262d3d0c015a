"""Drawing rows that stand for a table so that each column's shares are those of the real one.

Rows drawn one by one miss the shares by chance, which in a table of some hundred rows is the larger part of the error,
and by what the model gets wrong for the parents that it is given. Where all rows of a table are drawn at once, or a
fair part of them, neither needs to be: the logits of each column are shifted until their mean over these rows is the
real share (as after training, but for the parents at hand), and the uniform numbers are spread evenly over rows of like
probabilities (systematic sampling, Madow 1949, by the additive recurrence of the golden ratio). What is still off by a
row or more is settled by moving single rows from codes drawn too often to codes drawn too seldom, each as likely as the
root of the ratio of its two probabilities says: the weight under which such moves leave the law of the rows as it is
(locally balanced proposals, Zanella 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synthohive_spark.models.common.calibration import block_bias
from synthohive_spark.models.common.closed import among_all, without

GOLDEN = 0.6180339887498949  # the fractional part of the golden ratio: its multiples are spread evenly
# Below 1 by more than float32 rounds, so that a draw never lands behind the last possible code.
TOP = 1.0 - 2.0**-20
FLOOR, NEAR = 1e-7, 1e-3  # shares that count as none; difference of shares that is left
CHOICE = 4  # rows that are looked at for each one to be moved
ROUNDS = 5  # of moves between codes
LEAST = 0.02  # a row keeps its code rather than take one that is so much less likely for it


def inverse_cdf(logits: Tensor, uniform: Tensor) -> Tensor:
    """Returns the (n,) codes that (n,) uniform numbers pick under (n, codes) logits."""
    return _pick(logits.softmax(dim=1).cumsum(dim=1), uniform)


def _pick(mass: Tensor, uniform: Tensor) -> Tensor:
    """Returns the (n,) codes that (n,) uniform numbers pick under (n, codes) cumulative probabilities."""
    point = uniform.clamp_max(TOP)[:, None] * mass[:, -1:]
    return torch.searchsorted(mass, point, right=True)[:, 0]


def draw_evenly(
    logits: Tensor,
    shares: Tensor | None,
    rng: torch.Generator,
    most: float = math.inf,
    closed: int | None = None,
) -> Tensor:
    """Draws a code for each row, so that over all rows the codes come in their shares, or nearer to them.

    Args:
        logits: (n, K), one row each.
        shares: (K,) wanted over all rows. None: those that the logits say.
        rng: of the shift and of the order of equal rows.
        most: that a logit is shifted by.
        closed: a state that is never drawn. It has its share before it is left out, so that each row gives what it
            would have had of it to what else is likely in this row.

    Returns:
        (n,) codes.
    """
    if shares is not None:
        shift = block_bias(logits, shares, FLOOR, max(NEAR, 0.5 / max(1, len(logits))))
        logits = logits + shift.clamp(-most, most)
    logits = without(logits, closed)
    chance = logits.softmax(dim=1)
    scale = torch.arange(logits.shape[1], dtype=torch.float64, device=logits.device)
    uniform, mass, wanted = spread(chance.double() @ scale, rng), chance.cumsum(dim=1), chance.sum(dim=0)
    start = torch.rand(1, generator=rng, device=logits.device, dtype=torch.float64)
    drawn = _pick(mass, ((uniform + start) % 1.0).to(logits.dtype))
    return among_all(_settle(drawn, chance, wanted, rng), closed)


def _settle(drawn: Tensor, chance: Tensor, wanted: Tensor, rng: torch.Generator) -> Tensor:
    """Returns the (n,) codes with rows moved until each code comes within one row of its (K,) wanted ones."""
    for _ in range(ROUNDS):
        off = torch.bincount(drawn, minlength=len(wanted)) - wanted
        if off.abs().max() < 1.0:
            break
        under = (off < 0).nonzero()[:, 0]
        rows = torch.randperm(len(drawn), generator=rng, device=drawn.device)
        rows = rows[_turn(drawn[rows]) < CHOICE * off.ceil()[drawn[rows]]]
        ratio = chance[rows][:, under] / chance[rows, drawn[rows]][:, None]
        # The largest of these, as Gumbel's noise is added to the logarithms, are a sample with the roots as weights.
        noise = torch.rand(ratio.shape, generator=rng, device=ratio.device).clamp_min(FLOOR).log().neg()
        score, best = (ratio.sqrt() / noise).max(dim=1)
        order = torch.argsort(score, descending=True, stable=True)
        order = order[ratio[order, best[order]] > LEAST]
        rows, target = rows[order], under[best[order]]
        left, short = off[drawn[rows]] - _turn(drawn[rows]), -off[target] - _turn(target)
        moved = (left > 0) & (short > 0) & ((left >= 1) | (short >= 1))
        if not moved.any():
            break
        drawn = drawn.index_copy(0, rows[moved], target[moved])
    return drawn


def _turn(codes: Tensor) -> Tensor:
    """Returns how many of the (n,) codes before each one are the same."""
    order = torch.argsort(codes, stable=True)
    ordered = codes[order]
    first = torch.searchsorted(ordered, ordered)
    turns = torch.arange(len(codes), device=codes.device) - first
    return torch.empty_like(turns).index_copy_(0, order, turns)


def spread(expected: Tensor, rng: torch.Generator) -> Tensor:
    """Returns (n,) numbers in [0, 1), evenly spread over the rows next to each other in the order of ``expected``."""
    rows = len(expected)
    shuffled = torch.randperm(rows, generator=rng, device=expected.device)
    order = shuffled[torch.argsort(expected[shuffled], stable=True)]
    steps = torch.arange(rows, dtype=torch.float64, device=expected.device) * GOLDEN
    shift = torch.rand(1, generator=rng, device=expected.device, dtype=torch.float64)
    return torch.empty_like(steps).index_copy_(0, order, (steps + shift) % 1.0)


def even_ranks(scalars: Tensor, used: Tensor, rng: torch.Generator) -> Tensor:
    """Returns (n, S) ranks in [-1, 1]: those of each of the (n, S) scalars among the rows in which it is ``used``."""
    ranks = torch.zeros_like(scalars)
    for column in range(scalars.shape[1]):
        rows = used[:, column].nonzero()[:, 0]
        order = torch.argsort(torch.argsort(scalars[rows, column], stable=True)).to(scalars.dtype)
        within = torch.rand(len(rows), generator=rng, device=scalars.device)
        ranks[rows, column] = 2.0 * (order + within) / max(1, len(rows)) - 1.0
    return ranks


def code_shares(codes: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Returns the shares of the codes of each of the (n, B) columns, one column's behind the other's."""
    shares = [torch.bincount(codes[:, b].long(), minlength=size) / max(1, len(codes)) for b, size in enumerate(sizes)]
    return torch.cat(shares).float() if shares else torch.zeros(0)
