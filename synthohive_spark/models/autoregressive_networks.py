"""The network of the autoregressive model: one small head per sub-column, given those before it and the context.

After TabularARGN (Tiwald et al. 2025, TabularARGN: A Flexible and Efficient Auto-Regressive Framework for Generating
High-Fidelity Synthetic Data). B rows, S sub-columns, K context width, C context embedding (0 without context),
E inputs a sub-column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthohive_spark.models.networks import seeded_linear

EMBEDDING = 8
INPUTS = EMBEDDING + 1
CONTEXT_HIDDEN = 128
CONTEXT_OUT = 64
NARROWEST, WIDEST = 32, 256
WIDTH_PER_NAT = 16.0


@dataclass(frozen=True)
class Plan:
    """The shape of a network.

    Attributes:
        cardinalities: (S,) codes of each sub-column.
        context_width: K.
        parents: (S,) earlier sub-columns that each head sees, ascending.
        narrowing: factor on the width of the heads; below 1 for wide tables.
    """

    cardinalities: tuple[int, ...]
    context_width: int
    parents: tuple[tuple[int, ...], ...]
    narrowing: float

    @property
    def context_out(self) -> int:
        """C."""
        return CONTEXT_OUT if self.context_width else 0

    def width(self, place: int) -> int:
        """Returns the hidden units of a head."""
        wanted = min(WIDEST, max(NARROWEST, WIDTH_PER_NAT * math.log(self.cardinalities[place] + 1)))
        return max(8, 8 * round(wanted * self.narrowing / 8))

    def head_weights(self, place: int) -> int:
        """Returns the weights of a head."""
        inputs = self.context_out + INPUTS * len(self.parents[place])
        return self.width(place) * (inputs + self.cardinalities[place])

    @property
    def weights(self) -> int:
        """Weights that a row meets in a step."""
        context = CONTEXT_HIDDEN * (self.context_width + CONTEXT_OUT) if self.context_width else 0
        return context + sum(self.head_weights(place) for place in range(len(self.cardinalities)))


class Head(nn.Module):
    """Inputs to the logits of one sub-column."""

    def __init__(self, inputs: int, width: int, outputs: int, rng: torch.Generator) -> None:
        super().__init__()
        self.hidden = seeded_linear(inputs, width, rng)
        self.output = seeded_linear(width, outputs, rng)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """(B, I), optional (B, at least width) dropout weights -> (B, codes)."""
        hidden = torch.relu(self.hidden(x))
        if keep is not None:
            hidden = hidden * keep[:, : hidden.shape[1]]
        logits: Tensor = self.output(hidden)
        return logits


class ColumnHeads(nn.Module):
    """All heads of a table.

    Args:
        plan: sizes.
        barriers: (S,) what ``TableCodes.barrier`` says of each sub-column.
        rng: source of the initial weights.
    """

    def __init__(self, plan: Plan, barriers: Sequence[Tensor | None], rng: torch.Generator) -> None:
        super().__init__()
        self.plan = plan
        self.embeddings = nn.ParameterList(
            nn.Parameter(torch.randn(codes, EMBEDDING, generator=rng)) for codes in plan.cardinalities
        )
        self.heads = nn.ModuleList(
            Head(plan.context_out + INPUTS * len(plan.parents[place]), plan.width(place), codes, rng)
            for place, codes in enumerate(plan.cardinalities)
        )
        if plan.context_width:
            self.context_hidden = seeded_linear(plan.context_width, CONTEXT_HIDDEN, rng)
            self.context_output = seeded_linear(CONTEXT_HIDDEN, CONTEXT_OUT, rng)
            self.unknown = nn.Parameter(torch.zeros(CONTEXT_OUT))
        for place, codes in enumerate(plan.cardinalities):
            self.register_buffer(f"scale_{place}", torch.linspace(-1, 1, codes)[:, None], persistent=False)
            self.register_buffer(f"barrier_{place}", barriers[place], persistent=False)
            if plan.parents[place] != tuple(range(place)):
                seen = torch.tensor([INPUTS * parent + part for parent in plan.parents[place] for part in range(INPUTS)])
                columns = torch.cat([torch.arange(plan.context_out), seen.long() + plan.context_out])
                self.register_buffer(f"columns_{place}", columns, persistent=False)

    @torch.no_grad()
    def start_at(self, shares: Sequence[Tensor]) -> None:
        """Sets the output biases so that training starts at the (codes,) shares of each sub-column."""
        for head, share in zip(self.heads, shares, strict=True):
            assert isinstance(head, Head)
            head.output.bias.copy_(share.log())

    def context(self, dense: Tensor, masked: Tensor | None = None) -> Tensor:
        """(B, K) context, optional (B, 1) mask of rows that shall not see it -> (B, C)."""
        if not self.plan.context_width:
            return dense.new_zeros(len(dense), 0)
        embedded = torch.relu(self.context_output(torch.relu(self.context_hidden(dense))))
        return embedded if masked is None else torch.where(masked, self.unknown, embedded)

    def table(self, place: int) -> Tensor:
        """Returns the (codes, E) inputs that each code of a sub-column stands for."""
        return torch.cat([self.embeddings[place], self.get_buffer(f"scale_{place}")], dim=1)

    def features(self, context: Tensor, codes: Tensor) -> Tensor:
        """(B, C), (B, S) codes -> (B, C + S E), of which each head sees its own part."""
        parts = [F.embedding(codes[:, place], self.table(place)) for place in range(len(self.plan.cardinalities) - 1)]
        return torch.cat([context, *parts], dim=1)

    def logits(self, place: int, features: Tensor, codes: Tensor, keep: Tensor | None = None) -> Tensor:
        """(B, at least C + E place), (B, at least place) codes -> (B, codes) logits of sub-column ``place``."""
        columns = getattr(self, f"columns_{place}", None)
        end = self.plan.context_out + INPUTS * place
        seen = features[:, :end] if columns is None else features[:, columns]
        logits: Tensor = self.heads[place](seen, keep)
        barrier = getattr(self, f"barrier_{place}")
        return logits if barrier is None else logits + barrier[codes[:, place - 1]]

    def log_probabilities(self, context: Tensor, codes: Tensor, keep: Tensor | None = None) -> Tensor:
        """(B, C), (B, S) codes -> (B, S) log probability of each code, given those before it and the context."""
        features = self.features(context, codes)
        parts = []
        for place in range(len(self.plan.cardinalities)):
            logits = self.logits(place, features, codes, keep)
            parts.append(-F.cross_entropy(logits, codes[:, place], reduction="none"))
        return torch.stack(parts, dim=1)
