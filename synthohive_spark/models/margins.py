"""Drawing rows that stand for a table so that each column's shares are those of the real one.

Rows drawn one by one miss the shares by chance, which in a table of some hundred rows is the larger part of the error,
and by what the model gets wrong for the parents that it is given. Where all rows of a table are drawn at once, or a
fair part of them, neither needs to be: the logits of each column are shifted until their mean over these rows is the
real share (as after training, but for the parents at hand), and the uniform numbers are spread evenly over rows of like
probabilities (systematic sampling, Madow 1949, by the additive recurrence of the golden ratio). Of some starts of these
numbers the one is kept that meets the shares best (rejective sampling, Hajek 1964).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synthohive_spark.models.calibration import block_bias

GOLDEN = 0.6180339887498949
# Below 1 by more than float32 rounds, so that a draw never lands behind the last possible code.
TOP = 1.0 - 2.0**-20
FLOOR, NEAR = 1e-7, 1e-3
STARTS, CLOSE = 8, 1.0  # draws are made again from another start while a code comes so many rows too often
MOST_SHIFT = 2.0  # more would give rows what their other columns speak against


def inverse_cdf(logits: Tensor, uniform: Tensor) -> Tensor:
    """Returns the (n,) codes that (n,) uniform numbers pick under (n, codes) logits."""
    return _pick(logits.softmax(dim=1).cumsum(dim=1), uniform)


def _pick(mass: Tensor, uniform: Tensor) -> Tensor:
    """Returns the (n,) codes that (n,) uniform numbers pick under (n, codes) cumulative probabilities."""
    point = uniform.clamp_max(TOP)[:, None] * mass[:, -1:]
    return torch.searchsorted(mass, point, right=True)[:, 0]


def draw_evenly(logits: Tensor, shares: Tensor | None, rng: torch.Generator, most: float = math.inf) -> Tensor:
    """Draws a code for each row, so that over all rows the codes come in their shares, or nearer to them.

    Args:
        logits: (n, K), one row each.
        shares: (K,) wanted over all rows. None: those that the logits say.
        rng: of the shift and of the order of equal rows.
        most: that a logit is shifted by.

    Returns:
        (n,) codes.
    """
    if shares is not None:
        shift = block_bias(logits, shares, FLOOR, max(NEAR, 0.5 / max(1, len(logits))))
        logits = logits + shift.clamp(-most, most)
    chance = logits.softmax(dim=1)
    scale = torch.arange(logits.shape[1], dtype=torch.float64, device=logits.device)
    uniform, mass, wanted = spread(chance.double() @ scale, rng), chance.cumsum(dim=1), chance.sum(dim=0)
    kept, least = torch.zeros(len(logits), dtype=torch.int64, device=logits.device), math.inf
    for start in torch.rand(STARTS, generator=rng, device=logits.device, dtype=torch.float64):
        drawn = _pick(mass, ((uniform + start) % 1.0).to(logits.dtype))
        off = float((torch.bincount(drawn, minlength=len(wanted)) - wanted).abs().max())
        if off < least:
            kept, least = drawn, off
        if off <= CLOSE:
            break
    return kept


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
