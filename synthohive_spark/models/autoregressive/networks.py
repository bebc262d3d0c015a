"""The network of the autoregressive model: one small head per sub-column, given those before it and the context.

After TabularARGN (Tiwald et al. 2025, TabularARGN: A Flexible and Efficient Auto-Regressive Framework for Generating
High-Fidelity Synthetic Data). B rows, S sub-columns, K context width, C context embedding (1 without context),
E inputs a sub-column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthohive_spark.models.ctgan.networks import seeded_linear

EMBEDDING = 8  # numbers that a code is to the heads behind it
INPUTS = EMBEDDING + 1  # and one that says whether it is known
CONTEXT_HIDDEN = 128  # units of the layer that reads the context
CONTEXT_OUT = 64  # numbers that the heads see of it
NARROWEST, WIDEST = 32, 256  # units of a head
WIDTH_PER_NAT = 16.0  # units of a head for each nat of its codes (log of their number)
MOST_WEIGHTS = 2_000_000  # of all heads: 8 MB, which the registry holds as one value


@dataclass(frozen=True)
class NetworkPlan:
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

    @classmethod
    def of(cls, cardinalities: Sequence[int], context_width: int, parents: tuple[tuple[int, ...], ...]) -> NetworkPlan:
        """Returns a plan whose heads are as wide as ``MOST_WEIGHTS`` allow."""
        plan = cls(tuple(cardinalities), context_width, parents, 1.0)
        return replace(plan, narrowing=min(1.0, MOST_WEIGHTS / plan.weights))

    @property
    def context_out(self) -> int:
        """C; one constant where there is no context, so that the first head has an input."""
        return CONTEXT_OUT if self.context_width else 1

    @property
    def wide(self) -> bool:
        """Whether heads see but some of the earlier sub-columns, so that each has to look up its own."""
        return any(len(seen) < place for place, seen in enumerate(self.parents))

    @property
    def lookups(self) -> int:
        """Inputs that heads look up for themselves."""
        return sum(map(len, self.parents)) if self.wide else 0

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


@dataclass(frozen=True)
class Shrinkage:
    """How far a head is held back from what it learnt by heart, for rows of families that it has not seen.

    Attributes:
        context: weight of the context beside the unknown one (as in classifier-free guidance, Ho and Salimans 2022,
            but below 1).
        logits: weight of the head's logits beside those of the shares of its codes (temperature scaling, Guo et al.
            2017, towards the shares).
    """

    context: float = 1.0
    logits: float = 1.0


@dataclass(frozen=True)
class Seen:
    """What heads see of some rows.

    Attributes:
        features: (B, C + S E) context and inputs, of which each head takes a beginning; in wide tables (B, C).
        table: (sum of codes, E) inputs of all codes.
    """

    features: Tensor
    table: Tensor


class ColumnHeads(nn.Module):
    """All heads of a table.

    Args:
        plan: sizes.
        barriers: (S,) what ``TableCodes.barrier`` says of each sub-column.
        rng: source of the initial weights.
    """

    def __init__(self, plan: NetworkPlan, barriers: Sequence[Tensor | None], rng: torch.Generator) -> None:
        super().__init__()
        self.plan = plan
        self.embedding = nn.Parameter(torch.randn(sum(plan.cardinalities), EMBEDDING, generator=rng))
        self.heads = nn.ModuleList(
            Head(plan.context_out + INPUTS * len(plan.parents[place]), plan.width(place), codes, rng)
            for place, codes in enumerate(plan.cardinalities)
        )
        if plan.context_width:
            self.context_hidden = seeded_linear(plan.context_width, CONTEXT_HIDDEN, rng)
            self.context_output = seeded_linear(CONTEXT_HIDDEN, CONTEXT_OUT, rng)
            self.unknown = nn.Parameter(torch.zeros(CONTEXT_OUT))
        scale = torch.cat([torch.linspace(-1, 1, codes) for codes in plan.cardinalities])
        self.register_buffer("scale", scale[:, None], persistent=False)
        starts = torch.tensor([0, *plan.cardinalities[:-1]]).cumsum(0)
        self.register_buffer("starts", starts, persistent=False)
        for place, parents in enumerate(plan.parents):
            self.register_buffer(f"parents_{place}", torch.tensor(parents, dtype=torch.long), persistent=False)
            self.register_buffer(f"barrier_{place}", barriers[place], persistent=False)

    @torch.no_grad()
    def start_at(self, shares: Sequence[Tensor]) -> None:
        """Sets the output biases so that training starts at the (codes,) shares of each sub-column."""
        for head, share in zip(self.heads, shares, strict=True):
            assert isinstance(head, Head)
            head.output.bias.copy_(share.log())

    @torch.no_grad()
    def shrink(self, by: Sequence[Shrinkage], shares: Sequence[Tensor]) -> None:
        """Folds the shrinkage of each head, towards the (codes,) shares of its sub-column, into its weights."""
        for head, shrinkage, share in zip(self.heads, by, shares, strict=True):
            assert isinstance(head, Head)
            if self.plan.context_width:
                of_context = head.hidden.weight[:, : self.plan.context_out]
                head.hidden.bias.add_(of_context @ self.unknown, alpha=1.0 - shrinkage.context)
                of_context.mul_(shrinkage.context)
            head.output.weight.mul_(shrinkage.logits)
            head.output.bias.copy_(torch.lerp(share.log(), head.output.bias, shrinkage.logits))

    def context(self, dense: Tensor, masked: Tensor | None = None) -> Tensor:
        """(B, K) context, optional (B, 1) mask of rows that shall not see it -> (B, C)."""
        if not self.plan.context_width:
            return dense.new_ones(len(dense), self.plan.context_out)
        embedded = torch.relu(self.context_output(torch.relu(self.context_hidden(dense))))
        return embedded if masked is None else torch.where(masked, self.unknown, embedded)

    def table(self) -> Tensor:
        """Returns the (sum of codes, E) inputs that the codes stand for, sub-column after sub-column."""
        return torch.cat([self.embedding, self.get_buffer("scale")], dim=1)

    def seen(self, context: Tensor, codes: Tensor) -> Seen:
        """(B, C), (B, S) codes -> what heads see of them."""
        table = self.table()
        if self.plan.wide:
            return Seen(context, table)
        looked_up = F.embedding(codes + self.get_buffer("starts"), table)  # (B, S, E)
        return Seen(torch.cat([context, looked_up.flatten(1)], dim=1), table)

    def logits(self, place: int, seen: Seen, codes: Tensor, keep: Tensor | None = None) -> Tensor:
        """What heads see, (B, at least place) codes -> (B, codes) logits of sub-column ``place``."""
        if self.plan.wide:
            parents = self.get_buffer(f"parents_{place}")
            looked_up = F.embedding(codes[:, parents] + self.get_buffer("starts")[parents], seen.table)
            inputs = torch.cat([seen.features, looked_up.flatten(1)], dim=1)
        else:
            inputs = seen.features[:, : self.plan.context_out + INPUTS * place]
        logits: Tensor = self.heads[place](inputs, keep)
        barrier = getattr(self, f"barrier_{place}")
        return logits if barrier is None else logits + barrier[codes[:, place - 1]]

    def log_probabilities(self, context: Tensor, codes: Tensor, keep: Tensor | None = None) -> Tensor:
        """(B, C), (B, S) codes -> (B, S) log probability of each code, given those before it and the context."""
        seen = self.seen(context, codes)
        parts = []
        for place in range(len(self.plan.cardinalities)):
            logits = self.logits(place, seen, codes, keep)
            parts.append(-F.cross_entropy(logits, codes[:, place], reduction="none"))
        return torch.stack(parts, dim=1)
