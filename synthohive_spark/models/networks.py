"""Generator and critic of the conditional GAN.

B rows, Z noise, K context width, S scalars, C one-hot places, W = S + C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from synthohive_spark.models.layout import Layout

LEAK = 0.2


def seeded_linear(inputs: int, outputs: int, rng: torch.Generator) -> nn.Linear:
    """Returns a linear layer whose weights come from ``rng``, in the range that torch uses by default."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    bound = 1.0 / math.sqrt(max(1, inputs))
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=rng)
    return layer


class Residual(nn.Module):
    """Linear, BatchNorm, ReLU, with the input passed on beside the output."""

    def __init__(self, inputs: int, outputs: int, rng: torch.Generator) -> None:
        super().__init__()
        self.linear = seeded_linear(inputs, outputs, rng)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, I) -> (B, O + I)."""
        return torch.cat([torch.relu(self.norm(self.linear(x))), x], dim=1)


class Generator(nn.Module):
    """Noise and parent context to the raw output of a row: scalars before tanh, then logits.

    Args:
        noise: Z.
        context: K.
        hidden: width of each residual block.
        width: W.
        rng: source of the initial weights.
    """

    def __init__(self, noise: int, context: int, hidden: Sequence[int], width: int, rng: torch.Generator) -> None:
        super().__init__()
        blocks, inputs = [], noise + context
        for outputs in hidden:
            blocks.append(Residual(inputs, outputs, rng))
            inputs += outputs
        self.noise = noise
        self.blocks = nn.Sequential(*blocks)
        self.output = seeded_linear(inputs, width, rng)

    def forward(self, noise: Tensor, context: Tensor) -> Tensor:
        """(B, Z), (B, K) -> (B, W)."""
        raw: Tensor = self.output(self.blocks(torch.cat([noise, context], dim=1)))
        return raw

    @torch.no_grad()
    def settle_norms(self, noise: Tensor, context: Tensor) -> None:
        """Replaces the running BatchNorm statistics by those of (B, Z) noise with (B, K) context, and stops training.

        Rows are sampled sorted by parent: statistics of a batch would leak from one parent to the next.
        """
        norms = [block.norm for block in self.blocks if isinstance(block, Residual)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = 1.0
        self.train()
        self(noise, context)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.eval()


class Critic(nn.Module):
    """Scores packs of rows with their parent context (Wasserstein critic, no dropout, no normalisation).

    Args:
        width: W.
        context: K.
        hidden: width of each layer.
        pac: rows scored together.
        rng: source of the initial weights.
    """

    def __init__(self, width: int, context: int, hidden: Sequence[int], pac: int, rng: torch.Generator) -> None:
        super().__init__()
        sizes = [pac * (width + context), *hidden]
        self.pac = pac
        self.row_width = width
        self.layers = [seeded_linear(a, b, rng) for a, b in pairwise(sizes)]
        self.hidden = nn.Sequential(*self.layers)  # registers the weights
        self.score = seeded_linear(sizes[-1], 1, rng)

    def forward(self, rows: Tensor, context: Tensor) -> Tensor:
        """(B, W), (B, K) -> (B / pac, 1)."""
        x = self._packs(rows, context)
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), LEAK)
        scores: Tensor = self.score(x)
        return scores

    def gradient_penalty(self, real: Tensor, fake: Tensor, context: Tensor, mix: Tensor) -> Tensor:
        """Returns the WGAN-GP penalty (Gulrajani et al. 2017) in closed form, without a double backward.

        A LeakyReLU network is piecewise linear: with the slopes of each layer held constant, the gradient in its
        input is a product of matrices.

        Args:
            real: (B, W) rows.
            fake: (B, W) rows of the same context.
            context: (B, K) context of both.
            mix: (B / pac, 1) place of each pack between real and fake.
        """
        weight = mix.repeat_interleave(self.pac, dim=0)  # (B, 1)
        slopes = []
        with torch.no_grad():
            x = self._packs(fake + weight * (real - fake), context)
            for layer in self.layers:
                x = layer(x)
                slopes.append(torch.where(x > 0, 1.0, LEAK))  # (B / pac, H)
                x = x * slopes[-1]
        gradient: Tensor = self.score.weight  # (1, H)
        for layer, slope in zip(reversed(self.layers), reversed(slopes), strict=True):
            gradient = (gradient * slope) @ layer.weight  # (B / pac, I)
        of_rows = gradient[:, : self.pac * self.row_width]  # the context is the same on both sides
        norm = of_rows.square().sum(dim=1).add(1e-12).sqrt()
        return (norm - 1.0).square().mean()

    def _packs(self, rows: Tensor, context: Tensor) -> Tensor:  # (B, W), (B, K) -> (B / pac, pac * (W + K))
        packs = rows.shape[0] // self.pac
        return torch.cat([rows.reshape(packs, -1), context.reshape(packs, -1)], dim=1)


def soft_rows(raw: Tensor, layout: Layout, temperature: float, rng: torch.Generator) -> Tensor:
    """Returns differentiable rows: tanh scalars, Gumbel-softmax blocks, scalars times their "continuous" state.

    Args:
        raw: (B, W) output of the generator.
        layout: places of the columns.
        temperature: of the Gumbel softmax.
        rng: source of the noise.
    """
    scalars = torch.tanh(raw[:, : layout.scalars])  # (B, S)
    if not layout.block_sizes:
        return scalars
    logits = raw[:, layout.scalars :]
    uniform = torch.rand(logits.shape, generator=rng, device=raw.device).clamp_(1e-7, 1.0 - 1e-7)
    noisy = (logits - torch.log(-torch.log(uniform))) / temperature  # (B, C)
    states = torch.cat([part.softmax(dim=1) for part in torch.split(noisy, list(layout.block_sizes), dim=1)], dim=1)
    return torch.cat([scalars * open_gates(states, layout), states], dim=1)


def open_gates(states: Tensor, layout: Layout) -> Tensor:
    """Returns the (B, S) weight of each scalar's "continuous" state in (B, C) states, 1 where there is no other."""
    padded = torch.cat([states, states.new_ones(len(states), 1)], dim=1)
    return padded[:, list(layout.gates)]
