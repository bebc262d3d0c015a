"""The condition vector of the classic CTGAN: one state of one discrete column that a row must have.

After Xu et al. 2019, Modeling Tabular data using Conditional GAN, section 4.3. It stays a number until a network looks
up its weights; its one-hot form is never made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synthohive_spark.models.common.layout import Layout, Packed
from synthohive_spark.models.ctgan.context_sampler import ContextSampler


class Conditions:
    """The D states that can be asked for, those of one discrete column side by side.

    Args:
        layout: of the rows; columns with a scalar are not discrete.
        device: where the rows are.
    """

    def __init__(self, layout: Layout, device: torch.device) -> None:
        sizes = list(layout.block_sizes)
        discrete = [block for block, column in enumerate(layout.block_columns) if column not in layout.scalar_columns]
        owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes, dtype=torch.long))  # (C,)
        self.blocks = discrete
        self.sizes = [sizes[block] for block in discrete]
        self.width = sum(self.sizes)
        self._states = torch.nonzero(torch.isin(owner, torch.tensor(discrete, dtype=torch.long)))[:, 0].to(device)
        self._owner = owner.to(device)
        self._scalars = layout.scalars

    def counts(self, rows: Packed) -> list[Tensor]:
        """Returns the rows of each state, for each discrete column."""
        codes = (rows.codes[:, block].long() for block in self.blocks)
        return [torch.bincount(code, minlength=size) for code, size in zip(codes, self.sizes, strict=True)]

    def shares(self, rows: Packed) -> Tensor:
        """Returns the (D,) chance of each condition when rows are sampled: all columns alike, states as in ``rows``."""
        parts = [count / (len(rows) * len(self.blocks)) for count in self.counts(rows)]
        return torch.cat(parts).float() if parts else torch.zeros(0)

    def loss(self, raw: Tensor, places: Tensor) -> Tensor:
        """Returns the mean cross-entropy of the logits of each row's condition.

        Args:
            raw: (B, W) output of the generator.
            places: (B,) places of the conditions, 0 .. D-1.
        """
        logits, state = raw[:, self._scalars :], self._states[places]
        of_column = self._owner == self._owner[state][:, None]  # (B, C)
        total = logits.masked_fill(~of_column, -torch.inf).logsumexp(dim=1)
        return (total - logits.gather(1, state[:, None])[:, 0]).mean()


def draw_conditions(shares: Tensor, rows: int, rng: torch.Generator) -> Tensor | None:
    """Returns the (rows,) places of the conditions of new rows; None where there are no conditions."""
    return torch.multinomial(shares, rows, replacement=True, generator=rng) if len(shares) else None


class ConditionSampler(ContextSampler):
    """Training-by-sampling: draws a condition for each row of a batch, then a training row that fulfils it.

    Columns are drawn alike and states by the logarithm of their rows, so that rare states are seen. A batch is named by
    entries: each row stands once under each discrete column, and the entries of one state lie side by side.

    Args:
        rows: (n, ...) packed training rows.
        conditions: what can be asked for.
        batch: rows of a batch.
        legacy: whether the generator step reuses the critic's batch.
        rng: source of the draws.
    """

    def __init__(self, rows: Packed, conditions: Conditions, batch: int, legacy: bool, rng: torch.Generator) -> None:
        super().__init__(len(rows), batch, legacy, rng)
        counts = conditions.counts(rows)
        logs = [torch.log1p(count.double()) for count in counts]
        chances = torch.cat([log / log.sum() for log in logs])
        present = torch.cat(counts) > 0
        self._places = torch.nonzero(present)[:, 0]  # (P,) conditions that some row fulfils
        self._counts = torch.cat(counts)[present]
        self._starts = torch.cumsum(self._counts, 0) - self._counts
        self._mass = torch.cumsum(chances[present], 0)
        orders = [torch.argsort(rows.codes[:, block], stable=True) for block in conditions.blocks]
        self._rows = torch.cat(orders).to(torch.int32)  # (n * columns,) row of each entry

    def rows_of(self, entries: Tensor) -> Tensor:
        """Returns the (B,) training rows of (B,) entries."""
        return self._rows[entries].long()

    def places_of(self, entries: Tensor) -> Tensor:
        """Returns the (B,) places of the conditions of (B,) entries."""
        return self._places[torch.searchsorted(self._starts, entries, right=True) - 1]

    def _draw(self) -> Tensor:
        uniform = torch.rand(2, self.batch, generator=self._rng, device=self._rng.device, dtype=torch.float64)
        place = torch.searchsorted(self._mass, uniform[0] * self._mass[-1], right=True).clamp_max(len(self._mass) - 1)
        return self._starts[place] + (uniform[1] * self._counts[place]).long()
