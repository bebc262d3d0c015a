"""Corrections after training that put the margins right and keep the dependence on noise and context.

(a) A bias on the logits of each block, so that its mean probabilities are the real shares.
(b) A map of each scalar's ranks to uniform ranks. Ranks are uniform by construction, so it holds no real value.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synthohive_spark.models.common.layout import Layout, Packed

ROUNDS = 60  # of the fixed-point iteration, at most
DAMPING = 0.8  # of a step: full ones swing
TINY = 1e-300  # so that no logarithm is of 0
SHORTER, LONGER = 0.4, 1.25  # steps after a change of sign, and without one (as in Rprop)
RANK_KNOTS = 257  # quantiles of a scalar: to half a per cent


@torch.no_grad()
def logit_bias(raw: Tensor, real: Packed, layout: Layout) -> Tensor:
    """Returns the (W,) correction of the output bias; 0 for scalars.

    Args:
        raw: (n, W) output of the generator.
        real: real rows whose shares are wanted.
        layout: places of the columns.
    """
    bias = raw.new_zeros(layout.width)
    place = layout.scalars
    floor = 0.5 / max(1, len(real))
    for block, size in enumerate(layout.block_sizes):
        wanted = torch.bincount(real.codes[:, block].long(), minlength=size).to(raw.dtype) / max(1, len(real))
        bias[place : place + size] = block_bias(raw[:, place : place + size], wanted, floor, floor)
        place += size
    return bias


def block_bias(logits: Tensor, wanted: Tensor, floor: float, near: float) -> Tensor:
    """Returns the (K,) shift of (n, K) logits after which their mean probabilities are the (K,) wanted shares.

    Args:
        logits: of one column.
        wanted: shares, which add up to 1.
        floor: the least share that is told from 0.
        near: the distance of a share at which it is as wanted.
    """
    weights, wanted = (logits - logits.amax(dim=1, keepdim=True)).double().exp(), wanted.double()
    part, stride, before = torch.zeros_like(wanted), torch.full_like(wanted, DAMPING), torch.zeros_like(wanted)
    for _ in range(ROUNDS):
        tilt = (part - part.amax()).exp()
        whole = (weights @ tilt).clamp_min(TINY)  # (n,): a softmax without another exponential of each logit
        found = tilt * (whole.reciprocal() @ weights) / max(1, len(logits))
        if (found - wanted).abs().max() < near:
            break
        gap = (wanted.clamp_min(floor) / found.clamp_min(floor * 1e-3)).log()
        # Logits far apart hardly move by the ratio of shares: longer steps as long as they go the same way.
        stride = (stride * torch.where(gap * before < 0, SHORTER, LONGER)).clamp(DAMPING / 8, DAMPING * 8)
        part += stride * gap
        before = gap
    return (part - part.mean()).to(logits.dtype)


@torch.no_grad()
def rank_knots(scalars: Tensor, gates: Tensor) -> Tensor:
    """Returns the (S, RANK_KNOTS) quantiles of the generated scalars, each over the rows in which it is in use.

    Args:
        scalars: (n, S) generated scalars, before tanh.
        gates: (n, S) whether each is in use.
    """
    steps = torch.linspace(0, 1, RANK_KNOTS, device=scalars.device, dtype=torch.float64)
    knots = []
    for column in range(scalars.shape[1]):
        used = scalars[gates[:, column] > 0, column]
        if len(used) < RANK_KNOTS // 4:  # too few to know their distribution: that of all rows is nearer
            used = scalars[:, column]
        knots.append(torch.quantile(used.double(), steps))
    return torch.stack(knots).float() if knots else scalars.new_zeros(0, RANK_KNOTS)


@torch.no_grad()
def to_uniform(scalars: Tensor, knots: Tensor) -> Tensor:
    """Returns the (n, S) ranks in [-1, 1] of the generated (n, S) scalars, before tanh, among the (S, R) knots."""
    if scalars.shape[1] == 0:
        return scalars
    columns = scalars.T.contiguous()  # (S, n)
    right = torch.searchsorted(knots, columns).clamp(1, knots.shape[1] - 1)
    low, high = knots.gather(1, right - 1), knots.gather(1, right)
    inside = ((columns - low) / (high - low).clamp_min(1e-9)).clamp(0.0, 1.0)
    return ((right - 1 + inside) * (2.0 / (knots.shape[1] - 1)) - 1.0).T
