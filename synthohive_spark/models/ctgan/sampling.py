"""Rows from a trained generator: noise and context in, codes of states and ranks of numbers out."""

from __future__ import annotations

import torch
from torch import Tensor

from synthohive_spark.models.common.calibrated_sampling import draw_evenly, even_ranks, inverse_cdf
from synthohive_spark.models.common.calibration import to_uniform
from synthohive_spark.models.common.closed import among_all, without
from synthohive_spark.models.common.layout import Layout, Packed
from synthohive_spark.models.common.seeds import torch_rng
from synthohive_spark.models.ctgan.conditions import draw_conditions
from synthohive_spark.models.ctgan.fitted import FittedCTGAN
from synthohive_spark.models.ctgan.networks import open_gates

SAMPLE_BATCH = 1000  # rows that fit the caches
# Of a logit, for the sake of shares. The noise settles most of a row, so that logits are far apart without meaning it.
MOST_SHIFT = 4.0


def draw_rows(fitted: FittedCTGAN, conditions: Packed, seed: int, ranked: bool, even: bool) -> Packed:
    """Draws one row for each row of context; batches have random streams of their own.

    Args:
        fitted: the trained model; it has a generator.
        conditions: (n, ...) packed context.
        seed: of the noise.
        ranked: whether scalars are ranks; else they are places in a mode.
        even: whether the rows stand for the table, so that each column has its shares.
    """
    layout, rows = Layout.of(fitted.columns), len(conditions)
    parts: list[Packed] = []
    raws: list[Tensor] = []
    for batch, first in enumerate(range(0, rows, SAMPLE_BATCH)):
        index = torch.arange(first, min(first + SAMPLE_BATCH, rows))
        rng = torch_rng(fitted.folded.bias.device, seed, 2, batch)
        raws.append(_generate(fitted, conditions.rows(index), rng))
        if not even:
            parts.append(_draw(fitted, layout, raws.pop(), rng, ranked))
    if even:
        raw = torch.cat(raws)
        parts.append(_draw_evenly(fitted, layout, raw, torch_rng(raw.device, seed, 5)))
    codes, scalars = torch.cat([part.codes for part in parts]), torch.cat([part.scalars for part in parts])
    return Packed(codes, scalars, layout.block_sizes)


def nothing(layout: Layout, rows: int, constant: bool) -> tuple[Layout, Packed]:
    """What rows without any drawn column look like: of a table whose columns are all constant, or no rows at all."""
    packed = Packed(torch.zeros(rows, 0, dtype=torch.int32), torch.zeros(rows, 0), ())
    return layout if constant else Layout(layout.cardinalities, (), (), (), ()), packed


def _draw(fitted: FittedCTGAN, layout: Layout, raw: Tensor, rng: torch.Generator, ranked: bool) -> Packed:
    """Draws the rows of one batch from the (n, W) output of the generator."""
    uniform = torch.rand(len(raw), len(layout.block_sizes), generator=rng, device=raw.device)
    codes = torch.zeros(len(raw), len(layout.block_sizes), dtype=torch.int32, device=raw.device)
    for block, logits in enumerate(torch.split(raw[:, layout.scalars :], list(layout.block_sizes), dim=1)):
        closed = fitted.closed[block]
        drawn = inverse_cdf(without(logits, closed), uniform[:, block])
        codes[:, block] = among_all(drawn, closed).to(torch.int32)
    scalars = raw[:, : layout.scalars].contiguous()
    ranks = to_uniform(scalars, fitted.rank_knots.to(raw.device)) if ranked else torch.tanh(scalars)
    return Packed(codes.cpu(), ranks.cpu(), layout.block_sizes)


def _generate(fitted: FittedCTGAN, context: Packed, rng: torch.Generator) -> Tensor:
    """Returns the (n, W) output of the generator for n rows of context."""
    generator = fitted.folded
    device = generator.bias.device
    places = draw_conditions(fitted.asked.to(device), len(context), rng)
    noise = torch.randn(len(context), generator.noise, generator=rng, device=device)
    return generator(noise, context.to(device), places)


def _draw_evenly(fitted: FittedCTGAN, layout: Layout, raw: Tensor, rng: torch.Generator) -> Packed:
    """Draws rows that stand for the table from the (n, W) output of the generator; scalars get even ranks."""
    logits = torch.split(raw[:, layout.scalars :], list(layout.block_sizes), dim=1)
    shares = torch.split(fitted.states.to(raw.device), list(layout.block_sizes))
    drawn = []
    for rows, wanted, closed in zip(logits, shares, fitted.closed, strict=True):
        drawn.append(draw_evenly(rows, wanted, rng, MOST_SHIFT, closed).to(torch.int32))
    codes = torch.stack(drawn, dim=1) if drawn else torch.zeros(len(raw), 0, dtype=torch.int32)
    states = Packed(codes, raw.new_zeros(len(raw), 0), layout.block_sizes).dense()
    ranks = even_ranks(raw[:, : layout.scalars], open_gates(states, layout), rng)
    return Packed(codes.cpu(), ranks.cpu(), layout.block_sizes)
