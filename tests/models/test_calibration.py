"""Logit bias and rank mapping."""

from __future__ import annotations

import torch

from synthohive_spark.models.common.calibration import logit_bias, rank_knots, to_uniform
from synthohive_spark.models.common.layout import Layout, Packed


def test_logit_bias_brings_the_real_shares() -> None:
    layout = Layout((3,), (), (0,), (3,), ())
    raw = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    codes = torch.tensor([0] * 700 + [1] * 290 + [2] * 10, dtype=torch.int32)[:, None]
    bias = logit_bias(raw, Packed(codes, torch.zeros(1000, 0), (3,)), layout)
    shares = (raw + bias).softmax(dim=1).mean(dim=0)
    assert torch.allclose(shares, torch.tensor([0.7, 0.29, 0.01]), atol=0.002)


def test_ranks_become_uniform_whatever_the_network_gives() -> None:
    scalars = torch.randn(5000, 1, generator=torch.Generator().manual_seed(0)).exp()
    ranks = to_uniform(scalars, rank_knots(scalars, torch.ones(5000, 1)))
    wanted = torch.linspace(-1, 1, 9)
    assert torch.allclose(torch.quantile(ranks[:, 0], torch.linspace(0, 1, 9)), wanted, atol=0.02)
    assert ((ranks[:-1, 0] <= ranks[1:, 0]) == (scalars[:-1, 0] <= scalars[1:, 0])).all()
