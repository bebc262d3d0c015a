"""Drawing rows from the autoregressive network, one sub-column after the other, and judging rows by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from synthohive_spark.models.autoregressive_networks import INPUTS, ColumnHeads, Seen
from synthohive_spark.models.margins import inverse_cdf

# The (n,) codes of a sub-column, by its place, from its (n, codes) logits.
Pick: TypeAlias = Callable[[int, Tensor], Tensor]


@torch.inference_mode()
def draw_codes(
    network: ColumnHeads, context: Tensor, pick: Pick, temperature: float, fixed: Mapping[int, Tensor]
) -> tuple[Tensor, Tensor]:
    """Draws the rows of one batch.

    Args:
        network: trained.
        context: (n, K) dense context.
        pick: draws the codes of a sub-column.
        temperature: divides the logits; below 1 the likely codes gain.
        fixed: (n,) codes of sub-columns that are not drawn.

    Returns:
        (n, S) codes, and the (n,) log probability of the fixed ones, given what was drawn before each.
    """
    embedded = network.context(context)
    rows, start, count = len(context), embedded.shape[1], len(network.plan.cardinalities)
    wide, starts = network.plan.wide, network.get_buffer("starts").tolist()
    features = embedded if wide else context.new_empty(rows, start + INPUTS * count)
    features[:, :start] = embedded
    seen = Seen(features, network.table())
    codes = torch.zeros(rows, count, dtype=torch.long, device=context.device)
    weight = context.new_zeros(rows)
    for place in range(count):
        logits = network.logits(place, seen, codes)
        if place in fixed:
            codes[:, place] = fixed[place]
            weight -= F.cross_entropy(logits, codes[:, place], reduction="none")
        else:
            if temperature != 1.0:
                logits = logits / temperature
            codes[:, place] = pick(place, logits)
        if not wide:
            end = start + INPUTS * (place + 1)
            features[:, end - INPUTS : end] = seen.table[codes[:, place] + starts[place]]
    return codes, weight


@torch.inference_mode()
def log_likelihood(network: ColumnHeads, context: Tensor, codes: Tensor) -> Tensor:
    """Returns the (n,) log probability of (n, S) codes given their (n, K) context."""
    return network.log_probabilities(network.context(context), codes).double().sum(dim=1)


def resample(codes: Tensor, weight: Tensor, uniform: Tensor) -> Tensor:
    """Picks one of the candidates of each row by its weight (sampling-importance-resampling).

    Args:
        codes: (n * candidates, S) candidates, those of a row side by side.
        weight: (n * candidates,) log weights.
        uniform: (n,) numbers in [0, 1).

    Returns:
        (n, S) codes.
    """
    rows = len(uniform)
    chosen = inverse_cdf(weight.reshape(rows, -1), uniform)
    return codes.reshape(rows, -1, codes.shape[1])[torch.arange(rows, device=codes.device), chosen]
