"""Generator and critic of the conditional GAN.

B rows, Z noise, K context width, D places of conditions, S scalars, C one-hot places, W = S + C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from synthohive_spark.models.common.layout import Layout, Packed

LEAK = 0.2  # of the leaky ReLU, as in the paper


class _Linear(nn.Linear):
    """A linear layer whose first weights are set from outside."""

    def reset_parameters(self) -> None:
        """Leaves the weights as they are."""


def seeded_linear(inputs: int, outputs: int, rng: torch.Generator) -> nn.Linear:
    """Returns a linear layer whose weights come from ``rng``, in the range that torch uses by default."""
    layer = _Linear(inputs, outputs)
    bound = 1.0 / math.sqrt(max(1, inputs))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=rng)
    return layer


def concatenated(left: Tensor, right: Tensor) -> Tensor:
    """Returns (B, I) and (B, J), often without columns, side by side."""
    return torch.cat([left, right], dim=1) if right.shape[1] else left


def seeded_table(places: int, outputs: int, inputs: int, rng: torch.Generator) -> nn.Parameter:
    """Returns the (places, outputs) weights of a one-hot part of the ``inputs`` of a linear layer."""
    bound = 1.0 / math.sqrt(max(1, inputs))
    return nn.Parameter(torch.empty(places, outputs).uniform_(-bound, bound, generator=rng))


class Residual(nn.Module):
    """Linear, BatchNorm, ReLU, with the input passed on beside the output."""

    def __init__(self, inputs: int, outputs: int, rng: torch.Generator) -> None:
        super().__init__()
        self.linear = seeded_linear(inputs, outputs, rng)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor, shift: Tensor | None) -> Tensor:
        """(B, I), (B, O) -> (B, O + I)."""
        hidden = self.linear(x)
        if shift is not None:
            hidden = hidden + shift
        return torch.cat([torch.relu(self.norm(hidden)), x], dim=1)

    def folded_norm(self) -> tuple[Tensor, Tensor]:
        """Returns the (O,) factor and the (O,) offset that the norm is in evaluation."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None
        assert variance is not None
        scale = self.norm.weight / torch.sqrt(variance + self.norm.eps)
        return scale, self.norm.bias - mean * scale


class Generator(nn.Module):
    """Noise, parent context and condition to the raw output of a row: scalars before tanh, then logits.

    The one-hot condition is passed on beside the output of each block like the rest of the input; its part of each
    layer is looked up instead of multiplied.

    Args:
        noise: Z.
        context: K.
        hidden: width of each residual block.
        width: W.
        rng: source of the initial weights.
        conditions: D, 0 for a generator without conditions.
    """

    def __init__(
        self, noise: int, context: int, hidden: Sequence[int], width: int, rng: torch.Generator, conditions: int = 0
    ) -> None:
        super().__init__()
        blocks, inputs = [], noise + context
        for outputs in hidden:
            blocks.append(Residual(inputs, outputs, rng))
            inputs += outputs
        self.noise = noise
        self.blocks = nn.ModuleList(blocks)
        self.output = seeded_linear(inputs, width, rng)
        self.widths = [*hidden, width]
        if conditions:
            self.condition = seeded_table(conditions, sum(self.widths), inputs + conditions, rng)

    def forward(self, noise: Tensor, context: Tensor, places: Tensor | None = None) -> Tensor:
        """(B, Z), (B, K), (B,) places of the conditions -> (B, W)."""
        shifts: Sequence[Tensor | None] = [None] * len(self.widths)
        if places is not None:
            shifts = torch.split(nn.functional.embedding(places, self.condition), self.widths, dim=1)
        x = concatenated(noise, context)
        for block, shift in zip(self.blocks, shifts[:-1], strict=True):
            x = block(x, shift)
        raw: Tensor = self.output(x)
        return raw if shifts[-1] is None else raw + shifts[-1]

    @torch.no_grad()
    def settle_norms(self, noise: Tensor, context: Tensor, places: Tensor | None = None) -> None:
        """Replaces the running BatchNorm statistics by those of (B, Z) noise with (B, K) context, and stops training.

        Rows are sampled sorted by parent: statistics of a batch would leak from one parent to the next.
        """
        norms = [block.norm for block in self.blocks if isinstance(block, Residual)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = 1.0
        self.train()
        self(noise, context, places)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.eval()


class FoldedGenerator:
    """A trained generator for drawing many rows: what ``forward`` gives in evaluation, but for rounding.

    What the context adds to each layer is looked up for its states instead of multiplied, so that wide contexts (rows
    of several parents: a few hundred places of which some thirty are not 0) cost little. BatchNorm is folded into
    weights.

    Args:
        generator: the network.
        scalars: how many of the K places of the context come before its one-hot blocks.
        context: K.
    """

    @torch.no_grad()
    def __init__(self, generator: Generator, scalars: int, context: int) -> None:
        self.noise, self.widths = generator.noise, generator.widths
        weights, biases, scales = [], [], []
        for block in generator.blocks:
            assert isinstance(block, Residual)
            scale, shift = block.folded_norm()
            weights.append(block.linear.weight * scale[:, None])
            biases.append(block.linear.bias * scale + shift)
            scales.append(scale)
        weights.append(generator.output.weight)
        biases.append(generator.output.bias)
        self.weights = [w[:, : w.shape[1] - context].T.contiguous() for w in weights]
        table = torch.cat([w[:, w.shape[1] - context :] for w in weights]).T.contiguous()  # (K, sum of widths)
        self.scalars, self.states, self.bias = table[:scalars], table[scalars:], torch.cat(biases)
        self.condition = None
        if hasattr(generator, "condition"):
            scales.append(torch.ones_like(generator.output.bias))
            self.condition = generator.condition * torch.cat(scales)

    @torch.no_grad()
    def __call__(self, noise: Tensor, context: Packed, places: Tensor | None = None) -> Tensor:
        """(B, Z), B rows of context, (B,) places of the conditions -> (B, W)."""
        if context.block_sizes:
            shift = nn.functional.embedding_bag(context.places(), self.states, mode="sum").add_(self.bias)
        else:
            shift = self.bias.expand(len(noise), -1)
        if len(self.scalars):
            shift = torch.addmm(shift, context.scalars, self.scalars)
        if self.condition is not None and places is not None:
            shift = shift + nn.functional.embedding(places, self.condition)
        shifts = torch.split(shift, self.widths, dim=1)
        hidden = sum(self.widths[:-1])
        x = noise.new_empty(len(noise), hidden + self.noise)  # the last block's output first, the noise last
        x[:, hidden:] = noise
        for weight, width, moved in zip(self.weights, self.widths[:-1], shifts, strict=False):
            x[:, hidden - width : hidden] = torch.addmm(moved, x[:, hidden:], weight).relu_()
            hidden -= width
        return torch.addmm(shifts[-1], x, self.weights[-1])


class Critic(nn.Module):
    """Scores packs of rows with their parent context and condition (Wasserstein critic, no normalisation).

    Args:
        width: W.
        context: K.
        hidden: width of each layer.
        pac: rows scored together.
        rng: source of the initial weights.
        conditions: D, 0 for a critic without conditions.
        dropout: share of the hidden units that are left out of each pass.
    """

    def __init__(
        self,
        width: int,
        context: int,
        hidden: Sequence[int],
        pac: int,
        rng: torch.Generator,
        conditions: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = [pac * (width + context), *hidden, 1]
        self.pac, self.row_width, self.dropout = pac, width, dropout
        self.layers = [seeded_linear(a, b, rng) for a, b in pairwise(sizes)]
        self.all_layers = nn.Sequential(*self.layers)  # registers the weights
        if conditions:
            self.condition = seeded_table(pac * conditions, sizes[1], sizes[0] + pac * conditions, rng)
            self.register_buffer("starts", torch.arange(pac) * conditions, persistent=False)

    def forward(self, rows: Tensor, context: Tensor, places: Tensor | None, rng: torch.Generator) -> Tensor:
        """(B, W), (B, K), (B,) places of the conditions -> (B / pac, 1); ``rng`` draws the units left out."""
        return self._scores(self._first(rows, context, places), rng)

    def compare(
        self, real: Tensor, fake: Tensor, context: Tensor, places: Tensor | None, rng: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the mean scores of real and of fake rows, and the WGAN-GP penalty (Gulrajani et al. 2017).

        The penalty is in closed form, without a double backward: a LeakyReLU network is piecewise linear, so with the
        slopes of each layer held constant, the gradient in its input is a product of matrices.

        Args:
            real: (B, W) rows.
            fake: (B, W) rows of the same context and conditions, which therefore need no gradient.
            context: (B, K) context of both.
            places: (B,) places of the conditions of both.
            rng: draws the units left out and the place of each pack between real and fake.
        """
        both = None if places is None else torch.cat([places, places])
        first = self._first(torch.cat([real, fake]), torch.cat([context, context]), both)
        on_real, on_fake = self._scores(first, rng).chunk(2)
        mix = torch.rand(len(on_real), 1, generator=rng, device=real.device)
        first_real, first_fake = first.detach().chunk(2)
        gradient = self._gradient(first_real, first_fake, mix, rng)
        norm = gradient.square().sum(dim=1).add(1e-12).sqrt()
        return on_real.mean(), on_fake.mean(), (norm - 1.0).square().mean()

    def _gradient(self, real: Tensor, fake: Tensor, mix: Tensor, rng: torch.Generator) -> Tensor:
        """Returns the (B / pac, pac * W) gradient in the rows between real and fake ones.

        The first layer is linear, so its (B / pac, H) outputs ``real`` and ``fake`` are mixed in place of the rows.
        """
        slopes = []
        with torch.no_grad():
            x = torch.lerp(fake, real, mix)
            for layer in self.layers[1:]:
                slope = torch.where(x > 0, 1.0, LEAK)
                kept = self._kept(slope, rng)
                slopes.append(slope if kept is None else slope * kept)  # (B / pac, H)
                x = layer(x * slopes[-1])
        of_rows = self.layers[0].weight[:, : self.pac * self.row_width]
        weights = [of_rows, *(layer.weight for layer in self.layers[1:])]
        gradient: Tensor = weights[-1]  # (1, H)
        for weight, slope in zip(reversed(weights[:-1]), reversed(slopes), strict=True):
            gradient = (gradient * slope) @ weight  # (B / pac, I)
        return gradient

    def _first(self, rows: Tensor, context: Tensor, places: Tensor | None) -> Tensor:
        """Returns the (B / pac, H) output of the first layer before its LeakyReLU."""
        packs = rows.shape[0] // self.pac
        first: Tensor = self.layers[0](concatenated(rows.reshape(packs, -1), context.reshape(packs, -1)))
        if places is None:
            return first
        index = places.reshape(packs, -1) + self.get_buffer("starts")
        return first + nn.functional.embedding_bag(index, self.condition, mode="sum")

    def _scores(self, x: Tensor, rng: torch.Generator) -> Tensor:
        for layer in self.layers[1:]:
            x = nn.functional.leaky_relu(x, LEAK)
            kept = self._kept(x, rng)
            x = layer(x if kept is None else x * kept)
        return x

    def _kept(self, x: Tensor, rng: torch.Generator) -> Tensor | None:
        """Returns the weights of dropout, None where there is none."""
        if not self.dropout:
            return None
        kept = torch.rand(x.shape, generator=rng, device=x.device).ge_(self.dropout)
        return kept.div_(1.0 - self.dropout)


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
    noise = torch.rand(logits.shape, generator=rng, device=raw.device).clamp_(1e-7, 1.0 - 1e-7)
    noise.log_().neg_().log_().div_(-temperature)  # Gumbel noise, in place
    noisy = torch.add(noise, logits, alpha=1.0 / temperature)  # (B, C)
    states = [part.softmax(dim=1) for part in torch.split(noisy, list(layout.block_sizes), dim=1)]
    if layout.gated:
        scalars = scalars * open_gates(torch.cat(states, dim=1), layout)
    return torch.cat([scalars, *states], dim=1)


def open_gates(states: Tensor, layout: Layout) -> Tensor:
    """Returns the (B, S) weight of each scalar's "continuous" state in (B, C) states, 1 where there is no other."""
    padded = torch.cat([states, states.new_ones(len(states), 1)], dim=1)
    return padded[:, list(layout.gates)]
